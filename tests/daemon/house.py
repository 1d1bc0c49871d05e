"""A configuration whose vendors answer nobody, for starts that fail before anyone is asked, and what they say."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

from syncd.demo.stage import free_port
from tests.scenarios.town import CONFIG, SECRETS, clean_environment


@dataclass
class Ending:
    """How a process ended and what it said, logs aside."""

    code: int
    said: list[str]
    raw: str


@dataclass
class House:
    folder: Path
    intake: int
    ops: int

    @classmethod
    def build(cls, folder: Path, *, more: str = "", state: Path | None = None) -> House:
        folder.mkdir(mode=0o700, exist_ok=True)
        house = cls(folder, free_port(), free_port())
        for name, text in SECRETS.items():
            (folder / name).touch(mode=0o600)
            (folder / name).write_text(text)
        dead = "http://127.0.0.1:9"
        text = CONFIG.format(
            shop=dead, crm=dead, folder=folder, idle="1s", intake=house.intake, ops=house.ops, mappings=more,
            files="\n".join(f'"{name}" = "{folder / name}"' for name in SECRETS),
        )  # fmt: skip
        if state is not None:
            text = text.replace(f'dir = "{folder}/state"', f'dir = "{state}"')
        house.config.write_text(text)
        return house

    @property
    def config(self) -> Path:
        return self.folder / "syncd.toml"

    @property
    def database(self) -> Path:
        return self.folder / "state" / "syncd.db"

    async def start(self, **environment: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "syncd.cli", "start", "--config", str(self.config), stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT, env=clean_environment() | environment,
        )  # fmt: skip

    async def attempt(self) -> Ending:
        """A start that is expected to fail."""
        process = await self.start()
        try:
            output, _ = await asyncio.wait_for(process.communicate(), 30)
        except TimeoutError:
            process.kill()
            output, _ = await process.communicate()
            raise AssertionError(f"it did not end: {output.decode(errors='replace')[-2000:]}") from None
        raw = output.decode(errors="replace")
        assert process.returncode is not None
        return Ending(process.returncode, [one for one in raw.splitlines() if not one.startswith("{")], raw)
