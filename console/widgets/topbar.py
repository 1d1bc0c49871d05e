"""The first line: where you are, how many failures are open, and whether what you see is true now."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal

from console.glyphs import Glyphs
from console.link import Link, Phase
from console.text import Ink, Part, line, said
from console.times import age
from console.widgets.panel import Strip

if TYPE_CHECKING:
    from console.app import ConsoleApp

TABS = (("overview", "1", "Overview"), ("records", "2", "Records"), ("failures", "3", "Failures"))


def badge(link: Link, now: float, *, paused_for: float | None, glyphs: Glyphs) -> Text:
    """The state of the line with the age of what is shown. ``paused_for`` is ``None`` when updates are not paused."""
    phase, heard = link.phase(now), link.age_seconds(now)
    since = "" if heard is None else f" {age(heard)}"
    tries = f" (try {link.tries})" if link.tries > 1 else ""
    states: dict[Phase, tuple[str, str, Ink]] = {
        Phase.CONNECTING: (glyphs.stale, f"connecting{tries}", "badge-warn"),
        Phase.LIVE: (glyphs.live, f"live{since}", "badge-ok"),
        Phase.STALE: (glyphs.stale, f"stale{since}", "badge-warn"),
        Phase.RECONNECTING: (glyphs.lost, f"reconnecting{since}{tries}", "badge-bad"),
    }
    sign, words, ink = states[phase]
    if paused_for is None:
        return said(f" {sign} {words} ", ink)
    parts: list[Part] = [(f" {glyphs.paused} paused {age(paused_for)} ", "badge-warn")]
    if phase is not Phase.LIVE:
        parts += [" ", (f" {sign} {phase.value} ", ink)]
    return line(*parts)


class Tab(Strip):
    """Goes to its screen when clicked."""

    def __init__(self, mode: str) -> None:
        super().__init__(id=f"tab-{mode}", classes="tab")
        self.mode = mode

    def on_click(self, event: events.Click) -> None:
        event.stop()
        cast("ConsoleApp", self.app).action_go(self.mode)


class TopBar(Horizontal):
    """Painted by the application every second, on every screen."""

    def __init__(self) -> None:
        super().__init__()
        # Kept rather than looked up: the bar is painted from outside, also while its screen comes or goes.
        self._brand, self._line = Strip(id="brand"), Strip(id="link")
        self._tabs = {mode: Tab(mode) for mode, _, _ in TABS}

    def compose(self) -> ComposeResult:
        yield self._brand
        yield from self._tabs.values()
        yield self._line

    def on_mount(self) -> None:
        self.call_after_refresh(self.paint)

    def paint(self) -> None:
        if not all(one.is_mounted for one in (self._brand, self._line, *self._tabs.values())):
            return
        home = cast("ConsoleApp", self.app)
        self._brand.paint(line((f" {home.glyphs.brand} syncd ", "title")))
        opened = home.newest.counters.dead_letters_open if home.newest else 0
        for mode, key, title in TABS:
            here, tab = mode == home.current_mode, self._tabs[mode]
            count: list[Part] = [(f" {opened}", "bad")] if mode == "failures" and opened else []
            tab.set_class(here, "-here")
            tab.paint(line((f" {key} ", "key"), (title, "strong" if here else "muted"), *count, " "))
        parts: list[Part] = [(" READ-ONLY ", "badge-muted"), " "] if home.read_only else []
        self._line.paint(line(*parts, home.badge()))
