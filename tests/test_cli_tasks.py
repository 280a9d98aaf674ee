import json
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.commands import a_company, flask, printed, run, the_sample
from tests.conftest import ROOT, Service
from workers.engine.tasks import find

KIND = "generate_mutabakat_pdf"


def params(letter: int) -> str:
    return json.dumps({"mutabakat_id": letter})


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["enqueue", "make_coffee", "{}"], "no job kind of that name"),
        (["enqueue", KIND, "{}"], "mutabakat_id: "),
        (["enqueue", KIND, '{"mutabakat_id": "1"}'], "mutabakat_id: "),
        (["enqueue", KIND, '{"mutabakat_id": 999}'], "no such thing"),
        (["enqueue", KIND, '{"mutabakat_id": 1, "colour": "red"}'], "colour: "),
        (["enqueue", KIND, '{"mutabakat_id": 1}', "--company", "999"], "no such thing"),
        (["tasks", "show", "999"], "no such task"),
        (["tasks", "cancel", "018f0000-0000-7000-8000-000000000000"], "no such task"),
        (["tasks", "retry", "018f0000-0000-7000-8000-000000000000"], "no such task"),
    ],
)
def test_what_can_not_be_done_is_one_sentence(service: Service, arguments: list[str], sentence: str) -> None:
    ended = run(*arguments)

    assert ended.exit_code == 1
    assert ended.stdout == ""
    assert re.search(sentence, ended.stderr)
    assert len(ended.stderr.splitlines()) == 1


def test_a_kind_that_needs_nothing_is_enqueued_by_its_name(service: Service) -> None:
    assert find(printed(run("enqueue", "cleanup_old_logs"))).kind == "cleanup_old_logs"


def test_an_enqueued_task_waits_in_the_list_until_it_is_cancelled(service: Service) -> None:
    task_id = printed(run("enqueue", KIND, params(the_sample().mutabakat_ids[0])))

    assert run("tasks", "list", "--state", "PENDING").stdout.split("\t")[:3] == [task_id, "PENDING", KIND]
    shown = json.loads(run("tasks", "show", task_id).stdout)
    assert (shown["task_id"], shown["state"], shown["attempts"]) == (task_id, "PENDING", 0)
    assert printed(run("tasks", "cancel", task_id)) == "REVOKED"
    assert run("tasks", "cancel", task_id).exit_code == 1
    assert printed(run("tasks", "retry", task_id)) == "PENDING"


def test_the_list_is_newest_first_and_narrowed_by_what_is_asked(service: Service) -> None:
    first, second = (printed(run("enqueue", KIND, params(letter))) for letter in the_sample().mutabakat_ids[:2])

    assert [line.split("\t")[0] for line in run("tasks", "list").stdout.splitlines()] == [second, first]
    assert run("tasks", "list", "--limit", "1").stdout.startswith(second)
    assert run("tasks", "list", "--queue", "sms").stdout == ""
    assert run("tasks", "list", "--kind", KIND, "--state", "SUCCESS").stdout == ""


def test_a_task_of_a_company_names_only_that_companys_records(service: Service) -> None:
    loaded, other = the_sample(), str(a_company())

    foreign = run("enqueue", KIND, params(loaded.mutabakat_ids[0]), "--company", other)
    own = run("enqueue", KIND, params(loaded.mutabakat_ids[0]), "--company", str(loaded.company_id))

    assert foreign.exit_code == 1
    assert find(printed(own)).scope == str(loaded.company_id)
    assert printed(own) in run("tasks", "list", "--company", str(loaded.company_id)).stdout
    assert run("tasks", "list", "--company", other).stdout == ""


def test_parameters_may_come_from_standard_input(service: Service) -> None:
    ended = run("enqueue", KIND, "-", stdin=params(the_sample().mutabakat_ids[0]))

    assert find(printed(ended)).kind == KIND


def test_waiting_shows_plain_progress_and_ends_with_the_task(service: Service, run_worker: Callable[..., Any]) -> None:
    letters = the_sample().mutabakat_ids[:60]
    run_worker("pdf")

    ended = flask(service, "enqueue", "generate_bulk_pdfs", json.dumps({"mutabakat_ids": letters}), "--wait")

    assert find(printed(ended)).state == "SUCCESS"
    assert ended.stdout == f"{printed(ended)}\n"
    *progress, result = ended.stderr.splitlines()
    assert all(re.fullmatch(r"\d+/\d+", line) for line in progress)
    assert progress[-1] == "100/100"
    assert json.loads(result)["filename"].endswith(".zip")


def test_waiting_for_a_task_that_does_not_succeed_ends_with_1(service: Service) -> None:
    command = [sys.executable, "-m", "flask", "enqueue", KIND, params(the_sample().mutabakat_ids[0]), "--wait"]
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}

    with subprocess.Popen(command, cwd=ROOT, env=service.env, **pipes) as waiting:
        task_id = waiting.stdout.readline().strip()
        cancelled = run("tasks", "cancel", task_id)
        _, told = waiting.communicate(timeout=30)

    assert printed(cancelled) == "REVOKED"
    assert waiting.returncode == 1
    assert "REVOKED" in told.splitlines()[-1]
