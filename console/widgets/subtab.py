"""A clickable heading that runs an action of its screen, with the key that does the same."""

from __future__ import annotations

from textual import events
from textual.reactive import reactive

from console.text import line
from console.widgets.panel import Strip


class SubTab(Strip):
    here: reactive[bool] = reactive(default=False, init=False)

    def __init__(self, action: str, key: str, title: str, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id, classes="subtab")
        self._action, self._key, self._title = action, key, title

    def on_mount(self) -> None:
        self._draw()

    def watch_here(self) -> None:
        self._draw()

    def _draw(self) -> None:
        self.set_class(self.here, "-here")
        self.paint(line((f" {self._key} ", "key"), (f"{self._title} ", "strong" if self.here else "muted")))

    async def on_click(self, event: events.Click) -> None:
        event.stop()
        await self.run_action(f"screen.{self._action}")
