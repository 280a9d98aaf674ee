"""Segments of an SMS, counted against a packer that knows only the standard's tables and tries every way to split."""

import doctest
from itertools import accumulate

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workers.errors import BadText
from workers.services import sms_text
from workers.services.sms_text import Billing, alphabet_of, measure, plain

# 3GPP TS 23.038, 6.2.1: the default alphabet by code, and 6.2.1.1: what follows an escape.
BY_CODE = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
ESCAPED = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}
TURKISH_SHIFT = ESCAPED | {0x47: "Ğ", 0x49: "İ", 0x53: "Ş", 0x63: "ç", 0x67: "ğ", 0x69: "ı", 0x73: "ş"}
TURKISH_LOCK = {0x04: "€", 0x07: "ı", 0x0B: "Ğ", 0x0C: "ğ", 0x1C: "Ş", 0x1D: "ş", 0x40: "İ", 0x60: "ç"}
LOCKED = "".join(TURKISH_LOCK.get(code, char) for code, char in enumerate(BY_CODE))
ESC, OCTETS = 0x1B, 140
SETS = {  # base table, shift table, octets of header that the tables take
    "GSM-7": (BY_CODE, ESCAPED, 0),
    "GSM-7-TR": (BY_CODE, TURKISH_SHIFT, 3),
    "GSM-7-TR-LOCKING": (LOCKED, ESCAPED, 3),
    "GSM-7-TR-BOTH": (LOCKED, TURKISH_SHIFT, 6),
}
OFFERED = {
    "none": ["GSM-7"],
    "gsm": ["GSM-7", "GSM-7-TR"],
    "locking": ["GSM-7", "GSM-7-TR-LOCKING"],
    "both": ["GSM-7", "GSM-7-TR-BOTH"],
    "all": ["GSM-7", "GSM-7-TR", "GSM-7-TR-LOCKING", "GSM-7-TR-BOTH"],
}
TURKISH = "ĞİŞçğış"

letters = st.sampled_from(BY_CODE.replace("\x1b", "") + "\f^{}\\[~]|€" + TURKISH * 3)
texts = st.text(letters, min_size=1, max_size=320).filter(str.strip)
any_texts = st.text(st.one_of(letters, st.sampled_from("👍ß中ё\u2028")), min_size=1, max_size=220).filter(str.strip)


def codes(text: str, table: str) -> list[list[int]] | None:
    """The septets of each character."""
    base, shift, _ = SETS[table]
    escaped = {char: [ESC, code] for code, char in shift.items()}
    known = escaped | {char: [code] for code, char in enumerate(base) if code != ESC}
    return [known[char] for char in text] if all(char in known for char in text) else None


def room(header_octets: int, units: int = 7) -> int:
    """What is left of 140 octets beside a header (with the octet of its length), padded to whole units of bits."""
    return (OCTETS * 8 - (header_octets + bool(header_octets)) * 8) // units


def fewest(pieces: list[int], single: int, multi: int) -> int:
    """The fewest segments over every way to split between pieces."""
    ends = [0, *accumulate(pieces)]
    if ends[-1] <= single:
        return 1
    best = [0] + [len(pieces)] * len(pieces)
    for n in range(1, len(ends)):
        best[n] = 1 + min(best[start] for start in range(n) if ends[n] - ends[start] <= multi)
    return best[-1]


