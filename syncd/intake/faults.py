"""How a caught exception is told in a log: its kind and its place, never its text, which may quote what was sent."""

from __future__ import annotations


def place(error: BaseException) -> str:
    """File and line where an exception was raised, such as ``app.py:120``."""
    trace = error.__traceback__
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
