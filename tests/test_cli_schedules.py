"""`flask schedules`: a line for each, and the same verbs as over HTTP."""

import json

import pytest

from tests.commands import flask, printed, run
from tests.conftest import Service
from tests.timing import Declare, only_declared, queued


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch, service: Service) -> Declare:
    declare = only_declared(monkeypatch)
    declare("nightly", cron="0 0 * * *", zone="Europe/Istanbul")
    return declare


def test_list_shows_times_on_the_clocks_of_each_zone(catalogue: Declare) -> None:
    name, state, line, following, last = run("schedules", "list").stdout.rstrip("\n").split("\t")

    assert (name, state, line, last) == ("nightly", "active", "0 0 * * *", "-")
    assert following.endswith("T00:00:00+03:00")


def test_run_prints_the_id_of_the_task(catalogue: Declare, service: Service) -> None:
    assert [printed(run("schedules", "run", "nightly"))] == queued(service)

    refused = run("schedules", "run", "nightly")
    assert (refused.exit_code, "has not ended" in refused.stderr) == (1, True)


def test_pause_and_resume_print_the_state(catalogue: Declare) -> None:
    assert printed(run("schedules", "pause", "nightly")) == "paused"
    assert "\tpaused\t" in run("schedules", "list").stdout
    assert printed(run("schedules", "resume", "nightly")) == "active"


def test_show_prints_the_history_as_json(catalogue: Declare) -> None:
    task_id = printed(run("schedules", "run", "nightly"))

    shown = json.loads(run("schedules", "show", "nightly").stdout)

    assert [one["task_id"] for one in shown["history"]] == [task_id]


@pytest.mark.parametrize("verb", ["show", "run", "pause", "resume"])
def test_an_unknown_schedule_ends_with_1_and_a_sentence(catalogue: Declare, verb: str) -> None:
    ended = run("schedules", verb, "no_such")

    assert (ended.exit_code, ended.stdout) == (1, "")
    assert "There is no schedule of that name" in ended.stderr


def test_the_house_keeping_is_scheduled(service: Service) -> None:
    ended = flask(service, "schedules", "list")

    lines = {line.split("\t")[0]: line for line in ended.stdout.splitlines()}
    assert "T00:00:00+03:00" in lines["cleanup_old_logs"]
    assert "0 9 * * 1" in lines["check_password_expiry"]
