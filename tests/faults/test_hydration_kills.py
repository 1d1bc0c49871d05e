"""First fills killed three times on the way: no finished page is read again, no finished part is uploaded again.

The same at 100,000 records: ``python -m bench hydrate``.
"""

from __future__ import annotations

import pytest

from tests.faults.hydration import KILLS, Hydration

pytestmark = pytest.mark.faults

RECORDS = 2000
MOST_MIB = 200


@pytest.mark.parametrize("vendor", ["salesforce", "hubspot"])
async def test_a_first_fill_both_ways_goes_on_where_the_kill_came(vendor: str) -> None:
    told = await Hydration(vendor, "both", RECORDS, page_rows=200 if vendor == "salesforce" else 0, threshold=500).run()

    assert told.kills == KILLS, told
    assert (told.read, told.written) == (RECORDS, RECORDS), told
    assert told.pages >= RECORDS // 200, told
    # But for the page that was on its way.
    assert told.pages_twice <= told.kills, told
    assert told.rows_twice == 0, told
    # HubSpot's connector sends a remainder in batches where that is cheaper than an import.
    assert told.uploads < 8 or vendor == "hubspot", told
    assert told.peak_mib < MOST_MIB, told
