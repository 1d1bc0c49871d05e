"""Subscriptions: what is told to a queue, and the queues themselves, which tests and the demo drain.

There is no queue of a cloud behind a destination here: what would be in it waits with the subscription. Deliveries are
doubled, swapped and lost by the faults of webhooks. Not simulated: sizes, except for the note that stands for a message
too large; how long the platform keeps trying.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import orjson

from syncd.sandbox.commercetools.collection import Row
from syncd.sandbox.commercetools.errors import ApiError, invalid_field, invalid_input, invalid_json
from syncd.sandbox.commercetools.messages import TYPE_IDS, Messages, identifiers
from syncd.sandbox.commercetools.project import PATHS, Project
from syncd.sandbox.commercetools.resource import Resource
from syncd.sandbox.commercetools.shapes import Shape, check, shape
from syncd.sandbox.faults import VendorFaults

PATH: Final = "subscriptions"
MOST: Final = 50
LARGEST: Final = 256 * 1024
"""Bytes of one notification; the smallest of the queues' limits."""
STATUSES: Final = (
    "Healthy", "TemporaryError", "ConfigurationError", "ConfigurationErrorDeliveryStopped", "ManuallySuspended",
)  # fmt: skip
_STOPPED: Final = {"ConfigurationErrorDeliveryStopped", "ManuallySuspended"}

MESSAGE_TYPES: Final = frozenset(
    "approval-flow approval-rule associate-role business-unit category customer customer-email-token customer-group "  # noqa: SIM905
    "customer-password-token inventory-entry order payment product product-selection product-tailoring quote "
    "quote-request review shopping-list staged-quote standalone-price store".split()
)
CHANGE_TYPES: Final = frozenset(
    "approval-flow approval-rule associate-role attribute-group business-unit cart cart-discount category channel "  # noqa: SIM905
    "customer customer-email-token customer-group customer-password-token discount-code discount-group extension "
    "inventory-entry key-value-document order order-edit payment product product-discount product-selection "
    "product-tailoring product-type quote quote-request recurrence-policy recurring-order review shipping-method "
    "shopping-list staged-quote standalone-price state store subscription tax-category type zone".split()
)
_DESTINATIONS: Final[Mapping[str, Shape]] = {
    "SQS": shape("type:text queueUrl:text region:text authenticationMode?:text accessKey?:text accessSecret?:text"),
    "SNS": shape("type:text topicArn:text authenticationMode?:text accessKey?:text accessSecret?:text"),
    "EventBridge": shape("type:text region:text accountId:text"),
    "AzureServiceBus": shape("type:text connectionString:text"),
    "EventGrid": shape("type:text uri:text accessKey:text"),
    "GoogleCloudPubSub": shape("type:text projectId:text topic:text"),
    "ConfluentCloud": shape("type:text bootstrapServer:text apiKey:text apiSecret:text acks:text topic:text key?:text"),
    "IronMQ": shape("type:text uri:text"),
}
_HIDDEN: Final = ("accessSecret", "connectionString", "apiKey", "apiSecret")
_MESSAGES = shape("resourceTypeId:text types?:text*")
_CHANGES = shape("resourceTypeId:text")
_EVENTS = shape("resourceTypeId:text types?:text*")


def _destination(draft: Any, form: Mapping[str, Any] | None) -> Row:
    kind = draft.get("type") if isinstance(draft, dict) else None
    wanted = _DESTINATIONS.get(str(kind))
    if wanted is None:
        raise invalid_json(f"destination -> type: Invalid type value '{kind}'.")
    made = check(draft, wanted, "destination")
    if kind in {"SQS", "SNS"}:
        mode = made.setdefault("authenticationMode", "Credentials")
        if mode not in {"Credentials", "IAM"}:
            raise invalid_field("authenticationMode", mode, ["Credentials", "IAM"])
        keys = [name for name in ("accessKey", "accessSecret") if name in made]
        if (mode == "Credentials") != (len(keys) == 2) or (mode == "IAM" and keys):
            raise invalid_input(
                f"accessKey and accessSecret belong to the authentication mode Credentials, not {mode}."
            )
    if kind == "ConfluentCloud" and made["acks"] not in {"0", "1", "all"}:
        raise invalid_field("acks", made["acks"], ["0", "1", "all"])
    if kind == "EventGrid" and (form or {}).get("type") != "CloudEvents":
        raise invalid_input("A destination of type EventGrid takes the format CloudEvents only.")
    if kind == "EventBridge":
        made["source"] = f"aws.partner/commercetools.com/{made['accountId']}"
    for name in _HIDDEN:
        if name in made:
            made[name] = "****" + made[name][-4:]
    return made


