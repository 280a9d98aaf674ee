"""Writing workbooks in constant memory: every text as text, so that no cell becomes a formula or loses its zeros."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from html import escape
from typing import Any, NamedTuple, Protocol

from workers.errors import SheetFull

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MAX_ROWS = 1_048_576
MAX_CHARS = 32_767
MAX_NAME_CHARS = 31
MIN_WIDTH = 16  # in less an amount is shown as ###
EXACT_DIGITS = 15  # what a double, and so a cell, keeps of a number
FIRST_YEAR = 1900
_NOT_IN_CELLS = dict.fromkeys({*range(32)} - {9, 10, 13})
_NOT_IN_NAMES = str.maketrans(dict.fromkeys("[]:*?/\\", "-"))


class Sink(Protocol):
    """Where the bytes go, in order: an open file, or a file in the making in the storage."""

    def write(self, data: bytes) -> int: ...


@dataclass(frozen=True)
class Styled:
    """A number with the format that it is shown in: 1001 as 0001001."""

    number: int | float
    format: str

    def __str__(self) -> str:
        return str(self.number)


class Asked(NamedTuple):
    """A column of a workbook to fill in."""

    heading: str
    about: str
    required: bool
    example: str
    is_text: bool


class Page:
    """One sheet, written row by row from the top; `rows` may be any iterator, nothing of it is kept."""

    def __init__(self, sheet: Any, formats: dict[str, Any], format_of: Callable[[str], Any]) -> None:
        self._sheet, self._formats, self._format_of, self._next = sheet, formats, format_of, 0

    def head(self, headings: Sequence[str], widths: Sequence[int] = (), texts: Collection[int] = ()) -> None:
        """The first row, bold, and kept in sight. `texts`: columns in which what people type stays text, with its
        zeros."""
        for column, heading in enumerate(headings):
            width = widths[column] if column < len(widths) else min(max(len(heading) + 2, MIN_WIDTH), 50)
            self._sheet.set_column(column, column, width, self._format_of("@") if column in texts else None)
            self._sheet.write_string(self._next, column, _text(heading), self._formats["head"])
        self._next += 1
        self._sheet.freeze_panes(self._next, 0)

    def rows(self, rows: Iterable[Sequence[Any]]) -> None:
        """Text, numbers, days and moments as what they are; None stays empty. Raises SheetFull."""
        for row in rows:
            if self._next >= MAX_ROWS:
                raise SheetFull(limit=MAX_ROWS)
            for column, value in enumerate(row):
                if value is not None and value != "":
                    self._cell(column, value)
            self._next += 1

    def _cell(self, column: int, value: Any) -> None:
        sheet, place = self._sheet, (self._next, column)
        if isinstance(value, bool):
            sheet.write_boolean(*place, value)
        elif isinstance(value, int | float | Decimal) and _exact(value):
            sheet.write_number(*place, value, self._formats["money"] if isinstance(value, Decimal) else None)
        elif isinstance(value, Styled):
            sheet.write_number(*place, value.number, self._format_of(value.format))
        elif isinstance(value, date) and value.year >= FIRST_YEAR:
            format = self._formats["moment" if isinstance(value, datetime) else "day"]
            sheet.write_datetime(*place, value.replace(tzinfo=None) if isinstance(value, datetime) else value, format)
        else:
            sheet.write_string(*place, _text(str(value)))


def _text(text: str) -> str:
    """What xlsxwriter is to be given: without what XML can't hold; and `<r>…</r>` it would take for its own markup and
    write as it is."""
    if not text.isprintable():
        text = text.encode(errors="replace").decode().translate(_NOT_IN_CELLS)
    text = text[:MAX_CHARS]
    if not (text.startswith("<r>") and text.endswith("</r>")):
        return text
    return f'<r><t xml:space="preserve">{escape(text[: MAX_CHARS // 8], quote=False)}</t></r>'


def _exact(number: float | Decimal) -> bool:
    """A cell keeps 15 digits; what has more, and what is no number (nan), stays text."""
    shown = Decimal(str(number))
    return shown.is_finite() and len(shown.normalize().as_tuple().digits) <= EXACT_DIGITS


class Workbook:
    """`with Workbook(sink) as book: page = book.page("Hatalar")`; the bytes reach the sink at the end of the block."""

    def __init__(self, sink: Sink, folder: str | None = None) -> None:
        """`folder` is where the rows lie until the end; the system's place for temporary files if None."""
        from tempfile import TemporaryDirectory

        import xlsxwriter

        self._folder = TemporaryDirectory(dir=folder)
        options = {"constant_memory": True, "tmpdir": self._folder.name, "use_zip64": True}
        self._book = xlsxwriter.Workbook(sink, options)
        self._number_formats: dict[str, Any] = {}
        self._formats = {
            "head": self._book.add_format({"bold": True, "bg_color": "#DCE6F1", "bottom": 1}),
            "money": self._book.add_format({"num_format": "#,##0.00"}),
            "day": self._book.add_format({"num_format": "dd.mm.yyyy"}),
            "moment": self._book.add_format({"num_format": "dd.mm.yyyy hh:mm:ss"}),
        }

    def __enter__(self) -> "Workbook":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._book.close()
            else:
                self._drop()
        finally:
            self._folder.cleanup()

    def page(self, name: str) -> Page:
        """A further sheet; what Excel does not take in a name becomes a dash. Write it whole before the next."""
        return Page(self._book.add_worksheet(sheet_name(name)), self._formats, self._format_of)

    def _format_of(self, code: str) -> Any:
        if code not in self._number_formats:
            self._number_formats[code] = self._book.add_format({"num_format": code})
        return self._number_formats[code]

    def _drop(self) -> None:
        """Nothing of an unfinished workbook is assembled."""
        self._book.fileclosed = True
        for sheet in self._book.worksheets():
            sheet._opt_close()


def sheet_name(name: str) -> str:
    """A name that Excel takes.

    >>> sheet_name("Ocak/Şubat: 'cari'")
    "Ocak-Şubat- 'cari"
    """
    plain = "".join(char if char.isprintable() else " " for char in name).translate(_NOT_IN_NAMES)
    plain = plain[:MAX_NAME_CHARS].strip(" '")
    return plain if plain and plain.casefold() != "history" else "Sayfa1"


def template(sink: Sink, columns: Iterable[Asked], language: str) -> None:
    """A workbook to fill in: an empty sheet of the columns and one about them."""
    columns = list(columns)
    english = language == "en"
    with Workbook(sink) as book:
        page = book.page("Data" if english else "Veri")
        page.head(
            [column.heading for column in columns], texts=[n for n, column in enumerate(columns) if column.is_text]
        )
        told = book.page("Columns" if english else "Sütunlar")
        told.head(["Column", "Required", "Example", "Note"] if english else ["Sütun", "Zorunlu", "Örnek", "Açıklama"])
        told.rows(_explained(columns, "yes" if english else "evet"))


def _explained(columns: list[Asked], yes: str) -> Iterator[tuple[str, str, str, str]]:
    for column in columns:
        yield column.heading, yes if column.required else "", column.example, column.about
