"""Every exception of every client, sorted by whether anything can have been applied. One table for all systems."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import ssl

import fastavro.read
import fastavro.schema
import grpc
import httpx
import hubspot
import pytest
import requests
import urllib3
from simple_salesforce import exceptions as simple_salesforce

from syncd.model.failure import Remedy
from syncd.systems.contract import OutOfBudgetError, VendorError
from syncd.systems.mishaps import KINDS, exception_kind, failure_of, failure_of_exception


def exceptions_of(module) -> set[type[Exception]]:
    found = (one for _, one in inspect.getmembers(module, inspect.isclass))
    return {one for one in found if issubclass(one, Exception) and not issubclass(one, Warning)}


def generated() -> set[type[Exception]]:
    """Of each package of HubSpot's client, which generates its own."""
    names = [
        one.name for one in pkgutil.walk_packages(hubspot.__path__, "hubspot.") if one.name.endswith(".exceptions")
    ]
    assert len(names) > 30
    return {one for name in names for one in exceptions_of(importlib.import_module(name))}


CLIENTS = {
    "httpx": exceptions_of(httpx),
    "urllib3": {one for one in exceptions_of(urllib3.exceptions) if one.__module__ == "urllib3.exceptions"},
    "requests": {one for one in exceptions_of(requests.exceptions) if one.__module__ == "requests.exceptions"},
    "simple-salesforce": exceptions_of(simple_salesforce),
    "hubspot": generated(),
    "grpc": {one for one in exceptions_of(grpc) | exceptions_of(grpc.aio) if issubclass(one, grpc.RpcError)},
    "fastavro": exceptions_of(fastavro.schema) | exceptions_of(fastavro.read),
}


@pytest.mark.parametrize("client", CLIENTS)
def test_every_exception_of_every_client_is_sorted(client: str) -> None:
    assert CLIENTS[client]
    unsorted = [one for one in CLIENTS[client] if not exception_kind(one.__new__(one))]
    assert not unsorted


def bare(kind: type[Exception]) -> Exception:
    error = kind.__new__(kind)
    vars(error).update(partial=0, expected=1, length=b"", response=None, request=None)
    return error


@pytest.mark.parametrize("client", ["httpx", "urllib3", "requests"])
def test_what_may_have_been_applied_is_never_repeated_blindly(client: str) -> None:
    for kind in CLIENTS[client]:
        error = bare(kind)
        writing, reading = failure_of_exception(error, writes=True), failure_of_exception(error)
        expected = {
            "unsent": (Remedy.RETRY, Remedy.RETRY), "setup": (Remedy.STOP, Remedy.STOP),
            "form": (Remedy.ASK, Remedy.ASK), "unclear": (Remedy.LOOK, Remedy.RETRY),
        }[exception_kind(error)]  # fmt: skip
        assert (writing.remedy, reading.remedy) == expected, kind


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("x"), httpx.ConnectTimeout("x"), httpx.PoolTimeout("x"), httpx.ProxyError("x"),
              urllib3.exceptions.NewConnectionError(None, "x"), requests.exceptions.ConnectTimeout("x")],
)  # fmt: skip
def test_what_never_left_is_sent_again(error: Exception) -> None:
    assert failure_of_exception(error, writes=True).remedy is Remedy.RETRY


@pytest.mark.parametrize(
    "error", [httpx.ReadTimeout("x"), httpx.RemoteProtocolError("x"), httpx.ReadError("x"), TimeoutError(),
              urllib3.exceptions.ReadTimeoutError(None, "/", "x"), requests.exceptions.ReadTimeout("x")],
)  # fmt: skip
def test_what_left_and_was_not_answered_is_looked_up(error: Exception) -> None:
    assert failure_of_exception(error, writes=True).remedy is Remedy.LOOK


def test_what_a_library_wraps_is_looked_into() -> None:
    reason = urllib3.exceptions.NewConnectionError(None, "refused")
    retried = urllib3.exceptions.MaxRetryError(None, "/", reason)
    assert failure_of_exception(retried, writes=True).code == "unreachable"
    assert failure_of_exception(requests.exceptions.ConnectionError(retried), writes=True).code == "unreachable"


def test_a_certificate_that_is_not_trusted_stops_the_connection() -> None:
    error = httpx.ConnectError("x")
    error.__cause__ = ssl.SSLCertVerificationError("bad")
    assert failure_of_exception(error).remedy is Remedy.STOP


def test_a_strangers_exception_is_nobodys() -> None:
    assert exception_kind(KeyError("x")) == ""
    assert len({name for names in KINDS.values() for name in names}) == sum(map(len, KINDS.values()))


def test_an_empty_budget_waits_as_long_as_it_says() -> None:
    told = failure_of(OutOfBudgetError("daily", 30.0))
    assert (told.remedy, told.retry_after_seconds) == (Remedy.WAIT, 30.0)
    assert failure_of(VendorError(told)) is told
