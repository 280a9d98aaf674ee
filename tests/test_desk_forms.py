"""Forms that are drawn from the parameters of any kind, and what was typed into them."""

import json
import re
from datetime import datetime
from decimal import Decimal
from enum import Enum
from html import unescape
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict
from werkzeug.datastructures import MultiDict

from app.desk import fields
from tests import desk as desks
from tests.desk import Desk
from workers.engine import find, registry
from workers.engine.registry import Kind
from workers.engine.tasks import params_of

face, desk = desks.face, desks.desk


class Stop(TypedDict):
    town: str
    nights: int


class Journey(Stop, total=False):
    note: str | None


def wander(
    text: str,
    times: Annotated[int, Field(ge=1, description="How often")] = 3,
    share: float | None = None,
    way: Literal["sea", "land"] = "sea",
    loud: bool = False,
    towns: list[str] | None = None,
    numbers: list[int] | None = None,
    hows: list[Literal["a", "b"]] | None = None,
    stops: list[Journey] | None = None,
    anything: dict[str, Any] | None = None,
) -> None:
    """Go places."""


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Person(BaseModel):
    name: str
    age: int = 0


def odd(
    colour: Colour,
    colours: list[Colour],
    sum: Decimal,
    at: datetime,
    pair: tuple[int, str],
    anything: Any,
    several: list,  # type: ignore[type-arg]
    person: Person,
    people: list[Person],
    unique: set[str],
    maybe: bool | None = None,
    either: int | str | None = None,
) -> None:
    """Take what strangers may declare."""


KIND = Kind("wander", wander, "sms")


def typed(**given: Any) -> MultiDict[str, str]:
    return MultiDict(
        (f"p.{name}", each) for name, text in given.items() for each in ([text] if isinstance(text, str) else text)
    )


def test_each_type_has_its_control() -> None:
    shown = {field.name: field for field in fields.fields_of(KIND)}

    assert {name: field.control for name, field in shown.items()} == {
        **{"text": "area", "times": "number", "share": "number", "way": "choice", "loud": "switch", "towns": "lines"},
        **{"numbers": "numbers", "hows": "choices", "stops": "rows", "anything": "json"},
    }
    assert [name for name, field in shown.items() if field.required] == ["text"]
    assert (shown["times"].text, shown["times"].about, shown["way"].text) == ("3", "How often", "sea")
    assert [value for value, _ in shown["way"].choices] == ["sea", "land"]
    assert shown["stops"].columns == ("nights", "town", "note") or shown["stops"].columns == ("town", "nights", "note")


def test_types_that_nobody_thought_of_still_have_a_field() -> None:
    shown = {field.name: field.control for field in fields.fields_of(Kind("odd", odd, "sms"))}

    assert shown == {
        **{"colour": "choice", "colours": "choices", "sum": "line", "at": "line", "pair": "json", "anything": "json"},
        **{
            "several": "json",
            "person": "json",
            "people": "rows",
            "unique": "lines",
            "maybe": "choice",
            "either": "json",
        },
    }
    given = typed(
        **{"colour": "red", "colours": ["red"], "sum": "1.50", "at": "2026-01-31T10:00:00Z", "pair": '[1, "a"]'},
        **{"anything": "plain text", "several": "[1]", "person": '{"name": "A"}', "people": "A\nB;3", "unique": "a"},
        **{"maybe": "false", "either": "3"},
    )
    assert Kind("odd", odd, "sms").check(fields.params_of(Kind("odd", odd, "sms"), given)) == {
        **{"colour": "red", "colours": ["red"], "sum": "1.50", "at": "2026-01-31T10:00:00Z", "pair": [1, "a"]},
        **{"anything": "plain text", "several": [1], "person": {"name": "A", "age": 0}, "unique": ["a"]},
        **{"people": [{"name": "A", "age": 0}, {"name": "B", "age": 3}], "maybe": False, "either": 3},
    }


def test_what_was_typed_becomes_json_values() -> None:
    given = typed(
        text="  two\r\nlines ",
        times=" 12 ",
        share="1,5",
        way="land",
        loud="1",
        towns="Çorum\r\n\r\n Iğdır ",
        numbers="1, 2;3\n4",
        hows=["a", "b"],
        stops="Bolu;2;by train; then on foot\nMuş;1",
        anything='{"a": [1]}',
    )

    params = fields.params_of(KIND, given)

    assert params == {
        **{
            "text": "  two\nlines ",
            "times": 12,
            "share": 1.5,
            "way": "land",
            "loud": True,
            "towns": ["Çorum", "Iğdır"],
        },
        **{"numbers": [1, 2, 3, 4], "hows": ["a", "b"], "anything": {"a": [1]}},
        "stops": [{"town": "Bolu", "nights": 2, "note": "by train; then on foot"}, {"town": "Muş", "nights": 1}],
    }
    assert KIND.check(params) == {**params}


def test_rows_may_be_json_or_pasted_from_a_sheet() -> None:
    assert fields.params_of(KIND, typed(text="x", stops='[{"town": "Bolu", "nights": 2}]'))["stops"] == [
        {"town": "Bolu", "nights": 2}
    ]
    assert fields.params_of(KIND, typed(text="x", stops='"Bo;lu"\t2\n'))["stops"] == [{"town": "Bo;lu", "nights": 2}]


def test_what_is_left_empty_is_left_out_and_nonsense_stays_for_the_kind_to_refuse() -> None:
    assert fields.params_of(KIND, typed(text="", times="")) == {"loud": False, "hows": []}
    assert fields.params_of(KIND, typed(times="many", anything="{"))["times"] == "many"


