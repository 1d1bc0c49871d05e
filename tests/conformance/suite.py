"""The pairs of case and subject that are run for a bench; see :mod:`tests.conformance`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from syncd.model.change import Channel
from tests.conformance.bench import Bench
from tests.conformance.cases import CASES, NEWS, Case, News


@dataclass(frozen=True)
class Trial:
    case: Case | News
    object: str
    channel: Channel | None = None

    def __str__(self) -> str:
        return "-".join(filter(None, (self.object, str(self.case), self.channel.value if self.channel else "")))

    async def run(self, bench: Bench) -> None:
        shape = bench.shapes[self.object]
        if isinstance(self.case, News):
            assert self.channel is not None
            await self.case.run(bench, shape, self.channel)
        else:
            await self.case.run(bench, shape)


def trials(bench: type[Bench]) -> Iterator[Trial]:
    """Everything that the system declares, by object."""
    system = bench.blank()
    for subject in bench.subjects:
        abilities = system.abilities(subject.object)
        for case in CASES:
            if case.applies(abilities, subject, bench):
                yield Trial(case, subject.object)
        for news in NEWS:
            for channel, kinds in abilities.tells.items():
                if news.kind in kinds and news.applies(abilities, subject, bench):
                    yield Trial(news, subject.object, channel)


def every(bench: type[Bench]) -> pytest.MarkDecorator:
    """Parametrises a test over all trials of a bench."""
    found = list(trials(bench))
    return pytest.mark.parametrize("trial", found, ids=[str(one) for one in found])


def opened_once(bench: type[Bench]) -> Any:
    """A fixture: the bench, opened once per module; the module's tests run on its loop."""

    @pytest_asyncio.fixture(scope="module", loop_scope="module", name="bench")
    async def opened() -> AsyncIterator[Bench]:
        async with bench.opened() as one:
            yield one

    return opened
