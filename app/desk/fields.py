"""A kind's parameters as the fields of a form, and what was typed back as the JSON values that the kind checks."""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict

from app.desk.told import worded
from workers.engine.registry import Kind

PREFIX = "p."  # in front of a parameter's name, so that none of them meets the form's own fields
WHOSE = "company_id"
LONG = frozenset({"body", "html", "message", "text"})
WHOLE, BROKEN = re.compile(r"-?\d{1,18}"), re.compile(r"-?\d+[.,]\d+")
BETWEEN = re.compile(r"[\s,;]+")
Schema = dict[str, Any]
Problems = Iterable[Mapping[str, str]]


@dataclass(frozen=True)
class Field:
    """One field. `control`: line, area, number, day, switch, choice, choices, lines, numbers, rows or json; `text` is
    what stands in it, `chosen` what is ticked; `choices` are values
    and their names, `columns` the names of a row's cells."""

    name: str
    label: str
    control: str
    required: bool
    about: str
    text: str
    chosen: tuple[str, ...] = ()
    choices: tuple[tuple[str, str], ...] = ()
    columns: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"{PREFIX}{self.name}".replace(".", "-")


def fields_of(kind: Kind, typed: MultiDict[str, str] | None = None, problems: Problems = ()) -> list[Field]:
    """The fields in the order of the parameters: with what was typed (None: the defaults) and what is wrong with it."""
    schema, told = kind.schema(), list(problems)
    required = set(schema.get("required", ()))
    return [
        _field(name, part, name in required, typed, told)
        for name, part in _parts(schema).items()
        if name != WHOSE or part["type"] != "integer"
    ]


def params_of(kind: Kind, typed: MultiDict[str, str]) -> dict[str, Any]:
    """What was typed, as JSON values; what can't be one stays text, for the kind to refuse. Empty means left out."""
    return {name: value for name, part in _parts(kind.schema()).items() for value in _value(name, part, typed)}


def loose(kind: Kind, problems: Problems) -> list[str]:
    """What is wrong and stands at no field of the form."""
    shown = {field.name for field in fields_of(kind)}
    named = ((each["field"], worded(each["message"])) for each in problems)
    return [
        text if not name or name == "body" else f"{name}: {text}"
        for name, text in named
        if name.split(".")[0] not in shown
    ]


def _field(name: str, part: Schema, required: bool, typed: MultiDict[str, str] | None, problems: Problems) -> Field:
    control, key = _control(name, part), PREFIX + name
    default = part.get("default")
    chosen = tuple(typed.getlist(key)) if typed is not None else tuple(default or ()) if control == "choices" else ()
    return Field(
        name,
        _(part.get("title") or name),
        control,
        required and control != "switch",
        _(part["description"]) if part.get("description") else "",
        (typed.get(key, "") if typed is not None else _text(default)),
        chosen,
        tuple((str(each), _(str(each))) for each in _choices(part) or _choices(part.get("items", {}))),
        tuple(_columns(part.get("items", {}))),
        tuple(_told(name, problems)),
    )


def _told(name: str, problems: Problems) -> Iterator[str]:
    """What is wrong with the field; of one row among many, with its number (from 1) and the cell's name."""
    for each in problems:
        head, *rest = each["field"].split(".")
        if head == name:
            where = [str(int(step) + 1) if step.isdigit() else step for step in rest]
            yield ": ".join([*([" · ".join(where)] if where else []), worded(each["message"])])


def _control(name: str, part: Schema) -> str:
    kind, items = part.get("type"), part.get("items", {})
    if _choices(part):
        return "choice"
    if kind == "array" and _choices(items):
        return "choices"
    if kind == "array" and items.get("type") in ("integer", "number", "string"):
        return "lines" if items["type"] == "string" else "numbers"
    if kind == "array" and _columns(items):
        return "rows"
    if kind == "string":
        return "day" if part.get("format") == "date" else "area" if name in LONG else "line"
    return {"integer": "number", "number": "number", "boolean": "switch"}.get(str(kind), "json")


