"""What comes of an execution: every way to end, decided as a value before anything is written."""

import json
import math
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rq.job import Retry as RQRetry

from workers import retry_after, settings
from workers.engine import outcome
from workers.engine.job import KEEP_S
from workers.engine.outcome import LOSSES_AT_MOST, RETRY_INTERVALS_S, Outcome, Retry
from workers.engine.seal import Seal
from workers.errors import (
    DatabaseDown,
    GatewayBusy,
    MissingRecord,
    NotSerializable,
    SiraError,
    SoftTimeLimitExceeded,
    TimeLimitExceeded,
    WorkerLost,
)


@pytest.fixture(autouse=True)
def key() -> Iterator[None]:
    settings.use(settings.load(secret_key="a key of the tests that is long enough"))
    yield
    settings.use(None)


def about(seconds: float) -> Any:
    """A pause of so many seconds, 20 % more or less."""
    return pytest.approx(seconds * 1000, rel=outcome.JITTER + 0.001)


def lost(**given: Any) -> Outcome:
    case: dict[str, Any] = {"losses": 0, "cancelled": False, "moved": False, "child_died": True}
    case |= {"retries_left": 3, "retries": 3}
    return outcome.lost(**case | given, error=outcome.child_lost("killed by SIGKILL"))


def test_a_success_carries_its_result_sealed_and_is_kept_for_a_day() -> None:
    ended = outcome.finished({"sum": 42})

    assert (ended.name, ended.ttl_s, ended.delay_ms, ended.error) == ("finished", KEEP_S, 0, b"")
    assert Seal.loads(b64decode(ended.result)) == Seal.loads(ended.payload) == {"sum": 42}


@pytest.mark.parametrize(
    ("retries", "waits", "name", "pause_s"),
    [(3, 0, "wait", 1), (3, 5, "wait", 32), (3, 59, "wait", 60), (3, 60, "retry", 2), (0, 0, "failed", 0)],
)
def test_a_database_that_is_away_for_an_hour_uses_no_attempt_of_what_may_be_tried_again(
    retries: int, waits: int, name: str, pause_s: float
) -> None:
    decided = outcome.failed(DatabaseDown(), retries_left=retries, retries=retries, waits=waits)

    assert (decided.name, decided.delay_ms) == (name, about(pause_s))


def test_a_success_without_a_result_carries_nothing() -> None:
    assert outcome.finished(None) == Outcome("finished", ttl_s=KEEP_S)
    assert outcome.finished(None, helper=True).ttl_s < KEEP_S


def test_a_result_that_json_cannot_hold_is_refused_by_name() -> None:
    with pytest.raises(NotSerializable, match="bytes"):
        outcome.finished({"pdf": b"%PDF"})


@pytest.mark.parametrize(
    ("error", "left", "retries", "name", "pause_s"),
    [
        (ValueError("no"), 3, 3, "retry", 2),
        (ValueError("no"), 2, 3, "retry", 8),
        (ValueError("no"), 1, 3, "retry", 30),
        (ValueError("no"), 1, 9, "retry", 120),
        (ValueError("no"), 0, 3, "failed", 0),
        (ValueError("no"), 0, 0, "failed", 0),
        (MissingRecord(what="mutabakat", id=7), 3, 3, "failed", 0),
        (TimeLimitExceeded(limit_s=5), 1, 1, "retry", 2),
        (SoftTimeLimitExceeded(), 1, 1, "retry", 2),
        (MemoryError(), 1, 1, "retry", 2),
    ],
)
def test_a_failure_is_tried_again_while_that_can_help(
    error: BaseException, left: int, retries: int, name: str, pause_s: float
) -> None:
    decided = outcome.failed(error, retries_left=left, retries=retries)

    assert (decided.name, decided.delay_ms) == (name, about(pause_s))
    assert decided.error == decided.payload
    assert Seal.loads(decided.error)["type"] == type(error).__name__
    assert decided.lost == ""


class Undecided(Exception):
    """Nobody can say whether it is final."""

    @property
    def final(self) -> bool:
        raise RuntimeError


def test_an_error_that_cannot_say_whether_it_is_final_is_tried_again_and_described_as_itself() -> None:
    decided = outcome.failed(Undecided("no"), retries_left=1, retries=1)

    assert decided.name == "retry"
    assert Seal.loads(decided.error)["type"] == "Undecided"


