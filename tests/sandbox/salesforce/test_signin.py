"""Sign-in: flows of the token endpoint, sessions, identity."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from syncd.sandbox.salesforce.org import ADMIN, INTEGRATION, SELLER
from syncd.sandbox.salesforce.sessions import JWT_BEARER
from syncd.sandbox.salesforce.simulator import CLIENT_ID, CLIENT_SECRET
from tests.sandbox.salesforce.conftest import DATA, House

TOKEN = "/services/oauth2/token"


async def test_client_credentials_give_a_token_without_an_expiry(house: House) -> None:
    body = house.token
    assert set(body) == {"access_token", "signature", "scope", "instance_url", "id", "token_type", "issued_at"}
    assert body["instance_url"] == house.box.url("salesforce")
    assert body["issued_at"] == str(house.clock.now_ms())
    org, user = body["id"].split("/")[-2:]
    assert (org[:3], len(org), user[:3]) == ("00D", 18, "005")
    known = (await house.http.get("/services/oauth2/userinfo")).json()
    assert (known["preferred_username"], known["organization_id"]) == (INTEGRATION, org)
    path = body["id"].removeprefix(body["instance_url"])
    assert (await house.http.get(path)).json()["username"] == INTEGRATION


async def test_basic_authorization_serves_as_well(house: House) -> None:
    reply = await house.http.post(TOKEN, data={"grant_type": "client_credentials"}, auth=(CLIENT_ID, CLIENT_SECRET))
    assert reply.status_code == 200
    asked = {"token": reply.json()["access_token"], "token_type_hint": "access_token"}
    told = (await house.http.post("/services/oauth2/introspect", data=asked, auth=(CLIENT_ID, CLIENT_SECRET))).json()
    assert told["active"]
    assert told["exp"] == house.clock.now_ms() // 1000 + 7200
    refused = await house.http.post("/services/oauth2/introspect", data=asked, auth=(CLIENT_ID, "no"))
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    ("form", "headers", "status", "error"),
    [
        ({"grant_type": "client_credentials", "client_id": "x", "client_secret": "y"}, {}, 400, "invalid_client_id"),
        ({"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": "y"}, {}, 401, "invalid_client"),
        (
            {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
            {"host": "login.salesforce.com"}, 400, "invalid_grant",
        ),
        ({"grant_type": "telepathy"}, {}, 400, "unsupported_grant_type"),
        ({}, {}, 400, "invalid_request"),
    ],
)  # fmt: skip
async def test_what_the_token_endpoint_refuses(
    house: House, form: dict[str, str], headers: dict[str, str], status: int, error: str
) -> None:
    reply = await house.http.post(TOKEN, data=form, headers=headers)
    assert (reply.status_code, reply.json()["error"]) == (status, error)


class Signer:
    def __init__(self) -> None:
        self._key = rsa.generate_private_key(65537, 2048)
        self.public = self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode()  # fmt: skip

    def sign(self, claims: dict[str, Any]) -> str:
        parts = [base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=") for one in ({"alg": "RS256"}, claims)]
        signed = b".".join(parts)
        signature = self._key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        return (signed + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer()


async def _assert(house: House, assertion: str) -> tuple[int, str]:
    reply = await house.http.post(TOKEN, data={"grant_type": JWT_BEARER, "assertion": assertion})
    return reply.status_code, reply.json().get("error_description", "")


async def test_jwt_bearer_checks_signature_audience_times_and_approval(house: House, signer: Signer) -> None:
    await house.act(op="app", client_id=CLIENT_ID, public_key=signer.public, approved=[INTEGRATION])
    now = house.clock.now_ms() / 1000
    good = {"iss": CLIENT_ID, "sub": INTEGRATION, "aud": "https://login.salesforce.com", "exp": str(int(now + 180))}
    assert await _assert(house, signer.sign(good)) == (200, "")
    assert await _assert(house, signer.sign(good)[:-4] + "AAAA") == (400, "invalid assertion")
    assert await _assert(house, signer.sign({**good, "sub": SELLER})) == (400, "user hasn't approved this consumer")
    assert await _assert(house, signer.sign({**good, "aud": "https://else"})) == (400, "audience is invalid")
    assert await _assert(house, signer.sign({**good, "exp": now - 120})) == (400, "expired authorization code")
    assert (await _assert(house, signer.sign({**good, "exp": now + 3600})))[0] == 400
    assert await _assert(house, "a.b") == (400, "invalid assertion")


async def test_passwords_serve_only_where_the_org_allows_them(house: House) -> None:
    await house.act(op="password", username=ADMIN, password="secret+token")
    form = {"grant_type": "password", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET,
            "username": ADMIN, "password": "secret+token"}  # fmt: skip
    assert (await house.http.post(TOKEN, data=form)).json()["error"] == "invalid_grant"
    await house.act(op="legacy_login", on=True)
    assert (await house.http.post(TOKEN, data=form)).status_code == 200
    assert (await house.http.post(TOKEN, data={**form, "password": "no"})).status_code == 400


async def test_a_session_ends_after_two_idle_hours_and_on_request(house: House) -> None:
    await house.clock.advance(2 * 3600 - 1)
    assert (await house.call("GET", "/limits")).status_code == 200
    await house.clock.advance(2 * 3600 + 1)
    assert await house.refused("GET", "/limits") == (401, "INVALID_SESSION_ID")
    await house.sign_in()
    await house.act(op="expire_tokens")
    reply = await house.call("GET", "/limits")
    assert reply.json() == [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
    assert (await house.http.get("/services/oauth2/userinfo")).text == "Bad_OAuth_Token"


async def test_versions_are_listed_without_a_token_and_old_ones_are_gone(house: House) -> None:
    listed = (await house.http.get("/services/data/", headers={"authorization": ""})).json()
    assert {"label": "Winter '25", "url": "/services/data/v62.0", "version": "62.0"} in listed
    assert listed[-1]["version"] == "68.0"
    assert await house.refused("GET", "/services/data/v25.0/limits") == (410, "UNSUPPORTED_API_VERSION")
    assert await house.refused("GET", "/services/data/v99.0/limits") == (404, "NOT_FOUND")
    assert "composite" in (await house.http.get(DATA)).json()


async def test_a_refresh_token_gives_new_tokens_and_stays(house: House) -> None:
    app = house.vendor.app
    held = house.vendor.sessions.issue_refresh_token(app, SELLER)
    form = {"grant_type": "refresh_token", "refresh_token": held, "client_id": CLIENT_ID}
    first, second = [(await house.http.post(TOKEN, data=form)).json() for _ in range(2)]
    assert first["access_token"] != second["access_token"]
    assert "refresh_token" not in first
