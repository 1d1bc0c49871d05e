"""A simulated BigCommerce store with B2B Edition: see :mod:`~syncd.sandbox.bigcommerce.account`."""

from __future__ import annotations

from syncd.sandbox.bigcommerce.account import BigcommerceSandbox
from syncd.sandbox.bigcommerce.accounts import ApiAccount, default_accounts
from syncd.sandbox.bigcommerce.limits import LimitSettings
from syncd.sandbox.bigcommerce.people import seed
from syncd.sandbox.bigcommerce.sender import SenderSettings
from syncd.sandbox.bigcommerce.store import StoreSettings

SIMULATOR = BigcommerceSandbox

__all__ = [
    "SIMULATOR",
    "ApiAccount",
    "BigcommerceSandbox",
    "LimitSettings",
    "SenderSettings",
    "StoreSettings",
    "default_accounts",
    "seed",
]
