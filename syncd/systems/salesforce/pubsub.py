"""The vendor's Pub/Sub API over gRPC: topics, schemas, and one long subscription per topic.

The channel is encrypted, except to this machine. A subscription asks for more only when what it was given has been
taken, so a slow daemon slows the vendor down instead of filling its own memory.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.systems.contract import VendorError
from syncd.systems.salesforce.auth import Auth, Token
from syncd.systems.salesforce.avro import AvroSchema, parse_schema
from syncd.systems.salesforce.errors import failure_of_stream
from syncd.systems.salesforce.settings import Settings

SERVICE: Final = "/eventbus.v1.PubSub/"
ASKED: Final = 100
"""The most that one request may ask for."""
LOW: Final = 50
"""So few events still owed, and more are asked for."""
SILENCE_SECONDS: Final = 330.0
"""The vendor speaks every 270 seconds, if only to say where the topic stands."""
UNARY_SECONDS: Final = 30.0
LARGEST_MESSAGE: Final = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Topic:
    name: str
    can_subscribe: bool
    schema_id: str


@dataclass(frozen=True, slots=True)
class Received:
    id: str
    schema_id: str
    payload: bytes = field(repr=False)
    replay_id: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Fetched:
    """One response: events, or only where the topic stands."""

    events: Sequence[Received]
    latest_replay_id: bytes = field(repr=False)


def topic_of(object_: str) -> str:
    """The topic of an object's changes.

    >>> topic_of("Account"), topic_of("Visit__c")
    ('/data/AccountChangeEvent', '/data/Visit__ChangeEvent')
    """
    custom = object_.endswith("__c")
    return f"/data/{object_.removesuffix('__c')}{'__' if custom else ''}ChangeEvent"


class PubSub:
    """Raises :class:`VendorError` for whatever ends a call."""

    def __init__(self, settings: Settings, auth: Auth) -> None:
        self._settings = settings
        self._auth = auth
        self._channel: Any = None
        self._schemas: dict[str, AvroSchema] = {}
        self._turns: dict[str, asyncio.Lock] = {}

    async def topic(self, name: str, lane: Lane) -> Topic:
        from syncd.systems.salesforce import pubsub_pb2 as pb

        told = await self._unary("GetTopic", pb.TopicRequest(topic_name=name), pb.TopicInfo, lane)
        return Topic(str(told.topic_name), bool(told.can_subscribe), str(told.schema_id))

    async def schema(self, schema_id: str, lane: Lane) -> AvroSchema:
        """By the id that an event carries; ids are fingerprints of content, so it is kept for good."""
        known = self._schemas.get(schema_id)
        if known is not None:
            return known
        async with self._turns.setdefault(schema_id, asyncio.Lock()):
            if schema_id not in self._schemas:
                from syncd.systems.salesforce import pubsub_pb2 as pb

                told = await self._unary("GetSchema", pb.SchemaRequest(schema_id=schema_id), pb.SchemaInfo, lane)
                self._schemas[schema_id] = parse_schema(schema_id, str(told.schema_json))
            return self._schemas[schema_id]

    async def subscribe(self, topic: str, replay_id: bytes, lane: Lane) -> AsyncGenerator[Fetched, None]:
        """Events after ``replay_id``, or new ones where it is empty; then for as long as the stream holds."""
        import grpc

        from syncd.systems.salesforce import pubsub_pb2 as pb

        token = await self._auth.token(lane)
        preset = pb.CUSTOM if replay_id else pb.LATEST
        call = self._open().stream_stream(
            SERVICE + "Subscribe",
            request_serializer=pb.FetchRequest.SerializeToString,
            response_deserializer=pb.FetchResponse.FromString,
        )(metadata=_metadata(token))
        try:
            first = pb.FetchRequest(
                topic_name=topic, replay_preset=preset, replay_id=replay_id, num_requested=ASKED
            )  # fmt: skip
            await call.write(first)
            while True:
                # Not wait_for: it loses a cancellation that comes together with an answer.
                async with asyncio.timeout(SILENCE_SECONDS):
                    response = await call.read()
                if response is grpc.aio.EOF:
                    # The status tells why; a stream that ends well, without a word, is begun again.
                    code, detail = await call.code(), await call.details()
                    trailers = await call.trailing_metadata()
                    raise VendorError(failure_of_stream(_error_code(trailers), code.name, detail or "the stream ended"))
                self._auth.proved(token)
                yield _fetched(response)
                if response.pending_num_requested <= LOW:
                    more = ASKED - max(0, response.pending_num_requested)
                    await call.write(pb.FetchRequest(topic_name=topic, num_requested=more))
        except grpc.RpcError as error:
            raise VendorError(await self._judged(_failure(error), token, lane)) from None
        except TimeoutError:
            told = "the stream fell silent for longer than the vendor ever is"
            raise VendorError(Failure(Remedy.RETRY, "stream-silent", told)) from None
        except (asyncio.InvalidStateError, grpc.aio.UsageError) as error:
            # The stream ended between a read and a write.
            failure = await self._judged(await _ending(call, error), token, lane)
            raise VendorError(failure) from None
        finally:
            call.cancel()

    async def close(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close(None)

    async def _unary(self, method: str, request: Any, answers: Any, lane: Lane) -> Any:
        import grpc

        call = self._open().unary_unary(
            SERVICE + method, request_serializer=type(request).SerializeToString,
            response_deserializer=answers.FromString,
        )  # fmt: skip
        token = await self._auth.token(lane)
        for _ in range(2):
            try:
                answer = await call(request, metadata=_metadata(token), timeout=UNARY_SECONDS)
            except grpc.RpcError as error:
                failure = _failure(error)
                newer = await self._auth.renew(token, lane) if failure.remedy is Remedy.REFRESH else None
                if newer is None:
                    raise VendorError(_hopeless(failure)) from None
                token = newer
            else:
                self._auth.proved(token)
                return answer
        raise VendorError(Failure(Remedy.STOP, "service.auth.error", "a token bought a moment ago is refused"))

    async def _judged(self, failure: Failure, token: Token, lane: Lane) -> Failure:
        """A refused token is renewed here, so that the next attempt has a new one."""
        if failure.remedy is not Remedy.REFRESH:
            return failure
        newer = await self._auth.renew(token, lane)
        return _hopeless(failure) if newer is None else Failure(Remedy.RETRY, "token-renewed", failure.message)

    def _open(self) -> Any:
        if self._channel is None:
            import grpc

            url = urlsplit(self._settings.pubsub_url)
            place = f"{url.hostname}:{url.port or (443 if url.scheme == 'https' else 80)}"
            options = [("grpc.max_receive_message_length", LARGEST_MESSAGE), ("grpc.enable_retries", 0)]
            if url.scheme == "http":
                # The settings allow it for this machine only.
                options.append(("grpc.enable_http_proxy", 0))
                self._channel = grpc.aio.insecure_channel(place, options)
            else:
                self._channel = grpc.aio.secure_channel(place, grpc.ssl_channel_credentials(self._authority()), options)
        return self._channel

    def _authority(self) -> bytes | None:
        if not self._settings.ca_file:
            return None
        with open(self._settings.ca_file, "rb") as file:  # noqa: PTH123 - once, a small file
            return file.read()


def _metadata(token: Token) -> tuple[tuple[str, str], ...]:
    return (
        ("accesstoken", token.value.reveal()),
        ("instanceurl", token.instance_url),
        ("tenantid", token.org_id),
    )


def _fetched(response: Any) -> Fetched:
    events = [
        Received(str(one.event.id), str(one.event.schema_id), bytes(one.event.payload), bytes(one.replay_id))
        for one in response.events
    ]
    return Fetched(events, bytes(response.latest_replay_id))


def _error_code(trailers: Any) -> str:
    for key, value in trailers or ():
        if key == "error-code":
            return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return ""


def _failure(error: Any) -> Failure:
    trailers = error.trailing_metadata() if hasattr(error, "trailing_metadata") else ()
    code = error.code().name if hasattr(error, "code") else "UNKNOWN"
    return failure_of_stream(
        _error_code(trailers), code, str(error.details() or "") if hasattr(error, "details") else ""
    )


async def _ending(call: Any, error: BaseException) -> Failure:
    if not call.done():
        return Failure(Remedy.RETRY, "stream-broken", f"the stream broke ({type(error).__name__})")
    code = await call.code()
    return failure_of_stream(_error_code(await call.trailing_metadata()), code.name, str(await call.details() or ""))


def _hopeless(failure: Failure) -> Failure:
    if failure.remedy is not Remedy.REFRESH:
        return failure
    return Failure(Remedy.STOP, failure.code, "a token bought a moment ago is refused")


def to_text(replay_id: bytes) -> str:
    return base64.b64encode(replay_id).decode("ascii")


def from_text(text: str) -> bytes:
    return base64.b64decode(text)
