"""The catalogue: a faulty declaration is refused at once, and wrong parameters are refused field by field."""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers import settings
from workers.engine import Ref, job, registry
from workers.errors import BadSettings, InvalidInput, UnknownKind

MutabakatId = Annotated[int, Ref("mutabakat")]


class Row(TypedDict):
    """One line of a bulk."""

    to: str
    attachment: Annotated[str, Ref("file")] | None


@pytest.fixture(autouse=True)
def catalogue(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, registry.Kind]]:
    """A copy of the catalogue, to which a test may add."""
    monkeypatch.setattr(registry, "_kinds", dict(registry.kinds()))
    monkeypatch.setattr(registry, "_left_out", {})
    settings.use(settings.load(secret_key="k" * 32, max_items=5))
    yield registry._kinds
    settings.use(None)


def declare(function: Callable[..., Any], **declared: Any) -> registry.Kind:
    job(**{"queue": "pdf", **declared})(function)
    return registry.get(function.__name__)


def letter(
    number: int,
    variant: Literal["pozitif", "negatif"] = "pozitif",
    copies: Annotated[list[MutabakatId], "ids"] = [],  # noqa: B006
    amount: Decimal = Decimal("0"),
    day: date | None = None,
    scale: float = 1.0,
    urgent: bool = False,
) -> None:
    """Make one letter.

    The second paragraph is no summary.
    """


def bulk(ids: list[MutabakatId], format: str = "zip") -> None:
    """Make many letters."""


def test_housekeeping_rings_no_bell_unless_it_says_so() -> None:
    assert declare(letter).rings
    assert not declare(letter, queue="maintenance").rings
    assert declare(letter, queue="maintenance", quiet=False).rings
    assert not declare(letter, quiet=True).rings


def test_a_question_whether_there_is_work_needs_a_schedule_that_asks_it() -> None:
    with pytest.raises(BadSettings, match="when goes with cron"):
        declare(letter, when=lambda: True)


def problems(kind: registry.Kind, params: dict[str, Any]) -> dict[str, str]:
    """What is wrong with the parameters, by field."""
    with pytest.raises(InvalidInput) as refused:
        kind.check(params)
    return {problem["field"]: problem["message"] for problem in refused.value.problems}


def anything(*ids: int, **more: int) -> None:
    """Take whatever comes."""


def by_position(number: int, /) -> None:
    """Take a number without a name."""


async def awaited(number: int) -> int:
    """Give the number, once somebody awaits it."""
    return number


async def awaited_by_parts(number: int) -> AsyncIterator[int]:
    """Give the number, once somebody iterates."""
    yield number


def by_parts(number: int) -> Iterator[int]:
    """Give the number, once somebody iterates."""
    yield number


@pytest.mark.parametrize(
    ("function", "declared", "advice"),
    [
        *[
            (promise, {}, "calling it runs nothing, for it is async or yields; make it a plain def")
            for promise in (awaited, awaited_by_parts, by_parts)
        ],
        (letter, {"queue": "fax"}, "queue must be one of pdf, sms, email, excel, maintenance"),
        *[(letter, {"retries": wrong}, "retries must be 0 or more") for wrong in (-1, 1.5, "3")],
        (letter, {"on_success": "letter"}, "on_success and on_failure are functions"),
        *[(unnamed, {}, "name every parameter") for unnamed in (anything, by_position)],
        (letter, {"items": "letters"}, "it has no parameter 'letters'"),
        (letter, {"parallel": True}, "parallel needs items"),
        (letter, {"soft_limit_s": 0}, "limits are seconds above 0"),
        *[(letter, {"hard_limit_s": s}, "limits are seconds above 0") for s in (-5, 1e12, float("inf"), float("nan"))],
        (letter, {"soft_limit_s": 60, "hard_limit_s": 30}, "soft_limit_s must not exceed hard_limit_s"),
        (letter, {"overlap": "perhaps"}, "overlap is skip, queue or allow"),
        (letter, {"missed": "some"}, "missed is one, all or skip"),
    ],
)
def test_a_faulty_declaration_is_refused_at_once_with_advice(
    function: Callable[..., Any], declared: dict[str, Any], advice: str
) -> None:
    with pytest.raises(BadSettings) as refused:
        declare(function, **declared)

    assert f"job kind {function.__name__} in tests.test_registry: {advice}" in refused.value.message
    assert function.__name__ not in registry.kinds()


