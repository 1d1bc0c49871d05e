"""Which mappings of a connection are read by GraphQL, and what was learned about that."""

from __future__ import annotations

from typing import Final

import structlog

from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.systems.commercetools.selections import Selection, UnreadableError, selection

log = structlog.get_logger(__name__)

SIGN_IN: Final = frozenset({"invalid_client", "invalid_grant", "invalid_token", "unauthorized_client", "not-open"})
"""Codes of failures that the HTTP API would meet just so."""

NOT_THE_VENDORS: Final = frozenset({"bad-response", "redirected"})
"""Codes of answers that are cut, or of a host between that knows no such address."""
NO_SUCH_ADDRESS: Final = (404, 405, 501)


class Reading:
    """What one connection knows. GraphQL is given up for a mapping, for as long as the process lives, at the first
    answer that is neither data nor passing trouble: an account without it, a field the schema has not, a scope that
    only a resolved reference needs. The HTTP API then says what is to be said."""

    def __init__(self, reads: str) -> None:
        self._reads = reads
        self._selections: dict[str, Selection | str] = {}
        self._mappings: dict[str, ObjectMapping] = {}
        self._most: dict[str, int] = {}

    def by_graphql(self, mapping: ObjectMapping) -> Selection | None:
        found = self._selection(mapping)
        return found if isinstance(found, Selection) else None

    def why_not(self, mapping: ObjectMapping) -> str:
        """Why the mapping is read by the HTTP API; empty where it is not."""
        found = self._selection(mapping)
        return found if isinstance(found, str) else ""

    def most(self, mapping: ObjectMapping) -> int:
        """Rows that one query was found to bear."""
        return self._most.get(mapping.name, 500)

    def bears(self, mapping: ObjectMapping, rows: int) -> None:
        self._most[mapping.name] = rows

    def gives_up(self, mapping: ObjectMapping, failure: Failure) -> bool:
        """Whether the HTTP API is to be asked instead: for this page, and mostly from now on."""
        passing = failure.remedy in (Remedy.RETRY, Remedy.WAIT, Remedy.REFRESH) and failure.code != "graphql-error"
        if failure.code in NOT_THE_VENDORS:
            if failure.status not in NO_SUCH_ADDRESS:
                # This page is asked for otherwise, and the next one may be whole. An outage shows there as well.
                return True
        elif passing or failure.code in SIGN_IN:
            return False
        self._selections[mapping.name] = f"{failure.code}: {failure.message}"
        log.warning("graphql_given_up", mapping=mapping.name, code=failure.code, status=failure.status)
        return True

    def _selection(self, mapping: ObjectMapping) -> Selection | str:
        if self._reads == "rest":
            return "configured"
        if self._mappings.get(mapping.name) != mapping:
            self._mappings[mapping.name] = mapping
            try:
                self._selections[mapping.name] = selection(mapping)
            except UnreadableError as error:
                self._selections[mapping.name] = str(error)
                log.info("graphql_not_for", mapping=mapping.name, reason=str(error))
        return self._selections[mapping.name]
