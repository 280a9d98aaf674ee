"""The structure of an xlsx or xlsm file: which sheets it has, where they lie, its styles and its strings."""

import posixpath
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from html import escape
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

from workers.services.sheets import pieces, strings
from workers.services.sheets.biff import EAST_ASIAN
from workers.services.sheets.blocks import Block
from workers.services.sheets.cell_formats import BUILT_IN
from workers.services.sheets.guard import MB, broken, refuse
from workers.services.sheets.values import currency_shown, side_shown

MAX_SMALL_PART_BYTES = 16 * MB
_OFFICE = "/officeDocument"
_OWN_FORMATS_FROM = 200


@dataclass(frozen=True)
class _Sheet:
    name: str
    part: str
    visible: bool


class Xlsx:
    """A `Source`. `rows`: filled rows by part, as the guard counted them."""

    def __init__(self, path: Path, rows: dict[str, int]) -> None:
        self._zip, self._rows = zipfile.ZipFile(path), rows
        self._parts = {name.lower(): name for name in self._zip.namelist()}
        self._wanted: list[int] = []
        self._workbook = self._workbook_part()
        self._related = self._relations(self._workbook)
        self._root = self._xml(self._workbook)
        self._sheets = {sheet.name: sheet for sheet in self._find_sheets()}
        self.sheets = list(self._sheets)
        self.visible = [sheet.name for sheet in self._sheets.values() if sheet.visible]
        self.shows_currencies = any(_says_more(code) for _, code in self._formats)
        if not self.sheets:
            raise refuse("dosyada satır ve sütunlardan oluşan bir sayfa yok", "it has no sheet of rows and columns")

    def filled_rows(self, sheet: str) -> int | None:
        return self._rows.get(self._sheets[sheet].part)

    def wants_formats(self, columns: list[int]) -> None:
        self._wanted = columns

    def blocks(self, sheet: str, after: int = 0) -> Iterator[Block]:
        reader = pieces.Pieces(
            strings=self._strings,
            styles=self._mini_styles,
            dates_from_1904=self._dates_from_1904,
            needs_calculation=self._needs_calculation,
        )
        opened = partial(self._zip.open, self._sheets[sheet].part)
        formats = [code or BUILT_IN.get(id, "") for id, code in self._formats]
        yield from reader.blocks(opened, after=after, wanted=self._wanted, formats=formats)

    def _workbook_part(self) -> str:
        for kind, target in self._relations("").values():
            if kind.endswith(_OFFICE) and target in self._parts.values():
                return target
        raise broken("xl/workbook.xml parçası eksik", "the part xl/workbook.xml is missing")

    def _relations(self, part: str) -> dict[str, tuple[str, str]]:
        """Type and full path of what `part` refers to, by id."""
        folder, name = posixpath.split(part)
        try:
            root = self._xml(posixpath.join(folder, "_rels", f"{name}.rels"))
        except KeyError as error:
            which = part or "zip"
            raise broken(f"{which}: ilişkiler eksik", f"{which}: its relationships are missing") from error
        inner = [one for one in root if one.get("TargetMode") != "External"]
        return {one.get("Id", ""): (one.get("Type", ""), self._named(folder, one.get("Target", ""))) for one in inner}

    def _named(self, folder: str, target: str) -> str:
        """The part that is meant: its name may be written in other letters, quoted, or with the signs of Windows."""
        path = posixpath.normpath(posixpath.join("/", folder, target.replace("\\", "/"))).lstrip("/")
        return self._parts.get(path.lower()) or self._parts.get(unquote(path).lower(), path)

    def _xml(self, part: str) -> ElementTree.Element:
        if self._zip.getinfo(part).file_size > MAX_SMALL_PART_BYTES:
            raise broken(f"{part} parçası çok büyük", f"the part {part} is too large")
        try:
            return ElementTree.fromstring(self._zip.read(part))
        except ElementTree.ParseError as error:
            raise broken(f"{part}: {error}") from error

    def _find_sheets(self) -> Iterator[_Sheet]:
        parts = set(self._parts.values())
        for element in self._root.iter():
            if _name(element) == "sheet":
                ids = [value for key, value in element.items() if _local(key) == "id" and key != "id"]
                kind, part = self._related.get(ids[0] if ids else "", ("", ""))
                if kind.endswith("/worksheet"):
                    if part not in parts:
                        raise broken(f"{part} parçası eksik", f"the part {part} is missing")
                    yield _Sheet(element.get("name", ""), part, element.get("state", "visible") == "visible")

    def _part_of(self, kind: str) -> str | None:
        found = (target for type_, target in self._related.values() if type_.endswith(kind))
        return next((target for target in found if target in self._parts.values()), None)

    @property
    def _dates_from_1904(self) -> bool:
        return any(_name(e) == "workbookPr" and e.get("date1904") in ("1", "true") for e in self._root)

    @property
    def _needs_calculation(self) -> bool:
        """The writer says that no stored result can be trusted: a library wrote it, no spreadsheet program."""
        return any(_name(e) == "calcPr" and e.get("fullCalcOnLoad") in ("1", "true") for e in self._root)

    @cached_property
    def _strings(self) -> list[str | None]:
        """None for an empty one, as for a cell that holds nothing."""
        part = self._part_of("/sharedStrings")
        if part is None:
            return []
        try:
            with self._zip.open(part) as opened:
                return [text or None for text in strings.read_strings(opened)]
        except (ElementTree.ParseError, ValueError) as error:
            raise broken(f"{part}: {error}") from error

    @cached_property
    def _formats(self) -> list[tuple[int, str]]:
        """The number format of each cell style: its id, and its code where the file brings its own."""
        part = self._part_of("/styles")
        root = self._xml(part) if part else ElementTree.Element("styleSheet")
        own = {e.get("numFmtId", ""): e.get("formatCode", "") for e in root.iter() if _name(e) == "numFmt"}
        styles = next((list(e) for e in root if _name(e) == "cellXfs"), [])
        ids = [e.get("numFmtId", "") for e in styles]
        return [(int(id) if id.isdecimal() else 0, own.get(id, "")) for id in ids]

    @property
    def _mini_styles(self) -> str:
        """The styles with their number formats alone, which tell dates from numbers."""
        codes: dict[str, int] = {}
        ids = [
            codes.setdefault(code, _OWN_FORMATS_FROM + len(codes)) if code else id * (id not in EAST_ASIAN)
            for id, code in self._formats
        ]
        known = "".join(f'<numFmt numFmtId="{n}" formatCode="{escape(code)}"/>' for code, n in codes.items())
        styles = "".join(f'<xf numFmtId="{n}"/>' for n in ids)
        return f"<numFmts>{known}</numFmts><cellXfs>{styles}</cellXfs>"


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _name(element: ElementTree.Element) -> str:
    return _local(element.tag)


def _says_more(format: str) -> bool:
    """Whether it shows beside an amount what would be taken otherwise without it."""
    return currency_shown(format) not in (None, "TRY") or side_shown(format) == "alacak"
