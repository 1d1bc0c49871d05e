"""The access token: bought by one of three flows, by one caller at a time, and only when the old one is refused.

The vendor does not say when a token ends. A 401 therefore renews it - but only a token that has worked before: one
that is refused from the start will not get better by asking again.
"""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlsplit

import orjson
import structlog

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.runtime.clock import World
from syncd.runtime.secret import Secret
from syncd.systems.contract import VendorError
from syncd.systems.salesforce.errors import failure_of_sign_in, parse
from syncd.systems.salesforce.settings import Grant, Settings
from syncd.systems.salesforce.vitals import Vitals

log = structlog.get_logger(__name__)

JWT_SECONDS: Final = 180
"""How long an assertion is good for; the vendor refuses long ones."""
JWT_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Post(Protocol):
    """A reply of the token endpoint."""

    @property
    def status(self) -> int: ...
    @property
    def body(self) -> bytes: ...


class Endpoint(Protocol):
    async def token_request(self, url: str, form: dict[str, str], lane: Lane) -> Post: ...


@dataclass(frozen=True, slots=True)
class Token:
    value: Secret
    instance_url: str
    """Scheme and host of the org's instance; checked against the hosts a token may be sent to."""
    org_id: str = ""
    user_id: str = ""


class Auth:
    """The one token of a connection. Concurrent callers wait for the same new one, and share its failure."""

    def __init__(self, settings: Settings, world: World, endpoint: Endpoint, vitals: Vitals) -> None:
        self._settings = settings
        self._world = world
        self._endpoint = endpoint
        self._vitals = vitals
        self._token: Token | None = None
        self._proved = False
        self._turn = asyncio.Lock()
        self._bought = 0
        self._failed: VendorError | None = None
        self._warned = False

    async def token(self, lane: Lane) -> Token:
        """A token to try. Raises :class:`VendorError`: STOP where the credential is refused."""
        token = self._token
        if token is not None:
            return token
        seen = self._bought
        async with self._turn:
            if self._token is not None:
                return self._token
            return await self._buy(lane, seen)

    async def renew(self, refused: Token, lane: Lane) -> Token | None:
        """A newer token than the one refused with 401, or ``None`` when there is nothing to hope for."""
        seen = self._bought
        async with self._turn:
            if self._token is not None and self._token is not refused:
                return self._token
            if self._token is refused and not self._proved:
                self._token = None
                return None
            self._token = None
            return await self._buy(lane, seen)

    def proved(self, token: Token) -> None:
        """The vendor accepted this token."""
        if token is self._token:
            self._proved = True

    async def _buy(self, lane: Lane, seen: int) -> Token:
        if self._bought != seen and self._failed is not None:
            raise VendorError(self._failed.failure)
        self._failed = None
        try:
            token = await self._ask(lane)
        except VendorError as error:
            # An empty budget is this lane's trouble alone.
            self._failed = None if error.failure.remedy is Remedy.WAIT else error
            raise
        finally:
            self._bought += 1
        self._token, self._proved, self._failed = token, False, None
        return token

    async def _ask(self, lane: Lane) -> Token:
        settings = self._settings
        if settings.auth is Grant.PASSWORD and not self._warned:
            self._warned = True
            log.warning("salesforce.legacy_sign_in", connection=settings.connection, flow=settings.auth.value)
        url = settings.login_url.rstrip("/") + "/services/oauth2/token"
        reply = await self._endpoint.token_request(url, self._form(), lane)
        if reply.status != 200:
            raise VendorError(failure_of_sign_in(reply.status, reply.body))
        return self._token_in(reply.body)

    def _form(self) -> dict[str, str]:
        settings = self._settings
        if settings.auth is Grant.JWT:
            return {"grant_type": JWT_GRANT, "assertion": self._assertion()}
        form = {"client_id": settings.client_id, "client_secret": _shown(settings.client_secret)}
        if settings.auth is Grant.PASSWORD:
            return {
                "grant_type": "password", **form, "username": settings.username, "password": _shown(settings.password),
            }  # fmt: skip
        return {"grant_type": "client_credentials", **form}

    def _assertion(self) -> str:
        """A JWT signed with RS256. Raises :class:`VendorError` with STOP where the key cannot sign."""
        settings = self._settings
        now = self._vitals.vendor_ms(self._world.clock.now_ms()) // 1000
        claims = {
            "iss": settings.client_id, "sub": settings.username, "aud": settings.jwt_audience(),
            "exp": now + JWT_SECONDS,
        }  # fmt: skip
        signed = f"{_b64(orjson.dumps({'alg': 'RS256', 'typ': 'JWT'}))}.{_b64(orjson.dumps(claims))}"
        return f"{signed}.{_b64(_signature(_shown(settings.private_key), signed.encode()))}"

    def _token_in(self, body: bytes) -> Token:
        data = parse(body)
        told = data if isinstance(data, dict) else {}
        value, instance = told.get("access_token"), told.get("instance_url")
        if not isinstance(value, str) or not value or not isinstance(instance, str):
            raise VendorError(Failure(Remedy.RETRY, "no-token", "the token endpoint answered without a token", 200))
        parts = urlsplit(instance)
        if not self._settings.allows(instance):
            host = parts.hostname or "(none)"
            told_host = f"the token endpoint names {host}, which is not a host that this connection's token may go to"
            raise VendorError(Failure(Remedy.STOP, "instance-not-allowed", told_host))
        identity = [one for one in urlsplit(str(told.get("id") or "")).path.split("/") if one]
        org, user = (identity[-2], identity[-1]) if len(identity) >= 2 else ("", "")
        home = parts.netloc.lower().removesuffix(":443")
        return Token(Secret(value), f"{parts.scheme}://{home}", org, user)


def _shown(secret: Secret | None) -> str:
    return secret.reveal() if secret is not None else ""


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _signature(pem: str, text: bytes) -> bytes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        told = "the secret private_key is not an unencrypted private key in PEM form"
        raise VendorError(Failure(Remedy.STOP, "bad-private-key", told)) from None
    if not isinstance(key, RSAPrivateKey):
        raise VendorError(Failure(Remedy.STOP, "bad-private-key", "the flow demands an RSA key"))
    return key.sign(text, PKCS1v15(), SHA256())