def _format(draft: Any) -> Row:
    if draft is None:
        return {"type": "Platform"}
    if not isinstance(draft, dict) or draft.get("type") not in {"Platform", "CloudEvents"}:
        raise invalid_json("format -> type: Invalid type value.")
    if draft["type"] == "CloudEvents" and draft.get("cloudEventsVersion") != "1.0":
        raise invalid_field("cloudEventsVersion", draft.get("cloudEventsVersion"), ["1.0"])
    return dict(draft)


def _listed(drafts: Any, known: frozenset[str], name: str) -> list[Row]:
    for one in drafts:
        if one["resourceTypeId"] not in known:
            raise invalid_field(f"{name}.resourceTypeId", one["resourceTypeId"], sorted(known))
    if len({one["resourceTypeId"] for one in drafts}) != len(drafts):
        raise invalid_input(f"{name}: A resource type can be named only once.")
    return [{**one, "types": one.get("types", [])} if name == "messages" else one for one in drafts]


def _build(project: Project, draft: dict[str, Any]) -> Row:
    if len(project.collections[PATH]) >= MOST:
        text = f"The project already has {MOST} subscriptions."
        raise ApiError(400, "MaxResourceLimitExceeded", text, exceededResource="subscription")
    if not any(draft.get(name) for name in ("messages", "changes", "events")):
        raise invalid_input("Either messages, changes or events must be set.")
    form = _format(draft.get("format"))
    row: Row = {
        "destination": _destination(draft["destination"], form),
        "messages": _listed(draft.get("messages", ()), MESSAGE_TYPES, "messages"),
        "changes": _listed(draft.get("changes", ()), CHANGE_TYPES, "changes"),
        "events": [dict(one) for one in draft.get("events", ())],
        "format": form,
        "status": "Healthy",
    }
    if "key" in draft:
        row["key"] = draft["key"]
    return row


SUBSCRIPTIONS = Resource(
    path=PATH,
    type_id="subscription",
    scopes=PATH,
    draft=shape(
        "key?:key destination:any messages?:<message>* changes?:<change>* events?:<event>* format?:any",
        message=_MESSAGES, change=_CHANGES, event=_EVENTS,
    ),
    build=_build,
)  # fmt: skip
SUBSCRIPTIONS.setter("setKey", "key", "key")


@SUBSCRIPTIONS.action("setMessages", "messages?:<message>*", message=_MESSAGES)
def _set_messages(_project: Project, row: Row, args: dict[str, Any]) -> None:
    row["messages"] = _listed(args.get("messages", ()), MESSAGE_TYPES, "messages")


@SUBSCRIPTIONS.action("setChanges", "changes?:<change>*", change=_CHANGES)
def _set_changes(_project: Project, row: Row, args: dict[str, Any]) -> None:
    row["changes"] = _listed(args.get("changes", ()), CHANGE_TYPES, "changes")


@SUBSCRIPTIONS.action("setEvents", "events?:<event>*", event=_EVENTS)
def _set_events(_project: Project, row: Row, args: dict[str, Any]) -> None:
    row["events"] = [dict(one) for one in args.get("events", ())]


@SUBSCRIPTIONS.action("changeDestination", "destination:any")
def _change_destination(_project: Project, row: Row, args: dict[str, Any]) -> None:
    row["destination"] = _destination(args["destination"], row["format"])
    row["status"] = "Healthy"