@pytest.mark.parametrize("make", [Retry, RQRetry])
@pytest.mark.parametrize(
    ("tries", "asked", "name", "pause_s"),
    [
        (1, {"max": 2}, "retry", 0),
        (2, {"max": 2}, "retry", 0),
        (3, {"max": 2}, "failed", 0),
        (1, {"max": 3, "interval": 5}, "retry", 5),
        (1, {"max": 3, "interval": [1, 10]}, "retry", 1),
        (2, {"max": 3, "interval": [1, 10]}, "retry", 10),
        (3, {"max": 3, "interval": [1, 10]}, "retry", 10),
        (1, {"max": 3, "interval": []}, "retry", 0),
    ],
)
def test_a_job_that_asks_to_be_tried_again_gets_its_own_count_and_pauses(
    make: Any, tries: int, asked: dict[str, Any], name: str, pause_s: float
) -> None:
    decided = outcome.asked_again(make(**asked), tries=tries)

    assert (decided.name, decided.delay_ms) == (name, pause_s * 1000)
    assert Seal.loads(decided.error)["message"] == "The job asked to be tried again."


def test_a_retry_can_be_asked_for_after_part_of_a_second_and_with_a_reason() -> None:
    decided = outcome.asked_again(Retry(max=1, interval=0.5, reason="the gateway is busy"), tries=1)

    assert decided.delay_ms == 500
    assert Seal.loads(decided.error) == {"type": "Retry", "message": "the gateway is busy"}


ENDLESS = [{"interval": math.inf}, {"interval": [1, math.nan]}, {"interval": 1e300}]


@pytest.mark.parametrize("asked", [{"max": 0}, {"interval": -1}, {"interval": [1, -1]}, *ENDLESS])
def test_a_retry_that_makes_no_sense_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"max|interval"):
        Retry(**asked)


@pytest.mark.parametrize("pause_s", [math.inf, math.nan, 1e300])
def test_a_pause_of_rqs_own_retry_that_makes_no_sense_is_an_error_and_no_pause(pause_s: float) -> None:
    with pytest.raises(ValueError, match="makes no sense"):
        outcome.asked_again(RQRetry(max=2, interval=[pause_s]), tries=1)  # type: ignore[list-item]


class Refused(Exception):
    """The answer of a called service as `requests` and `httpx` give it."""

    def __init__(self, retry_after: object) -> None:
        self.response = SimpleNamespace(headers={"Retry-After": retry_after})


@pytest.mark.parametrize(
    ("error", "pause_s"),
    [
        (Refused("5"), 5),
        (Refused("2.5 "), 2.5),
        (HTTPError("", 503, "later", {"Retry-After": "9"}, None), 9),  # type: ignore[arg-type]
        (Refused("1000000000"), outcome.RETRY_AFTER_AT_MOST_S),
        (GatewayBusy(retry_after_s=7, reason="HTTP 429"), 7),
        (GatewayBusy(retry_after_s="7", reason="HTTP 429"), 7),
        (Refused("Sat, 01 Jan 2033 00:00:00 GMT"), 90),
        (Refused("Sat, 01 Jan 2033 00:00:00 -0000"), 90),
        (Refused("Sun, 01 Jan 2040 00:00:00 GMT"), outcome.RETRY_AFTER_AT_MOST_S),
        *((Refused(f"Sat, {day} Jan 2000 00:00:00 GMT"), 0) for day in ("01", "99")),
        *((Refused(written), 0) for written in ("nan", "inf", "-inf", "1e400", "-5", "soon", "", None)),
        *((GatewayBusy(retry_after_s=asked, reason="x"), 0) for asked in ("soon", math.nan, math.inf, -1, None)),
    ],
)
def test_a_called_service_may_say_anything_of_when_to_come_back(
    monkeypatch: pytest.MonkeyPatch, error: Exception, pause_s: float
) -> None:
    monkeypatch.setattr(retry_after, "time", datetime(2032, 12, 31, 23, 58, 30, tzinfo=UTC).timestamp)

    assert outcome.asked_pause_ms(error) == pause_s * 1000
    assert outcome.failed(error, retries_left=1, retries=1).name == "retry"