def segments(text: str, table: str) -> int | None:
    if table == "UCS-2":
        return fewest([len(char.encode("utf-16-be")) // 2 for char in text], room(0, 16), room(5, 16))
    septets, header = codes(text, table), SETS[table][2]
    return septets and fewest([len(one) for one in septets], room(header), room(header + 5))


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(sms_text).failed == 0


def test_the_room_beside_each_header_is_what_the_standard_leaves():
    assert [room(0), room(5), room(3), room(8), room(6), room(11), room(0, 16), room(5, 16)] == [
        *(160, 153, 155, 149, 152, 146, 70, 67)
    ]


@given(texts, st.sampled_from(sorted(OFFERED)))
@example("€" * 77, "gsm")
@example("a" * 152 + "€" + "a" * 160, "gsm")
@example("ş" * 149, "all")
@example("èş", "locking")
def test_a_text_takes_the_fewest_segments_of_the_alphabets_that_the_sender_has(text, tables):
    found = measure(text, tables=tables, max_segments=99)

    counts = {table: count for table in OFFERED[tables] if (count := segments(text, table))}
    assert found.segments == min(counts.values(), default=segments(text, "UCS-2"))
    assert found.encoding == min(counts, key=counts.__getitem__, default="UCS-2")
    assert found.segments * found.per_segment >= found.units


@given(any_texts)
@example("a" * 66 + "👍" + "中" * 66)
def test_a_surrogate_pair_is_never_split(text):
    found = measure(text + "👍", max_segments=99)

    assert (found.encoding, found.segments) == ("UCS-2", segments(text + "👍", "UCS-2"))
    assert found.units == len((text + "👍").encode("utf-16-be")) // 2


@given(any_texts)
def test_without_its_offending_characters_a_text_costs_no_more_than_the_simplest_alphabet(text):
    found = measure(text + "a", max_segments=99)
    kept = "".join(char for char in text if char not in found.offending) + "a"

    assert (found.offending == []) == (found.encoding == "GSM-7")
    assert len(set(found.offending)) == len(found.offending)
    assert measure(kept, max_segments=99).encoding in {"UCS-2": ("GSM-7", "GSM-7-TR")}.get(found.encoding, ("GSM-7",))
    assert found.encoding == alphabet_of(text + "a")


@pytest.mark.parametrize(
    ("text", "cost", "encoding", "count"),
    [
        ("a" * 160, 2, "GSM-7", 1),
        ("a" * 161, 2, "GSM-7", 2),
        ("a" * 306, 2, "GSM-7", 2),
        ("a" * 307, 2, "GSM-7", 3),
        ("ÇÖÜöü" * 32, 2, "GSM-7", 1),
        ("ş" + "a" * 153, 2, "GSM-7-TR", 1),
        ("ş" + "a" * 154, 2, "GSM-7-TR", 2),
        ("ş" * 155, 1, "GSM-7-TR", 1),
        ("ş" * 298, 1, "GSM-7-TR", 2),
        ("ş" * 299, 1, "GSM-7-TR", 3),
        ("ş" * 447, 1, "GSM-7-TR", 3),
        ("中" * 70, 2, "UCS-2", 1),
        ("👍" * 35, 2, "UCS-2", 1),
        ("👍" * 36, 2, "UCS-2", 2),
        ("👍" * 66, 2, "UCS-2", 2),
        ("👍" * 67, 2, "UCS-2", 3),
    ],
)
def test_the_limits_that_gateways_publish_hold(text, cost, encoding, count):
    found = measure(text, turkish_cost=cost)

    assert (found.encoding, found.segments) == (encoding, count)


def test_what_the_gateway_adds_is_counted_with_the_text():
    billing = Billing(turkish_cost=1, suffix=5)

    assert [billing.measure("ş" * n).segments for n in (150, 151)] == [1, 2]
    assert [billing.measure("a" * n).segments for n in (155, 156)] == [1, 2]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "boş"),
        (" \n\u00a0", "boş"),
        ("a" * 1601, "1600"),
        ("a" * 1600, "en çok 10"),
        ("👍" * 336, "en çok 10"),
        ("a\x00b", "denetim"),
        ("a\ud83db", "denetim"),
    ],
)
def test_an_empty_text_a_long_one_and_one_that_is_none_are_refused(text, reason):
    with pytest.raises(BadText, match=reason):
        measure(text)


def test_a_gateway_with_a_lower_limit_refuses_earlier():
    assert measure("a" * 1071, max_segments=7).segments == 7
    with pytest.raises(BadText, match="8 SMS"):
        measure("a" * 1072, max_segments=7)


@given(st.text("abcçdefgğhıijklmnoöprsştuüvyzABCÇDEFGĞHIİJKLMNOÖPRSŞTUÜVYZâîûÂÎÛ ’“”–…\u00a0.,0123456789", min_size=1))
def test_plain_spelling_needs_the_default_alphabet_only(text):
    spelled = plain(text)

    assert alphabet_of(spelled) == "GSM-7"
    assert plain(spelled) == spelled
    assert spelled.isascii()


def test_letters_that_are_written_as_two_characters_are_spelled_plainly_too():
    assert plain("S\u0327u\u0308kru\u0308 I\u0307") == "Sukru I"
