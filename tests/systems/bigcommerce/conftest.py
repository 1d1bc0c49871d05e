from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from .support import Shop, opened


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with opened() as shop:
        yield shop
