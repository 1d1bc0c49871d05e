"""A simulated HubSpot account: CRM objects, associations, properties, pipelines, sign-in, limits and webhooks."""

from syncd.sandbox.hubspot.simulator import HubspotSandbox

SIMULATOR = HubspotSandbox

__all__ = ["SIMULATOR", "HubspotSandbox"]
