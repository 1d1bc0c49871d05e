"""Signing in: three flows, one token, and no token for a stranger."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from structlog.testing import capture_logs

from syncd.model.change import Lane
from syncd.model.failure import Remedy
from syncd.runtime.secret import Secret
from syncd.systems.contract import OutOfBudgetError, Severity, VendorError
from syncd.systems.salesforce.auth import JWT_GRANT, Auth, Token
from syncd.systems.salesforce.codes import OAUTH
from syncd.systems.salesforce.settings import Grant, Settings
from syncd.systems.salesforce.vitals import Vitals

from .kit import NOW, ORG_ID, USER_ID, Answer, Vendor, connected, settings, world

HOME = "https://acme.my.salesforce.com"


@dataclass
class Reply:
    status: int
    body: bytes


@dataclass
class Endpoint:
    """The token endpoint."""

    instance: str = HOME
    refuse: tuple[int, Any] | None = None
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    gate: asyncio.Event | None = None
    spent: bool = False
    """The budget pays for the next call but one."""

    async def token_request(self, url: str, form: dict[str, str], lane: Lane) -> Reply:
        self.asked.append((url, form))
        number = len(self.asked)
        if self.gate is not None:
            await self.gate.wait()
        if self.spent:
            self.spent = False
            raise OutOfBudgetError("daily", 1.0)
        if self.refuse:
            status, data = self.refuse
            return Reply(status, data if isinstance(data, bytes) else json.dumps(data).encode())
        return Reply(200, json.dumps({
            "access_token": f"secret-{number}", "instance_url": self.instance,
            "id": f"https://login.salesforce.com/id/{ORG_ID}/{USER_ID}", "token_type": "Bearer",
        }).encode())  # fmt: skip


def auth(endpoint: Endpoint, **more: Any) -> Auth:
    return Auth(settings(HOME, **more), world(), endpoint, Vitals())


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: Any) -> Secret:
    return Secret(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


async def test_client_credentials_are_posted_to_the_my_domain_host() -> None:
    endpoint = Endpoint()
    token = await auth(endpoint).token(Lane.LIVE)
    assert endpoint.asked == [
        (f"{HOME}/services/oauth2/token",
         {"grant_type": "client_credentials", "client_id": "key", "client_secret": "hunter2"})
    ]  # fmt: skip
    assert token.value.reveal() == "secret-1"
    assert (token.instance_url, token.org_id, token.user_id) == (HOME, ORG_ID, USER_ID)


async def test_a_jwt_is_signed_with_the_key_and_short_lived(rsa_key: rsa.RSAPrivateKey) -> None:
    endpoint = Endpoint()
    await auth(endpoint, auth=Grant.JWT, username="bot@acme.com", private_key=pem(rsa_key)).token(Lane.LIVE)
    form = endpoint.asked[0][1]
    assert form["grant_type"] == JWT_GRANT
    assert "client_secret" not in form
    head, claims, signature = form["assertion"].split(".")

    def raw(text: str) -> bytes:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

    rsa_key.public_key().verify(raw(signature), f"{head}.{claims}".encode(), PKCS1v15(), SHA256())
    assert json.loads(raw(head))["alg"] == "RS256"
    assert json.loads(raw(claims)) == {
        "iss": "key", "sub": "bot@acme.com", "aud": "https://login.salesforce.com", "exp": NOW // 1000 + 180,
    }  # fmt: skip


async def test_the_expiry_of_a_jwt_is_by_the_vendors_clock(rsa_key: rsa.RSAPrivateKey) -> None:
    endpoint, vitals = Endpoint(), Vitals(skew_seconds=600.0)
    made = settings(HOME, auth=Grant.JWT, username="u", private_key=pem(rsa_key))
    await Auth(made, world(), endpoint, vitals).token(Lane.LIVE)
    claims = endpoint.asked[0][1]["assertion"].split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(claims + "=="))["exp"] == NOW // 1000 - 600 + 180


@pytest.mark.parametrize(
    ("url", "audience"),
    [(HOME, "https://login.salesforce.com"), ("https://test.salesforce.com", "https://test.salesforce.com"),
     ("https://acme--dev.sandbox.my.salesforce.com", "https://test.salesforce.com"),
     ("http://127.0.0.1:9", "http://127.0.0.1:9")],
)  # fmt: skip
def test_the_audience_fits_the_address(url: str, audience: str) -> None:
    assert settings(url).jwt_audience() == audience


async def test_a_key_that_cannot_sign_stops_the_connection() -> None:
    odd = pem(ec.generate_private_key(ec.SECP256R1()))
    for key in (Secret("no key at all"), odd):
        with pytest.raises(VendorError) as caught:
            await auth(Endpoint(), auth=Grant.JWT, username="u", private_key=key).token(Lane.LIVE)
        assert caught.value.failure.remedy is Remedy.STOP
        assert "PRIVATE" not in str(caught.value)


async def test_the_legacy_flow_works_and_is_warned_of_once() -> None:
    endpoint = Endpoint()
    one = auth(endpoint, auth=Grant.PASSWORD, username="u", password=Secret("pw+token"))
    with capture_logs() as logs:
        token = await one.token(Lane.LIVE)
        one.proved(token)
        await one.renew(token, Lane.LIVE)
    assert endpoint.asked[0][1]["password"] == "pw+token"
    assert [line["event"] for line in logs] == ["salesforce.legacy_sign_in"]
    assert "pw+token" not in str(logs)


async def test_the_doctor_warns_of_the_legacy_flow(org: Vendor) -> None:
    org.route("GET", "/services/data/", lambda _: Answer(200, [{"version": "67.0"}]))
    org.on("GET", "limits", lambda _: Answer(200, {}))
    legacy = {"auth": Grant.PASSWORD, "username": "u", "password": Secret("hunter3")}
    async with connected(org, **legacy) as crm:
        found = {one.code: one for one in await crm.check([])}
    assert found["legacy-sign-in"].severity is Severity.WARNING
    assert "client_credentials" in found["legacy-sign-in"].remedy


async def test_many_callers_share_one_sign_in() -> None:
    endpoint = Endpoint(gate=asyncio.Event())
    one = auth(endpoint)
    waiting = [asyncio.ensure_future(one.token(Lane.LIVE)) for _ in range(20)]
    await asyncio.sleep(0)
    assert endpoint.gate is not None
    endpoint.gate.set()
    assert len({token.value.reveal() for token in await asyncio.gather(*waiting)}) == 1
    assert len(endpoint.asked) == 1


async def test_many_callers_whose_token_died_share_one_new_one() -> None:
    endpoint = Endpoint()
    one = auth(endpoint)
    old = await one.token(Lane.LIVE)
    one.proved(old)
    newer = await asyncio.gather(*(one.renew(old, Lane.LIVE) for _ in range(20)))
    assert {token.value.reveal() for token in newer if token} == {"secret-2"}
    assert len(endpoint.asked) == 2


async def test_a_cancelled_caller_takes_nobody_along() -> None:
    endpoint = Endpoint(gate=asyncio.Event())
    one = auth(endpoint)
    first, second = (asyncio.ensure_future(one.token(Lane.LIVE)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    assert endpoint.gate is not None
    endpoint.gate.set()
    assert (await second).value.reveal() == "secret-2"


async def test_those_who_waited_share_a_failed_sign_in() -> None:
    endpoint = Endpoint(gate=asyncio.Event(), refuse=(400, {"error": "invalid_grant", "error_description": "no"}))
    one = auth(endpoint)
    waiting = [asyncio.ensure_future(one.token(Lane.LIVE)) for _ in range(5)]
    await asyncio.sleep(0)
    assert endpoint.gate is not None
    endpoint.gate.set()
    ends = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(end, VendorError) and end.failure.remedy is Remedy.STOP for end in ends)
    assert len(endpoint.asked) == 1


async def test_those_who_waited_for_an_empty_budget_are_not_told_of_an_older_refusal() -> None:
    endpoint = Endpoint(refuse=(400, {"error": "invalid_grant", "error_description": "no"}))
    one = auth(endpoint)
    with pytest.raises(VendorError):
        await one.token(Lane.LIVE)
    endpoint.refuse, endpoint.spent, endpoint.gate = None, True, asyncio.Event()
    waiting = [asyncio.ensure_future(one.token(lane)) for lane in (Lane.BULK, Lane.LIVE)]
    await asyncio.sleep(0)
    endpoint.gate.set()
    first, second = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(first, OutOfBudgetError)
    assert isinstance(second, Token)


async def test_a_token_that_never_worked_is_not_renewed_again_and_again() -> None:
    endpoint = Endpoint()
    one = auth(endpoint)
    token = await one.token(Lane.LIVE)
    one.proved(token)
    second = await one.renew(token, Lane.LIVE)
    assert second is not None
    assert await one.renew(second, Lane.LIVE) is None
    assert len(endpoint.asked) == 2


@pytest.mark.parametrize("instance", [
    "https://evil.example.com", "http://acme.my.salesforce.com", "https://salesforce.com.evil.io",
    "https://user:pw@acme.my.salesforce.com", "https://notsalesforce.com", "", "http://127.0.0.1:80",
])  # fmt: skip
async def test_a_token_for_a_strange_host_is_not_taken(instance: str) -> None:
    with pytest.raises(VendorError) as caught:
        await auth(Endpoint(instance=instance)).token(Lane.LIVE)
    assert caught.value.failure.code == "instance-not-allowed"
    assert caught.value.failure.remedy is Remedy.STOP


async def test_an_instance_elsewhere_in_the_vendors_domains_is_fine() -> None:
    token = await auth(Endpoint(instance="https://EU42.salesforce.com:443/")).token(Lane.LIVE)
    assert token.instance_url == "https://eu42.salesforce.com"


@pytest.mark.parametrize(("code", "remedy"), OAUTH.items())
async def test_every_refusal_of_the_token_endpoint_has_its_remedy(code: str, remedy: Remedy) -> None:
    endpoint = Endpoint(refuse=(400, {"error": code, "error_description": "authentication failure"}))
    with pytest.raises(VendorError) as caught:
        await auth(endpoint).token(Lane.LIVE)
    assert caught.value.failure.remedy is remedy
    assert caught.value.failure.code == code
    assert not caught.value.failure.reply


@pytest.mark.parametrize("refuse", [(503, b"<html>maintenance</html>"), (500, b""), (400, b"oops"), (200, {"x": 1})])
async def test_a_token_endpoint_that_is_not_well_is_tried_again(refuse: tuple[int, Any]) -> None:
    with pytest.raises(VendorError) as caught:
        await auth(Endpoint(refuse=refuse)).token(Lane.LIVE)
    assert caught.value.failure.remedy is Remedy.RETRY


def test_settings_name_what_is_missing_and_refuse_plain_http_elsewhere() -> None:
    with pytest.raises(ValueError, match="client_credentials flow lacks"):
        Settings("crm", HOME, "key")
    with pytest.raises(ValueError, match="loopback only"):
        settings("http://acme.my.salesforce.com")


async def test_no_secret_shows(rsa_key: rsa.RSAPrivateKey) -> None:
    one = auth(Endpoint(), auth=Grant.JWT, username="u", private_key=pem(rsa_key))
    token = await one.token(Lane.LIVE)
    assert "secret-1" not in f"{token!r} {one!r} {vars(one)!r}"
    assert "PRIVATE" not in repr(vars(one))