@pytest.mark.parametrize(
    ("case", "name"),
    [
        ({}, "retry"),
        ({"retries_left": 0}, "failed"),
        ({"child_died": False}, "back"),
        ({"child_died": False, "retries_left": 0}, "back"),
        ({"losses": LOSSES_AT_MOST - 1}, "retry"),
        ({"losses": LOSSES_AT_MOST - 1, "child_died": False}, "back"),
        ({"losses": LOSSES_AT_MOST}, "failed"),
        ({"losses": LOSSES_AT_MOST, "child_died": False}, "failed"),
        ({"cancelled": True}, "revoked"),
        ({"cancelled": True, "child_died": False}, "revoked"),
        ({"cancelled": True, "losses": LOSSES_AT_MOST}, "revoked"),
    ],
)
def test_what_becomes_of_a_job_whose_worker_is_gone(case: dict[str, Any], name: str) -> None:
    decided = lost(**case)

    assert decided.name == name
    assert decided.lost == ("" if name == "revoked" else "1")


def test_a_lost_worker_a_dead_machine_and_poison_are_told_apart() -> None:
    assert Seal.loads(lost().error)["type"] == "WorkerLost"
    assert "killed by SIGKILL" in Seal.loads(lost().error)["message"]
    assert lost(child_died=False).error == b"", "to be put back is not to fail"
    assert lost(moved=True, losses=LOSSES_AT_MOST).name == "back", "whose items moved on begins anew"
    assert lost(moved=True, cancelled=True).name == "revoked"
    assert Seal.loads(lost(losses=LOSSES_AT_MOST).error)["type"] == "Poison"
    assert "4 times" in Seal.loads(lost(losses=LOSSES_AT_MOST).error)["message"]


@given(used=st.integers(-3, 100))
def test_a_back_off_is_that_of_its_attempt_give_or_take_a_fifth(used: int) -> None:
    expected = RETRY_INTERVALS_S[min(max(used, 0), len(RETRY_INTERVALS_S) - 1)]

    assert 800 * expected <= outcome.back_off_ms(used) <= 1200 * expected


def test_what_failed_together_does_not_come_back_together() -> None:
    assert len({outcome.back_off_ms(3) for _ in range(50)}) > 25


class Unnamed(Exception):
    """An error that says nothing."""


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (ValueError("kâğıt bitti"), "ValueError", "kâğıt bitti"),
        (Unnamed(), "Unnamed", "Unnamed"),
        (MissingRecord(what="mutabakat", id=7), "MissingRecord", "mutabakat 7 does not exist"),
        (WorkerLost(reason="exit code 1"), "WorkerLost", "exit code 1"),
        (SoftTimeLimitExceeded(), "SoftTimeLimitExceeded", "ran longer than its soft limit"),
        (SiraError(), "SiraError", "has no name yet"),
        (ValueError("a\0b"), "ValueError", "ab"),
        (ValueError("rapor\udcfe.xlsx"), "ValueError", "rapor?.xlsx"),
    ],
)
def test_an_error_is_described_by_its_type_and_a_sentence_that_can_always_be_stored(
    error: BaseException, kind: str, message: str
) -> None:
    described = Seal.loads(outcome.failed(error, retries_left=0, retries=0).error)

    assert described["type"] == kind
    assert message in described["message"]
    assert json.loads(json.dumps(described)) == described


class Secretive(Exception):
    """One that is asked for anything, and by `traceback` for its notes, in vain."""

    def __getattr__(self, name: str) -> None:
        raise RuntimeError(name)


def test_an_error_that_cannot_be_told_is_told_as_far_as_can_be() -> None:
    with pytest.raises(Secretive) as raised:
        raise Secretive("no\ud800")

    described = Seal.loads(outcome.failed(raised.value, retries_left=0, retries=0).error)

    assert (described["type"], described["message"]) == ("Secretive", "no?")
    assert "test_an_error_that_cannot_be_told" in described["traceback"]


def test_a_traceback_is_kept_from_its_end_on() -> None:
    def deeper(depth: int) -> None:
        if depth == 0:
            raise ValueError("x" * 2 * outcome.TRACEBACK_CHARS + "the end")
        deeper(depth - 1)

    with pytest.raises(ValueError, match="the end") as raised:
        deeper(50)

    described = outcome.description(raised.value)
    assert described["traceback"].endswith("the end\n")
    assert len(described["traceback"]) == outcome.TRACEBACK_CHARS
    assert "traceback" not in outcome.description(ValueError("never raised"))
