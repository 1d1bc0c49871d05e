"""A simulated Salesforce org: REST, Bulk API 2.0, change events over the Pub/Sub API, and what only SOAP has."""

from syncd.sandbox.salesforce.simulator import SalesforceSandbox

SIMULATOR = SalesforceSandbox

__all__ = ["SIMULATOR", "SalesforceSandbox"]
