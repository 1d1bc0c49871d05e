from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from syncd.intake.signature import Judgement, judge, public_key, sign, symmetric_key

KEY = bytes(range(32))
SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
NOW = 1793606400
BODY = b'{"type":"contact.updated","data":{"id":"42"}}'
HEADERS = {
    "webhook-id": "msg_2f9a1c",
    "webhook-timestamp": str(NOW),
    "webhook-signature": "v1,hdrVhRidh4jUCU2WsDo3QmTiaNdm9pxC9niCxcvg0lo=",
}
ED_PUBLIC = "whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
ED_SIGNATURE = "v1a,UnJMz6G3n8ts7LpSMUmTPgOIFQuiye5CZUK+1tZVDRaHjTqyfxxJpaBlX/+Yg/RrTAGe0ctHxiT1e/W0q9H7Aw=="


def verdict(headers=None, body=BODY, *, secrets=(KEY,), public=(), now=NOW, **changed):
    used = {**(headers or HEADERS), **{name.replace("_", "-"): text for name, text in changed.items()}}
    return judge(used, body, secrets=secrets, public_keys=public, now_seconds=now)


def test_the_known_vectors_are_valid():
    assert symmetric_key(SECRET) == KEY
    assert verdict() is Judgement.VALID
    public = (public_key(ED_PUBLIC),)
    assert verdict(webhook_signature=ED_SIGNATURE, secrets=(), public=public) is Judgement.VALID
    big = (
        b'{"scope":"store/customer/updated","store_id":"11111","data":{"type":"customer","id":61},"hash":"x",'
        b'"created_at":1793606400,"producer":"stores/abc123"}'
    )
    signature = "v1,oYql4Kxfer9XCfBHlCrwTNmUp5+NwlYVaGBD3xaZEw0="
    assert verdict(body=big, webhook_signature=signature, secrets=(b"bc-client-secret-0001",)) is Judgement.VALID


@given(
    st.binary(max_size=200), st.binary(min_size=24, max_size=64), st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True)
)
def test_it_agrees_with_the_reference_library(raw, key, message_id):
    body = base64.b64encode(raw)
    theirs = Webhook(key).sign(message_id, datetime.fromtimestamp(NOW, UTC), body.decode())
    assert sign(message_id, NOW, body, key) == theirs
    headers = {"webhook-id": message_id, "webhook-timestamp": str(NOW), "webhook-signature": theirs}
    assert verdict(headers, body, secrets=(key,)) is Judgement.VALID


@pytest.mark.parametrize("shift", [-300, 300])
def test_the_window_is_five_minutes_on_both_sides(shift):
    assert verdict(now=NOW + shift) is Judgement.VALID
    assert verdict(now=NOW + shift + (1 if shift > 0 else -1)) is Judgement.STALE


def test_while_keys_rotate_either_key_and_either_signature_counts():
    old = b"another key of the same length!!"
    both = f"{sign('msg_2f9a1c', NOW, BODY, old)} {HEADERS['webhook-signature']}"
    for known in ((KEY,), (old,), (old, KEY)):
        assert verdict(webhook_signature=both, secrets=known) is Judgement.VALID


@pytest.mark.parametrize(
    "signature",
    [
        "", "v1", "v1,", ",", "v2,abc", "v1,hdrV", "hdrVhRidh4jUCU2WsDo3QmTiaNdm9pxC9niCxcvg0lo=", "v1,\u00e9\u4e2d",
        "v1a,", "v1a,####", "v1a," + "A" * 88, "v1,hdrVhRidh4jUCU2WsDo3QmTiaNdm9pxC9niCxcvg0lo=x",
    ],
)  # fmt: skip
def test_a_bad_signature_is_forged_and_nothing_raises(signature):
    assert verdict(webhook_signature=signature, public=(public_key(ED_PUBLIC),)) is Judgement.FORGED


@pytest.mark.parametrize("stamp", ["", "text", "-1", "+5", "1_0", " 1", "١٢٣", "1e9", "9" * 31])
def test_a_timestamp_that_is_no_plain_number_is_refused(stamp):
    assert verdict(webhook_timestamp=stamp) is Judgement.MALFORMED_TIMESTAMP


@pytest.mark.parametrize("message_id", ["", "a.b"])
def test_an_id_that_could_move_the_borders_is_refused(message_id):
    assert verdict(webhook_id=message_id) is Judgement.MALFORMED_ID


def test_a_flood_of_signatures_is_looked_at_only_so_far():
    flood = " ".join(["v1,AAAA"] * 16 + [HEADERS["webhook-signature"]])
    assert verdict(webhook_signature=flood) is Judgement.FORGED


@given(st.data())
def test_no_mutation_passes_and_none_raises(data):
    names = sorted(HEADERS)
    where = data.draw(st.sampled_from([*names, "body"]))
    if where == "body":
        position = data.draw(st.integers(0, len(BODY) - 1))
        changed = data.draw(st.integers(0, 255).filter(lambda code: code != BODY[position]))
        body = BODY[:position] + bytes([changed]) + BODY[position + 1 :]
        assert verdict(body=body) is not Judgement.VALID
        return
    text = data.draw(st.text(max_size=60) | st.sampled_from(["v1," + "A" * 43 + "=", str(NOW + 1), "msg_2f9a1d"]))
    if text != HEADERS[where] and HEADERS["webhook-signature"] not in text.split(" "):
        assert verdict({**HEADERS, where: text}) is not Judgement.VALID


@pytest.mark.parametrize("text", ["whsec_####", "whsec_QUJD", ""])
def test_a_secret_that_is_no_key_is_refused_without_being_shown(text):
    with pytest.raises(ValueError) as caught:
        symmetric_key(text)
    assert "####" not in str(caught.value)
    assert "QUJD" not in str(caught.value)
