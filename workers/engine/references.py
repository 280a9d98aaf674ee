"""Which parameters of a kind are ids of records: marked so in their types, however deep."""

import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from typing_extensions import is_typeddict


@dataclass(frozen=True)
class Ref:
    """Marks a parameter as the id of a record of the caller's company: `Annotated[int, Ref("mutabakat")]`."""

    record: str


def names(hint: Any) -> Iterator[str]:
    """The records that values of this type may name."""
    if is_typeddict(hint):
        hints: Iterable[Any] = _fields(hint).values()
    elif get_origin(hint) is Annotated:
        yield from (mark.record for mark in hint.__metadata__ if isinstance(mark, Ref))
        hints = [hint.__origin__]
    else:
        hints = get_args(hint)
    for inner in hints:
        yield from names(inner)


def of(hint: Any, value: Any) -> Iterator[tuple[str, Any]]:
    if value is None:
        return
    if get_origin(hint) is Annotated:
        refs = [mark.record for mark in hint.__metadata__ if isinstance(mark, Ref)]
        yield from ((record, value) for record in refs)
        yield from of(hint.__origin__, value)
    elif get_origin(hint) in (Union, types.UnionType):
        for option in get_args(hint):
            yield from of(option, value)
    elif get_origin(hint) in (list, tuple, set) and isinstance(value, list | tuple | set):
        for part in value:
            yield from of(get_args(hint)[0], part)
    elif is_typeddict(hint) and isinstance(value, dict):
        for name, inner in _fields(hint).items():
            yield from of(inner, value.get(name))


def inner(hint: Any) -> Any:
    """The type of what such a list holds, without its marks; Any where it says none."""
    bare = hint.__origin__ if get_origin(hint) is Annotated else hint
    held = get_args(bare)[:1] if get_origin(bare) in (list, tuple) else ()
    found: Any = held[0] if held else Any
    return found.__origin__ if get_origin(found) is Annotated and found.__origin__ in (int, str) else found


@cache  # of each row of a bulk it is asked anew
def _fields(typed_dict: Any) -> dict[str, Any]:
    return get_type_hints(typed_dict, include_extras=True)
