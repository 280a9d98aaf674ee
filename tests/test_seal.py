"""The seal: what went in comes out, and nothing else ever does."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers import settings
from workers.engine.seal import Seal, encode, seal, unseal
from workers.errors import NotSerializable, SealBroken

OLD, NEW, FOREIGN = ("the old key of the tests " + c * 20 for c in "abc")
TEXT = st.text()
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=20,
)


def use_keys(*keys: str) -> None:
    settings.use(settings.load(secret_key=",".join(keys)))


@pytest.fixture(autouse=True)
def one_key() -> Iterator[None]:
    use_keys(OLD)
    yield
    settings.use(None)


@given(value=JSON)
def test_json_comes_back_as_it_went_in(value: Any) -> None:
    assert Seal.loads(Seal.dumps(value)) == value


@given(plain=st.binary(max_size=2000))
def test_bytes_come_back_as_they_went_in(plain: bytes) -> None:
    assert unseal(seal(plain)) == plain


def test_dates_and_decimals_become_text_and_sets_become_sorted_lists() -> None:
    value = {
        "amount": Decimal("1234.50"),
        "day": date(2025, 12, 31),
        "at": datetime(2026, 1, 5, tzinfo=UTC),
        "ids": {2, 1},
    }

    assert Seal.loads(Seal.dumps(value)) == {
        "amount": "1234.50",
        "day": "2025-12-31",
        "at": "2026-01-05T00:00:00+00:00",
        "ids": [1, 2],
    }


@dataclass(frozen=True)
class Measured:
    """What JSON knows, with a number."""

    name: str
    number: float | None


@pytest.mark.parametrize("value", [{None: None}, ["null", None, {"null": None}], Measured("null", None)])
def test_what_only_looks_like_an_infinite_number_is_sealed(value: Any) -> None:
    assert b"null" in unseal(Seal.dumps(value))


def test_keys_that_are_no_text_become_it() -> None:
    value = {1: None, date(2025, 12, 31): {None: 1.5, True: "evet"}}

    assert Seal.loads(Seal.dumps(value)) == {"1": None, "2025-12-31": {"null": 1.5, "true": "evet"}}


def test_the_same_value_is_never_sealed_the_same_way_twice() -> None:
    assert len({Seal.dumps("same") for _ in range(100)}) == 100


@given(value=st.text("0123456789", min_size=9), times=st.integers(1, 50))
def test_nothing_of_the_value_can_be_read_in_what_is_sealed(value: str, times: int) -> None:
    assert value.encode() not in Seal.dumps([value] * times)


def test_a_large_value_is_compressed() -> None:
    assert len(Seal.dumps(["+905321234567"] * 1000)) < 500


@given(value=JSON, data=st.data())
def test_a_byte_changed_anywhere_is_refused(value: Any, data: st.DataObject) -> None:
    sealed = bytearray(Seal.dumps(value))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))

    with pytest.raises(SealBroken):
        Seal.loads(bytes(sealed))


@given(value=JSON, data=st.data())
def test_what_is_cut_off_is_refused(value: Any, data: st.DataObject) -> None:
    sealed = Seal.dumps(value)

    with pytest.raises(SealBroken):
        Seal.loads(sealed[: data.draw(st.integers(0, len(sealed) - 1))])


@given(forged=st.binary(max_size=200))
def test_what_was_never_sealed_is_refused(forged: bytes) -> None:
    with pytest.raises(SealBroken):
        Seal.loads(forged)
    with pytest.raises(SealBroken):
        Seal.loads(b"S1" + forged)


def test_another_key_opens_nothing() -> None:
    sealed = Seal.dumps("secret")
    use_keys(FOREIGN)

    with pytest.raises(SealBroken, match="not among SECRET_KEY"):
        Seal.loads(sealed)


def test_after_a_rotation_the_old_key_still_opens_and_the_new_one_seals() -> None:
    sealed_before = Seal.dumps("before")
    use_keys(NEW, OLD)

    assert Seal.loads(sealed_before) == "before"
    sealed_after = Seal.dumps("after")

    use_keys(NEW)
    assert Seal.loads(sealed_after) == "after"
    with pytest.raises(SealBroken):
        Seal.loads(sealed_before)


class Opaque:
    """Nothing that JSON knows."""


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (Opaque(), "Opaque"),
        ({"rows": [1, {"cell": Opaque()}]}, "Opaque"),
        ([{1, 2}, (b"bytes",)], "bytes"),
        ({"n": 2**70}, "int"),
        ({"text": "\ud800"}, "str"),
        ({Opaque(): 1}, "Opaque"),
        (frozenset([Opaque()]), "Opaque"),
        ({1, "a"}, "set"),
        (math.nan, "nan"),
        ({"rows": [None, (1.5, -math.inf)], "day": date(2025, 12, 31)}, "-inf"),
        ([None, {math.nan: 1}], "nan"),
        ([Measured("null", math.nan)], "nan"),
        ({"rows": {1: "a", "1": "b"}}, "dict with two keys of the same name"),
    ],
)
def test_what_json_cannot_hold_is_refused_by_the_name_of_its_innermost_type(value: Any, named: str) -> None:
    with pytest.raises(NotSerializable) as refused:
        encode(value)

    assert refused.value.fields["type_name"] == named


def test_a_value_nested_too_deeply_or_without_end_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(800):
        deep = [deep]
    endless: list[Any] = []
    endless.append(endless)

    for value in (deep, endless):
        with pytest.raises(NotSerializable, match="list"):
            encode(value)
