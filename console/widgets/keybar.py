"""The last line: the keys that do something now. Those of the screen stand left, those of every screen right."""

from __future__ import annotations

from collections import defaultdict

from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.dom import DOMNode
from textual.widgets import Footer
from textual.widgets._footer import FooterKey

NARROW = 100


class KeyBar(Footer):
    """In a narrow terminal the keys of every screen go without words: ``?`` tells them."""

    def __init__(self) -> None:
        super().__init__(show_command_palette=False, compact=True)

    def compose(self) -> ComposeResult:
        if not self._bindings_ready:
            return
        by_action: dict[str, list[tuple[DOMNode, Binding, bool, str]]] = defaultdict(list)
        for node, binding, enabled, tooltip in self.screen.active_bindings.values():
            if binding.show:
                by_action[binding.action].append((node, binding, enabled, tooltip))
        firsts = [some[0] for some in by_action.values()]
        narrow = self.app.size.width < NARROW
        for node, binding, enabled, tooltip in sorted(firsts, key=lambda one: isinstance(one[0], App)):
            everywhere = isinstance(node, App)
            words = "" if everywhere and narrow else binding.description
            yield FooterKey(
                binding.key, self.app.get_key_display(binding), words, binding.action, disabled=not enabled,
                tooltip=tooltip or binding.description, classes="-everywhere" if everywhere else "",
            ).data_bind(compact=Footer.compact)  # fmt: skip
