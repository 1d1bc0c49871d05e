"""The doctor's look at the Webhooks Journal, and what `syncd provision` makes and removes there."""

from __future__ import annotations

from collections.abc import Sequence

from syncd.model.change import Lane
from syncd.model.mapping import ObjectMapping
from syncd.systems.contract import Finding, Severity, VendorError
from syncd.systems.hubspot.journal_subscriptions import Asked, Subscriptions, lacking, left_over, wanted_of
from syncd.systems.hubspot.portal import Portal
from syncd.systems.hubspot.provision import SpentError, unspent
from syncd.systems.hubspot.settings import Settings


class JournalChecker:
    """Never raises for what it finds. A spent budget ends the whole check, so :meth:`check` lets it pass."""

    def __init__(self, settings: Settings, subscriptions: Subscriptions, portal: Portal) -> None:
        self._settings = settings
        self._subscriptions = subscriptions
        self._portal = portal

    async def check(self, mappings: Sequence[ObjectMapping]) -> list[Finding]:
        return await self._run(mappings, apply=False)

    async def provision(self, mappings: Sequence[ObjectMapping], *, apply: bool) -> list[Finding]:
        """Findings of what is lacking and what is left over only."""
        try:
            found = await self._run(mappings, apply=apply)
        except SpentError as error:
            told = f"{error}; what is listed is not all"
            return [Finding(Severity.WARNING, "budget-spent", self._subject(""), told, "run it again")]
        return [one for one in found if one.severity is not Severity.OK or one.applied]

    async def _run(self, mappings: Sequence[ObjectMapping], *, apply: bool) -> list[Finding]:
        wanted = [asked for one in mappings if one.capture.stream for asked in wanted_of(one)]
        if self._settings.journal is None or not wanted:
            return []
        try:
            portal = await self._portal.id(Lane.OPERATOR)
            standing = await self._subscriptions.standing(portal, Lane.OPERATOR)
            missing, over = lacking(wanted, standing), left_over(wanted, standing)
            findings = [self._missing(one, applied=apply) for one in missing]
            replaced = [held for held in over if any(held.place == one.place for one in missing)]
            findings += [self._over(one, applied=apply) for one in over if one not in replaced]
            if apply:
                for asked in missing:
                    before = [held for held in standing if held.place == asked.place]
                    await self._subscriptions.make(asked, portal, Lane.OPERATOR, before)
                for held in over:
                    if held not in replaced:
                        await self._subscriptions.remove(held, Lane.OPERATOR)
        except VendorError as error:
            failure = unspent(error.failure)
            message = f"the Webhooks Journal cannot be read: {failure.code}: {failure.message}"[:500]
            remedy = (
                "give the app client_id the scopes developer.webhooks_journal.read and .subscriptions.read and .write, "
                "and install it in the account; a service key does not do"
            )
            return [Finding(Severity.ERROR, "journal-refused", self._subject(""), message, remedy)]
        if findings:
            return findings
        return [Finding(Severity.OK, "journal", self._subject(""), f"{len(wanted)} subscriptions stand")]

    def _subject(self, tail: str) -> str:
        return f"{self._settings.connection}.journal{tail and '.'}{tail}"

    def _missing(self, one: Asked, *, applied: bool) -> Finding:
        state = "is now asked" if applied else "is not asked"
        message = f"the journal {state} for {one.type} of {one.type_id} as the mappings need it"
        remedy = "syncd provision --apply; a running daemon asks by itself"
        return self._finding("journal-subscription-missing", one, message, remedy, applied=applied)

    def _over(self, one: Asked, *, applied: bool) -> Finding:
        state = "no longer tells" if applied else "tells"
        message = f"the journal {state} {one.type} of {one.type_id}, which no mapping needs"
        return self._finding("journal-subscription-left", one, message, "syncd provision --apply", applied=applied)

    def _finding(self, code: str, one: Asked, message: str, remedy: str, *, applied: bool) -> Finding:
        severity = Severity.OK if applied else Severity.WARNING
        return Finding(severity, code, self._subject(one.type_id), message, "" if applied else remedy, applied=applied)
