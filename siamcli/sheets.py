"""Reads tables as text, also those that spreadsheets wrote, and writes CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator, Mapping

__all__ = ["Sheet", "SheetError", "csv_text"]

_SEPARATOR = re.compile(r"sep=(.)", re.IGNORECASE)  # the line in which a spreadsheet names it
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


class SheetError(csv.Error):
    """What `line` of a table holds cannot be read."""

    def __init__(self, line: int, error: csv.Error) -> None:
        super().__init__(str(error))
        self.line = line


class Sheet:
    """The rows of a table that names its columns in its first line.

    Commas, semicolons or tabs separate; names are in small letters.  Spaces around names and values, empty
    lines, a line `sep=;` and lines before the names that begin with `#` are left out.  Where semicolons
    or tabs separate, columns of `numbers` may have decimal commas.  With `exact` spaces around values belong
    to them, unless they stand around names too.

    >>> sheet = Sheet("Clip ; X\\na.mp4; 1,5\\n", numbers={"x"})
    >>> sheet.columns, list(sheet)
    (['clip', 'x'], [(2, {'clip': 'a.mp4', 'x': '1.5'})])

    `line` is the one that was read last.  Raises SheetError.
    """

    def __init__(self, text: str, numbers: Collection[str] = (), *, exact: bool = False) -> None:
        self._numbers = numbers
        self.line = 1
        separator = None
        lines = io.StringIO(text, newline="")  # line ends inside quotes belong to values
        for line in lines:
            words = line.strip()
            if words and not words.startswith("#"):
                if not (named := _SEPARATOR.fullmatch(line.rstrip("\r\n"))):
                    break
                separator = named[1]
            self.line += 1
        else:
            words = ""
        try:
            self._comma = separator or max(",;\t", key=lambda mark: len(_cells(words, mark)))
            names = _cells(words, self._comma)
        except csv.Error as error:
            raise SheetError(self.line, error) from None
        self.columns = [name.strip().casefold() for name in names]
        self._spaced = not exact or any(name != name.strip() for name in names)
        self._lines = lines

    def __iter__(self) -> Iterator[tuple[int, Mapping[str | None, str]]]:
        """Every row with its line; the key None has what is beyond the last column."""
        rows = csv.reader(self._lines, delimiter=self._comma, skipinitialspace=self._spaced)
        first = self.line
        while True:
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                raise SheetError(first + rows.line_num, error) from None
            self.line = first + rows.line_num
            cells = [cell.strip() for cell in row] if self._spaced else row
            if any(cells):
                yield self.line, self._record(cells)

    def _record(self, cells: list[str]) -> Mapping[str | None, str]:
        record: dict[str | None, str] = dict(zip(self.columns, cells, strict=False))
        if self._comma != ",":
            for name in self._numbers:
                if _DECIMAL_COMMA.fullmatch(record.get(name, "")):
                    record[name] = record[name].replace(",", ".")
        if more := cells[len(self.columns) :]:
            record[None] = self._comma.join(more)
        return record


def _cells(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator), [])


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """The rows as lines of CSV; None is an empty cell."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
