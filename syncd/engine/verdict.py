"""What a verdict means for a delivery: the next state, decided apart from the act. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from syncd.model.backoff import STANDARD, RetryPolicy
from syncd.model.delivery import Delivery, DeliveryState
from syncd.model.failure import Failure, Remedy

LOOK_DELAY_MS = 2000
"""An unknown write is looked up after this: vendors' reads trail their writes."""
REREAD_DELAY_MS = 1000


@dataclass(frozen=True, slots=True)
class Next:
    """Where a failed delivery goes."""

    state: DeliveryState
    due_at: int = 0
    attempt: bool = False
    letter: bool = False
    """A human must see it."""
    reread: bool = False
    """Read the vendor's object and fold it first."""
    gone: bool = False
    """The vendor's object no longer exists."""
    link: str = ""
    """The vendor's object that this record is, as the vendor told."""
    stop: bool = False
    """The whole connection is unusable."""


def unreachable(failures: Sequence[Failure | None]) -> Failure | None:
    """The failure of a connection as a whole: every write of a call failed, and none for a reason of its own."""
    whole = [one for one in failures if one is not None and not one.single and (one.status == 0 or one.status >= 500)]
    passing = all(one.remedy in (Remedy.RETRY, Remedy.LOOK) for one in whole)
    return whole[0] if whole and len(whole) == len(failures) and passing else None


def after_outage(failure: Failure, now: int) -> Next:
    """The connection is unreachable: that is no fault of the delivery, and uses up no attempt. The gate of
    :class:`~syncd.engine.health.Health` paces the probes."""
    looks = failure.remedy is Remedy.LOOK
    return Next(DeliveryState.UNKNOWN if looks else DeliveryState.WAITING, now)


def after_failure(
    delivery: Delivery, failure: Failure, now: int, chance: float, policy: RetryPolicy = STANDARD
) -> Next:
    """The table of remedies. ``chance`` in [0, 1) spreads retries."""
    attempts = delivery.attempts + 1
    delay = int(1000 * policy.delay_seconds(attempts, chance))
    if failure.retry_after_seconds is not None:
        delay = int(1000 * failure.retry_after_seconds * (1 + 0.1 * chance))
    exhausted = attempts >= policy.attempts
    match failure.remedy:
        case Remedy.WAIT:
            return Next(DeliveryState.WAITING, now + max(delay, 50))
        case Remedy.STOP | Remedy.REFRESH:
            # The system gets new credentials by itself; when even that fails, the connection's own are refused.
            return Next(DeliveryState.WAITING, now + max(delay, 5000), stop=True)
        case Remedy.ASK:
            return Next(DeliveryState.DEAD, attempt=True, letter=True)
        case Remedy.GONE:
            return Next(DeliveryState.DONE, gone=True)
        case Remedy.LINK if failure.existing_id:
            return Next(
                DeliveryState.DEAD if exhausted else DeliveryState.WAITING, now + REREAD_DELAY_MS, attempt=True,
                letter=exhausted, link=failure.existing_id, reread=not exhausted,
            )  # fmt: skip
        case Remedy.REREAD:
            return Next(
                DeliveryState.DEAD if exhausted else DeliveryState.WAITING, now + REREAD_DELAY_MS, attempt=True,
                letter=exhausted, reread=not exhausted,
            )  # fmt: skip
        case Remedy.LOOK:
            state = DeliveryState.DEAD if exhausted else DeliveryState.UNKNOWN
            return Next(state, now + max(LOOK_DELAY_MS, 0), attempt=True, letter=exhausted)
        case _:
            # RETRY, and SPLIT that the system could not carry out itself.
            state = DeliveryState.DEAD if exhausted else DeliveryState.WAITING
            return Next(state, now + delay, attempt=True, letter=exhausted)
