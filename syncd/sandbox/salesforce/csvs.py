"""CSV as Bulk API 2.0 reads and writes it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

DELIMITERS: Final = {
    "COMMA": ",", "TAB": "\t", "PIPE": "|", "SEMICOLON": ";", "CARET": "^", "BACKQUOTE": "`",
}  # fmt: skip
ENDINGS: Final = {"LF": "\n", "CRLF": "\r\n"}
NULL: Final = "#N/A"
_MAX_CELL = 131_072


class CsvError(ValueError):
    """An upload that cannot be read at all; the message is the job's ``errorMessage``."""


class Upload:
    """An uploaded file: its header, and its rows one by one."""

    def __init__(self, data: bytes, delimiter: str, ending: str) -> None:
        """Raises :class:`CsvError`."""
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise CsvError("InvalidBatch : The file is not encoded in UTF-8") from None
        first = text.partition("\n")[0]
        if text and first.endswith("\r") is not (ending == "CRLF"):
            raise CsvError(f"LineEnding is invalid on user data. Current LineEnding setting is {ending}")
        csv.field_size_limit(max(csv.field_size_limit(), 4 * _MAX_CELL))
        self._reader = csv.reader(io.StringIO(text, newline=""), delimiter=DELIMITERS[delimiter], strict=True)
        try:
            self.header: list[str] = [name.strip() for name in next(self._reader, [])]
        except csv.Error as error:
            raise CsvError(f"InvalidBatch : {error}") from None
        if not self.header:
            raise CsvError("InvalidBatch : The file has no header")
        if len(set(self.header)) != len(self.header):
            raise CsvError("InvalidBatch : Duplicate column in the header")

    def rows(self) -> Iterator[list[str]]:
        """Raises :class:`CsvError`."""
        try:
            yield from (row for row in self._reader if row)
        except csv.Error as error:
            raise CsvError(f"InvalidBatch : {error}") from None


def cell(value: Any) -> str:
    """A held value as a cell."""
    if value is None:
        return ""
    if value is True:
        return "true"
    return "false" if value is False else str(value)


def write(header: Sequence[str], rows: Iterable[Sequence[Any]], delimiter: str, ending: str) -> bytes:
    """Every cell in quotes, as the vendor writes them."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=DELIMITERS[delimiter], lineterminator=ENDINGS[ending], quoting=csv.QUOTE_ALL)
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue().encode()
