"""Which column is the balance, and what is said where that is not clear: a wrong one is a wrong letter."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from workers.errors import SheetRefused
from workers.services import sheets
from workers.services.columns import COLUMNS
from workers.services.sheets import headers
from workers.services.sheets.shapes import Row

FIELDS = {
    column.name: sheets.Field(column.name, (column.tr, column.en, *column.aliases), column.kind, column.required)
    for column in COLUMNS["mutabakat"]
}
WHO = ("Cari Kodu", "Unvan")


def mapped(*headings: str, given: dict[str, str] | None = None) -> dict[str, str]:
    """The columns behind code and title, by field."""
    header = headers.find([(1, (*WHO, *headings))], list(FIELDS.values()), given)
    assert header is not None
    headers.check(header, list(FIELDS.values()))
    return {field: name for field, name in header.mapping.items() if name not in WHO}


def first_row(folder: Path, *columns: tuple[str, Any], **more: Any) -> Row:
    """The one row of a sheet with these headings and cells, as it was read."""
    path = folder / "cari.csv"
    head, cells = zip(*columns, strict=True)
    lines = [";".join(map(str, line)) for line in ((*WHO, *head), ("120.01", "Çınar", *cells))]
    path.write_text("\n".join(lines), encoding="utf-8")
    with sheets.read(path, filename=path.name, fields=FIELDS, **more) as opened:
        [[row]] = opened.rows()
    return row


@pytest.mark.parametrize(
    ("borc", "alacak"),
    [
        ("Toplam Borç", "Toplam Alacak"),
        ("Borç Toplamı", "Alacak Toplamı"),
        ("Dönem Borç", "Dönem Alacak"),
        ("KÜMÜLATİF BORÇ", "KÜMÜLATİF ALACAK"),
        ("Borçlar", "Alacaklar"),
        ("Dönem İçi Borç Toplamı", "Dönem İçi Alacak Toplamı"),
        ("Yıllık Borç (TL)", "Yıllık Alacak (TL)"),
        ("Total Debit", "Total Credit"),
    ],
)
def test_debit_and_credit_are_found_together_however_they_are_called(borc: str, alacak: str) -> None:
    assert mapped(borc, alacak) == {"borc": borc, "alacak": alacak}


@pytest.mark.parametrize(
    ("headings", "field", "taken"),
    [
        (("Devir Bakiyesi", "Dönem Sonu Bakiyesi"), "bakiye", "Dönem Sonu Bakiyesi"),
        (("Vadesi Geçen Bakiye", "Toplam Bakiye"), "bakiye", "Toplam Bakiye"),
        (("Önceki Dönem Bakiye", "Güncel Bakiye"), "bakiye", "Güncel Bakiye"),
        (("Dönem Bakiye", "Kapanış Bakiye"), "bakiye", "Kapanış Bakiye"),
        (("Tutar", "Bakiye"), "bakiye", "Bakiye"),
        (("Dönem Borç", "Toplam Borç", "Dönem Alacak", "Toplam Alacak"), "borc", "Toplam Borç"),
        (("Dönem Başı Borç", "Borç Bakiye", "Alacak Bakiye"), "borc", "Borç Bakiye"),
        (("Borç Alacak Bakiyesi",), "bakiye", "Borç Alacak Bakiyesi"),
        (("Dönem Borç Bakiye", "Dönem Alacak Bakiye"), "alacak", "Dönem Alacak Bakiye"),
    ],
)
def test_of_several_amounts_the_one_of_today_is_taken(headings: tuple[str, ...], field: str, taken: str) -> None:
    assert mapped(*headings)[field] == taken


@pytest.mark.parametrize("heading", ["Vadesi Geçen Bakiye", "Alacak Riski", "Borç Limiti", "Bakiye Gün", "Borç Vadesi"])
def test_what_is_another_figure_is_no_balance(heading: str) -> None:
    assert mapped(heading) == {}


@pytest.mark.parametrize(
    ("headings", "seen"),
    [
        (("Ocak Bakiye", "Şubat Bakiye"), "“Ocak Bakiye”, “Şubat Bakiye”"),
        (("Dönem Borç", "Yıllık Borç", "Alacak"), "“Dönem Borç”, “Yıllık Borç”"),
        (("Devir Borç", "Dönem Borç", "Dönem Alacak"), "“Dönem Borç”, “Devir Borç”"),
        (("Bakiye", "Bakiye"), "“Bakiye”, “Bakiye (2)”"),
        (("Borç", "Alacak", "Borç", "Alacak"), "“Borç”, “Borç (2)”"),
    ],
)
def test_of_two_amounts_that_fit_alike_none_is_taken_until_somebody_says_which(
    headings: tuple[str, ...], seen: str
) -> None:
    with pytest.raises(SheetRefused, match=re.escape(f"hangi sütunda belli değil: {seen}")):
        mapped(*headings)

    field, second = "bakiye" if "Bakiye" in seen else "borc", seen.rpartition("“")[2].rstrip("”")
    assert mapped(*headings, given={field: second, "alacak": ""})[field] == second


@pytest.mark.parametrize(
    "headings",
    [
        ("Borç", "Alacak", "Borç Bakiye", "Alacak Bakiye"),
        ("Borç Tutarı", "Alacak Tutarı", "Bakiye (B)", "Bakiye (A)"),
        ("Debit", "Credit", "Debit Balance", "Credit Balance"),
    ],
)
def test_what_moved_in_a_period_is_not_taken_for_the_balances_beside_it(tmp_path: Path, headings: list[str]) -> None:
    agreeing, odd = ([*zip(headings, ("100", "40", owed, ""), strict=True)] for owed in ("60", "560"))
    moved, owed = (dict(zip(("borc", "alacak"), pair, strict=True)) for pair in (headings[:2], headings[2:]))

    [refusal] = first_row(tmp_path, *odd).reasons

    assert " / ".join(headings[2:]) in refusal.tr
    assert first_row(tmp_path, *agreeing).reasons == ()
    assert first_row(tmp_path, *odd, mapping=moved).reasons == (refusal,), "as a trial found it"
    mended = first_row(tmp_path, *odd, mapping=owed)
    assert (mended.values["borc"], mended.reasons) == (560, ())


def test_balances_of_two_years_are_not_mixed_up() -> None:
    rows = [(1, ("", "", "2024", "2025")), (2, (*WHO, "Bakiye", "Bakiye"))]
    header = headers.find(rows, list(FIELDS.values()))

    with pytest.raises(SheetRefused, match="“2024 Bakiye”, “2025 Bakiye”"):
        headers.check(header, list(FIELDS.values()))


@pytest.mark.parametrize(
    "headings",
    [
        *(("Bakiye (B)", "Bakiye (A)"), ("Bakiye B", "Bakiye A"), ("(B) Bakiye", "(A) Bakiye")),
        *(("Borçlu Bakiye", "Alacaklı Bakiye"), ("Bakiye (B)", "Bakiye (A)", "Borç Toplamı", "Alacak Toplamı")),
    ],
)
def test_balances_in_two_columns_are_debit_and_credit(tmp_path: Path, headings: tuple[str, ...]) -> None:
    cells = (0, "250,25", "100,00", "350,25")

    values = first_row(tmp_path, *zip(headings, cells, strict=False)).values

    assert (values["borc"], values["alacak"], values["bakiye"]) == (0, Decimal("250.25"), None)


def test_balances_below_a_merged_head_are_debit_and_credit() -> None:
    header = headers.find([(1, (*WHO, "Bakiye", None)), (2, (None, None, "B", "A"))], list(FIELDS.values()))

    assert header is not None
    assert (header.row, header.columns) == (2, {"code": 0, "title": 1, "borc": 2, "alacak": 3})


def test_what_was_carried_and_what_accumulated_are_told_apart_in_english() -> None:
    assert mapped("Balance Carryforward", "Accumulated Balance") == {"bakiye": "Accumulated Balance"}


def test_a_minus_under_debit_or_credit_is_said_unless_a_balance_beside_it_agrees(tmp_path: Path) -> None:
    row = first_row(tmp_path, ("Borç", 0), ("Alacak", "-250,25"))

    assert (row.values["alacak"], [said.tr[:32] for said in row.warnings]) == (
        *(Decimal("-250.25"), ["“Alacak” sütunundaki tutar eksi,"]),
    )
    assert not first_row(tmp_path, ("Borç", 0), ("Alacak", "-250,25"), ("Bakiye", "250,25")).warnings


def test_a_line_that_its_amount_cut_once_too_often_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cari.csv"
    path.write_text('Cari Kodu,Unvan,Bakiye\n120.01,Çınar,1234,56\n120.02,Ceylan,"1.234,56",\n', encoding="utf-8")

    with sheets.read(path, filename=path.name, fields=FIELDS) as opened:
        [[cut, whole]] = opened.rows()

    assert ["başlıktan çok hücre" in said.tr for said in cut.reasons] == [True]
    assert (whole.values["bakiye"], whole.reasons) == (Decimal("1234.56"), ())


def test_what_was_carried_over_is_not_added_and_that_is_said(tmp_path: Path) -> None:
    columns = ("Açılış Bakiyesi", 100), ("Borç", 900), ("Alacak", 50)

    row = first_row(tmp_path, *columns)

    assert (row.values["borc"], row.values["alacak"], row.values["bakiye"]) == (900, 50, None)
    assert ["Açılış Bakiyesi" in said.tr for said in row.warnings] == [True]
    assert not first_row(tmp_path, ("Devir Bakiye", 100), ("Bakiye", 900)).warnings


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(
    ("home", "abroad", "code"),
    [
        ("Bakiye", "Döviz Bakiye", "Döviz Cinsi"),
        ("Bakiye", "Dövizli Bakiye", "Döviz"),
        ("Tutar", "Döviz Tutarı", "Para Birimi"),
        ("Bakiye TL", "Bakiye Döviz", "Döviz Kodu"),
    ],
)
def test_a_row_in_foreign_currency_takes_its_amount_in_that_currency(
    tmp_path: Path, home: str, abroad: str, code: str, mirrored: bool
) -> None:
    columns = [(home, "42.000,00"), (abroad, "1.000,00"), (code, "USD")]

    row = first_row(tmp_path, *(columns[::-1] if mirrored else columns))

    assert (row.values["bakiye"], row.values["currency"]) == (Decimal(1000), "USD")
    assert (row.reasons, row.warnings) == ((), ())


def test_a_row_in_lira_keeps_its_amount_beside_a_foreign_column(tmp_path: Path) -> None:
    for code in ("TRY", "TL", ""):
        row = first_row(tmp_path, ("Bakiye", "42.000,00"), ("Döviz Bakiye", "0"), ("Döviz Cinsi", code))
        assert (row.values["bakiye"], row.warnings) == (Decimal(42000), ())


def test_debit_and_credit_in_foreign_currency_go_together(tmp_path: Path) -> None:
    columns = ("Borç Bakiye", 42000), ("Alacak Bakiye", 0), ("Döviz Tipi", "EUR"), ("Dövizli Borç Bakiye", 1000)

    row = first_row(tmp_path, *columns, ("Dövizli Alacak Bakiye", 0))

    assert (row.values["borc"], row.values["alacak"], row.values["currency"]) == (Decimal(1000), Decimal(0), "EUR")
    assert row.values["bakiye"] is None


def test_a_foreign_balance_keeps_the_side_that_lira_have_beside_it(tmp_path: Path) -> None:
    columns = ("Borç", 0), ("Alacak", 42000), ("Bakiye", 42000), ("Döviz Bakiye", 1000), ("Döviz Cinsi", "USD")

    values = first_row(tmp_path, *columns).values

    assert (values["bakiye"], values["side"], values["borc"], values["alacak"]) == (1000, "alacak", None, None)


@pytest.mark.parametrize("lira", ["3.500,00 (A)", -3500, "(3.500,00)", "3.500,00 A"])
@pytest.mark.parametrize("side", [(), (("B/A", ""),)])
def test_a_foreign_balance_keeps_the_mark_or_the_sign_of_the_one_in_lira(
    tmp_path: Path, lira: Any, side: tuple[tuple[str, Any], ...]
) -> None:
    row = first_row(tmp_path, ("Bakiye", lira), *side, ("Döviz Bakiye", "100,00"), ("Döviz", "USD"))

    assert (row.values["bakiye"], row.values["side"], row.reasons) == (Decimal(100), "alacak", ())
    marked = first_row(tmp_path, ("Bakiye", lira), *side, ("Döviz Bakiye", "100,00 (B)"), ("Döviz", "USD"))
    assert marked.values["side"] == "borc", "its own mark counts"


def test_a_foreign_row_without_its_foreign_amount_is_refused(tmp_path: Path) -> None:
    row = first_row(tmp_path, ("Bakiye", "42.000,00"), ("Döviz Bakiye", ""), ("Döviz Cinsi", "USD"))

    assert ["“Döviz Bakiye” sütunu boş" in said.tr for said in row.reasons] == [True]
    marked = first_row(tmp_path, ("Bakiye", 42), ("Döviz Bakiye", "10 €"), ("Döviz Cinsi", "USD"))
    assert ["EUR, ama para birimi sütununda USD" in said.tr for said in marked.reasons] == [True]


def test_a_foreign_amount_without_a_currency_is_not_taken_and_that_is_said(tmp_path: Path) -> None:
    row = first_row(tmp_path, ("Bakiye", "42.000,00"), ("Döviz Bakiye", "1.000,00"))

    assert row.values["bakiye"] == Decimal(42000)
    assert ["“Döviz Bakiye” sütunundaki tutar alınmadı" in said.tr for said in row.warnings] == [True]


def test_a_foreign_amount_alone_is_the_amount(tmp_path: Path) -> None:
    row = first_row(tmp_path, ("Döviz Bakiye", "1.000,00"), ("Döviz Cinsi", "USD"))

    assert (row.values["bakiye"], row.values["currency"], row.warnings) == (Decimal(1000), "USD", ())


@pytest.mark.parametrize(
    "heading",
    [
        *("Bakiye Tipi", "Bakiye Yönü", "Bakiye Şekli", "B/A Durumu", "Bakiye B/A", "Bakiye (B/A)", "Borç Alacak"),
        *("Yön", "Yönü", "Tip", "Tür", ""),
    ],
)
def test_the_side_of_a_balance_is_read_under_any_of_its_names(tmp_path: Path, heading: str) -> None:
    row = first_row(tmp_path, ("Bakiye", "1.500,00"), (heading, "A"))

    assert (row.values["bakiye"], row.values["side"]) == (Decimal(1500), "alacak")


def test_a_class_of_customers_is_no_side(tmp_path: Path) -> None:
    for heading, cell in (("Sınıf", "A"), ("Tip", "Bayi"), ("Tip", "")):
        assert first_row(tmp_path, ("Bakiye", "1.500,00"), (heading, cell)).values["side"] == "borc"
    left_out = {"mapping": {"side": ""}}
    assert first_row(tmp_path, ("Bakiye", "1.500,00"), ("Yön", "A"), **left_out).values["side"] == "borc"


def test_a_mobile_is_taken_from_whichever_column_has_one(tmp_path: Path) -> None:
    both = first_row(tmp_path, ("Telefon", "0212 111 22 33"), ("Cep Telefonu", "0532 111 22 33"), ("Bakiye", 1))
    one = first_row(tmp_path, ("Telefon", ""), ("Cep Telefonu", "0532 111 22 34"), ("Bakiye", 1))
    two = first_row(tmp_path, ("Telefon", "0533 111 22 35"), ("Telefon 2", "0532 111 22 34"), ("Bakiye", 1))
    none = first_row(tmp_path, ("Telefon", "0212 111 22 33"), ("Cep", ""), ("Bakiye", 1))

    phones = [row.values["phone"] for row in (both, one, two, none)]
    assert phones == ["0532 111 22 33", "0532 111 22 34", "0533 111 22 35", "0212 111 22 33"]


def test_a_second_address_stands_in_for_a_missing_one(tmp_path: Path) -> None:
    row = first_row(tmp_path, ("E-posta", ""), ("E-posta 2", "a@ornek.com"), ("Bakiye", 1))

    assert row.values["email"] == "a@ornek.com"