def test_a_problem_stands_at_its_field_with_the_row_counted_from_one() -> None:
    problems = [
        {"field": "stops.0.nights", "message": "Field required"},
        {"field": "text", "message": "Field required"},
    ]

    shown = {field.name: field for field in fields.fields_of(KIND, typed(), problems)}

    assert shown["stops"].errors == ("1 · nights: Field required",)
    assert shown["text"].errors == ("Field required",)
    assert fields.loose(KIND, [{"field": "company_id", "message": "missing"}]) == ["company_id: missing"]


def form_of(page: str) -> str:
    return page[page.index("<form method") :]


def test_every_kind_has_a_form_and_maintenance_is_for_operators(desk: Desk) -> None:
    member, operator = desk.member.get("/new").text, desk.operator.get("/new").text

    assert "/new/send_email" in member
    assert "/new/cleanup_old_logs" not in member
    assert "/new/cleanup_old_logs" in operator
    assert desk.member.get("/new/cleanup_old_logs").status_code == 403
    assert desk.member.post("/new/cleanup_old_logs").status_code == 403
    assert desk.member.get("/new/no_such_kind").status_code == 404
    for name in registry.kinds():
        assert desk.operator.get(f"/new/{name}").status_code == 200, name


def test_a_kind_that_somebody_added_is_enqueued_from_its_form(desk: Desk) -> None:
    answer = desk.member.post("/new/add", {"p.a": "40", "p.b": "2", "form_id": "one"})

    assert answer.status_code == 303
    task = find(answer.location.rpartition("/")[2])
    assert (task.kind, task.scope, params_of(task.id)) == ("add", str(desk.member.company_id), {"a": 40, "b": 2})


def test_a_double_click_is_one_task_and_a_second_tab_another(desk: Desk) -> None:
    places = [desk.member.post("/new/add", {"p.a": "1", "form_id": tab}).location for tab in ("one", "one", "two")]

    assert places[0] == places[1] != places[2]


def test_a_refused_form_says_why_at_each_field_and_keeps_what_was_typed(desk: Desk) -> None:
    text = '<script>alert("x")</script>'
    answer = desk.member.post("/new/send_email", {"p.to_email": "nobody", "p.body": text})

    assert answer.status_code == 422
    assert "<script>alert" not in answer.text
    assert text in unescape(answer.text)
    assert 'value="nobody"' in answer.text
    assert answer.text.count('aria-invalid="true"') == 1
    answer = desk.member.post("/new/send_email", {"p.to_email": "nobody", "p.subject": "s", "p.body": text})
    assert answer.status_code == 422
    assert answer.text.count('aria-invalid="true"') == 1


def test_members_act_for_their_own_company_and_operators_choose_one(desk: Desk) -> None:
    theirs = str(desk.stranger.company_id)
    sms = {"p.phone": "0555 000 00 01", "p.message": "Merhaba"}

    assert "company_id" not in form_of(desk.member.get("/new/send_sms").text)
    assert 'name="company_id"' in form_of(desk.operator.get("/new/send_sms").text)
    mine = desk.member.post("/new/send_sms", {**sms, "company_id": theirs, "form_id": "1"})
    assert find(mine.location.rpartition("/")[2]).scope == str(desk.member.company_id)
    chosen = desk.operator.post("/new/send_sms", {**sms, "company_id": theirs, "form_id": "2"})
    assert find(chosen.location.rpartition("/")[2]).scope == theirs
    assert desk.operator.post("/new/send_sms", {**sms, "company_id": "999"}).status_code == 404


def test_foreign_records_are_refused_on_the_form(desk: Desk) -> None:
    one = desk.face.bora.letter()

    answer = desk.member.post("/new/generate_mutabakat_pdf", {"p.mutabakat_id": str(one)})

    assert answer.status_code == 422
    assert f'value="{one}"' in answer.text


def test_a_form_may_be_filled_in_by_its_link(desk: Desk) -> None:
    page = desk.member.get("/new/send_sms?p.phone=0555&p.message=%3Cb%3E").text

    assert 'value="0555"' in page
    assert "&lt;b&gt;" in page


def test_every_kind_of_ours_and_each_of_its_fields_is_said_in_turkish(desk: Desk) -> None:
    ours = [kind for kind in registry.kinds().values() if kind.function.__module__.startswith("workers.jobs.")]
    assert len(ours) > 15
    for kind in ours:
        page = desk.operator.get(f"/new/{kind.name}").text
        assert kind.summary.split(".")[0].split("`")[0] not in unescape(page), kind.name
        for title in (part["title"] for part in kind.schema().get("properties", {}).values()):
            assert f">{title}<" not in page.replace(" <small", "<"), (kind.name, title)


def test_every_state_that_a_sheet_can_be_made_of_is_said_in_turkish(desk: Desk) -> None:
    form = desk.operator.get("/new/export_sheet").text.partition('name="p.state"')[2].partition("</select>")[0]

    choices = dict(re.findall(r'<option value="(\w+)"[^>]*>([^<]*)</option>', form))

    assert (choices["pending"], choices["sending"], len(choices)) == ("bekliyor", "gönderiliyor", 6)
    assert [state for state, said in choices.items() if state == said] == []


@pytest.mark.parametrize("lang", ["tr", "en"])
def test_reasons_are_in_the_language_of_the_reader(desk: Desk, lang: str) -> None:
    desk.member.client.set_cookie("lang", lang)

    page = desk.member.post("/new/generate_bulk_pdfs", {"p.mutabakat_ids": "x", "p.format": "doc"}).text

    english = "Input should be" in page
    assert english == (lang == "en")
    assert json.dumps("zip") or page
