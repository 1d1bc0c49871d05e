"""The official client's pitfalls, each met and minded."""

import asyncio
import logging
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import urllib3

from syncd.model.change import Lane
from syncd.model.failure import Remedy
from syncd.systems.contract import VendorError
from syncd.systems.hubspot import sdk as sdk_module
from syncd.systems.hubspot.auth import Auth
from syncd.systems.hubspot.sdk import PROPERTIES, SEARCH, SINGLE, Sdk
from syncd.systems.hubspot.vitals import Vitals

from .kit import TOKEN, Books, Vendor, envelope, obj, reply, served, settings, world


async def with_sdk(vendor, work, books=None, url=None, **more):
    async def run(base_url):
        here = world()
        options = settings(base_url=base_url, **more)
        sdk = Sdk(options, books or Books(), here, Vitals())
        sdk.use(Auth(options, here, sdk.sign_in))
        try:
            return await work(sdk)
        finally:
            await sdk.close()

    if url is not None:
        return await run(url)
    with served(vendor) as base_url:
        return await run(base_url)


def one(sdk):
    return sdk.call(SINGLE, "contacts", "1", lane=Lane.LIVE)


def test_nothing_of_it_is_loaded_before_first_use():
    code = "import sys, syncd.systems.hubspot.system; sys.exit(any(m.split('.')[0] in ('hubspot', 'urllib3', 'requests') for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


async def test_a_call_is_signed_paid_for_and_observed():
    vendor = Vendor(lambda asked: reply(200, obj("1"), {"X-HubSpot-RateLimit-Remaining": "99"}))
    books = Books()
    data = await with_sdk(vendor, one, books)
    assert data["id"] == "1"
    assert vendor.asked[0].headers["authorization"] == f"Bearer {TOKEN}"
    [(call, status, headers)] = books.seen
    assert (call.kind, status, headers["x-hubspot-ratelimit-remaining"]) == ("api", 200, "99")


async def test_connections_are_kept_and_shared_by_nobody():
    vendor = Vendor(lambda asked: reply(200, obj("1")))

    async def work(sdk):
        for _ in range(4):
            await asyncio.gather(*(one(sdk) for _ in range(8)))

    await with_sdk(vendor, work, sdk_threads=3)
    assert len(vendor.asked) == 32
    assert len(vendor.sockets) <= 3


async def test_the_pool_is_bounded():
    running, most = set(), []

    def answer(asked):
        running.add(threading.get_ident())
        most.append(len(running))
        gate.wait(0.05)
        running.discard(threading.get_ident())
        return reply(200, obj("1"))

    gate = threading.Event()
    await with_sdk(Vendor(answer), lambda sdk: asyncio.gather(*(one(sdk) for _ in range(8))), sdk_threads=2)
    assert max(most) <= 2


@pytest.mark.parametrize("status", [429, 503, 413])
async def test_nothing_is_tried_again_behind_our_back(status):
    vendor = Vendor(lambda asked: reply(status, b"", {"Retry-After": "1"}))
    with pytest.raises(VendorError) as caught:
        await with_sdk(vendor, one)
    assert len(vendor.asked) == 1
    assert caught.value.failure.status == status


@pytest.mark.parametrize(
    ("status", "body", "remedy"),
    [
        (401, {"category": "INVALID_AUTHENTICATION", "message": "x"}, Remedy.REFRESH),
        (403, {"category": "MISSING_SCOPES", "message": "x"}, Remedy.STOP),
        (404, {"category": "OBJECT_NOT_FOUND", "message": "x"}, Remedy.GONE),
        (400, {"category": "VALIDATION_ERROR", "message": "x"}, Remedy.ASK),
        (502, b"<html>bad gateway</html>", Remedy.RETRY),
        (500, b"\xff\xfe\xfd", Remedy.RETRY),  # the client fails to decode it
        (302, b"", Remedy.STOP),
        (200, b"<html>", Remedy.RETRY),
    ],
)
async def test_the_exceptions_of_every_package_are_known_by_their_attributes(status, body, remedy):
    vendor = Vendor(lambda asked: reply(status, body))
    for name in (SINGLE, PROPERTIES):
        args = ("contacts", "1") if name == SINGLE else ("contacts",)
        with pytest.raises(VendorError) as caught:
            await with_sdk(vendor, lambda sdk, name=name, args=args: sdk.call(name, *args, lane=Lane.LIVE))
        assert (caught.value.failure.remedy, caught.value.failure.status) == (remedy, status)


