"""Which row names the columns, and which column is which field."""

from datetime import date

import pytest

from tests.workbooks import FIELDS, HEAD, balances, parts, sheet, workbook, write
from workers.errors import NoHeader, SheetRefused
from workers.services import sheets
from workers.services.columns import COLUMNS
from workers.services.sheets import headers

ALL = list(FIELDS.values())
BALANCES = [
    sheets.Field(one.name, (one.tr, one.en, *one.aliases), one.kind, one.required) for one in COLUMNS["mutabakat"]
]


def found(*rows, given=None):
    return headers.find(list(enumerate(rows, 1)), ALL, given)


def mapping(*rows, given=None):
    return found(*rows, given=given).mapping


def test_headers_are_matched_however_they_are_written():
    assert mapping(("CARİ KODU", "ÜNVAN", "Vergi No.", "e-posta", "GSM", "TARİH", "BORÇ", "ALACAK", "b/a")) == {
        "code": "CARİ KODU",
        "title": "ÜNVAN",
        "tax_number": "Vergi No.",
        "email": "e-posta",
        "phone": "GSM",
        "as_of": "TARİH",
        "borc": "BORÇ",
        "alacak": "ALACAK",
        "side": "b/a",
    }


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("Bakiye (TL)", "amount"),
        ("Bakiye TL", "amount"),
        ("Dönem Sonu Bakiye", "amount"),
        ("Borç/Alacak", "side"),
        ("Ticari Ünvanı (Tam)", "title"),
        ("Müşteri Vergi Kimlik No", "tax_number"),
        ("  Mutabakat\nTarihi ", "as_of"),
    ],
)
def test_a_header_with_more_words_is_understood(header, field):
    assert field in found(("Cari Kodu", "Unvan", header)).columns


def test_the_better_match_wins_the_column():
    assert mapping(("Cari Kodu", "Unvan", "Eski Bakiye", "Bakiye"))["amount"] == "Bakiye"


def test_titles_above_the_header_are_passed_over():
    header = found(
        ("ÇINAR HOLDİNG CARİ HESAP LİSTESİ",),
        ("Rapor Tarihi:", "31.12.2025"),
        HEAD,
        ("120.01", "Unvan A.Ş.", None, None, 5, "B"),
    )

    assert (header.row, header.names) == (3, list(HEAD))


def test_group_headers_above_merged_cells_are_understood():
    header = found(
        ("Cari", None, "Vergi", "Bakiye", None),
        ("Kodu", "Unvan", "No", "Borç", "Alacak"),
        ("120", "A", None, 1, 0),
    )

    assert header.row == 2
    assert header.columns == {"code": 0, "title": 1, "tax_number": 2, "borc": 3, "alacak": 4}


def test_a_header_that_reaches_over_two_rows_is_understood():
    header = found(("Cari Kodu", "Unvan", "Bakiye", None), (None, None, "Borç", "Alacak"))

    assert header.row == 2
    assert header.mapping == {"code": "Cari Kodu", "title": "Unvan", "borc": "Borç", "alacak": "Alacak"}


def test_a_trial_balance_keeps_its_debit_and_credit_apart_from_its_balances():
    header = found(("HESAP KODU", "CARİ ADI", "BORÇ", "ALACAK", "BORÇ BAKİYE", "ALACAK BAKİYE"))

    assert header.columns == {"code": 0, "title": 1, "borc": 2, "alacak": 3}


def test_of_two_pairs_that_are_called_alike_that_under_bakiye_is_taken():
    header = found(("Cari", None, "Devir", None, "Bakiye", None), ("Kodu", "Unvan", "Borç", "Alacak", "Borç", "Alacak"))

    assert header.mapping == {"code": "Cari Kodu", "title": "Unvan", "borc": "Bakiye Borç", "alacak": "Bakiye Alacak"}


@pytest.mark.parametrize(
    "rows",
    [
        [("Cari Kodu", "Unvan", "USD Borç", "USD Alacak")],
        [("Cari", None, "USD", None), ("Cari Kodu", "Unvan", "Borç", "Alacak")],
        [(None, None, "USD", None), ("Cari Kodu", "Unvan", "Borç", "Alacak")],
    ],
)
def test_a_currency_before_or_above_a_header_belongs_to_its_name(rows):
    assert found(*rows).mapping == {
        "code": "Cari Kodu",
        "title": "Unvan",
        "borc": "USD Borç",
        "alacak": "USD Alacak",
    }


def test_a_header_under_a_group_maps_again_by_the_name_that_was_told():
    rows = [("Cari", None, "USD", "EUR"), ("Kodu", "Unvan", "Borç", "Borç")]

    assert found(*rows, given={"borc": "EUR Borç"}).columns["borc"] == 3
    assert mapping(tuple(found(*rows).names))["code"] == "Cari Kodu", "as the error workbook has it in one row"


