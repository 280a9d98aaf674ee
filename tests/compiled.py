"""What each application compiles again, though it comes out the same: its routes and its templates. Nearly a thousand
tests have an application of their own, and this process compiles for the first of them only."""

from collections.abc import Callable
from typing import Any

from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from werkzeug.routing import Rule

from app.face import Face

Builder = Callable[..., tuple[str, str]]
_compile_builder = Rule._compile_builder
_builders: dict[tuple[Any, ...], Builder] = {}


def keep() -> None:
    """From now on compile the same route and the same template once."""
    Rule._compile_builder = _kept_builder  # type: ignore[method-assign]
    Face.jinja_options = {"bytecode_cache": Templates()}


def _kept_builder(rule: Rule, append_unknown: bool = True) -> Builder:
    """The function that builds a rule's URL. It asks the rule that it is bound to for its converters, so it is as good
    for another rule of the same parts; only defaults are written into it."""
    if rule.defaults:
        return _compile_builder(rule, append_unknown)
    key = (rule.rule, tuple(rule._trace), append_unknown)
    if key not in _builders:
        _builders[key] = _compile_builder(rule, append_unknown)
    return _builders[key]


class Templates(BytecodeCache):
    """The code of each template, by its name, its place and its text."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], Any] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._codes[bucket.key, bucket.checksum] = bucket.code
