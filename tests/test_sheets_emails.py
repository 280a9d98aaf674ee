"""E-mail addresses in cells: bare, several, or named as mail programs copy them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.test_sheets_values import meaning
from workers.errors import BadAddress
from workers.services import addresses
from workers.services.sheets import values
from workers.services.sheets.values import Said

PIECES = ["a@b.com", "Ali", "Veli", "ş@b.com", "@", "<", ">", '"', ";", ",", " ", "\n", "mailto:", ".", "x@y", "(", "'"]


@pytest.mark.parametrize(
    "cell",
    [
        "Ali Veli <ali@b.com>",
        "Ali Veli<ali@B.com> ",
        "<ali@b.com>",
        "Veli, Ali <ali@b.com>",
        '"Veli, Ali" <ali@b.com>',
        '"Veli; Ali <eski@b.com>" <ali@b.com>',
        "'ali@b.com' <ali@b.com>",
        "Ali@Firma <ali@b.com>",
        "ali@b.com<mailto:ali@b.com>",
        "Ali\n Veli < ali@b.com >;",
    ],
)
def test_a_named_address_is_taken_out_of_its_name(cell: str) -> None:
    assert values.email(cell) == "ali@b.com"


@pytest.mark.parametrize("cell", ["ali @b.com", "ali veli@b.com", "Ali Veli ali@b.com", "Ali; ali@b.com"])
def test_an_address_that_is_parted_is_refused_for_that_and_not_for_lack_of_its_sign(cell: str) -> None:
    assert "adreste boşluk, virgül veya noktalı virgül var" in values.email(cell).tr
    assert "adreste @ yok" in values.email("ali(at)b.com").tr


def test_a_balance_whose_address_is_named_is_a_good_row(tmp_path: Path) -> None:
    row = meaning(tmp_path, ("Bakiye", "E-posta"), 1.5, "Ali Veli <ali@b.com>")

    assert (row.reasons, row.values["email"]) == ((), "ali@b.com")


@pytest.mark.parametrize(
    "cell",
    [
        "Ali <ali@b.com>; Veli <v@b.com>",
        "Ali <ali@b.com>, Veli <v@b.com>",
        "Ali <ali@b.com>\nVeli <v@b.com>",
        "Ali <ali@b.com> v@b.com",
        '"Veli, Ali" <ali@b.com>; "Şen, Ayşe" <v@b.com>',
        "ali@b.com; Veli <v@b.com>",
    ],
)
def test_of_several_named_addresses_the_first_is_taken_with_a_doubt(cell: str) -> None:
    found = values.email(cell)

    assert (found.value, found.bad) == ("ali@b.com", False)
    assert "ilki alındı" in found.tr


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("Ali Veli <ali@b.co", "boşluk"),  # cut off: its end may be missing
        ("Ali <ali@>; Veli <v@b.com>", "alan adı eksik"),
        ("Ali Veli <>", "@ yok"),
        ("Ali Veli <ali>", "@ yok"),
        ("Ali <ali@b.com, v@b.com>", "boşluk"),
        ('<a"x"li@b.com>', "boşluk"),
    ],
)
def test_what_names_no_whole_address_is_refused(cell: str, reason: str) -> None:
    found = values.email(cell)

    assert (found.value, found.bad) == (None, True)
    assert reason in found.tr


def before_names(cell: str) -> str | None:
    """The first of what stands between separators, as long as no names were read; None where that is no address."""
    text = " ".join(cell.split())
    parts = text.removeprefix("mailto:").replace(";", " ").replace(",", " ").split()
    try:
        return addresses.check(parts[0]) if parts else None
    except BadAddress:
        return None


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=9).map("".join))
def test_what_is_read_without_its_names_stays_what_it_was(cell: str) -> None:
    expected, found = before_names(cell), values.email(cell)

    taken = found.value if isinstance(found, Said) else found

    assert expected is None or taken == expected
    assert taken is None or taken.lower() in cell.lower()  # a domain is written small


def test_a_cell_of_brackets_as_long_as_excel_allows_is_refused() -> None:
    for piece in ("<", ">", '"', "<a@", "Ali <", ";", "@"):
        cell = (piece * 32_767)[:32_767]
        assert values.email(cell).bad
