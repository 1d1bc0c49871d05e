"""Whatever is sent, the answer is the vendor's, never a failure of the sandbox; and it is quick."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncd.sandbox.http import Request
from syncd.sandbox.hubspot import HubspotSandbox
from syncd.sandbox.hubspot.limits import LimitSettings
from syncd.sandbox.server import Sandbox
from tests.sandbox.hubspot.conftest import KEY, unique_key

ENDLESS = LimitSettings(per_ten_seconds=10**9, daily=10**9, searches_per_second=10**9)
FIELDS = (
    "inputs", "properties", "id", "idProperty", "associations", "to", "from", "types", "filterGroups", "filters",
    "propertyName", "operator", "value", "values", "sorts", "limit", "after", "query", "objectWriteTraceId", "name",
    "label", "stages", "metadata", "displayOrder", "options", "type", "fieldType", "groupName", "email", "closedate",
    "objectId", "primaryObjectId", "objectIdToMerge", "associationCategory", "associationTypeId", "tokenKey",
)  # fmt: skip
PATHS = (
    "/crm/v3/objects/contacts", "/crm/v3/objects/deals/search", "/crm/v3/objects/contacts/batch/create",
    "/crm/v3/objects/contacts/batch/update", "/crm/v3/objects/deals/batch/upsert", "/crm/v3/objects/contacts/batch/read",
    "/crm/v3/objects/contacts/batch/archive", "/crm/v3/objects/contacts/merge", "/crm/v3/objects/contacts/gdpr-delete",
    "/crm/v4/associations/deals/contacts/batch/create", "/crm/v4/associations/deals/contacts/batch/read",
    "/crm/v4/associations/deals/contacts/batch/archive", "/crm/v4/associations/deals/contacts/batch/associate/default",
    "/crm/v4/associations/deals/contacts/labels", "/crm/v3/properties/contacts", "/crm/v3/properties/contacts/groups",
    "/crm/v3/properties/contacts/batch/create", "/crm/v3/properties/contacts/batch/read", "/crm/v3/pipelines/deals",
    "/crm/v3/pipelines/deals/default/stages", "/oauth/v2/private-apps/get/access-token-info",
)  # fmt: skip

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=5),
    st.sampled_from(["EQ", "BETWEEN", "IN", "hs_lastmodifieddate", "amount", "HUBSPOT_DEFINED", "string", "text", "1"]),
)  # fmt: skip
bodies = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5)),
    max_leaves=25,
)


def vendor() -> HubspotSandbox:
    made = Sandbox(seed=1).add(HubspotSandbox, limits=ENDLESS, search_delay=(0.0, 0.0))
    unique_key(made)
    return made


def request(made: HubspotSandbox, path: str, body: Any, method: str = "POST") -> Request:
    headers = {"authorization": f"Bearer {made.token}", "content-type": "application/json"}
    return Request(method, path, "", headers, orjson.dumps(body), path)


@pytest.fixture(scope="module")
def shared() -> HubspotSandbox:
    return vendor()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(PATHS), body=bodies)
async def test_any_json_gets_an_answer_of_the_vendor(shared: HubspotSandbox, path: str, body: Any) -> None:
    reply = await shared.handle(request(shared, path, body))
    assert reply.status in {200, 201, 204, 207, 400, 404, 409}


async def test_a_batch_of_100_costs_a_few_milliseconds_of_cpu() -> None:
    made = vendor()

    def batch(number: int, name: str) -> Request:
        inputs = [
            {"id": f"customer-{number}-{n}", "idProperty": KEY,
             "properties": {"email": f"{number}.{n}@example.com", "firstname": name, "phone": "+49 30 1234"}}
            for n in range(100)
        ]  # fmt: skip
        return request(made, "/crm/objects/2026-03/contacts/batch/upsert", {"inputs": inputs})

    requests = [batch(number, name) for number in range(10) for name in ("Ann", "Anna")]
    costs = []
    for one in requests:
        start = time.process_time()
        assert (await made.handle(one)).status == 200
        costs.append(time.process_time() - start)
    # The best of many: a shared machine disturbs single ones. Measured about 2.5 ms.
    assert min(costs) < 0.02