def test_a_title_beside_a_date_is_no_name_of_the_columns_below():
    header = found(("CARİ HESAP BAKİYE LİSTESİ (TL)", None, None, "31.12.2025"), HEAD)

    assert (header.row, header.names) == (2, list(HEAD))


def test_numbers_and_days_among_the_headers_keep_their_names():
    assert found(("Cari Kodu", "Unvan", 2025, date(2025, 12, 31))).names[2:] == ["2025", "31.12.2025"]


def test_headers_that_are_there_twice_get_numbers():
    header = found(("Cari Kodu", "Unvan", "Borç", "Alacak", "Borç", None, "Alacak"))

    assert header.names == ["Cari Kodu", "Unvan", "Borç", "Alacak", "Borç (2)", "", "Alacak (2)"]
    assert header.columns["borc"] == 2


def test_a_given_mapping_goes_before_the_proposal():
    head = ("Cari Kodu", "Unvan", "Firma", "Bakiye", "Borç", "Borç")

    given = {"title": "Firma", "borc": "Borç (2)", "amount": "", "phone": "not there"}

    assert mapping(head, given=given) == {"code": "Cari Kodu", "title": "Firma", "borc": "Borç (2)"}


def test_a_given_mapping_finds_a_header_that_nobody_would_guess():
    header = found(("Liste",), ("№", "Kim", "Ne"), given={"code": "№", "title": "Kim"})

    assert (header.row, header.mapping) == (2, {"code": "№", "title": "Kim"})


def test_rows_of_numbers_and_names_are_no_header():
    assert found(("120", "Çınar"), (1, 2)) is None
    assert found() is None


def test_a_missing_column_is_named_with_those_that_were_seen(tmp_path):
    path = workbook(tmp_path / "cari.xlsx", (), ("Cari Kodu", "Telefon", "Bakiye"), ("1", "2", 3))

    with pytest.raises(NoHeader, match=r"2\. satırdaki başlıklarda Unvan yok; görülenler: Cari Kodu, Telefon, Bakiye"):
        _open(path)


def test_without_a_header_the_reason_shows_the_first_rows(tmp_path):
    path = workbook(tmp_path / "cari.xlsx", ("Sevgili Ayşe",), ("bu bir", "mektup", 5))

    with pytest.raises(NoHeader, match=r"Cari Kodu, Unvan, .*1: Sevgili Ayşe / 2: bu bir \| mektup \| 5") as caught:
        _open(path)
    assert caught.value.final


def test_an_empty_sheet_and_one_with_only_a_header_are_refused(tmp_path):
    with pytest.raises(SheetRefused, match=r"sayfa boş \(Cari\)"):
        _open(workbook(tmp_path / "a.xlsx"))
    with pytest.raises(SheetRefused, match="başlığın altında satır yok"):
        _open(balances(tmp_path / "b.xlsx"))
    with pytest.raises(SheetRefused, match="satır ve sütunlardan oluşan bir sayfa yok"):
        _open(write(tmp_path / "c.xlsx", parts({})))
    with pytest.raises(SheetRefused, match="sayfa boş"):
        _open(write(tmp_path / "d.xlsx", parts({"Cari": sheet("").replace("<sheetData></sheetData>", "<sheetData/>")})))


def _open(path):
    with sheets.read(path, filename=path.name, fields=FIELDS) as opened:
        return opened


@pytest.mark.parametrize("heading", ["İşlem Dövizi", "Hesap Dövizi", "Döv.", "Birim", "Cinsi"])
def test_a_column_of_currencies_is_that_whatever_it_is_called(heading):
    head = ("Cari Kodu", "Unvan", "Bakiye", heading, "Not")
    rows = [("1", "A", 5, "USD", "ara"), ("2", "B", 6, "", ""), ("3", "C", 7, "TL", "USD"), ("4", "D", 8, "yok", "")]

    assert mapping(head, *rows)["currency"] == heading
    assert "currency" not in mapping(head, *rows, given={"currency": ""})


@pytest.mark.parametrize(
    ("headings", "cells"),
    [
        (("Tipi", "Grup"), ("USD", "EUR")),  # which of them?
        (("Limit", ""), ("USD", "")),
        (("Not", "Para Birimi"), ("USD", "TRY")),
        (("Not", ""), ("USD alındı", "")),
    ],
)
def test_currencies_that_may_be_of_something_else_are_not_those_of_the_balance(headings, cells):
    found = mapping(("Cari Kodu", "Unvan", "Bakiye", *headings), ("1", "A", 5, *cells))

    assert found.get("currency") == ("Para Birimi" if "Para Birimi" in headings else None)


