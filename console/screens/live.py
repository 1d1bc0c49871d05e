"""What all screens share: workers that fetch, facts that come back as messages, and errors that are always shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import ModalScreen, Screen
from textual.widget import Widget

from console.client import ClientError
from console.text import line, said
from console.widgets.keybar import KeyBar
from console.widgets.panel import Strip
from console.widgets.topbar import TopBar
from syncd.control.messages import Status

if TYPE_CHECKING:
    from console.app import ConsoleApp

T = TypeVar("T")
Answer = TypeVar("Answer")

RELOAD_AFTER_SECONDS = 1.0
"""Lists are asked for again at most this often while the daemon reports news."""


class Arrived(Message):
    """A worker got its answer; ``apply`` paints it."""

    def __init__(self, apply: Callable[[], None]) -> None:
        super().__init__()
        self.apply = apply


class Loader(Widget):
    """Mixed into screens: runs calls of the client in workers of a named group, the newest of which wins."""

    pending = 0
    """Calls under way; a picture is taken when there are none."""

    @property
    def home(self) -> ConsoleApp:
        return cast("ConsoleApp", self.app)

    def load(
        self,
        call: Callable[[], Awaitable[T]],
        then: Callable[[T], None],
        *,
        group: str,
        failed: Callable[[ClientError], None] | None = None,
    ) -> None:
        """Call, and hand the answer to ``then`` in the screen's own turn. Other errors than the client's are bugs
        and end the application with a traceback, on purpose."""

        async def work() -> None:
            self.pending += 1
            try:
                answer = await call()
            except ClientError as error:
                reason = error
                self.post_message(Arrived(lambda: (failed or self.trouble)(reason)))
            else:
                self.post_message(Arrived(lambda: self._succeeded(then, answer)))
            finally:
                self.pending -= 1

        job: Any = work
        self.run_worker(job, group=group, exclusive=True)

    def _succeeded(self, then: Callable[[T], None], answer: T) -> None:
        self.trouble(None)
        then(answer)

    def trouble(self, error: ClientError | None) -> None:
        """Show that something could not be fetched; ``None`` takes the notice away."""
        raise NotImplementedError

    def on_arrived(self, message: Arrived) -> None:
        message.stop()
        # An answer for a screen that was left meanwhile has nobody to look at it.
        if self.is_attached and self.is_running:
            message.apply()


class LiveScreen(Loader, Screen[None]):
    """A screen below the bar. It paints the application's frozen snapshot whenever that changes."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (34, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+r,f5", "reload", "Reload", show=False, tooltip="Ask the daemon again, now"),
    ]
    HELP: ClassVar[str] = ""
    """What the screen is for and how to read it; shown by ``?``."""

    ready = False
    """Whether the first data has been painted."""
    _reloaded_at = float("-inf")
    _seen: Any = None

    def compose(self) -> ComposeResult:
        yield TopBar()
        yield from self.body()
        yield Strip(id="notice")
        yield KeyBar()

    def body(self) -> ComposeResult:
        raise NotImplementedError

    def on_mount(self) -> None:
        self.query_one("#notice", Strip).display = False
        self.watch(self.home, "status", self._on_status)
        self.watch(self.home, "regained", self._on_regained, init=False)

    def on_screen_resume(self) -> None:
        self._reload_now()
        if self.home.status:
            self.paint(self.home.status)

    def _on_status(self, status: Status | None) -> None:
        if status is None or not self.is_current:
            return
        self.paint(status)
        news = self.news(status)
        if news != self._seen and self.home.clock() - self._reloaded_at >= RELOAD_AFTER_SECONDS:
            self._seen = news
            self._reload_now()

    def _on_regained(self) -> None:
        if self.is_current:
            self._reload_now()

    def _reload_now(self) -> None:
        self._reloaded_at = self.home.clock()
        self.reload()

    def action_reload(self) -> None:
        self._reload_now()

    # --- for the screens ----------------------------------------------------------------------------------------

    def paint(self, status: Status) -> None:
        """Paint what comes from the snapshot."""

    def reload(self) -> None:
        """Ask for what does not come with the snapshot."""

    def news(self, status: Status) -> object:  # noqa: ARG002
        """A value that differs when :meth:`reload` would bring something new."""
        return None

    def trouble(self, error: ClientError | None) -> None:
        notice = self.query_one("#notice", Strip)
        notice.display = error is not None
        if error is not None:
            self.ready = True
            notice.paint(line((f" {self.home.glyphs.bad} ", "bad"), said(error, "bad")))

    def picture_ready(self) -> bool:
        return self.ready and self.pending == 0 and self.home.status is not None


class Dialog(Loader, ModalScreen[Answer]):
    """A framed question over the screen. Left with ``dismiss``, so that whoever waits for the answer gets one."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Back")]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (34, "-tall")]  # noqa: RUF012

    def action_leave(self) -> None:
        self.dismiss(None)

    def trouble(self, error: ClientError | None) -> None:
        if error is not None:
            self.tell(line((f"{self.home.glyphs.bad} ", "bad"), said(error, "bad")))

    def tell(self, text: Text) -> None:
        """Show how it goes."""
        raise NotImplementedError
