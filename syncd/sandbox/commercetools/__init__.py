"""A simulated commercetools project: see :mod:`~syncd.sandbox.commercetools.account`."""

from __future__ import annotations

from syncd.sandbox.commercetools.account import CommercetoolsSandbox, default_clients
from syncd.sandbox.commercetools.auth import ApiClient
from syncd.sandbox.commercetools.project import Settings
from syncd.sandbox.commercetools.seeding import people, seed

SIMULATOR = CommercetoolsSandbox

__all__ = ["SIMULATOR", "ApiClient", "CommercetoolsSandbox", "Settings", "default_clients", "people", "seed"]
