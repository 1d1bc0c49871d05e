"""The control API over a real database that the engine filled, on a real Unix socket."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec

from syncd.control import messages as m
from syncd.control.app import Control
from syncd.control.exposition import Exposition
from syncd.control.socket import ControlSocket
from syncd.control.status import Standing, StatusBoard
from syncd.engine.capture import Captor
from syncd.engine.flows import Flows
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import Capture
from tests.engine.rig import Rig
from tests.engine.test_engine import cart, customer

T = TypeVar("T")

WINDOW = m.WindowLine(
    connection="crm", window="ten_seconds", limit=190, used=12, own=10, resets_in_seconds=4.0, reserves={"live": 0.3}
)


@dataclass
class Office:
    """A rig, the parts that look at it, and a client of theirs."""

    rig: Rig
    folder: Path
    board: StatusBoard
    captor: Captor
    exposition: Exposition
    control: Control
    server: ControlSocket
    client: httpx.AsyncClient

    @property
    def socket(self) -> Path:
        return self.folder / "run" / "control.sock"

    @classmethod
    async def make(cls, state: Path) -> Office:
        rig = await Rig.make(state)
        # Paths of sockets are limited to about a hundred bytes, which pytest's folders may exceed.
        folder = Path(tempfile.mkdtemp(prefix="syncd-"))
        polled = tuple(replace(one, capture=Capture(poll_seconds=3600.0, hydrate=False)) for one in rig.flows.mappings)
        flows = Flows(rig.flows.entities, polled, rig.flows.systems, cart_idle_ms=1000)
        metrics = rig.folder._metrics
        shared: dict[str, Any] = {"database": rig.database, "world": rig.world}
        captor = Captor(flows=flows, signals=rig.signals, health=rig.health, metrics=metrics, **shared)
        systems = {"shop": "commercetools", "crm": "hubspot"}
        standing = Standing("1.2.3", "instance", rig.clock.now_ms(), ["a remark"], systems)
        board = StatusBoard(
            health=rig.health, captor=captor, metrics=metrics, windows=lambda: [WINDOW], standing=standing, **shared
        )
        board.turn("running")
        control = Control(
            flows=flows, signals=rig.signals, health=rig.health, captor=captor, status=board, systems=systems,
            metrics=metrics, **shared,
        )  # fmt: skip
        exposition = Exposition(board=board, captor=captor, metrics=metrics, **shared)
        path = folder / "run" / "control.sock"
        server = ControlSocket(path, control.app())
        await server.start()
        office = cls(rig, folder, board, captor, exposition, control, server, client_of(path))
        await captor.start()
        return office

    async def close(self) -> None:
        await self.client.aclose()
        await self.captor.stop(1)
        await self.server.stop(1)
        await self.rig.close()
        shutil.rmtree(self.folder)

    # --- asking -------------------------------------------------------------------------------------------------

    async def get(self, path: str, kind: type[T], **query: Any) -> T:
        self.board.turn("running")
        reply = await self.client.get(path, params=query)
        assert reply.status_code == 200, reply.text
        return msgspec.json.decode(reply.content, type=kind)

    async def post(self, path: str, asked: msgspec.Struct, kind: type[T]) -> T:
        reply = await self.client.post(path, content=msgspec.json.encode(asked))
        assert reply.status_code == 200, reply.text
        return msgspec.json.decode(reply.content, type=kind)

    async def problem(
        self, method: str, path: str, *, body: bytes | None = None, **query: Any
    ) -> tuple[int, m.Problem]:
        """Status and problem of a request that must be refused."""
        reply = await self.client.request(method, path, params=query, content=body)
        assert reply.headers["content-type"] == "application/problem+json"
        return reply.status_code, msgspec.json.decode(reply.content, type=m.Problem)

    async def status(self) -> m.Status:
        return await self.get("/v1/status", m.Status)

    # --- what the tests look at -----------------------------------------------------------------------------------

    async def refuse_addresses(self, *names: str) -> list[int]:
        """Customers whose address the CRM refuses; their dead letters."""

        def judge(_object: str, write: Any) -> Failure | None:
            if "@@" not in str(write.values.get("email", "")):
                return None
            return Failure(Remedy.ASK, "INVALID_EMAIL", "Email address x@@y is invalid", 400, fields=("email",))

        self.rig.crm.refuse = judge
        for name in names:
            await customer(self.rig, name, email=f"{name}@@example.com")
        await self.rig.settle()
        return [one.id for one in await self.rig.letters()]

    async def everyday(self) -> None:
        """A customer in step, an abandoned cart with its deal, two refused addresses, a payload nobody understands."""
        await customer(self.rig)
        await cart(self.rig, customerId="c1")
        await self.rig.settle(seconds=2)
        await self.rig.tell(self.rig.crm, "contacts", "crm-1", phone="+49301")
        await self.refuse_addresses("bad1", "bad2")
        await self.rig.tell(self.rig.shop, "customers", "odd", email="odd@example.com", credit_limit="no money")
        await self.rig.settle()


def client_of(path: Path) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(path)), base_url="http://syncd", timeout=10.0)
