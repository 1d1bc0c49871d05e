from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.scenarios.town import Town


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def town() -> AsyncIterator[Town]:
    """One town for the scenarios of a file: everyone in it keeps to customers of their own."""
    made = Town()
    await made.open()
    yield made
    await made.close()
