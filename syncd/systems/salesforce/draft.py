"""One write on its way to its verdict."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from syncd.model.delivery import Outcome
from syncd.model.failure import Failure, Remedy
from syncd.model.lens import Raw
from syncd.systems.contract import Verdict, Write

_AFTERWARDS: Final = frozenset({Remedy.LOOK, Remedy.GONE, Remedy.LINK, Remedy.REREAD})


@dataclass(slots=True)
class Draft:
    write: Write
    values: dict[str, Raw] = field(default_factory=dict)
    """The write's own, with the reference fields of its relations."""
    external_id: str = ""
    applied: bool = False
    """The record's own values stand."""
    failure: Failure | None = None
    children: dict[str, str] = field(default_factory=dict)
    later: dict[str, Raw] = field(default_factory=dict)
    """Values that may be set only when the children stand."""
    owed: Failure | None = None
    """Told when everything else is written: a part that had to be left out."""

    def fail(self, failure: Failure) -> None:
        """The first failure speaks."""
        self.failure = self.failure or failure

    def owe(self, failure: Failure) -> None:
        self.owed = self.owed or failure

    def stand(self, external_id: str) -> None:
        self.applied = True
        self.external_id = external_id

    def verdict(self) -> Verdict:
        failure = self.failure or self.owed
        return Verdict(
            key=self.write.key,
            outcome=Outcome.APPLIED if failure is None else Outcome.FAILED,
            external_id=self.external_id,
            children=self.children,
            failure=failure,
            main_applied=failure is not None and self.applied,
        )


def repeatable(failure: Failure) -> Failure:
    """The failure of a step after the record itself was written. That step has one effect however often it is taken,
    so nothing need be looked up; and a child that is gone is not the record we wrote."""
    return replace(failure, remedy=Remedy.RETRY) if failure.remedy in _AFTERWARDS else failure
