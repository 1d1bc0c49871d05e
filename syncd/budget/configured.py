"""A connection's budget as its configuration has it."""

from __future__ import annotations

from syncd.budget.spec import BudgetSettings, WindowOverride
from syncd.config.models import ConnectionSettings, HubspotSettings
from syncd.model.change import Lane


def budget_settings(connection: ConnectionSettings) -> BudgetSettings:
    """What the operator said in ``[connections.<name>.budget]``."""
    written = connection.budget
    return BudgetSettings(
        reserve={Lane[name.upper()]: part for name, part in written.reserve.items()} or None,
        share=written.share,
        windows={name: WindowOverride(limit=limit) for name, limit in written.limits.items()},
        zone=connection.time_zone or None if isinstance(connection, HubspotSettings) else None,
        without=frozenset({"journal"} if isinstance(connection, HubspotSettings) and not connection.journal else ()),
    )
