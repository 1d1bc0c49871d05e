"""Who may post shop events, and how a request proves to come from one of them. No I/O.

A source signs its messages (Standard Webhooks) or sends a token (``Authorization: Bearer``). Which source speaks is
said by the path, ``/v1/events/{source}``; on ``/v1/events`` every source's keys are tried, for there are few.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from syncd.intake import signature
from syncd.intake.signature import Judgement
from syncd.model.change import Change
from syncd.systems.contract import CannotJudgeError, RefusedError

MAX_SOURCES: Final = 16
MIN_TOKEN_CHARACTERS: Final = 16


@dataclass(frozen=True, slots=True, repr=False)
class SourceKeys:
    """What a source is known by; several of each while one is being replaced. Shows nothing of itself."""

    secrets: tuple[bytes, ...] = ()
    public_keys: tuple[Ed25519PublicKey, ...] = ()
    token_digests: tuple[bytes, ...] = ()

    def __repr__(self) -> str:
        return f"SourceKeys({len(self)} keys)"

    def __len__(self) -> int:
        return len(self.secrets) + len(self.public_keys) + len(self.token_digests)

    @classmethod
    def of(cls, *, secrets: Iterable[str] = (), tokens: Iterable[str] = ()) -> SourceKeys:
        """From their texts: ``whsec_...`` and ``whpk_...`` as secrets, any text as token.

        Raises ``ValueError`` that names the rule, never the text.
        """
        symmetric, public, digests = [], [], []
        for text in secrets:
            if text.startswith("whpk_"):
                public.append(signature.public_key(text))
            else:
                symmetric.append(signature.symmetric_key(text))
        for text in tokens:
            if len(text) < MIN_TOKEN_CHARACTERS:
                raise ValueError(f"a source token needs at least {MIN_TOKEN_CHARACTERS} characters")
            digests.append(_digest(text))
        return cls(tuple(symmetric), tuple(public), tuple(digests))


NO_KEYS: Final = SourceKeys()


class Translator(Protocol):
    """Turns one authentic event into changes. The same event always gives the same dedupe keys.

    No changes mean: not understood; the event is then staged as it is, for an operator. Raises
    :class:`RefusedError` (400) where an event of a type it knows lacks what the type needs.
    """

    def __call__(
        self, connection: str, event: Mapping[str, Any], received_at: int, correlation_id: str, /
    ) -> Sequence[Change]: ...


@dataclass(frozen=True, slots=True)
class EventSource:
    """One sender of shop events."""

    name: str
    connection: str
    """The connection it speaks for."""
    translate: Translator
    keys: Callable[[], SourceKeys]
    """Asked for each request, so that rotated secrets count at once; :data:`NO_KEYS` while they are not loaded."""
    origins: frozenset[str] = field(default_factory=frozenset)
    """Senders that the CloudEvents handshake (``WebHook-Request-Origin``) is granted to; ``*`` for any."""
    rate_per_minute: int | None = None
    """Requests the source may send; ``None`` for no limit of its own."""


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


def _bearer(headers: Mapping[str, str]) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


class StaleError(RefusedError):
    """Signed by a key we know, outside the time window."""

    def __init__(self) -> None:
        super().__init__(401, Judgement.STALE.value, "the timestamp is more than 5 minutes away from now")


_REFUSALS: Final = {
    Judgement.FORGED: "no signature matches",
    Judgement.MALFORMED_ID: "webhook-id is missing or malformed",
    Judgement.MALFORMED_TIMESTAMP: "webhook-timestamp is missing or malformed",
}


def authenticate(
    candidates: Sequence[EventSource], headers: Mapping[str, str], body: bytes, now_ms: int
) -> EventSource:
    """The source that a request comes from.

    Raises :class:`RefusedError` (401; :class:`StaleError` for a good signature at a wrong time), or
    :class:`CannotJudgeError` when a source whose keys are not loaded could have been the one.
    """
    refusal: RefusedError | None = None
    blind = False
    for source in candidates:
        keys = source.keys()
        if not keys:
            blind = True
            continue
        found = _refusal(keys, headers, body, now_ms)
        if found is None:
            return source
        # A stale but genuine signature says more than another source's mismatch.
        if refusal is None or isinstance(found, StaleError):
            refusal = found
    if isinstance(refusal, StaleError):
        raise refusal
    if blind or refusal is None:
        raise CannotJudgeError("the keys of the source are not loaded")
    raise refusal


def _refusal(keys: SourceKeys, headers: Mapping[str, str], body: bytes, now_ms: int) -> RefusedError | None:
    """Why these keys do not vouch for the request; ``None`` when they do."""
    token = _bearer(headers)
    if token and keys.token_digests:
        given = _digest(token)
        if any([hmac.compare_digest(one, given) for one in keys.token_digests]):  # noqa: C419
            return None
    if "webhook-signature" in headers and (keys.secrets or keys.public_keys):
        verdict = signature.judge(
            headers, body, secrets=keys.secrets, public_keys=keys.public_keys, now_seconds=now_ms // 1000
        )
        if verdict is Judgement.VALID:
            return None
        if verdict is Judgement.STALE:
            return StaleError()
        return RefusedError(401, verdict.value, _REFUSALS[verdict])
    if token:
        return RefusedError(401, "token", "the token is not known")
    return RefusedError(401, "credential", "neither a webhook-signature nor a bearer token that this source accepts")
