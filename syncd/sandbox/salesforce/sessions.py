"""Sign-in: apps, the flows of the token endpoint, sessions, and who a session belongs to."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from syncd.sandbox.salesforce.errors import SalesforceError
from syncd.sandbox.salesforce.fields import moment_ms
from syncd.sandbox.salesforce.org import INTEGRATION, Org
from syncd.sandbox.salesforce.records import Row

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LOGIN_HOSTS = frozenset({"login.salesforce.com", "test.salesforce.com"})
_LONGEST_ASSERTION_SECONDS = 5 * 60
_SKEW_SECONDS = 60


class OAuthError(Exception):
    def __init__(self, error: str, description: str, status: int = 400) -> None:
        self.error, self.description, self.status = error, description, status
        super().__init__(f"{error}: {description}")


@dataclass(slots=True)
class App:
    """An external client app of the org."""

    client_id: str
    client_secret: str
    name: str = "syncd"
    run_as: str = INTEGRATION
    """User name of client credentials; empty when that flow is off."""
    public_key: str = ""
    """PEM of a certificate or public key, for JWT bearer."""
    approved: set[str] = field(default_factory=lambda: {INTEGRATION})
    """User names that JWT bearer may act for."""
    scopes: str = "api refresh_token full id openid"


@dataclass(slots=True)
class Session:
    token: str
    user_id: str
    app: App
    used_ms: int
    host: str


class Sessions:
    def __init__(self, org: Org, dice: random.Random, *, idle_seconds: int = 2 * 3600) -> None:
        self.org = org
        self.apps: dict[str, App] = {}
        self.passwords: dict[str, str] = {}
        """User names to password and security token, written together."""
        self.legacy = False
        """SOAP login and the username-password flow, which newer orgs refuse."""
        self.idle_seconds = idle_seconds
        self._dice = dice
        self._held: dict[str, Session] = {}
        self._refresh: dict[str, tuple[App, str]] = {}
        self._secret = dice.randbytes(32)

    # -- sessions

    def open(self, user_id: str, app: App, host: str) -> Session:
        tail = base64.urlsafe_b64encode(self._dice.randbytes(72)).decode().replace("-", ".").replace("=", "")
        token = f"{self.org.id[:15]}!{tail}"
        session = Session(token, user_id, app, self.org.clock.now_ms(), host)
        self._held[token] = session
        return session

    def find(self, token: str) -> Session | None:
        """A session that has not expired; it lives on from now."""
        session = self._held.get(token)
        now = self.org.clock.now_ms()
        if session is None or now - session.used_ms > self.idle_seconds * 1000:
            self._held.pop(token, None)
            return None
        session.used_ms = now
        return session

    def of_header(self, header: str) -> Session:
        """Raises INVALID_AUTH_HEADER and INVALID_SESSION_ID."""
        scheme, _, token = header.partition(" ")
        if scheme.lower() not in {"bearer", "oauth"} or not token:
            raise SalesforceError("INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE")
        session = self.find(token.strip())
        if session is None:
            raise SalesforceError("INVALID_SESSION_ID", "Session expired or invalid")
        return session

    def expire(self, header: str) -> None:
        self._held.pop(header.partition(" ")[2].strip(), None)

    def expire_all(self) -> None:
        self._held.clear()

    # -- the token endpoint

    def grant(self, form: Mapping[str, str], authorization: str, host: str, base: str) -> dict[str, Any]:
        """Answer a token request. ``host`` is the name that was called, ``base`` the URL the org is reached by.

        Raises :class:`OAuthError`.
        """
        match form.get("grant_type", ""):
            case "client_credentials":
                return self._client_credentials(form, authorization, host, base)
            case kind if kind == JWT_BEARER:
                app, user = self._assertion(form.get("assertion", ""), base)
                return self._token(app, user, base)
            case "password":
                return self._password(form, authorization, base)
            case "refresh_token":
                return self._refreshed(form, authorization, base)
            case "":
                raise OAuthError("invalid_request", "must specify a grant type")
        raise OAuthError("unsupported_grant_type", "grant type not supported")

    def _client_credentials(self, form: Mapping[str, str], authorization: str, host: str, base: str) -> dict[str, Any]:
        if host.partition(":")[0] in LOGIN_HOSTS:
            raise OAuthError("invalid_grant", "request not supported on this domain")
        app = self.client(form, authorization)
        if not app.run_as:
            raise OAuthError("invalid_grant", "no client credentials user enabled")
        return self._token(app, self._user(app.run_as), base)

    def _password(self, form: Mapping[str, str], authorization: str, base: str) -> dict[str, Any]:
        app = self.client(form, authorization)
        user = self.check_password(form.get("username", ""), form.get("password", ""))
        if not self.legacy or user is None:
            raise OAuthError("invalid_grant", "authentication failure")
        return self._token(app, user, base)

    def _refreshed(self, form: Mapping[str, str], authorization: str, base: str) -> dict[str, Any]:
        app = self.client(form, authorization, secret_needed=False)
        held = self._refresh.get(form.get("refresh_token", ""))
        if held is None or held[0] is not app:
            raise OAuthError("invalid_grant", "expired access/refresh token")
        return self._token(app, self._user(held[1]), base)

    def issue_refresh_token(self, app: App, username: str) -> str:
        """As if somebody had signed in by browser and consented."""
        token = f"5Aep861{base64.urlsafe_b64encode(self._dice.randbytes(48)).decode()}"
        self._refresh[token] = (app, username)
        return token

    def check_password(self, username: str, password: str) -> Row | None:
        known = self.passwords.get(username)
        same = known is not None and hmac.compare_digest(known.encode(), password.encode())
        return self.org.user(username) if same else None

    def introspected(self, token: str) -> dict[str, Any]:
        """What the introspection endpoint says of a token."""
        session = self.find(token)
        if session is None:
            return {"active": False}
        known, now = self.identity(session, session.host), session.used_ms // 1000
        return {
            "active": True, "scope": session.app.scopes, "client_id": session.app.client_id,
            "username": known["username"], "sub": known["id"], "token_type": "access_token", "iat": now, "nbf": now,
            "exp": now + self.idle_seconds,
        }  # fmt: skip

    def client(self, form: Mapping[str, str], authorization: str, *, secret_needed: bool = True) -> App:
        """The app that asks. Raises :class:`OAuthError`."""
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        if authorization.lower().startswith("basic "):
            try:
                decoded = base64.b64decode(authorization[6:], validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                raise OAuthError("invalid_client", "invalid client credentials", 401) from None
            client_id, _, secret = decoded.partition(":")
        app = self.apps.get(client_id)
        if app is None:
            raise OAuthError("invalid_client_id", "client identifier invalid")
        if (secret or secret_needed) and not hmac.compare_digest(app.client_secret.encode(), secret.encode()):
            raise OAuthError("invalid_client", "invalid client credentials", 401)
        return app

    def _user(self, username: str) -> Row:
        user = self.org.user(username)
        if user is None:
            raise OAuthError("invalid_grant", "authentication failure")
        if not user.values.get("IsActive"):
            raise OAuthError("inactive_user", "user is inactive")
        return user

    # -- JWT bearer

    def _assertion(self, assertion: str, base: str) -> tuple[App, Row]:
        head, claims, signed, signature = _jwt(assertion)
        app = self.apps.get(str(claims.get("iss", "")))
        if app is None:
            raise OAuthError("invalid_client_id", "client identifier invalid")
        if head.get("alg") != "RS256" or not app.public_key or not _verified(app.public_key, signed, signature):
            raise OAuthError("invalid_grant", "invalid assertion")
        audiences = {f"https://{host}" for host in LOGIN_HOSTS} | {base, self.my_domain_url}
        if str(claims.get("aud", "")).rstrip("/") not in audiences:
            raise OAuthError("invalid_grant", "audience is invalid")
        self._check_times(claims)
        username = str(claims.get("sub", ""))
        if username not in app.approved:
            raise OAuthError("invalid_grant", "user hasn't approved this consumer")
        return app, self._user(username)

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now = self.org.clock.now_ms() / 1000
        try:
            end = float(claims["exp"])
        except (KeyError, TypeError, ValueError):
            raise OAuthError("invalid_grant", "expiration is missing") from None
        if end < now - _SKEW_SECONDS:
            raise OAuthError("invalid_grant", "expired authorization code")
        if end > now + _LONGEST_ASSERTION_SECONDS + _SKEW_SECONDS:
            raise OAuthError("invalid_grant", "expiration is too far in the future")

    @property
    def my_domain_url(self) -> str:
        return f"https://{self.org.profile.my_domain}.my.salesforce.com"

    # -- answers

    def _token(self, app: App, user: Row, base: str) -> dict[str, Any]:
        session = self.open(user.id, app, base)
        identity, issued = f"{base}/id/{self.org.id}/{user.id}", str(self.org.clock.now_ms())
        mac = hmac.new(self._secret, (identity + issued).encode(), hashlib.sha256).digest()
        return {
            "access_token": session.token,
            "signature": base64.b64encode(mac).decode(),
            "scope": app.scopes,
            "instance_url": base,
            "id": identity,
            "token_type": "Bearer",
            "issued_at": issued,
        }

    def identity(self, session: Session, base: str) -> dict[str, Any]:
        """What the identity URL says."""
        org, user = self.org, self.org.tables["User"].rows[session.user_id]
        values, data = user.values, f"{base}/services/data/v{{version}}"
        return {
            "id": f"{base}/id/{org.id}/{user.id}",
            "asserted_user": True,
            "user_id": user.id,
            "organization_id": org.id,
            "username": values.get("Username"),
            "nick_name": values.get("CommunityNickname"),
            "display_name": " ".join(filter(None, (values.get("FirstName"), values.get("LastName")))),
            "email": values.get("Email"),
            "email_verified": True,
            "first_name": values.get("FirstName"),
            "last_name": values.get("LastName"),
            "timezone": values.get("TimeZoneSidKey"),
            "active": bool(values.get("IsActive")),
            "user_type": "STANDARD",
            "language": values.get("LanguageLocaleKey"),
            "locale": values.get("LocaleSidKey"),
            "utcOffset": 0,
            "last_modified_date": user.modified,
            "urls": {
                "rest": f"{data}/", "sobjects": f"{data}/sobjects/", "query": f"{data}/query/",
                "enterprise": f"{base}/services/Soap/c/{{version}}/{org.id[:15]}",
                "partner": f"{base}/services/Soap/u/{{version}}/{org.id[:15]}",
                "custom_domain": base,
            },
        }  # fmt: skip

    def userinfo(self, session: Session, base: str) -> dict[str, Any]:
        """OpenID Connect claims of the user."""
        known = self.identity(session, base)
        renamed = {
            "sub": "id", "user_id": "user_id", "organization_id": "organization_id", "preferred_username": "username",
            "nickname": "nick_name", "name": "display_name", "email": "email", "email_verified": "email_verified",
            "given_name": "first_name", "family_name": "last_name", "zoneinfo": "timezone", "locale": "locale",
            "language": "language", "active": "active", "user_type": "user_type", "urls": "urls",
        }  # fmt: skip
        claims = {claim: known[name] for claim, name in renamed.items()}
        return {**claims, "updated_at": moment_ms(known["last_modified_date"]) // 1000}


def _part(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _jwt(assertion: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    parts = assertion.split(".")
    try:
        head, claims = orjson.loads(_part(parts[0])), orjson.loads(_part(parts[1]))
        signature = _part(parts[2])
    except (IndexError, ValueError):
        raise OAuthError("invalid_grant", "invalid assertion") from None
    if len(parts) != 3 or not isinstance(head, dict) or not isinstance(claims, dict):
        raise OAuthError("invalid_grant", "invalid assertion")
    return head, claims, f"{parts[0]}.{parts[1]}".encode(), signature


def _verified(pem: str, signed: bytes, signature: bytes) -> bool:
    key: Any
    if "CERTIFICATE" in pem:
        key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    else:
        key = serialization.load_pem_public_key(pem.encode())
    if not isinstance(key, rsa.RSAPublicKey):
        return False
    try:
        key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True
