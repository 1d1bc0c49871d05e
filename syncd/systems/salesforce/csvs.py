"""Rows of a Bulk job as CSV, in and out. Pure.

The columns are in an order that does not change between runs; an empty cell leaves a field as it is, ``#N/A`` clears
it; one column tells which row a result speaks of, since results come in another order.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from syncd.model.lens import Raw
from syncd.systems.salesforce.describe import Schema
from syncd.systems.salesforce.values import cell

LARGEST: Final = 32 * 1024 * 1024
"""Bytes of a job. The vendor takes 150 MB counted after base64; a job is held in memory until its results are read."""
PIECE: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a job. ``mark`` stands in the column that tells rows apart: our key, or the record's id."""

    mark: str
    values: Mapping[str, Raw] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sheet:
    """What one job takes."""

    header: bytes = field(repr=False)
    lines: Sequence[bytes] = field(repr=False)
    rows: Sequence[Row] = field(repr=False)

    def pieces(self) -> Iterator[bytes]:
        """The bytes, some at a time; as often as is asked."""
        held, size = [self.header], len(self.header)
        for line in self.lines:
            held.append(line)
            size += len(line)
            if size >= PIECE:
                yield b"".join(held)
                held, size = [], 0
        if held:
            yield b"".join(held)

    @property
    def size(self) -> int:
        return len(self.header) + sum(map(len, self.lines))


def sheets(schema: Schema, mark: str, rows: Sequence[Row], largest: int = LARGEST) -> Iterator[Sheet]:
    """Rows in jobs, those of one parent together: jobs work on parts of a file at once, and parts that touch the same
    parent lock each other out."""
    paths = sorted({path for row in rows for path in row.values} - {mark})
    columns = [mark, *paths]
    parents = [path for path in paths if "." in path or ((known := schema.field(path)) and known.refers_to)]
    ordered = sorted(rows, key=lambda row: [*(str(row.values.get(path) or "") for path in parents), row.mark])
    header = _line(columns)
    lines: list[bytes] = []
    held: list[Row] = []
    size = len(header)
    for row in ordered:
        cells = [row.mark, *(_cell(schema, path, row.values) for path in paths)]
        line = _line(cells)
        if held and size + len(line) > largest:
            yield Sheet(header, lines, held)
            lines, held, size = [], [], len(header)
        lines.append(line)
        held.append(row)
        size += len(line)
    if held:
        yield Sheet(header, lines, held)


class RowReader:
    """Rows of a CSV as its bytes come, in the vendor's UTF-8 whatever a header says. Only the row that is not whole yet
    is held. Raises :class:`ValueError` for what is no whole CSV; quoted line breaks are part of a cell."""

    def __init__(self, only: frozenset[str] | None = None) -> None:
        """``only`` names the columns to keep, in lower case."""
        self._only = only
        self._kept: list[tuple[int, str]] = []
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._rest: list[str] = []
        self._quoted = False
        self._header: list[str] | None = None

    def feed(self, piece: bytes) -> list[dict[str, str]]:
        return self._taken(self._decoder.decode(piece))

    def close(self) -> list[dict[str, str]]:
        """The last row, which may have no line end."""
        rows = self._taken(self._decoder.decode(b"", final=True))
        if self._quoted:
            raise ValueError("a cell is cut off")
        rest, self._rest = "".join(self._rest), []
        return [*rows, *self._parsed(rest)] if rest else rows

    def _taken(self, text: str) -> list[dict[str, str]]:
        """The rows that are whole: up to the last line end outside of quotes."""
        end, quoted, start = 0, self._quoted, 0
        for part in text.split('"'):
            if not quoted:
                at = text.rfind("\n", start, start + len(part))
                end = at + 1 if at >= 0 else end
            start += len(part) + 1
            quoted = not quoted
        # The last part has no quote behind it.
        self._quoted = not quoted
        if not end:
            self._rest.append(text)
            return []
        whole = "".join((*self._rest, text[:end]))
        self._rest = [text[end:]]
        return self._parsed(whole)

    def _parsed(self, text: str) -> list[dict[str, str]]:
        try:
            lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
        except csv.Error as error:
            raise ValueError(str(error)) from None
        if self._header is None and lines:
            self._header = lines.pop(0)
            only = self._only
            self._kept = [(place, one) for place, one in enumerate(self._header) if not only or one.lower() in only]
        if any(len(line) != len(self._header or ()) for line in lines):
            raise ValueError("a row is cut off")
        return [{name: line[place] for place, name in self._kept} for line in lines]


def read_rows(body: bytes) -> list[dict[str, str]]:
    """The rows of a whole CSV; see :class:`RowReader`."""
    reader = RowReader()
    return [*reader.feed(body), *reader.close()]


def _cell(schema: Schema, path: str, values: Mapping[str, Raw]) -> str:
    return cell(values[path], schema.field(path)) if path in values else ""


def _line(cells: Sequence[str]) -> bytes:
    out = io.StringIO()
    # Only what is part of the writer's own line end is quoted for its sake, and a lone carriage return must be.
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue().removesuffix("\r\n").encode("utf-8", "replace") + b"\n"
