"""The two colour themes, and what the roles of text look like in each."""

from __future__ import annotations

from typing import Final

from rich.theme import Theme as Inks
from textual.theme import Theme

DARK: Final = Theme(
    name="harbour-night",
    dark=True,
    primary="#63c5b9",
    secondary="#86a8e0",
    accent="#efb366",
    warning="#e9b44c",
    error="#ef7d78",
    success="#86c98a",
    foreground="#d6dee6",
    background="#0f1419",
    surface="#141b22",
    panel="#1c2630",
    boost="#22303c",
    variables={
        "border": "#2b3945",
        "border-blurred": "#2b3945",
        "footer-background": "#0b0f13",
        "footer-key-foreground": "#efb366",
        "footer-description-foreground": "#93a1ad",
        "block-cursor-background": "#24505a",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#1f2b35",
        "block-hover-background": "#1b2731",
        "input-cursor-background": "#efb366",
        "input-cursor-foreground": "#0f1419",
        "scrollbar": "#2b3945",
        "scrollbar-background": "#12181e",
        "scrollbar-hover": "#3d5060",
        "scrollbar-active": "#63c5b9",
        "edge": "#2b3945",
        "edge-focus": "#63c5b9",
    },
)

LIGHT: Final = Theme(
    name="harbour-day",
    dark=False,
    primary="#0a756c",
    secondary="#2c5aa0",
    accent="#9a5b00",
    warning="#8f6200",
    error="#b3261e",
    success="#2d7334",
    foreground="#202b33",
    background="#f3f1ea",
    surface="#fbfaf6",
    panel="#e8e4d9",
    boost="#ded9cb",
    variables={
        "border": "#c9c3b4",
        "border-blurred": "#c9c3b4",
        "footer-background": "#e3decf",
        "footer-key-foreground": "#8a4f00",
        "footer-description-foreground": "#4f5b64",
        "block-cursor-background": "#bfe0da",
        "block-cursor-foreground": "#10201e",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#e3e0d4",
        "block-hover-background": "#ebe8de",
        "input-cursor-background": "#0a756c",
        "input-cursor-foreground": "#ffffff",
        "scrollbar": "#c9c3b4",
        "scrollbar-background": "#ece9df",
        "scrollbar-hover": "#a9a292",
        "scrollbar-active": "#0a756c",
        "edge": "#c9c3b4",
        "edge-focus": "#0a756c",
    },
)

THEMES: Final = {theme.name: theme for theme in (DARK, LIGHT)}


def inks(theme: Theme) -> Inks:
    """The look of each role of text; see ``console.text.Ink``."""
    muted, faint = ("#8796a3", "#526371") if theme.dark else ("#5d6870", "#9a9a90")
    ground = theme.background or ""
    return Inks(
        {
            "strong": f"bold {theme.foreground}",
            "muted": muted,
            "faint": faint,
            "ok": f"{theme.success}",
            "warn": f"{theme.warning}",
            "bad": f"{theme.error}",
            "accent": f"{theme.accent}",
            "info": f"{theme.secondary}",
            "value": f"{theme.foreground}",
            "title": f"bold {theme.primary}",
            "differs": f"bold {theme.warning}",
            "badge-ok": f"bold {ground} on {theme.success}",
            "badge-warn": f"bold {ground} on {theme.warning}",
            "badge-bad": f"bold {ground} on {theme.error}",
            "badge-muted": f"bold {ground} on {muted}",
            "key": f"bold {theme.accent}",
            "plot-low": "#3f8f88" if theme.dark else "#5aa59d",
            "plot-mid": f"{theme.primary}",
            "plot-high": f"{theme.accent}",
        },
        inherit=False,
    )
