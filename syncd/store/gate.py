"""Which SQLite may do what.

SQLite 3.7.0 to 3.51.2 can corrupt a WAL file when two connections write or checkpoint it at an unlucky instant
(fixed in 3.51.3, and in 3.44.6 and 3.50.7 on their branches). Syncd writes and checkpoints through one connection
and opens every other one read-only, which is safe on all of them; what an affected version may not have is a
second checkpointing connection, and the status says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MINIMUM: Final = (3, 37, 0)
"""STRICT tables."""

_FIXED: Final = {(3, 44): 6, (3, 50): 7}
_FIXED_SINCE: Final = (3, 51, 3)


@dataclass(frozen=True, slots=True)
class WalPolicy:
    version: tuple[int, int, int]
    second_checkpointer: bool
    """Whether a connection other than the writer may checkpoint."""

    @property
    def note(self) -> str:
        """A standing remark for the status; empty on a version with the fix."""
        if self.second_checkpointer:
            return ""
        text = ".".join(map(str, self.version))
        return f"SQLite {text} has the WAL-reset bug: one connection writes and checkpoints, all others are read-only"


def wal_policy(version: tuple[int, int, int]) -> WalPolicy:
    """The policy for a SQLite version. Raises ``ValueError`` for one that is too old."""
    if version < MINIMUM:
        raise ValueError(f"SQLite {'.'.join(map(str, version))} is too old; 3.37 or newer is needed")
    patched = version[2] >= _FIXED.get(version[:2], 10**6)
    return WalPolicy(version, second_checkpointer=patched or version >= _FIXED_SINCE)
