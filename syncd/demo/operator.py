"""The simulated operator: sees the failed records on the control socket, mends one, and replays the rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec

from syncd.control import messages as m


class Desk:
    """The control API, as any operator's tool speaks it."""

    def __init__(self, socket: Path) -> None:
        transport = httpx.AsyncHTTPTransport(uds=str(socket))
        self._client = httpx.AsyncClient(transport=transport, base_url="http://syncd", timeout=10.0)

    async def close(self) -> None:
        await self._client.aclose()

    async def status(self) -> m.Status | None:
        """``None`` while the daemon is away."""
        try:
            reply = await self._client.get("/v1/status")
        except httpx.HTTPError:
            return None
        return msgspec.json.decode(reply.content, type=m.Status) if reply.is_success else None

    async def failures(self) -> list[m.FailureGroup]:
        reply = await self._client.get("/v1/failures")
        return msgspec.json.decode(reply.content, type=m.FailureGroups).groups

    async def letters(self, fingerprint: str) -> list[m.DeadLetter]:
        reply = await self._client.get(f"/v1/failures/{fingerprint}", params={"limit": 500})
        return msgspec.json.decode(reply.content, type=m.DeadLetterPage).items

    async def detail(self, number: int) -> m.DeadLetterDetail:
        reply = await self._client.get(f"/v1/dead-letters/{number}")
        return msgspec.json.decode(reply.content, type=m.DeadLetterDetail)

    async def replay(self, selection: m.Selection, command_id: str, why: str, **edits: Any) -> m.ReplayResult:
        asked = m.ReplayRequest(command_id=command_id, selection=selection, who="demo", why=why, edits=edits)
        reply = await self._client.post("/v1/replay", content=msgspec.json.encode(asked))
        reply.raise_for_status()
        return msgspec.json.decode(reply.content, type=m.ReplayResult)


@dataclass
class Operator:
    desk: Desk
    mended: int = 0
    replayed: int = 0
    seen: set[str] = field(default_factory=set)
    """Codes of the failures that were met."""

    async def mend_one_address(self) -> bool:
        """Correct one refused e-mail address and replay that record. Whether there was one."""
        for group in await self.desk.failures():
            self.seen.add(group.code)
            for letter in await self.desk.letters(group.fingerprint):
                detail = await self.desk.detail(letter.id)
                wrong = next((one for one in detail.diff if one.field == "email" and ".." in str(one.after)), None)
                if wrong is not None:
                    await self.desk.replay(
                        m.Selection(ids=[letter.id]), f"mend-{letter.id}", "the address had two dots",
                        email=str(wrong.after).replace("..", "."),
                    )  # fmt: skip
                    self.mended += 1
                    return True
        return False

    async def replay_the_rest(self, command_id: str) -> int:
        """Everything that is still open, in one go."""
        result = await self.desk.replay(m.Selection(all=True), command_id, "the causes were mended")
        self.replayed += result.replayed
        return result.replayed
