"""First fills of 100,000 records, each killed three times on the way: pages read twice, rows written twice, memory."""

from __future__ import annotations

import asyncio
import os
from dataclasses import asdict

from bench.measure import Report
from tests.faults.hydration import VENDORS, WAYS, Hydration

RECORDS = 100_000
MOST_MIB = 200
SECONDS = 3600.0


def hydrate(*, quick: bool) -> Report:
    """100,000 records out of a CRM and into it, killed three times. SYNCD_BENCH_VENDOR=hubspot,salesforce chooses."""
    report = Report("hydrate")
    records = 2000 if quick else int(os.environ.get("SYNCD_BENCH_RECORDS", RECORDS))
    for vendor in os.environ.get("SYNCD_BENCH_VENDOR", ",".join(VENDORS)).split(","):
        for way in os.environ.get("SYNCD_BENCH_WAY", ",".join(WAYS[:2])).split(","):
            told = asyncio.run(Hydration(vendor, way, records).run(seconds=SECONDS))
            name = f"{vendor}, {way}"
            report.figures[name] = asdict(told) | {"per_second": told.per_second}
            report.note(
                f"{name}: {told.read:,} read, {told.written:,} written, {told.per_second:,.0f}/s, {told.kills} kills, "
                f"{told.pages} pages and {told.uploads} uploads"
            )
            report.ratio(
                "hydrate", f"{name}: pages read twice, of {told.kills} in flight", told.pages_twice, told.kills,
                least=False, of=(f"{told.pages_twice} pages", f"{told.kills} kills"),
            )  # fmt: skip
            report.ratio(
                "hydrate", f"{name}: rows written twice", told.rows_twice, 0, least=False,
                of=(f"{told.rows_twice} rows", "none"),
            )  # fmt: skip
            report.ratio(
                "hydrate", f"{name}: peak memory", told.peak_mib / MOST_MIB, 1, least=False,
                of=(f"{told.peak_mib:.0f} MiB", f"{MOST_MIB} MiB"),
            )  # fmt: skip
    return report
