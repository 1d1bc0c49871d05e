"""The admin surface of a sandbox, on its own port: what the judge and the demo's driver use.

====== ============================== =========================================================================
GET    /_sandbox/state                counts per vendor, requests, replies by status, ledger length, seed
GET    /_sandbox/ledger               ``vendor``, ``after`` (seq), ``limit`` (0 = all) -> {"effects": [...]}
GET    /_sandbox/person               ``number``, or ``vendor`` and ``id``: a person of the world, and all their records
GET    /_sandbox/{vendor}/dump        all objects by kind; ``object`` narrows to one kind
POST   /_sandbox/faults               {"faults": "storm,latency=0.1"}
POST   /_sandbox/outage               {"vendor": "hubspot", "on": true, "mode": "abort" | "503"}
POST   /_sandbox/{vendor}/act         {"op": ...}: what a simulated person does there -> {"result": ...}
====== ============================== =========================================================================

Errors are 400, 404 or 405 with {"error": "..."}.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from syncd.sandbox.faults import FaultsError
from syncd.sandbox.http import Reply, Request, reply_json
from syncd.sandbox.vendor import ActError

if TYPE_CHECKING:
    from syncd.sandbox.server import Sandbox


class Admin:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def handle(self, request: Request) -> Reply:
        try:
            return await self._route(request)
        except (ActError, FaultsError) as error:
            return _refuse(400, str(error))
        except (KeyError, TypeError, ValueError) as error:
            return _refuse(400, f"bad request: {error}")

    async def _route(self, request: Request) -> Reply:
        parts = request.segments()
        if not parts or parts[0] != "_sandbox":
            return _refuse(404, "the admin surface is under /_sandbox/")
        match request.method, parts[1:]:
            case "GET", ["state"]:
                return reply_json(self._state())
            case "GET", ["ledger"]:
                return self._ledger(request)
            case "GET", ["person"]:
                return self._person(request)
            case "POST", ["faults"]:
                self._sandbox.set_faults(str(_body(request)["faults"]))
                return reply_json({"ok": True})
            case "POST", ["outage"]:
                return self._outage(_body(request))
            case method, [vendor, deed] if vendor in self._sandbox.vendors:
                return await self._of_vendor(request, method, vendor, deed)
        return _refuse(404, f"nothing at {request.method} {request.path}")

    def _state(self) -> dict[str, Any]:
        box = self._sandbox
        return {
            "seed": box.seed,
            "now_ms": box.clock.now_ms(),
            "ledger": len(box.ledger),
            "vendors": {
                name: {
                    "url": box.url(name),
                    "objects": vendor.counts(),
                    "requests": vendor.requests,
                    "replies": {str(status): count for status, count in sorted(vendor.replies.items())},
                    "outage": vendor.room.faults.outage,
                    "faults": vendor.room.faults.plan,
                }
                for name, vendor in box.vendors.items()
            },
        }

    def _ledger(self, request: Request) -> Reply:
        rows = self._sandbox.ledger.after(
            int(request.param("after", "0")), vendor=request.param("vendor"), limit=int(request.param("limit", "0"))
        )
        return reply_json({"effects": rows})

    def _person(self, request: Request) -> Reply:
        """The truth about who is who: what no vendor knows."""
        known = {name: one.inhabitants for name, one in self._sandbox.vendors.items() if one.inhabitants is not None}
        number = int(request.param("number", "-1"))
        if request.param("vendor"):
            here, id_ = known[request.param("vendor")], request.param("id")
            rank = here.rank_of(id_) if isinstance(here.id_at(0), str) else here.rank_of(int(id_))
            number = -1 if rank is None else here.roster.at(rank).member
        world = self._sandbox.world
        if world is None or not 0 <= number < world.people:
            return _refuse(404, "no such person in the world")
        records = {name: [str(one.id_at(rank)) for rank in one.roster.ranks(number)] for name, one in known.items()}
        return reply_json({"person": world.person(number), "records": records})

    def _outage(self, body: Mapping[str, Any]) -> Reply:
        self._sandbox.set_outage(str(body["vendor"]), on=bool(body["on"]), mode=str(body.get("mode", "abort")))
        return reply_json({"ok": True})

    async def _of_vendor(self, request: Request, method: str, name: str, deed: str) -> Reply:
        vendor = self._sandbox.vendors[name]
        match method, deed:
            case "GET", "dump":
                wanted = request.param("object")
                kinds = vendor.objects()
                if wanted:
                    kinds = {wanted: kinds[wanted]}
                return Reply(200, _encoded(kinds))
            case "POST", "act":
                return reply_json({"result": await vendor.do(_body(request))})
        return _refuse(404, f"nothing at {method} {request.path}")


def _encoded(kinds: Mapping[str, Iterable[Mapping[str, Any]]]) -> bytes:
    """As JSON. Half a million rows are written down one by one: neither they nor their texts are held beside it."""
    out = bytearray(b"{")
    for kind, rows in kinds.items():
        out += b"," if len(out) > 1 else b""
        out += orjson.dumps(kind) + b":["
        for place, row in enumerate(rows):
            out += b"," if place else b""
            out += orjson.dumps(row)
        out += b"]"
    out += b"}"
    return bytes(out)


def _body(request: Request) -> Mapping[str, Any]:
    body = orjson.loads(request.body or b"{}")
    if not isinstance(body, dict):
        raise TypeError("expected a JSON object")
    return body


def _refuse(status: int, message: str) -> Reply:
    return reply_json({"error": message}, status)
