"""BigCommerce does what it says it can; see :mod:`tests.conformance`."""

from __future__ import annotations

import pytest

from tests.conformance.bench import Bench
from tests.conformance.bench_bigcommerce import BENCH
from tests.conformance.suite import Trial, every, opened_once

pytestmark = pytest.mark.asyncio(loop_scope="module")

bench = opened_once(BENCH)


@every(BENCH)
async def test_it_does_what_it_says(bench: Bench, trial: Trial) -> None:
    await trial.run(bench)