def test_a_name_that_another_module_has_taken_is_refused(catalogue: dict[str, registry.Kind]) -> None:
    def generate_mutabakat_pdf() -> None:
        """Another function of a known name."""

    with pytest.raises(BadSettings, match="that name is taken"):
        declare(generate_mutabakat_pdf)

    assert catalogue["generate_mutabakat_pdf"].function.__module__ == "workers.jobs.pdf"


def test_a_declared_function_stays_an_ordinary_function_that_can_also_be_delayed() -> None:
    def double(number: int) -> int:
        """Double a number."""
        return number * 2

    declared = job(queue="sms")(double)

    assert declared is double
    assert declared(21) == 42
    assert callable(declared.delay)  # type: ignore[attr-defined]
    assert registry.get("double").summary == "Double a number."


def test_the_schema_is_made_of_the_typed_parameters() -> None:
    schema = declare(letter).schema()
    properties = schema["properties"]

    assert schema["required"] == ["number"]
    assert schema["additionalProperties"] is False
    assert properties["number"]["type"] == "integer"
    assert (properties["variant"]["enum"], properties["variant"]["default"]) == (["pozitif", "negatif"], "pozitif")
    assert (properties["copies"]["type"], properties["copies"]["items"]) == ("array", {"type": "integer"})
    assert {"type": "string", "format": "date"} in properties["day"]["anyOf"]
    assert properties["urgent"] == {"default": False, "title": "Urgent", "type": "boolean"}


def test_checked_parameters_are_json_with_the_defaults_filled_in() -> None:
    checked = declare(letter).check({"number": 7, "amount": "1234.50", "day": "2025-12-31", "copies": [1, 2]})

    assert checked == {
        **{"number": 7, "variant": "pozitif", "copies": [1, 2], "amount": "1234.50"},
        **{"day": "2025-12-31", "scale": 1.0, "urgent": False},
    }


def test_parameters_given_from_python_are_taken_as_their_json() -> None:
    checked = declare(letter).check({"number": 7, "amount": Decimal("1.50"), "day": date(2025, 12, 31)})

    assert (checked["amount"], checked["day"]) == ("1.50", "2025-12-31")


def test_the_function_is_called_with_the_types_that_it_declares() -> None:
    kind = declare(letter)

    arguments = kind.arguments(kind.check({"number": 7, "amount": "1234.50", "day": "2025-12-31"}))

    assert (arguments["amount"], arguments["day"]) == (Decimal("1234.50"), date(2025, 12, 31))


def test_what_was_checked_once_is_checked_a_second_time_with_the_same_result() -> None:
    kind = declare(letter)
    once = kind.check({"number": 7, "day": "2025-12-31"})

    assert kind.check(once) == once


def test_every_wrong_field_is_named() -> None:
    found = problems(
        declare(letter), {"variant": "bakiyesiz", "copies": [1, "two", 3], "day": "soon", "color": "red", "scale": "x"}
    )

    assert set(found) == {"number", "variant", "copies.1", "day", "color", "scale"}
    assert "required" in found["number"]
    assert "'pozitif' or 'negatif'" in found["variant"]


@given(
    wrong=st.text(max_size=5) | st.booleans() | st.floats(0.1, 0.9) | st.none() | st.lists(st.integers(), max_size=2)
)
def test_only_a_whole_number_is_a_whole_number(wrong: Any) -> None:
    assert set(problems(declare(letter), {"number": wrong})) == {"number"}


@pytest.mark.parametrize("wrong", [0, 1, "true", "yes", None])
def test_only_true_and_false_are_booleans(wrong: Any) -> None:
    assert set(problems(declare(letter), {"number": 1, "urgent": wrong})) == {"urgent"}


