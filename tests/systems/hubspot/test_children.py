"""Line items of a deal whose earlier write had an unknown end: what should not hang there goes, and only what is ours."""

from __future__ import annotations

from syncd.model.change import Lane
from syncd.model.delivery import Action
from syncd.systems.contract import ChildrenWrite, ChildWrite, Write
from tests.systems.hubspot.test_against_sandbox import CONTACTS, DEALS, account, applied, contact, deal

__all__ = ["account"]


async def test_strays_of_ours_go_and_what_a_sales_person_added_stays(account):
    hubspot = await account.ready()
    [person] = (await applied(hubspot, CONTACTS, [contact(1)])).values()
    [made] = (await applied(hubspot, DEALS, [deal(1, person.external_id)])).values()
    extra = account.person("create", "line_items", values={"name": "Gift wrap", "quantity": "1"})
    account.person("associate", "line_items", id=str(extra), to_object="deals", to=made.external_id)
    kept = ChildWrite("i0", {"name": "Mug", "quantity": "9", "price": "5"})
    part = ChildrenWrite("line_items", 20, (kept,), complete=True)
    await applied(hubspot, DEALS, [Write(made.key, Action.UPDATE, {}, external_id=made.external_id, children=(part,))])

    names = sorted((one["properties"]["name"], one["properties"]["quantity"]) for one in account.rows("line_items"))
    assert names == [("Gift wrap", "1"), ("Mug", "9")]


async def test_a_deal_without_items_is_asked_and_left_as_it_is(account):
    hubspot = await account.ready()
    [person] = (await applied(hubspot, CONTACTS, [contact(1)])).values()
    [made] = (await applied(hubspot, DEALS, [deal(1, person.external_id)])).values()
    part = ChildrenWrite("line_items", 20, (), complete=True)
    for _ in range(2):
        write = Write(made.key, Action.UPDATE, {}, external_id=made.external_id, children=(part,))
        [verdict] = await hubspot.write(DEALS, [write], Lane.LIVE)
        assert verdict.failure is None
    assert account.rows("line_items") == []
