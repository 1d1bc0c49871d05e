"""Standard Webhooks 1.0.0: who signed a message, and whether now. Pure; never raises for what a sender wrote.

Signed content is ``{webhook-id}.{webhook-timestamp}.{body}``. ``v1`` is HMAC-SHA256, ``v1a`` is ed25519.
Source: standard-webhooks/standard-webhooks, spec/standard-webhooks.md.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

TOLERANCE_SECONDS: Final = 300
MAX_PARTS: Final = 16
"""Signatures looked at in one header: a rotation needs two, and each ed25519 check costs a tenth of a millisecond."""
MIN_KEY_BYTES: Final = 16


class Judgement(Enum):
    VALID = "valid"
    STALE = "timestamp"
    """Signed by a key we know, but not now."""
    FORGED = "signature"
    MALFORMED_ID = "webhook-id"
    MALFORMED_TIMESTAMP = "webhook-timestamp"


def symmetric_key(secret: str) -> bytes:
    """The key inside ``whsec_<base64>``; the prefix may be missing. Raises ``ValueError`` without the secret's text."""
    key = _decoded(secret, "whsec_")
    if len(key) < MIN_KEY_BYTES:
        raise ValueError(f"a webhook secret needs at least {MIN_KEY_BYTES} bytes, this one has {len(key)}")
    return key


def public_key(text: str) -> Ed25519PublicKey:
    """The key inside ``whpk_<base64>``. Raises ``ValueError``."""
    return Ed25519PublicKey.from_public_bytes(_decoded(text, "whpk_"))


def _decoded(text: str, prefix: str) -> bytes:
    encoded = text.strip().removeprefix(prefix)
    try:
        return b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        raise ValueError(f"a webhook key is {prefix} followed by base64") from None


def judge(
    headers: Mapping[str, str],
    body: bytes,
    *,
    secrets: Sequence[bytes],
    public_keys: Sequence[Ed25519PublicKey] = (),
    now_seconds: int,
) -> Judgement:
    """Whether any signature matches any key. ``headers`` have lower-case names.

    The signature is judged before the age, so that "stale" is only ever said of what one of our keys signed.
    """
    message_id = headers.get("webhook-id", "")
    # An id with a dot could move the border between id, timestamp and body under the same signature.
    if not message_id or "." in message_id:
        return Judgement.MALFORMED_ID
    stamp = headers.get("webhook-timestamp", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        return Judgement.MALFORMED_TIMESTAMP
    content = f"{message_id}.{stamp}.".encode("latin-1", "replace") + body
    if not _signed(headers.get("webhook-signature", ""), content, secrets, public_keys):
        return Judgement.FORGED
    return Judgement.VALID if abs(now_seconds - int(stamp)) <= TOLERANCE_SECONDS else Judgement.STALE


def _signed(header: str, content: bytes, secrets: Sequence[bytes], public_keys: Sequence[Ed25519PublicKey]) -> bool:
    if len(secrets) == 1 and header.startswith("v1,") and " " not in header:
        # One signature, one key: the way of nearly every message.
        return hmac.compare_digest(
            b64encode(hmac.digest(secrets[0], content, "sha256")), header[3:].encode("utf-8", "replace")
        )
    expected: list[bytes] | None = None
    for part in header.split(" ", MAX_PARTS)[:MAX_PARTS]:
        version, _, text = part.partition(",")
        if version == "v1":
            given = text.encode("utf-8", "replace")
            if expected is None:
                expected = [b64encode(hmac.digest(secret, content, "sha256")) for secret in secrets]
            # Every key is tried, in the same time whether or not an earlier one matched.
            if any([hmac.compare_digest(one, given) for one in expected]):  # noqa: C419
                return True
        elif version == "v1a" and public_keys and _matches_any(text, content, public_keys):
            return True
    return False


def _matches_any(text: str, content: bytes, public_keys: Sequence[Ed25519PublicKey]) -> bool:
    try:
        given = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    for key in public_keys:
        try:
            key.verify(given, content)
        except InvalidSignature:
            continue
        return True
    return False


def sign(message_id: str, timestamp: int, body: bytes, key: bytes) -> str:
    """One ``v1`` signature, for senders."""
    content = b"%b.%d.%b" % (message_id.encode(), timestamp, body)
    return "v1," + b64encode(hmac.digest(key, content, "sha256")).decode()