class Notifier:
    """Tells every subscription of the effects in the project."""

    def __init__(self, project: Project, messages: Messages, faults: VendorFaults) -> None:
        self._project = project
        self._messages = messages
        self._faults = faults
        self._queues: dict[str, deque[Row]] = {}
        self.unreachable = False
        """New destinations cannot be reached: the test notification fails."""
        self._erasing = False

    def watch(self, path: str, before: Row | None, after: Row | None) -> None:
        """An effect became effective."""
        if path == PATH:
            self._own(before, after)
            return
        subscriptions = self._all()
        if not subscriptions and not self._project.settings.messages:
            return
        messages = self._messages.of(path, before, after)
        for subscription in subscriptions:
            self._tell(subscription, path, before, after, messages)

    def test(self) -> None:
        """Whether a destination can be reached now. Raises ``ApiError``."""
        if self.unreachable:
            raise invalid_input("A test message could not be delivered to this destination.")

    def drain(self, key: str, limit: int = 0) -> list[Row]:
        """Take what waits for a subscription, oldest first; nothing while it is not healthy. Raises ``KeyError``."""
        row = self._named(key)
        queue = self._queues.setdefault(row["id"], deque())
        if row["status"] != "Healthy":
            return []
        count = min(limit or len(queue), len(queue))
        return [queue.popleft() for _ in range(count)]

    def turn(self, key: str, status: str) -> Row:
        """Let a subscription be in this status; what was undelivered is lost where delivery stopped."""
        row = self._named(key)
        turned = {**row, "status": status}
        self._project.collections[PATH].put(turned)
        if status in _STOPPED:
            self._queues[row["id"]] = deque()
        return turned

    @contextmanager
    def erasing(self, *, told: bool) -> Iterator[None]:
        """What is deleted meanwhile is deleted for privacy, and notifications say so."""
        self._erasing = told
        try:
            yield
        finally:
            self._erasing = False

    def _named(self, key: str) -> Row:
        row = next((one for one in self._all() if key in {one.get("key"), one["id"]}), None)
        if row is None:
            raise KeyError(f"no subscription {key!r}")
        return row

    def _all(self) -> list[Row]:
        rows = self._project.collections[PATH]
        return [row for row in map(rows.get, rows.ids()) if row is not None]

    def _own(self, before: Row | None, after: Row | None) -> None:
        if after is None:
            self._queues.pop((before or {})["id"], None)
        elif before is None:
            self._put(after, _change(self._project, PATH, None, after))

    def _tell(self, subscription: Row, path: str, before: Row | None, after: Row | None, messages: list[Row]) -> None:
        type_id = TYPE_IDS[path]
        # The list of the vendor says that of carts only creation and the end are told.
        quiet = type_id == "cart" and before is not None and after is not None
        if not quiet and any(one["resourceTypeId"] == type_id for one in subscription["changes"]):
            change = _change(self._project, path, before, after)
            self._put(subscription, {**change, "dataErasure": True} if self._erasing else change)
        wanted = next((one for one in subscription["messages"] if one["resourceTypeId"] == type_id), None)
        if wanted is None:
            return
        for message in messages:
            if not wanted["types"] or message["type"] in wanted["types"]:
                head = {"notificationType": "Message", "projectKey": self._project.settings.key}
                self._put(subscription, {**head, **_fitting(message)})

    def _put(self, subscription: Row, payload: Row) -> None:
        if subscription["status"] in _STOPPED:
            return
        fate = self._faults.next_webhook()
        if fate.drop:
            return
        told = payload if subscription["format"]["type"] == "Platform" else self._cloud_event(payload)
        queue = self._queues.setdefault(subscription["id"], deque())
        queue.append(told)
        if fate.duplicate:
            queue.append(told)
        if fate.reorder and len(queue) > 1:
            last = queue.pop()
            queue.insert(len(queue) - 1, last)

    def _cloud_event(self, payload: Row) -> Row:
        resource, key = payload["resource"], self._project.settings.key
        event: Row = {
            "specversion": "1.0",
            "id": payload.get("id") or self._project.new_id(),
            "source": f"/{key}/{PATHS[resource['typeId']]}",
            "subject": resource["id"],
            "time": payload.get("createdAt") or payload["modifiedAt"],
        }
        if payload["notificationType"] == "Message":
            event["type"] = f"com.commercetools.{resource['typeId']}.message.{payload['type']}"
            event |= {"sequence": str(payload["sequenceNumber"]), "sequencetype": "Integer"}
            event["dataref"] = f"/{key}/messages/{payload['id']}"
        else:
            event["type"] = f"com.commercetools.{resource['typeId']}.change.{payload['notificationType']}"
        return {**event, "data": payload}


def _fitting(message: Row) -> Row:
    """The message, or what stands for it where it is too large for a queue."""
    if len(orjson.dumps(message)) <= LARGEST:
        return message
    common = (
        "id", "version", "sequenceNumber", "resource", "resourceVersion", "resourceUserProvidedIdentifiers", "type",
        "createdAt", "lastModifiedAt",
    )  # fmt: skip
    left_out = {"reason": "Payload too large.", "payloadType": message["type"]}
    return {**{name: message[name] for name in common if name in message}, "payloadNotIncluded": left_out}


def _change(project: Project, path: str, before: Row | None, after: Row | None) -> Row:
    row = after or before
    assert row is not None
    kind = "ResourceDeleted" if after is None else "ResourceCreated" if before is None else "ResourceUpdated"
    told: Row = {
        "notificationType": kind,
        "projectKey": project.settings.key,
        "resource": {"typeId": TYPE_IDS[path], "id": row["id"]},
        "version": row["version"] + (after is None),
        "modifiedAt": project.now() if after is None else row["lastModifiedAt"],
    }
    if before is not None and after is not None:
        told["oldVersion"] = before["version"]
    named = identifiers(path, row)
    if named:
        told["resourceUserProvidedIdentifiers"] = named
    return told
