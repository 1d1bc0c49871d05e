"""Rows of a Bulk job as CSV, in and out. Pure.

The columns are in an order that does not change between runs; an empty cell leaves a field as it is, ``#N/A`` clears
it; one column tells which row a result speaks of, since results come in another order.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from syncd.model.lens import Raw
from syncd.systems.salesforce.describe import Schema
from syncd.systems.salesforce.values import cell

LARGEST: Final = 90 * 1024 * 1024
"""Bytes of a job. The vendor takes 150 MB counted after base64."""
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


def read_rows(body: bytes) -> list[dict[str, str]]:
    """Result rows. Raises :class:`ValueError` for what is no whole CSV; quoted line breaks are part of a cell."""
    try:
        rows = list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True))
    except csv.Error as error:
        raise ValueError(str(error)) from None
    if any(None in row or None in row.values() for row in rows):
        raise ValueError("a row is cut off")
    return rows


def _cell(schema: Schema, path: str, values: Mapping[str, Raw]) -> str:
    return cell(values[path], schema.field(path)) if path in values else ""


def _line(cells: Sequence[str]) -> bytes:
    out = io.StringIO()
    # Only what is part of the writer's own line end is quoted for its sake, and a lone carriage return must be.
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue().removesuffix("\r\n").encode("utf-8", "replace") + b"\n"
