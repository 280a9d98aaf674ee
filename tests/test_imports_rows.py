"""What single rows of a sheet mean, and how the scratch file sorts them."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from workers.imports import balances
from workers.imports.scratch import Key, Part, Scratch, Understood

VALUES: dict[str, Any] = {"code": "1", "title": "Bir", "as_of": date(2025, 12, 31)}


@pytest.mark.parametrize(
    ("given", "amount", "side"),
    [
        ({"borc": Decimal("1.5")}, "1.50", "borc"),
        ({"alacak": Decimal("1.5")}, "1.50", "alacak"),
        ({"borc": Decimal("5"), "alacak": Decimal("7")}, "2.00", "alacak"),
        ({"borc": Decimal("0"), "alacak": Decimal("0")}, "0.00", "borc"),
        ({"borc": Decimal("-3")}, "3.00", "alacak"),
        ({"bakiye": Decimal("3")}, "3.00", "borc"),
        ({"bakiye": Decimal("-3")}, "3.00", "alacak"),
        ({"bakiye": Decimal("3"), "side": "alacak"}, "3.00", "alacak"),
        ({"bakiye": Decimal("3"), "side": "borc"}, "3.00", "borc"),
        ({"bakiye": Decimal("3"), "borc": Decimal("2"), "alacak": Decimal("5")}, "3.00", "alacak"),
        ({"bakiye": Decimal("3"), "borc": Decimal("3")}, "3.00", "borc"),
        ({"bakiye": Decimal("2"), "side": "alacak", "borc": Decimal("5"), "alacak": Decimal("7")}, "2.00", "alacak"),
    ],
)
def test_a_balance_is_an_amount_and_its_side(given: dict[str, Any], amount: str, side: str) -> None:
    values = {**VALUES, **given}

    assert balances.faults(values) == []
    key, who, line = balances.understand(values)
    assert (line, who) == ({"currency": "TRY", "amount": amount, "side": side}, {"code": "1", "title": "Bir"})
    assert key == Key("1", -date(2025, 12, 31).toordinal(), "TRY")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "bakiye"),
        ({"bakiye": Decimal("1"), "as_of": None}, "as_of"),
        ({"bakiye": Decimal("1"), "as_of": date(1989, 12, 31)}, "as_of"),
        ({"bakiye": Decimal("1"), "as_of": date(2199, 12, 31)}, "as_of"),
        ({"bakiye": Decimal("1"), "borc": Decimal("5"), "alacak": Decimal("7")}, "bakiye"),
        ({"bakiye": Decimal("-3"), "borc": Decimal("5"), "alacak": Decimal("2")}, "bakiye"),
        ({"bakiye": Decimal("3"), "side": "borc", "borc": Decimal("2"), "alacak": Decimal("5")}, "bakiye"),
        ({"borc": Decimal(10**15) + 1}, "bakiye"),
        ({"bakiye": Decimal("1"), "code": "x" * 61}, "code"),
    ],
)
def test_a_balance_that_says_too_little_or_two_things_is_refused(given: dict[str, Any], field: str) -> None:
    assert [name for name, _ in balances.faults({**VALUES, **given})] == [field]


rows_of = st.lists(
    st.tuples(st.sampled_from("abçdğ"), st.integers(-3, 0), st.sampled_from(["", "TRY", "USD"])), max_size=40
)


@given(keys=rows_of, size=st.integers(1, 7))
@examples(max_examples=60, deadline=None)
def test_batches_hold_whole_parts_in_order_and_go_on_anywhere(
    tmp_path_factory: pytest.TempPathFactory, keys: list[tuple[str, int, str]], size: int
) -> None:
    scratch = Scratch(tmp_path_factory.mktemp("s") / "rows.db")
    scratch.begin()
    scratch.add(Understood(Key(*key), number, {"code": key[0]}, {}) for number, key in enumerate(keys, 2))
    scratch.settle(20)
    scratch.finish({"rows": len(keys)})

    batches = list(scratch.batches(lambda: size))
    parts = [part for batch in batches for part in batch]
    doubled = {number for number, key in enumerate(keys, 2) if keys.count(key) > 1}

    assert [(part.group, part.part) for part in parts] == sorted({(part.group, part.part) for part in parts})
    assert sorted(number for part in parts for number, _ in part.rows) == sorted({*range(2, len(keys) + 2)} - doubled)
    assert {number for number, _ in scratch.said(bad=True)} == doubled
    assert all(len(batch) <= size for batch in batches)
    for place, part in enumerate(parts):
        rest = [later for batch in scratch.batches(lambda: size, part.place) for later in batch]
        assert rest == parts[place + 1 :]
        assert scratch.passed(part.place) == sum(len(before.rows) for before in parts[: place + 1])
    scratch.close()


def test_a_letter_has_no_room_for_more_than_its_lines(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path / "rows.db")
    scratch.begin()
    scratch.add(Understood(Key("1", 0, f"C{n}"), n, {}, {}) for n in range(1, 4))
    scratch.add([Understood(Key("2", 0, "C"), 9, {}, {})])
    scratch.settle(2)

    assert [number for number, _ in scratch.said(bad=True)] == [1, 2, 3]
    assert [[part] for part in (Part("2", 0, {}, [(9, {})], True),)] == list(scratch.batches(lambda: 5))


def test_the_main_accounts_of_a_trial_balance_are_warned_of_as_sums(tmp_path: Path) -> None:
    codes = ["120", "120.01", "120.01.001", "1201", "320 01", "320", "340", "ALİ", "ALİ VELİ"]
    scratch = Scratch(tmp_path / "rows.db")
    scratch.begin()
    scratch.add(Understood(Key(code), number, {}, {}) for number, code in enumerate(codes, 2))

    scratch.settle(20)

    warned = {codes[number - 2]: reasons[0][0] for number, reasons in scratch.said(bad=False)}
    assert list(warned) == ["120", "120.01", "320"]
    assert "(120.01.001)" in warned["120.01"]
