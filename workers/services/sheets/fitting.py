"""How well a heading fits a field, and what its words say of an amount: of today or of before, in lira or not."""

import re
from collections.abc import Mapping
from functools import lru_cache

from workers.services import turkish
from workers.services.sheets.shapes import Field

GIVEN, UNDER_GROUP, EXACT, GROUPED, TRIMMED, PART = 20, 11, 10, 9, 8, 5
MIN_PART_LETTERS, MAX_HEADER_LETTERS = 5, 40
SEVERAL: tuple[str, ...] = ("tax_number", "email", "phone")  # kinds of which people keep more than one column
_BRACKETS = re.compile(r"[(\[].*?[)\]]")
_CURRENCY = re.compile(r"^(tl|try|usd|eur|gbp)(?=...)|(?<=...)(tl|try|usd|eur|gbp)$")
_NUMBER = re.compile(r"\d$")
# How words begin that make of a balance another figure, and such words themselves; the first ones name what was owed
# before.
_CARRIED = ("devir", "devred", "acilis", "once", "opening", "previous", "carr", "brought")
_OTHER_FIGURES: tuple[str, ...] = (
    *_CARRIED,
    "eski",
    "vade",
    "gecen",
    "gecmis",
    "limit",
    "risk",
    "ortalama",
    "tarih",
    "oran",
    "yuzde",
)
_OTHER_FIGURES += ("odeme", "tahsilat", "siparis", "cek", "senet", "kdv")
_OTHER_WORDS = {"basi", "adet", "adedi", "gun", "gunu", "kur", "kuru", "no", "kodu", "overdue", "average"}
_LATEST = {"guncel", "son", "sonu", "toplam", "toplami", "net", "genel", "kapanis", "kumulatif", "total", "closing"}
_LATEST |= {"accumulated", "cumulative"}
_FOREIGN_WORDS = {"yp", "yabanci", "fc"}


def score_of(
    field: Field, name: str, own: str, group: str, given: Mapping[str, str], amounts: tuple[Field, ...]
) -> int:
    """How well the header `name` (`own` without what stands above it, `group` above it) fits; `amounts`: the fields of
    money."""
    if field.name in given and (not given[field.name] or _same(given[field.name], name) or given[field.name] == own):
        return GIVEN if given[field.name] else 0
    names, mine = aliases(field), own or name
    whole = folded(mine)
    grouped = bool(group) and folded(group + own) in names
    if whole in names:
        return UNDER_GROUP if grouped else EXACT
    if grouped:
        return GROUPED
    if _CURRENCY.sub("", folded(_BRACKETS.sub("", mine))) in names:
        return TRIMMED
    if field.kind in SEVERAL and _NUMBER.sub("", whole) in names:
        return TRIMMED
    return PART if _is_part(field, mine, amounts) else 0


def _is_part(field: Field, heading: str, amounts: tuple[Field, ...]) -> bool:
    """Of words that name different things the last counts: `Dönem Sonu Bakiye` is no dönem, `Tutar Para Birimi` no
    tutar."""
    whole = folded(heading)
    if len(whole) >= MAX_HEADER_LETTERS:
        return False
    named = _amounts_named(heading, amounts)
    long = tuple(alias for alias in aliases(field) if len(alias) >= MIN_PART_LETTERS)
    if field.kind != "money":
        return bool(long) and (whole.endswith(long) or (len(named) != 1 and whole.startswith(long)))
    if is_other_figure(heading):
        return False
    return named == [field] if named else bool(long) and (whole.startswith(long) or whole.endswith(long))


@lru_cache(4096)
def _amounts_named(heading: str, amounts: tuple[Field, ...]) -> list[Field]:
    """Of borç, alacak and bakiye, in their order, what the words of a heading say: `Dönem Borç Bakiye` is borç, and
    `Borç Alacak Bakiyesi` bakiye. Several where it can't be said."""
    said = [each for each in amounts if not aliases(each).isdisjoint(words_of(heading))]
    if len(said) == len(amounts) > 1:
        return said[-1:]
    return said[:1] if len(said) == 2 and said[-1] == amounts[-1] else said


def is_other_figure(heading: str) -> bool:
    return any(word.startswith(_OTHER_FIGURES) or word in _OTHER_WORDS for word in words_of(heading))


def is_latest(heading: str) -> bool:
    return not _LATEST.isdisjoint(words_of(heading))


def is_carried(word: str) -> bool:
    return word.startswith(_CARRIED) or word == "basi"


def is_balance(heading: str) -> bool:
    return any(word.startswith(("bakiye", "balance")) for word in words_of(heading))


def is_foreign(heading: str) -> bool:
    return any(word.startswith("doviz") or word in _FOREIGN_WORDS for word in words_of(heading))


@lru_cache(1024)
def aliases(field: Field) -> frozenset[str]:
    return frozenset(map(turkish.fold, field.aliases)) - {""}


@lru_cache(4096)
def words_of(heading: str) -> tuple[str, ...]:
    return tuple(map(turkish.fold, re.findall(r"\w+", heading)))


folded = lru_cache(65_536)(turkish.fold)


def _same(one: str, other: str) -> bool:
    return one == other or (folded(one) == folded(other) != "")
