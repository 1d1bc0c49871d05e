"""Which part of the org answers a REST call."""

from __future__ import annotations

from typing import Any

from syncd.sandbox.salesforce import api_composite, api_jobs, api_query, api_rows
from syncd.sandbox.salesforce.call import Answer, Call
from syncd.sandbox.salesforce.errors import not_there


def dispatch(call: Call) -> Answer:
    """``call.path`` is what stands behind the version. Raises :class:`SalesforceError`."""
    match call.path[:1]:
        case ():
            call.only("GET", "HEAD")
            host = f"{call.headers.get(':scheme', 'http')}://{call.headers.get('host', '')}"
            who = f"{host}/id/{call.org.id}/{call.caller.user_id}"
            return Answer(200, {**resources(call.base), "identity": who})
        case ("sobjects",):
            return api_rows.answer(call)
        case ("query" | "queryAll",):
            return api_query.answer(call)
        case ("composite",):
            return api_composite.answer(call, dispatch)
        case ("jobs",):
            return api_jobs.answer(call)
        case ("limits",):
            return api_query.limits(call)
    raise not_there()


def resources(base: str) -> dict[str, str]:
    names = ("sobjects", "query", "queryAll", "composite", "jobs", "limits")
    return {name: f"{base}/{name}" for name in names}


_SEASONS = ("Spring", "Summer", "Winter")


def versions(oldest: int, newest: int) -> list[dict[str, Any]]:
    """What ``/services/data/`` lists. Version 62 was Winter '25."""
    out = []
    for number in range(oldest, newest + 1):
        years, season = divmod(number - 62 + 2, 3)
        label = f"{_SEASONS[season]} '{25 + years - (season != 2):02d}" if number >= 32 else f"Version {number}"
        out.append({"label": label, "url": f"/services/data/v{number}.0", "version": f"{number}.0"})
    return out
