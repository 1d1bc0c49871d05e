"""Every way a command can fail, as one line that says what, where and what to do, and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import typer

from syncd.cli.output import ENVIRONMENT, FAILED, FINE, INTERRUPTED, USAGE, CommandError, complain, envelope, say

_ENVIRONMENT: Final = (
    "syncd.control.", "syncd.credentials.", "syncd.daemon", "syncd.intake.", "syncd.store.", "syncd.systems.build",
)  # fmt: skip
"""Where exceptions are raised whose message is meant for operators: this machine or its secrets are not ready."""


def _named(name: str, kinds: Sequence[type[Any]]) -> type[Any]:
    return next(kind for kind in kinds if kind.__name__ == name)


_CLICK_ERROR: Final = _named("ClickException", typer.BadParameter.__mro__)
"""The base of the parser's own errors; typer carries its parser with it and does not export this one."""
_HELP: Final = _named("NoArgsIsHelpError", _named("UsageError", typer.BadParameter.__mro__).__subclasses__())


def guarded(command: Callable[[], Any], arguments: Sequence[str], *, debug: bool) -> int:
    """Run a command. Never raises; never shows a traceback unless asked to."""
    try:
        result = command()
    except typer.Exit as stop:
        return stop.exit_code
    except typer.Abort:
        complain("syncd: stopped")
        return INTERRUPTED
    except KeyboardInterrupt:
        complain("syncd: interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has had enough. Python would complain again while closing it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except _HELP as error:
        say(error.format_message())
        return USAGE
    except Exception as error:  # noqa: BLE001 - the last door: what comes here is told in one line
        if debug:
            traceback.print_exc()
        lines, code, exit_code = _told(error)
        return _report(arguments, lines, code, exit_code)
    return result if isinstance(result, int) else FINE


def _report(arguments: Sequence[str], lines: Sequence[str], code: str, exit_code: int) -> int:
    words = [one for one in arguments if not one.startswith("-")]
    command = _name(words)
    if "--json" in arguments:
        summary = lines[0] if len(lines) == 1 else f"{len(lines)} problems"
        say(envelope(command, ok=False, summary=summary, error={"code": code, "messages": list(lines)}))
    else:
        for line in lines:
            complain(f"syncd: {line}")
    return exit_code


def _name(words: Sequence[str]) -> str:
    if not words:
        return "syncd"
    return " ".join(words[:2]) if words[0] in {"credentials", "credential", "config"} else words[0]


def _told(error: Exception) -> tuple[list[str], str, int]:
    """Lines, code and exit code of a failure."""
    if isinstance(error, CommandError):
        return [str(error)], error.code, error.exit_code
    if isinstance(error, _CLICK_ERROR):
        message = " ".join(error.format_message().split())
        return [f"{message} See syncd --help."], "usage", USAGE
    kind = type(error).__module__
    if kind.startswith("syncd.config"):
        from syncd.config.problems import ConfigurationError

        if isinstance(error, ConfigurationError):
            return [str(one) for one in error.problems], "configuration", USAGE
    if kind.startswith(_ENVIRONMENT):
        code = "credentials" if kind.startswith("syncd.credentials.") else "environment"
        return [" ".join(str(error).split())], code, ENVIRONMENT
    if isinstance(error, OSError):
        return [_system_error(error)], "environment", ENVIRONMENT
    return [_internal(error)], "internal", FAILED


def _system_error(error: OSError) -> str:
    reason = os.strerror(error.errno) if error.errno else type(error).__name__
    place = f"{error.filename}: " if isinstance(error.filename, str | Path) else ""
    return f"{place}{reason}"


def _internal(error: Exception) -> str:
    """Where, not what: the text of a foreign exception could hold a customer's data."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"internal error: {type(error).__name__}{place}; run it again with --debug and report what it prints"