@pytest.mark.parametrize(
    ("headings", "first", "second", "taken"),
    [
        (("Birim", "İşlem Dövizi"), ("USD", "EUR"), ("USD", "TRY"), None),
        (("Birim", "Döviz Kuru Cinsi"), ("USD", "EUR"), ("USD", "EUR"), None),
        (("Döviz", "Birim"), ("", "USD"), ("", "USD"), None),
        (("Tipi", "Grup"), ("TL", "TL"), ("TL", "TL"), None),
        (("Döviz Cinsi Kodu", "Döviz Adı"), ("USD", "ABD Doları"), ("", "TL"), "Döviz Cinsi Kodu"),
        (("Döviz Kuru", "Birim"), (35.12, "USD"), (1, "TL"), "Birim"),
        (("Kur Türü", "Limit Dövizi"), ("USD", "EUR"), ("USD", "EUR"), "Kur Türü"),
        (("", "Not"), ("USD", "x"), ("EUR", ""), "Para Birimi"),
        (("Para Birimi", "Raporlama Dövizi"), ("TL", "USD"), ("USD", "USD"), "Para Birimi"),
    ],
)
def test_of_columns_of_currencies_that_do_not_agree_none_is_taken_and_the_file_is_refused(
    headings, first, second, taken
):
    rows = [("Cari Kodu", "Unvan", "Bakiye", *headings), ("1", "A", 5, *first), ("2", "B", 6, *second)]
    header = headers.find(list(enumerate(rows, 1)), BALANCES)

    assert header.mapping.get("currency") == taken
    if taken is None:
        with pytest.raises(SheetRefused, match=r"hangi sütunda belli değil: “.+”, “.+”; yüklerken o sütunu seçin"):
            headers.check(header, BALANCES)
    else:
        headers.check(header, BALANCES)


def test_the_balance_in_foreign_currency_is_taken_by_a_currency_that_only_its_cells_tell(tmp_path):
    rows = [("Cari Kodu", "Unvan", "Bakiye", "Döviz Bakiye", "Birim"), ("1", "A", 3500, 100, "USD")]
    path = workbook(tmp_path / "cari.xlsx", *rows)

    with sheets.read(path, filename=path.name, fields=FIELDS) as opened:
        [[row]] = opened.rows()

    assert (row.values["currency"], row.values["amount"]) == ("USD", 100)


SIDES = ("Bak. Tipi", "Bak. Türü", "Bky. Tipi", "Bakiye Tip", "B/A Tipi", "Bakiye Tipi", "BA", "B/A")


@pytest.mark.parametrize("heading", SIDES)
def test_the_type_of_a_balance_is_known_however_it_is_shortened(heading):
    rows = [("Cari Kodu", "Unvan", "Bakiye", heading), ("1", "A", 5, "Borçlu"), ("2", "B", 6, "A"), ("3", "C", 7, "X")]

    assert headers.find(list(enumerate(rows, 1)), BALANCES).mapping["side"] == heading


@pytest.mark.parametrize(
    ("heading", "cells", "more", "is_refused"),
    [
        ("Hareket Tipi", ("B", "A"), {}, True),
        ("Açıklama", ("Borç", "Alacak"), {}, True),
        ("Açıklama", ("Borç yazıldı", "ara"), {}, False),
        ("Müşteri Grubu", ("A", "B"), {}, False),
        ("Aktif/Pasif", ("A", "A"), {}, False),
        ("Durum", ("A", "A"), {}, False),
        ("Hareket Tipi", ("B", "A"), {"amounts": (5, -6)}, False),  # minus says it
        ("Hareket Tipi", ("B", "A"), {"amounts": ("5,00 (B)", "6,00 (A)")}, False),
        ("Hareket Tipi", ("B", "A"), {"given": {"side": ""}}, False),
        ("Hareket Tipi", ("B", "A"), {"given": {"side": "Hareket Tipi"}}, False),
    ],
)
def test_a_column_of_debits_and_credits_under_another_heading_is_not_passed_over(heading, cells, more, is_refused):
    amounts = more.get("amounts", (5, 6))
    rows = [("Cari Kodu", "Unvan", "Bakiye", heading), *((str(n), "A", amounts[n], cells[n]) for n in range(2))]
    header = headers.find(list(enumerate(rows, 1)), BALANCES, more.get("given"))

    if is_refused:
        with pytest.raises(SheetRefused, match=f"“{heading}” B/A olabilir"):
            headers.check(header, BALANCES)
    else:
        headers.check(header, BALANCES)
