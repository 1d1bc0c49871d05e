"""The signatures under the webhooks."""

from __future__ import annotations

import base64
import hashlib
import hmac


def v1(client_secret: str, body: bytes) -> str:
    """No replay protection; still sent."""
    return hashlib.sha256(client_secret.encode() + body).hexdigest()


_DECODED = {"%3A": ":", "%2F": "/", "%3F": "?", "%40": "@", "%21": "!", "%24": "$", "%27": "'", "%28": "(",
            "%29": ")", "%2A": "*", "%2C": ",", "%3B": ";"}  # fmt: skip


def v3(client_secret: str, method: str, uri: str, body: bytes, timestamp: str) -> str:
    """``uri`` is the whole URL as configured; twelve percent codes in it are decoded, no others."""
    for code, sign in _DECODED.items():
        uri = uri.replace(code, sign).replace(code.lower(), sign)
    source = method.upper().encode() + uri.encode() + body + timestamp.encode()
    return base64.b64encode(hmac.new(client_secret.encode(), source, hashlib.sha256).digest()).decode()
