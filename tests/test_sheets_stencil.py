"""Rows that are all laid out alike are cut out by a stencil: the same comes out as when calamine parses them."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workbooks import letters
from workers.services.sheets import stencil
from workers.services.sheets.pieces import Pieces

STRINGS = ["Çınar", "Şule", None, "120.10"]
STYLES = "<cellXfs>" + "".join(f'<xf numFmtId="{n}"/>' for n in (0, 14, 22, 4, 46)) + "</cellXfs>"
FORMS = {
    "shared": '<c r="{r}" t="s"><v>{v}</v></c>',
    "styled shared": '<c r="{r}" s="3" t="s"><v>{v}</v></c>',
    "inline": '<c r="{r}" t="inlineStr"><is><t xml:space="preserve">{v}</t></is></c>',
    "number": '<c r="{r}"><v>{v}</v></c>',
    "named number": '<c r="{r}" s="3" t="n"><v>{v}</v></c>',
    "day": '<c r="{r}" s="1"><v>{v}</v></c>',
    "moment": '<c r="{r}" s="2"><v>{v}</v></c>',
    "duration": '<c r="{r}" s="4"><v>{v}</v></c>',
    "error": '<c r="{r}" t="e"><v>#DIV/0!</v></c>',
    "truth": '<c r="{r}" t="b"><v>1</v></c>',
    "formula": '<c r="{r}"><f>1+1</f><v>2</v></c>',
    "empty": '<c r="{r}" s="3"/>',
    "none": "",
}
TEXTS = ("Ak", " a  b ", "A&amp;B &lt;", "&#199;&#x131;", "_x0041_", "a\nb", "")
NUMBERS = ("0", "12", "-7.5", "0.1", "1E+3", "46022", "46022.75", "123456789012345680", "1.2.3", "60")
VALUES = {"shared": ("0", "1", "2", "3"), "inline": TEXTS}


def values_of(form: str) -> tuple[str, ...]:
    return VALUES.get(form.removeprefix("styled "), NUMBERS)


def xml_of(rows: list[list[tuple[str, str]]]) -> bytes:
    lines = []
    for number, cells in enumerate(rows, 1):
        made = (FORMS[form].format(r=f"{letters(n)}{number}", v=v) for n, (form, v) in enumerate(cells))
        lines.append(f'<row r="{number}" spans="1:9">{"".join(made)}</row>')
    return f"<worksheet><sheetData>{''.join(lines)}</sheetData></worksheet>".encode()


def rows_of(xml: bytes) -> object:
    """Row numbers and cells without the rows and the columns at the end that hold nothing; or what is wrong."""
    reader = Pieces(strings=STRINGS, styles=STYLES, dates_from_1904=False, needs_calculation=False)
    try:
        blocks = list(reader.blocks(lambda: io.BytesIO(xml), after=0, wanted=[], formats=[]))
    except Exception as error:
        return type(error)
    rows = [
        (n, list(map(repr, cells))) for block in blocks for n, *cells in zip(block.numbers, *block.columns, strict=True)
    ]
    return {number: _ended(cells) for number, cells in rows if _ended(cells)}


def _ended(cells: list[str]) -> list[str]:
    """Without what is empty at the end."""
    return cells[: max((n for n, cell in enumerate(cells, 1) if cell != "None"), default=0)]


def is_cut(xml: bytes) -> bool:
    start = xml.index(b"<row")
    reader = Pieces(strings=STRINGS, styles=STYLES, dates_from_1904=False, needs_calculation=False)
    return stencil.Stencil(STRINGS, reader._meanings).block(xml[start : xml.index(b"</sheetData>")]) is not None


@st.composite
def layouts(draw: st.DrawFn) -> list[list[tuple[str, str]]]:
    """Rows whose columns hold one kind of cell each, or now and then another, or none."""
    columns = draw(st.lists(st.sampled_from(sorted(FORMS)), min_size=1, max_size=5))
    rows = []
    for _ in range(draw(st.integers(1, 4))):
        forms = [draw(st.sampled_from([form] * 6 + ["none", "empty", "number"])) for form in columns]
        rows.append([(form, draw(st.sampled_from(values_of(form)))) for form in forms])
    return rows


@given(layouts())
def test_a_stencil_gives_what_calamine_gives(rows: list[list[tuple[str, str]]]) -> None:
    xml = xml_of(rows)
    cut = rows_of(xml)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(stencil, "MAX_MISFITS", 0)
        assert cut == rows_of(xml)


def test_a_ledger_as_programs_write_it_is_cut_and_not_parsed() -> None:
    forms = ("shared", "inline", "day", "named number", "empty", "number", "styled shared")
    full = [[(form, values_of(form)[n % 3]) for form in forms] for n in range(30)]
    gaps = [
        [(form if (n + k) % 4 else "none", value) for k, (form, value) in enumerate(row)] for n, row in enumerate(full)
    ]

    assert is_cut(xml_of(full))
    assert is_cut(xml_of(gaps))
    assert not is_cut(xml_of([*full, [("error", "")]]))


def test_a_sheet_that_is_not_alike_is_soon_left_to_calamine() -> None:
    asked = stencil.Stencil(STRINGS, lambda cells: [])
    mixed = xml_of([[("number", "1")], [("shared", "0")]])

    assert [asked.block(mixed) for _ in range(stencil.MAX_MISFITS)] == [None] * stencil.MAX_MISFITS
    assert asked.block(xml_of([[("shared", "0")]])) is None
