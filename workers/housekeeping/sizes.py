"""How many bytes a row takes, as far as its values go: what house-keeping says that it set free."""

from typing import Any

from sqlalchemy import JSON, FromClause, Integer, LargeBinary, String, Text, cast, func, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement

PLAIN_BYTES = 8  # a number, an instant


class octets(FunctionElement[int]):
    """The length in bytes of a text or of bytes; their `length` counts letters."""

    name = "octets"
    type = Integer()
    inherit_cache = True


@compiles(octets)
def _octets(element: Any, compiler: Any, **options: Any) -> str:
    return f"octet_length({compiler.process(element.clauses, **options)})"


@compiles(octets, "sqlite")
def _octets_in_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    """Its octet_length is too new to rely on."""
    return f"length(CAST({compiler.process(element.clauses, **options)} AS BLOB))"


def size_of(table: FromClause) -> Any:
    """The bytes of a row of that table."""
    long = [column for column in table.c if isinstance(column.type, JSON | LargeBinary | String)]
    plain = literal(PLAIN_BYTES * (len(table.c) - len(long)))
    return sum((func.coalesce(octets(_text(column)), 0) for column in long), start=plain)


def _text(column: Any) -> Any:
    return cast(column, Text) if isinstance(column.type, JSON) else column
