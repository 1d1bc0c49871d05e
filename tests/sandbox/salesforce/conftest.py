from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import fastavro
import grpc.aio
import httpx
import pytest

from syncd.runtime.clock import ManualClock
from syncd.sandbox.salesforce import SalesforceSandbox
from syncd.sandbox.salesforce.simulator import CLIENT_ID, CLIENT_SECRET
from syncd.sandbox.server import Sandbox
from syncd.systems.salesforce import pubsub_pb2 as pb

DATA = "/services/data/v67.0"
KEY = "Syncd_Id__c"


class House:
    """A simulated org on its ports, with a plain client that is signed in."""

    def __init__(self, box: Sandbox, vendor: SalesforceSandbox, clock: ManualClock) -> None:
        self.box, self.vendor, self.clock = box, vendor, clock
        self.http = httpx.AsyncClient(base_url=box.url("salesforce"), trust_env=False, timeout=30)
        self.admin = httpx.AsyncClient(base_url=box.admin_url, trust_env=False)
        self.token: dict[str, str] = {}

    async def sign_in(self) -> None:
        form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        reply = await self.http.post("/services/oauth2/token", data=form)
        assert reply.status_code == 200, reply.text
        self.token = reply.json()
        self.http.headers["authorization"] = f"Bearer {self.token['access_token']}"

    async def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        return await self.http.request(method, path if path.startswith("/services") else DATA + path, **more)

    async def create(self, kind: str, **values: Any) -> str:
        reply = await self.call("POST", f"/sobjects/{kind}", json=values)
        assert reply.status_code == 201, reply.text
        return reply.json()["id"]

    async def get(self, kind: str, id_: str, **more: Any) -> dict[str, Any]:
        reply = await self.call("GET", f"/sobjects/{kind}/{id_}", **more)
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def query(self, soql: str, resource: str = "query") -> list[dict[str, Any]]:
        reply = await self.call("GET", f"/{resource}", params={"q": soql})
        assert reply.status_code == 200, reply.text
        return reply.json()["records"]

    async def refused(self, method: str, path: str, **more: Any) -> tuple[int, str]:
        reply = await self.call(method, path, **more)
        (error,) = reply.json()
        return reply.status_code, error["errorCode"]

    async def act(self, **deed: Any) -> Any:
        reply = await self.admin.post("/_sandbox/salesforce/act", json=deed)
        assert reply.status_code == 200, reply.text
        return reply.json()["result"]

    async def ingest(self, csv: str, operation: str = "insert", kind: str = "Contact", **more: Any) -> dict[str, Any]:
        body = {"object": kind, "operation": operation, "contentType": "CSV", "lineEnding": "LF", **more}
        reply = await self.call("POST", "/jobs/ingest", json=body)
        assert reply.status_code == 200, reply.text
        job = reply.json()
        headers = {"content-type": "text/csv; charset=UTF-8"}
        assert (
            await self.call("PUT", "/" + job["contentUrl"], content=csv.encode(), headers=headers)
        ).status_code == 201
        await self.call("PATCH", f"/jobs/ingest/{job['id']}", json={"state": "UploadComplete"})
        return await self.finished("ingest", job["id"])

    async def finished(self, resource: str, id_: str) -> dict[str, Any]:
        while True:
            job: dict[str, Any] = (await self.call("GET", f"/jobs/{resource}/{id_}")).json()
            if job["state"] in {"JobComplete", "Failed", "Aborted"}:
                return job

    async def results(self, id_: str, which: str) -> str:
        reply = await self.call("GET", f"/jobs/ingest/{id_}/{which}")
        assert reply.status_code == 200, reply.text
        return reply.text

    def effects(self, *what: str) -> list[tuple[str, str, str]]:
        return [(one.effect, one.object, one.key) for one in self.box.ledger.after(0) if not what or one.effect in what]

    async def close(self) -> None:
        await self.http.aclose()
        await self.admin.aclose()


class Bus:
    """A client of the event bus, by method names and nothing more."""

    def __init__(self, house: House, channel: grpc.aio.Channel) -> None:
        self._house, self._channel = house, channel
        self._schemas: dict[str, Any] = {}

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        token = self._house.token
        tenant = token["id"].split("/")[-2]
        return (("accesstoken", token["access_token"]), ("instanceurl", token["instance_url"]), ("tenantid", tenant))

    async def topic(self, name: str) -> Any:
        call = self._channel.unary_unary(
            "/eventbus.v1.PubSub/GetTopic",
            request_serializer=pb.TopicRequest.SerializeToString,
            response_deserializer=pb.TopicInfo.FromString,
        )
        return await call(pb.TopicRequest(topic_name=name), metadata=self.metadata)

    async def schema(self, id_: str) -> Any:
        if id_ not in self._schemas:
            call = self._channel.unary_unary(
                "/eventbus.v1.PubSub/GetSchema",
                request_serializer=pb.SchemaRequest.SerializeToString,
                response_deserializer=pb.SchemaInfo.FromString,
            )
            info = await call(pb.SchemaRequest(schema_id=id_), metadata=self.metadata)
            self._schemas[id_] = fastavro.parse_schema(json.loads(info.schema_json))
        return self._schemas[id_]

    async def subscribe(self, topic: str, requested: int = 10, **more: Any) -> Any:
        call = self._channel.stream_stream(
            "/eventbus.v1.PubSub/Subscribe",
            request_serializer=pb.FetchRequest.SerializeToString,
            response_deserializer=pb.FetchResponse.FromString,
        )
        stream = call(metadata=self.metadata)
        await stream.write(pb.FetchRequest(topic_name=topic, num_requested=requested, **more))
        return stream

    async def listening(self, *, some: bool = True) -> None:
        """Until the org has a listener, or has none any more."""
        for _ in range(2000):
            if bool(self._house.vendor.stream.held) is some:
                return
            await asyncio.sleep(0.005)
        raise TimeoutError

    async def decoded(self, response: Any) -> list[dict[str, Any]]:
        out = []
        for one in response.events:
            schema = await self.schema(one.event.schema_id)
            out.append(fastavro.schemaless_reader(io.BytesIO(one.event.payload), schema))
        return out


@pytest.fixture
def options() -> dict[str, Any]:
    """Constructor options of the simulated vendor; overridden where a test wants others."""
    return {}


@pytest.fixture
async def house(options: dict[str, Any]) -> AsyncIterator[House]:
    clock = ManualClock()
    box = Sandbox(seed=7, clock=clock)
    vendor = box.add(SalesforceSandbox, **options)
    async with box:
        house = House(box, vendor, clock)
        await house.sign_in()
        yield house
        await house.close()


@pytest.fixture
async def bus(house: House) -> AsyncIterator[Bus]:
    async with grpc.aio.insecure_channel(house.vendor.endpoints()["pubsub"]) as channel:
        yield Bus(house, channel)