async def test_a_207_is_data_with_its_errors_and_unknown_keys_survive():
    vendor = Vendor(lambda asked: reply(207, envelope([obj("1", url="https://app.example")], [{"category": "X"}])))
    batch_read = "crm.objects.batch_api.read"
    data = await with_sdk(
        vendor, lambda sdk: sdk.call(batch_read, "contacts", {"inputs": [], "properties": []}, lane=Lane.LIVE)
    )
    assert data["numErrors"] == 1
    assert data["results"][0]["url"] == "https://app.example"


async def test_a_refused_connection_is_a_failure_observed_as_status_0():
    books = Books()
    with pytest.raises(VendorError) as caught:
        await with_sdk(None, one, books, url="http://127.0.0.1:1")
    assert (caught.value.failure.remedy, caught.value.failure.code) == (Remedy.RETRY, "unreachable")
    assert [status for _, status, _ in books.seen] == [0]


async def test_a_silent_server_is_given_up_on():
    gate = threading.Event()

    def answer(asked):
        gate.wait(5)
        return reply(200, obj("1"))

    try:
        with pytest.raises(VendorError) as caught:
            await with_sdk(Vendor(answer), one, read_seconds=0.1)
    finally:
        gate.set()
    assert caught.value.failure.code == "no-reply"


async def test_a_reply_that_drips_or_swells_is_given_up_on(monkeypatch):
    big = Vendor(lambda asked: reply(200, obj("1", {"note": "x" * 200_000})))
    assert (await with_sdk(big, one))["id"] == "1"
    monkeypatch.setattr(sdk_module, "LARGEST_REPLY", 10)
    with pytest.raises(VendorError, match="no-reply"):
        await with_sdk(Vendor(lambda asked: reply(200, obj("1"))), one)
    with pytest.raises(VendorError, match="no-reply"), dripping() as url:
        await with_sdk(None, one, url=url, connect_seconds=0.1, read_seconds=0.2)


@contextmanager
def dripping():
    """A byte every tenth of a second, without end."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            with suppress(OSError):
                while not done.wait(0.1):
                    self.wfile.write(b" ")

        def log_message(self, *args):
            return

    done = threading.Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            done.set()
            server.shutdown()
            thread.join()


async def test_a_tls_error_is_a_failure_though_the_client_hides_it():
    with pytest.raises(VendorError) as caught, served(Vendor(lambda asked: reply(200, obj("1")))) as url:
        await with_sdk(None, one, url=url.replace("http:", "https:"))
    assert caught.value.failure.status == 0


async def test_the_level_of_the_urllib3_logger_is_left_alone():
    logger = logging.getLogger("urllib3")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        await with_sdk(Vendor(lambda asked: reply(200, obj("1"))), one)
        assert logger.level == logging.ERROR
    finally:
        logger.setLevel(before)


async def test_the_one_urllib3_that_breaks_it_is_named(monkeypatch):
    monkeypatch.delattr(urllib3.response.BaseHTTPResponse, "getheaders")
    with pytest.raises(VendorError) as caught:
        await with_sdk(Vendor(lambda asked: reply(200, obj("1"))), one)
    assert (caught.value.failure.remedy, caught.value.failure.code) == (Remedy.STOP, "urllib3-incompatible")


async def test_paths_without_a_typed_call_have_time_outs_and_kept_connections_too():
    vendor = Vendor(lambda asked: reply(200, {"portalId": 1}))

    async def work(sdk):
        await sdk.get("/account-info/2026-03/details", Lane.OPERATOR)
        return await sdk.get("/account-info/2026-03/details", Lane.OPERATOR)

    assert await with_sdk(vendor, work, sdk_threads=1) == {"portalId": 1}
    assert len(vendor.sockets) == 1
    assert vendor.asked[0].headers["authorization"] == f"Bearer {TOKEN}"


async def test_closing_twice_and_before_use_is_fine():
    sdk = Sdk(settings(), Books(), world(), Vitals())
    await sdk.close()
    await sdk.close()
    assert not sdk.loaded


async def test_plain_dictionaries_are_sent_as_they_are():
    vendor = Vendor(lambda asked: reply(200, {"results": []}))
    body = {"filterGroups": [], "limit": 200, "after": "0", "novel": {"x": 1}}
    await with_sdk(
        vendor, lambda sdk: sdk.call(SEARCH, "2-77", public_object_search_request=body, lane=Lane.LIVE, kind="search")
    )
    assert vendor.asked[0].path == "/crm/objects/2026-03/2-77/search"
    assert vendor.asked[0].body == body