def _value(name: str, part: Schema, typed: MultiDict[str, str]) -> list[Any]:
    """The value in a list, or none."""
    control, key = _control(name, part), PREFIX + name
    text = typed.get(key, "")
    if control == "switch":
        return [bool(text)]
    if control == "choices":
        return [typed.getlist(key)]
    if not text.strip():
        return []
    if control in ("lines", "numbers"):
        split = BETWEEN.split(text.strip()) if control == "numbers" else map(str.strip, text.splitlines())
        return [[_cell(part["items"], each) for each in split if each]]
    if control == "rows":
        return [_rows(text, part["items"])]
    return [_cell(part, text if control == "area" else text.strip())]


def _cell(part: Schema, text: str) -> Any:
    kind = part.get("type")
    if kind == "string":
        return text.replace("\r\n", "\n")
    if kind in ("integer", "number"):
        return _number(text)
    if kind == "boolean":
        return {"1": True, "true": True, "0": False, "false": False}.get(text.strip().lower(), text)
    return _json(text)


def _number(text: str) -> Any:
    if WHOLE.fullmatch(text):
        return int(text)
    return float(text.replace(",", ".")) if BROKEN.fullmatch(text) else text


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _rows(text: str, part: Schema) -> Any:
    """Rows as JSON, or as lines of cells between tabs (pasted from a sheet) or semicolons; the last has the rest."""
    if text.lstrip()[:1] in "[{":
        return _json(text)
    columns, shapes = _columns(part), _parts(part)
    mark = "\t" if "\t" in text else ";"
    found = []
    for cells in csv.reader(io.StringIO(text.strip()), delimiter=mark):
        if any(cell.strip() for cell in cells):
            whole = (
                [*cells[: len(columns) - 1], mark.join(cells[len(columns) - 1 :])]
                if len(cells) > len(columns)
                else cells
            )
            pairs = zip(columns, (cell.strip() for cell in whole), strict=False)
            found.append({name: _cell(shapes[name], cell) for name, cell in pairs if cell})
    return found


def _parts(schema: Schema) -> dict[str, Schema]:
    """The properties of an object, references and "or null" taken away."""
    defined = schema.get("$defs", {})
    return {name: _plain(part, defined) for name, part in schema.get("properties", {}).items()}


def _plain(part: Schema, defined: Mapping[str, Schema]) -> Schema:
    if "$ref" in part:
        named = defined.get(part["$ref"].rpartition("/")[2], {})
        part = {**named, **{name: value for name, value in part.items() if name != "$ref"}}
    options = [option for option in part.get("anyOf", ()) if option.get("type") != "null"]
    if {option.get("type") for option in options} == {"number", "string"}:  # a Decimal: as text it stays exact
        options = [option for option in options if option["type"] == "string"]
    if len(options) == 1:
        rest = {name: value for name, value in part.items() if name != "anyOf"}
        part = {**_plain(options[0], defined), **rest}
        if part.get("type") == "boolean":  # yes, no, or nothing said: more than a switch can tell
            part["enum"] = ["true", "false"]
    if "items" in part:
        part = {**part, "items": _plain(part["items"], defined)}
    if "properties" in part:
        part = {**part, "properties": _parts({**part, "$defs": defined})}
    return part if "type" in part or _choices(part) else {**part, "type": "any"}


def _choices(part: Schema) -> list[Any]:
    return part.get("enum") or ([part["const"]] if "const" in part else [])


def _columns(part: Schema) -> list[str]:
    """The names of an object's fields, those that it needs first."""
    required = part.get("required", ())
    return sorted(part.get("properties", {}), key=lambda name: name not in required)


def _text(value: Any) -> str:
    if value is None or value is False:
        return ""
    if isinstance(value, list) and all(isinstance(each, str | int) for each in value):
        return "\n".join(map(str, value))
    return value if isinstance(value, str) else "1" if value is True else json.dumps(value, ensure_ascii=False)
