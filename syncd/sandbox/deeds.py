"""Deeds of people and switches that mean the same at every vendor that has them: one word each, at the admin door.

``POST /_sandbox/{vendor}/act {"op": "drop_field", "object": "contacts", "name": "phone"}``. A vendor says in
:attr:`~syncd.sandbox.vendor.Vendor.words` what it calls them itself; its own words work too.
"""

from __future__ import annotations

from collections.abc import Mapping

DEEDS: Mapping[str, str] = {
    "create": "somebody makes a record: `object`, `values`",
    "edit": "somebody changes one: `object`, `id`, `values`",
    "delete": "somebody deletes one: `object`, `id`",
    "restore": "somebody takes it out of the recycle bin: `object`, `id`",
    "merge": "somebody merges duplicates into it: `object`, `id`, `other` or `others`",
    "drop_field": "an administrator removes a field: `object`, `name`",
    "restore_field": "and puts it back: `object`, `name`",
    "retype_field": "an administrator gives a field another type: `object`, and `field` or `name` and `definition`",
    "expire_tokens": "all access tokens expire now",
    "stop_webhooks": "the vendor stops telling: `id` of the hook, `subscription` or `type`",
    "lose_place": "the place where a reader of the change stream stands is no longer kept (replay id, journal offset)",
    "fail_next_job": "the next bulk job ends as Failed, its rows after `after_rows` unprocessed",
    "use_quota": "other apps of the account use up its quota: `count` calls",
}
