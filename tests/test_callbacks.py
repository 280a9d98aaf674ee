from pathlib import Path

import pytest

from tests import kinds
from tests.conftest import Service
from tests.hands import claim, work_off
from workers.engine import callbacks, enqueue, find, outcome, wire


def end_without_calling(queue: str, ended: outcome.Outcome) -> None:
    """The worker writes the end, and dies before it calls anybody."""
    job_id, execution = claim(queue)
    arguments = ("by-hand", wire.LEASE_MS, "", "", 0, job_id, execution, queue, *ended.arguments, "1")
    wire.run(wire.connect(), "exchange", *arguments)


def notes(service: Service) -> list[bytes]:
    return service.redis.zrange(callbacks.CALLS, 0, -1)


def grow_old(service: Service) -> None:
    for note in notes(service):
        service.redis.zadd(callbacks.CALLS, {note: 0})


def test_a_call_whose_caller_died_is_made_by_a_keeper_after_a_lease_and_once(service: Service, tmp_path: Path) -> None:
    told = tmp_path / "told"
    enqueue("tell_failure", {"path": str(told)})
    end_without_calling("maintenance", outcome.failed(RuntimeError(str(told)), retries_left=0, retries=0))

    callbacks.in_place_of_the_dead()
    assert not told.exists(), "its caller may still live"

    grow_old(service)
    callbacks.in_place_of_the_dead()
    callbacks.in_place_of_the_dead()

    assert told.read_text() == "failure FAILURE\n"
    assert notes(service) == []


def test_a_call_that_was_made_leaves_no_note(service: Service, tmp_path: Path) -> None:
    task = enqueue("tell_success", {"path": str(tmp_path / "told")})

    work_off()

    assert (tmp_path / "told").read_text() == "success SUCCESS\n"
    assert notes(service) == []
    assert find(task.id).state == "SUCCESS"


def test_a_failing_callback_changes_nothing(service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(kinds, "append", lambda *_: 1 / 0)
    task = enqueue("tell_success", {"path": str(tmp_path / "told")})

    work_off()

    assert find(task.id).state == "SUCCESS"
    assert notes(service) == []


def test_a_kind_without_callbacks_leaves_no_note_at_any_time(service: Service) -> None:
    enqueue("nothing")

    assert not callbacks.wanted(kinds_of("nothing"), "finished")
    assert callbacks.wanted(kinds_of("tell_failure"), "failed")
    assert not callbacks.wanted(kinds_of("tell_failure"), "revoked")


def kinds_of(name: str) -> callbacks.registry.Kind:
    return callbacks.registry.get(name)
