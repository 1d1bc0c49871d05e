"""The command palette: what makes sense now, on this screen, with this selection, and what is always possible."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, cast

from rich.text import Text
from textual.binding import Binding
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.dom import DOMNode

from console.client import ClientError
from console.sanitise import clean
from console.text import said

if TYPE_CHECKING:
    from console.app import ConsoleApp

Command: TypeAlias = tuple[str, str, Callable[[], object]]
"""What it is called, what it does, and how it is done."""


class NowProvider(Provider):
    """Actions of the screen as its keys offer them, screens, updates, colours, flows and runs."""

    _runs: list[str]

    @property
    def home(self) -> ConsoleApp:
        return cast("ConsoleApp", self.app)

    async def startup(self) -> None:
        # Without a daemon there is nothing to run: the palette then simply offers the rest.
        try:
            answer = await self.home.client.runs()
        except ClientError:
            self._runs = []
        else:
            self._runs = [one.mapping for one in answer.runs if one.kind == "poll" and one.state != "running"]

    async def discover(self) -> Hits:
        for name, about, act in self._commands():
            yield DiscoveryHit(said(name), act, text=clean(name), help=clean(about))

    async def search(self, query: str) -> AsyncIterator[Hit]:
        matcher = self.matcher(query)
        for name, about, act in self._commands():
            score = matcher.match(name)
            if score > 0:
                yield Hit(score, _highlighted(name), act, text=clean(name), help=clean(about))

    def _commands(self) -> list[Command]:
        home = self.home
        commands: list[Command] = []
        offered: set[str] = {"leave", "reload"}
        for node, binding, enabled, tooltip in self.screen.active_bindings.values():
            if enabled and node is self.screen and own_binding(node, binding) and binding.action not in offered:
                offered.add(binding.action)
                act = partial(home.run_action, binding.action, node)
                commands.append((f"{binding.description}", tooltip or binding.description, act))
        commands += home.palette_commands()
        if not home.read_only:
            for connection in home.status.connections if home.status else []:
                paused = connection.state == "paused"
                verb = "Resume" if paused else "Pause"
                commands.append(
                    (
                        f"{verb} flow {connection.name}",
                        f"{verb} writing to {connection.name}",
                        partial(home.ask_flow, connection.name, paused=not paused),
                    )
                )
            commands += [
                (f"Run now {one}", "Poll this mapping at once", partial(home.run_now, one)) for one in self._runs
            ]
        return commands


def own_binding(node: DOMNode, binding: Binding) -> bool:
    """Whether the console itself bound the key, and not the framework on its behalf."""
    own = (one for one in type(node).__mro__ if one.__module__.startswith("console."))
    actions = {x.action for one in own for x in vars(one).get("BINDINGS", ()) if isinstance(x, Binding)}
    return binding.action in actions and bool(binding.description)


def _highlighted(name: str) -> Text:
    return said(name)
