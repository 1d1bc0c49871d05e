"""Waiting for what another process or task brings about, where no event can be had: with a limit, and a reason."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any


async def until(check: Callable[[], Any], what: str = "", *, seconds: float = 10.0, step: float = 0.02) -> Any:
    """What ``check`` (plain or a coroutine function) gives as soon as it is true. Raises ``TimeoutError`` naming
    ``what`` did not happen."""
    ends = time.monotonic() + seconds
    while True:
        found = check()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        if time.monotonic() > ends:
            raise TimeoutError(f"did not happen within {seconds:g} s: {what or check}")
        await asyncio.sleep(step)