@pytest.mark.parametrize("wrong", [object(), "\ud800", 2**80, b"bytes"])
def test_a_value_that_json_cannot_hold_is_bad_input_of_that_field(wrong: Any) -> None:
    assert set(problems(declare(letter), {"number": 1, "variant": wrong})) == {"variant"}


def test_a_name_that_json_cannot_hold_is_bad_input_too() -> None:
    assert set(problems(declare(letter), {"number": 1, "\ud800": 2})) == {"?"}


def test_too_many_items_are_refused_before_they_are_looked_at() -> None:
    kind = declare(bulk, items="ids")

    assert kind.check({"ids": [1] * 5})["ids"] == [1] * 5
    assert problems(kind, {"ids": ["x"] * 6}) == {"ids": "more than 5 items; split the request"}


def test_the_records_that_parameters_name_are_found_wherever_they_stand() -> None:
    def mail(rows: list[Row], cover: MutabakatId | None = None, plain: int = 0) -> None:
        """Mail many things."""

    kind = declare(mail, items="rows")
    rows = [{"to": "a", "attachment": "f1"}, {"to": "b", "attachment": None}, {"to": "c", "attachment": "f2"}]

    assert kind.references({"rows": rows, "cover": 7, "plain": 8}) == {"mutabakat": {7}, "file": {"f1", "f2"}}
    assert kind.references({"rows": [], "cover": None}) == {}
    assert declare(bulk, items="ids").references({"ids": [1, 2, 1]}) == {"mutabakat": {1, 2}}


def test_limits_that_are_not_declared_are_the_settings_and_never_contradict_each_other() -> None:
    settings.use(settings.load(secret_key="k" * 32, task_soft_time_limit=100, task_time_limit=200))
    plain, short, long = (declare(bulk, **limits) for limits in ({}, {"hard_limit_s": 50}, {"soft_limit_s": 500}))

    assert [(kind.soft_s, kind.hard_s) for kind in (plain, short, long)] == [(100, 200), (50, 50), (500, 500)]


def test_the_catalogue_knows_the_kinds_of_the_house_by_name_and_no_others() -> None:
    assert {"generate_mutabakat_pdf", "generate_bulk_pdfs"} <= set(registry.kinds())
    assert registry.get("generate_bulk_pdfs").queue == "pdf"
    with pytest.raises(UnknownKind):
        registry.get("os.system")


def test_a_kind_whose_parameters_can_not_be_described_is_left_out_and_stops_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Odd:
        """What pydantic knows nothing of."""

    def odd(it: Any) -> None: ...

    odd.__annotations__["it"] = Odd
    job(queue="pdf")(odd)
    monkeypatch.setattr(registry, "_loaded", False)

    with pytest.raises(UnknownKind):
        registry.get("odd")

    assert registry.get("generate_mutabakat_pdf").model
    with pytest.raises(BadSettings, match=r"job kind odd in .*Odd"):
        registry.Kind("odd", odd, "pdf").model  # noqa: B018


def test_queues_are_claimed_by_priority_and_equals_by_turns() -> None:
    assert registry.QUEUES == ("pdf", "sms", "email", "excel", "maintenance")
    assert registry.claim_order(0) == ["pdf", "sms", "email", "excel", "maintenance"]
    assert registry.claim_order(1) == ["pdf", "email", "sms", "maintenance", "excel"]


@given(turn=st.integers(0, 10_000))
def test_every_turn_claims_from_every_queue_and_no_lower_one_comes_before_a_higher(turn: int) -> None:
    order = registry.claim_order(turn)

    assert sorted(order) == sorted(registry.QUEUES)
    for higher, lower in zip(registry.PRIORITIES, registry.PRIORITIES[1:], strict=False):
        assert max(map(order.index, higher)) < min(map(order.index, lower))


def test_each_of_two_equals_comes_first_in_every_second_turn() -> None:
    first = [registry.claim_order(turn)[1] for turn in range(10)]

    assert first == ["sms", "email"] * 5
