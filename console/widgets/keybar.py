"""The last line: the keys that do something now. Those of the screen stand left, those of every screen right."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widgets import Footer
from textual.widgets._footer import FooterKey

NARROW = 100


class KeyBar(Footer):
    """In a narrow terminal the keys of every screen go without words: ``?`` tells them."""

    def __init__(self) -> None:
        super().__init__(show_command_palette=False, compact=True)
        self._offered: list[tuple[str, str, str, str, bool, str]] = []

    def bindings_changed(self, screen: Screen[object]) -> None:
        # The keys are asked for with every snapshot; they are built anew only when they are others.
        if self.is_attached and screen is self.screen and self._offers() != self._offered:
            super().bindings_changed(screen)

    def on_resize(self) -> None:
        self.bindings_changed(self.screen)

    def compose(self) -> ComposeResult:
        if not self._bindings_ready:
            return
        self._offered = self._offers()
        for key, shown, words, action, enabled, classes in self._offered:
            yield FooterKey(key, shown, words, action, disabled=not enabled, classes=classes).data_bind(
                compact=Footer.compact
            )

    def _offers(self) -> list[tuple[str, str, str, str, bool, str]]:
        by_action: dict[str, tuple[DOMNode, Binding, bool]] = {}
        for node, binding, enabled, _ in self.screen.active_bindings.values():
            if binding.show:
                by_action.setdefault(binding.action, (node, binding, enabled))
        narrow = self.app.size.width < NARROW
        offers = []
        for node, binding, enabled in sorted(by_action.values(), key=lambda one: isinstance(one[0], App)):
            everywhere = isinstance(node, App)
            words = "" if everywhere and narrow else binding.description
            classes = "-everywhere" if everywhere else ""
            offers.append((binding.key, self.app.get_key_display(binding), words, binding.action, enabled, classes))
        return offers
