"""How calls are paid: a connection's windows, the lanes of urgency, what replies tell, and what survives a restart."""

from syncd.budget.budget import Budget
from syncd.budget.keeper import BudgetKeeper, MemoryKeeper
from syncd.budget.spec import BudgetSettings, Form, WindowOverride, WindowSpec, specs_for
from syncd.budget.window import WindowView

__all__ = [
    "Budget",
    "BudgetKeeper",
    "BudgetSettings",
    "Form",
    "MemoryKeeper",
    "WindowOverride",
    "WindowSpec",
    "WindowView",
    "specs_for",
]
