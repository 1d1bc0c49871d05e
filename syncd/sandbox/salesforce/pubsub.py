"""The Pub/Sub API over gRPC: topics, schemas, and streams with flow control."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, NoReturn

import grpc
import grpc.aio

from syncd.sandbox.salesforce.avro import payload
from syncd.sandbox.salesforce.stream import Event, Listener
from syncd.systems.salesforce import pubsub_pb2 as pb

if TYPE_CHECKING:
    from syncd.sandbox.salesforce.simulator import SalesforceSandbox
    from syncd.sandbox.salesforce.tls import Identity

_SERVICE = "eventbus.v1.PubSub"
_PREFIX = "sfdc.platform.eventbus.grpc."
_MAX_BYTES = 3_000_000
_LOOK_SECONDS = 0.25
"""How often a waiting stream looks whether the vendor was taken off the net."""
_STATUS = grpc.StatusCode


class PubSub:
    """Listens once :meth:`start` was called."""

    def __init__(self, vendor: SalesforceSandbox) -> None:
        self._vendor = vendor
        self._server: Any = None
        self.port = 0
        self.tls_port = 0
        self.streams = 0
        """How many are open."""

    async def start(self, host: str, port: int, identity: Identity | None, tls_port: int) -> None:
        """Raises ``OSError`` when a port is taken."""
        self._server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, self._methods()),))
        try:
            self.port = self._server.add_insecure_port(f"{host}:{port}")
            if identity is not None:
                credentials = grpc.ssl_server_credentials([(identity.key, identity.chain)])
                self.tls_port = self._server.add_secure_port(f"{host}:{tls_port}", credentials)
        except RuntimeError as error:
            raise OSError(str(error)) from None
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            server, self._server = self._server, None
            await server.stop(None)

    def _methods(self) -> dict[str, Any]:
        return {
            "GetTopic": grpc.unary_unary_rpc_method_handler(
                self.get_topic, pb.TopicRequest.FromString, pb.TopicInfo.SerializeToString
            ),
            "GetSchema": grpc.unary_unary_rpc_method_handler(
                self.get_schema, pb.SchemaRequest.FromString, pb.SchemaInfo.SerializeToString
            ),
            "Subscribe": grpc.stream_stream_rpc_method_handler(
                self.subscribe, pb.FetchRequest.FromString, pb.FetchResponse.SerializeToString
            ),
        }

    # -- admission

    async def _admit(self, context: Any) -> None:
        vendor = self._vendor
        if vendor.room.faults.outage:
            await _refuse(context, _STATUS.UNAVAILABLE, "service.unavailable", "The service is unavailable")
        told = {str(name): str(value) for name, value in context.invocation_metadata() if isinstance(value, str)}
        session = vendor.sessions.find(told.get("accesstoken", ""))
        tenant = told.get("tenantid", "")
        if session is None or tenant[:15] != vendor.org.id[:15] or "://" not in told.get("instanceurl", ""):
            await _refuse(
                context, _STATUS.UNAUTHENTICATED, "service.auth.error",
                "Authentication exception occurred. Check the access token, the tenant id and the instance URL.",
            )  # fmt: skip

    # -- unary calls

    async def get_topic(self, request: Any, context: Any) -> Any:
        await self._admit(context)
        stream, org = self._vendor.stream, self._vendor.org
        entities = stream.entities(request.topic_name)
        if not entities:
            await _refuse(context, _STATUS.NOT_FOUND, "topic.not.found", f"There is no topic {request.topic_name}")
        single = request.topic_name.removeprefix("/data/") not in {"ChangeEvents", *stream.channels}
        return pb.TopicInfo(
            topic_name=request.topic_name,
            tenant_guid=f"core/sandbox/{org.id}",
            can_publish=False,
            can_subscribe=True,
            schema_id=stream.schema(org.schema.kinds[entities[0]]).id if single else "",
            rpc_id=_rpc_id(),
        )

    async def get_schema(self, request: Any, context: Any) -> Any:
        await self._admit(context)
        found = self._vendor.stream.schema_by_id(request.schema_id)
        if found is None:
            await _refuse(context, _STATUS.NOT_FOUND, "schema.not.found", f"There is no schema {request.schema_id}")
        return pb.SchemaInfo(schema_json=found.text, schema_id=found.id, rpc_id=_rpc_id())

    # -- streams

    async def subscribe(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        first = await anext(aiter(requests), None)  # a refusal before it would meet the caller in mid-sentence
        await self._admit(context)
        if first is None:
            return
        subscription = _Subscription(self._vendor, context, first.topic_name)
        await subscription.begin(first)
        self.streams += 1
        reading = asyncio.get_running_loop().create_task(subscription.read(requests))
        try:
            async for response in subscription.responses():
                yield response
        finally:
            self.streams -= 1
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading
            subscription.close()


class _Subscription:
    def __init__(self, vendor: SalesforceSandbox, context: Any, topic: str) -> None:
        self._vendor = vendor
        self._context = context
        self._topic = topic
        self._stream = vendor.stream
        self._entities: tuple[str, ...] = ()
        self._place = 0
        self._pending = 0
        self._ended = False
        self._trouble = ""
        self._rpc_id = _rpc_id()
        self._bell = asyncio.Event()
        self._listener = Listener(self._bell.set)

    async def begin(self, first: Any) -> None:
        """Find topic and start, or refuse."""
        stream = self._stream
        self._entities = stream.entities(self._topic)
        if not self._entities:
            await _refuse(self._context, _STATUS.NOT_FOUND, "topic.not.found", f"There is no topic {self._topic}")
        if first.replay_preset == pb.CUSTOM:
            if not first.replay_id:
                await self._invalid("subscription.fetch.replayid.validation.failed", "The replay id is missing")
            place = stream.place_of(first.replay_id)
            if place is None:
                await self._invalid(
                    "subscription.fetch.replayid.corrupted",
                    "The Replay ID validation failed. Ensure that the Replay ID is valid.",
                )
            else:
                self._place = place
        else:
            self._place = stream.oldest if first.replay_preset == pb.EARLIEST else stream.newest
        if first.num_requested <= 0:
            await self._invalid("subscription.fetch.requested.events.invalid", "num_requested must be positive")
        self._pending = min(first.num_requested, stream.settings.max_batch)
        stream.held[id(self)] = self._listener

    def close(self) -> None:
        self._stream.held.pop(id(self), None)

    async def _invalid(self, code: str, message: str) -> None:
        await _refuse(self._context, _STATUS.INVALID_ARGUMENT, code, message)

    async def read(self, requests: AsyncIterator[Any]) -> None:
        """Requests after the first add to what is pending."""
        async for request in requests:
            if request.topic_name and request.topic_name != self._topic:
                self._trouble = "subscription.fetch.topic.changed"
            elif request.num_requested <= 0:
                self._trouble = "subscription.fetch.requested.events.invalid"
            else:
                self._pending += min(request.num_requested, self._stream.settings.max_batch)
            self._bell.set()
        self._ended = True
        self._bell.set()

    async def responses(self) -> AsyncIterator[Any]:
        while True:
            self._bell.clear()
            await self._check()
            most = min(self._pending, self._stream.settings.max_batch)
            events, looked = self._stream.after(self._place, self._entities, most) if most else ([], self._place)
            if events:
                response = await self._deliver(events, looked)
                yield response
            elif self._ended:
                return
            elif not await self._wait():
                if self._pending <= 0:
                    return
                yield self._keepalive()

    async def _check(self) -> None:
        if self._trouble:
            await self._invalid(self._trouble, "The fetch request is invalid")
        if self._listener.cut or self._vendor.room.faults.outage:
            code = self._listener.cut or "service.unavailable"
            await _refuse(self._context, _STATUS.UNAVAILABLE, code, "The service is unavailable")

    async def _wait(self) -> bool:
        """Until something happens: ``False`` when it is time for a sign of life, or for the end."""
        settings, clock = self._stream.settings, self._vendor.room.clock
        patience = settings.keepalive_seconds if self._pending > 0 else settings.idle_seconds
        alarm = asyncio.get_running_loop().create_task(clock.sleep(patience))
        try:
            while not alarm.done():
                ringing = asyncio.get_running_loop().create_task(self._bell.wait())
                await asyncio.wait({ringing, alarm}, timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                ringing.cancel()
                if self._bell.is_set() or self._vendor.room.faults.outage:
                    return True
            return False
        finally:
            alarm.cancel()

    def _keepalive(self) -> Any:
        self._place = max(self._place, self._stream.newest)
        return pb.FetchResponse(
            latest_replay_id=self._stream.replay_id(self._place, self._vendor.room.clock.now_ms()),
            rpc_id=self._rpc_id,
            pending_num_requested=self._pending,
        )

    async def _deliver(self, events: list[Event], looked: int) -> Any:
        vendor = self._vendor
        allowance = vendor.limits.settings.events_delivered - vendor.limits.delivered.used
        if allowance <= 0:
            await _refuse(
                self._context, _STATUS.RESOURCE_EXHAUSTED, "subscription.limit.exceeded",
                "The daily limit of events delivered to API subscribers is used up.",
            )  # fmt: skip
        out: list[Any] = []
        size = told = 0
        for event in events[:allowance]:
            fate = vendor.room.faults.next_webhook()
            if fate.drop and not out:
                await _refuse(self._context, _STATUS.UNAVAILABLE, "service.unavailable", "The service is unavailable")
            one = self._consumer_event(event)
            size += one.ByteSize()
            if (fate.drop or size > _MAX_BYTES) and out:
                break
            out += [one, one] if fate.duplicate and len(out) + 2 <= self._pending else [one]
            self._place = event.place
            told += 1
        if told == len(events):
            self._place = max(self._place, looked)
        self._pending -= len(out)
        vendor.limits.delivered.add(len(out))
        latest = out[-1].replay_id
        return pb.FetchResponse(
            events=out, latest_replay_id=latest, rpc_id=self._rpc_id, pending_num_requested=self._pending
        )

    def _consumer_event(self, event: Event) -> Any:
        body = pb.ProducerEvent(
            id=event.id, schema_id=event.schema.id, payload=payload(event.schema, event.header, event.values)
        )
        return pb.ConsumerEvent(event=body, replay_id=self._stream.replay_id(event.place, event.at_ms))


def _rpc_id() -> str:
    return str(uuid.uuid4())


async def _refuse(context: Any, status: Any, code: str, message: str) -> NoReturn:
    await context.abort(status, message, trailing_metadata=(("error-code", _PREFIX + code), ("rpc-id", _rpc_id())))
    raise AssertionError("unreachable: abort raises")
