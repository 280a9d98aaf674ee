"""The family of errors: each says in one sentence what happened, to what, and what to do."""

import copy
from string import Formatter
from typing import Any

import pytest

import workers.engine.bulk
import workers.engine.dashboard
import workers.engine.outgoing
import workers.engine.schedules
import workers.engine.tasks
from workers import errors
from workers.errors import InvalidInput, SiraError, SoftTimeLimitExceeded


def family(cls: type[SiraError] = SiraError) -> list[type[SiraError]]:
    """All our errors, in this file and elsewhere, but not those of other tests."""
    below = [child for child in cls.__subclasses__() if not child.__module__.startswith("tests.")]
    return [cls] + [member for child in below for member in family(child)]


def fields_of(cls: type[SiraError]) -> dict[str, Any]:
    """A value for each field that the message names; numbers suit every format."""
    named = {name for _, name, _, _ in Formatter().parse(cls.__doc__ or "") if name}
    return dict.fromkeys(named, 7)


def an_error(cls: type[SiraError]) -> SiraError:
    if cls is InvalidInput:
        return InvalidInput([{"field": "phone", "message": "is no number"}])
    return cls(**fields_of(cls))


@pytest.mark.parametrize("cls", family())
def test_the_docstring_is_the_message_with_its_fields_filled_in(cls: type[SiraError]) -> None:
    error = an_error(cls)

    assert error.message == str(error)
    assert len(error.message) > 15
    assert "\n" not in error.message
    assert not set(error.message) & set("{}")
    assert error.type == cls.__name__


@pytest.mark.parametrize("cls", family())
def test_a_copy_of_an_error_says_the_same(cls: type[SiraError]) -> None:
    error = an_error(cls)

    twin = copy.copy(error)

    assert (type(twin), twin.message, twin.fields) == (cls, error.message, error.fields)


def test_what_a_field_holds_is_never_taken_for_a_format() -> None:
    assert "{size.__class__}" in errors.BadSettings(reason="{size.__class__}").message


def test_invalid_input_keeps_every_problem_and_tells_the_first_five() -> None:
    error = InvalidInput([{"field": f"lines.{n}", "message": "is empty"} for n in range(9)])

    assert len(error.problems) == 9
    assert "lines.0: is empty; lines.1" in error.message
    assert "lines.5" not in error.message
    assert copy.copy(error).problems == error.problems


def test_large_numbers_are_told_readably() -> None:
    error = errors.TooLarge(what="The upload", size=30_000_000, limit=25_000_000, advice="Split it.")

    assert error.message == "The upload is too large: 30,000,000 bytes where 25,000,000 are allowed. Split it."


def test_an_error_that_comes_back_however_often_it_is_tried_is_final() -> None:
    final = {cls.__name__ for cls in family() if cls.final}

    assert final == {
        *("InvalidInput", "NotFound", "UnknownKind", "UnknownTask", "MissingRecord", "FileGone", "InvalidLetter"),
        *("SealBroken", "NotInCatalogue", "NotSerializable", "Poison", "NothingDone", "GoneThrough"),
        *("BadPhone", "BadText", "BadAddress", "GatewayRefused", "NotDone", "UnknownSchedule"),
        *("BadWebhook", "NotDelivered", "NoSuchJob"),
        *("SheetRefused", "SheetFull", "NoHeader", "NoSuchSheet"),
    }


def test_the_soft_limit_is_no_exception_that_a_job_swallows_by_accident() -> None:
    assert not issubclass(SoftTimeLimitExceeded, Exception)


def test_a_timeout_of_ours_is_a_timeout_of_pythons() -> None:
    with pytest.raises(TimeoutError, match=r"task abc has not ended within 3 s"):
        raise workers.engine.tasks.TaskTimeout(id="abc", timeout_s=3)
