"""The vendor's own client library works against the simulated account."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import hubspot
import pytest

from tests.sandbox.hubspot.conftest import KEY, Portal


@pytest.fixture
def client(portal: Portal) -> Any:
    return hubspot.HubSpot(access_token=portal.vendor.token, host=portal.url, base_url=portal.url, retry=False)


async def run(call: Callable[[], Any]) -> Any:
    return await asyncio.to_thread(call)


async def test_create_read_update_page_and_archive(client: Any) -> None:
    def story() -> None:
        api = client.crm.contacts.basic_api
        made = api.create({"properties": {"email": "Ann@Example.com", "firstname": "Ann"}, "associations": []})
        assert made.properties["email"] == "ann@example.com"
        assert made.created_at.year == 2026
        found = api.get_by_id("ann@example.com", id_property="email", properties=["firstname", "phone"])
        assert (found.id, found.properties["phone"]) == (made.id, None)
        changed = api.update(made.id, {"properties": {"firstname": "Anna"}})
        assert changed.properties["firstname"] == "Anna"
        page = api.get_page(limit=1, properties=["email"], archived=False)
        assert [one.id for one in page.results] == [made.id]
        assert client.crm.contacts.get_all()[0].id == made.id
        api.archive(made.id)
        assert api.get_page().results == []

    await run(story)


async def test_errors_are_api_exceptions_with_status_body_and_headers(client: Any) -> None:
    def story() -> None:
        from hubspot.crm.contacts.exceptions import ApiException

        api = client.crm.contacts.basic_api
        first = api.create({"properties": {"email": "a@example.com"}, "associations": []})
        with pytest.raises(ApiException) as caught:
            api.create({"properties": {"email": "a@example.com"}, "associations": []})
        assert caught.value.status == 409
        assert f"Existing ID: {first.id}" in caught.value.body
        assert caught.value.headers["X-HubSpot-RateLimit-Max"] == "190"

    await run(story)


async def test_batches_with_and_without_errors_have_their_models(client: Any) -> None:
    def story() -> None:
        api = client.crm.contacts.batch_api
        one = {"id": "customer-1", "idProperty": KEY, "properties": {"email": "a@example.com"}}
        bad = {"id": "customer-2", "idProperty": KEY, "properties": {"nonsense": "1"}}
        whole = api.upsert({"inputs": [one]})
        assert whole.results[0].new is True
        split = api.upsert({"inputs": [{**one, "objectWriteTraceId": "a"}, {**bad, "objectWriteTraceId": "b"}]})
        assert type(split).__name__ == "BatchResponseSimplePublicUpsertObjectWithErrors"
        assert split.num_errors == 1
        assert split.errors[0].context["objectWriteTraceId"] == ["b"]
        assert split.results[0].object_write_trace_id == "a"
        ids = {
            "inputs": [{"id": whole.results[0].id}, {"id": "1"}],
            "properties": ["email"],
            "propertiesWithHistory": [],
        }
        read = api.read(ids)
        assert (len(read.results), read.errors[0].category) == (1, "OBJECT_NOT_FOUND")
        api.update({"inputs": [{"id": whole.results[0].id, "properties": {"phone": "1"}}]})
        made = api.create({"inputs": [{"properties": {"email": "b@example.com"}, "associations": []}]})
        assert made.status == "COMPLETE"
        api.archive({"inputs": [{"id": made.results[0].id}]})

    await run(story)


async def test_search(client: Any) -> None:
    def story() -> None:
        client.crm.deals.basic_api.create({"properties": {"dealname": "x", "amount": "5"}, "associations": []})
        wanted = {"propertyName": "amount", "operator": "GTE", "value": "5"}
        found = client.crm.deals.search_api.do_search(
            {
                "filterGroups": [{"filters": [wanted]}],
                "sorts": ["hs_lastmodifieddate"],
                "properties": ["amount"],
                "limit": 10,
            }
        )
        assert (found.total, found.results[0].properties["amount"]) == (1, "5")

    await run(story)


async def test_associations_v4(client: Any) -> None:
    def story() -> None:
        deal = client.crm.deals.basic_api.create({"properties": {"dealname": "x"}, "associations": []}).id
        buyer = client.crm.contacts.basic_api.create({"properties": {"email": "a@example.com"}, "associations": []}).id
        basic, batch = client.crm.associations.v4.basic_api, client.crm.associations.v4.batch_api
        spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 3}
        made = basic.create("deals", deal, "contacts", buyer, [spec])
        assert str(made.to_object_id) == buyer
        assert str(basic.get_page("deals", deal, "contacts").results[0].to_object_id) == buyer
        one = {"from": {"id": deal}, "to": {"id": buyer}}
        assert len(batch.create_default("deals", "contacts", {"inputs": [one]}).results) == 2
        batch.create("deals", "contacts", {"inputs": [{**one, "types": [spec]}]})
        read = batch.get_page("deals", "contacts", {"inputs": [{"id": deal}]})
        assert str(read.results[0].to[0].to_object_id) == buyer
        batch.archive("deals", "contacts", {"inputs": [{"from": {"id": deal}, "to": [{"id": buyer}]}]})
        empty = batch.get_page("deals", "contacts", {"inputs": [{"id": deal}]})
        assert empty.errors[0].sub_category == "crm.associations.NO_ASSOCIATIONS_FOUND"
        basic.create_default("deals", deal, "contacts", buyer)
        basic.archive("deals", deal, "contacts", buyer)
        labels = client.crm.associations.v4.schema.definitions_api.get_all("deals", "contacts").results
        assert [label.type_id for label in labels] == [3]

    await run(story)


async def test_properties_pipelines_schemas_owners_and_tokens(client: Any, portal: Portal) -> None:
    def story() -> None:
        made = client.crm.properties.core_api.create(
            "contacts",
            {"name": "customer_number", "label": "Number", "groupName": "contactinformation", "type": "string",
             "fieldType": "text", "hasUniqueValue": True},
        )  # fmt: skip
        assert made.has_unique_value is True
        listed = client.crm.properties.core_api.get_all("contacts").results
        assert {"customer_number", "email", KEY} <= {one.name for one in listed}
        stage = {"stageId": "abandoned_checkout", "label": "A", "displayOrder": 0, "metadata": {"probability": "0.1"}}
        body = {"pipelineId": "ecommerce_pipeline", "label": "Shop", "displayOrder": 1, "stages": [stage]}
        pipeline = client.crm.pipelines.pipelines_api.create("deals", body)
        assert (pipeline.id, pipeline.stages[0].id) == ("ecommerce_pipeline", "abandoned_checkout")
        assert len(client.crm.pipelines.pipelines_api.get_all("deals").results) == 2
        assert client.crm.pipelines.pipeline_stages_api.get_all("deals", "default").results[0].metadata["probability"]
        assert client.crm.schemas.core_api.get_all().results == []
        assert client.crm.owners.owners_api.get_page().results[0].type == "PERSON"
        private = client.api_request({"method": "GET", "path": "/account-info/2026-03/details"})
        assert private.json()["portalId"] == portal.vendor.account.profile.portal_id
        oauth = portal.vendor.tokens._apps
        (app,) = oauth.values()
        token = client.oauth.tokens_api.create(
            grant_type="refresh_token",
            client_id=app.client_id,
            client_secret=app.client_secret,
            refresh_token=portal.vendor.refresh_token,
        )
        assert token.expires_in == 1800
        assert client.oauth.access_tokens_api.get(token.access_token).hub_id == 48123456

    await run(story)


async def test_other_types_merge_and_privacy(client: Any) -> None:
    def story() -> None:
        objects = client.crm.objects
        for kind in ("line_items", "products", "tickets", "orders", "companies", "0-123", "quotes"):
            values = {"hs_pipeline_stage": "1"} if kind == "tickets" else {}
            made = objects.batch_api.upsert(kind, {"inputs": [{"id": "k", "idProperty": KEY, "properties": values}]})
            assert made.results[0].id
        api = client.crm.contacts.basic_api
        one, two = [api.create({"properties": {"email": f"{n}@example.com"}, "associations": []}).id for n in range(2)]
        merged = api.merge({"primaryObjectId": one, "objectIdToMerge": two})
        assert merged.id not in {one, two}
        api.purge({"objectId": merged.id})

    await run(story)
