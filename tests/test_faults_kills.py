"""Faults 1 to 7 and 20: workers, children and machines that are killed, stopped and frozen at any moment."""

import os
import signal
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests import faults
from tests.conftest import WorkerProcess, lines, wait_until
from tests.faults import LEASE_S, QUEUES, Crew, alive, family, overlaps, runs, sized, until
from tests.hands import at_once
from tests.saboteur import POINTS
from workers.db import now
from workers.engine import enqueue, find, queues
from workers.engine.control import cancel

crew = faults.crew
WHOM = ("worker", "every process")


@sized(
    short={"jobs": 300, "seconds": 0.08, "kills": 4, "every_s": 1.0, "lease_s": 4.0},
    full={"jobs": 10_000, "seconds": 0.02, "kills": 30, "every_s": 2.0, "lease_s": 30.0},
)
def test_1_workers_killed_again_and_again_lose_no_job(crew: Crew, size: dict[str, Any]) -> None:
    crew.sabotage["lease_s"] = size["lease_s"]  # those that live keep theirs also on a machine that is busy
    crew.enqueue(size["jobs"], seconds=size["seconds"])
    crew.start(4)
    for _ in range(size["kills"]):
        time.sleep(crew.random.uniform(0.5, 1.5) * size["every_s"])
        wait_until(lambda: len(crew.workers) > 1, timeout_s=180, what="workers that have started")
        crew.kill(crew.random.choice(crew.workers))
        crew.start_later()
    drained_s = until(lambda: not crew.leftovers(), 300, "a drained backlog")
    settled_s = crew.settle(60)

    lost, twice = crew.count()
    crew.note(kills=size["kills"], drained_s=drained_s, settled_s=settled_s, states=dict(crew.states()))
    assert crew.states() == {"SUCCESS": size["jobs"]}
    assert (lost, crew.leftovers()) == (0, {})
    assert twice <= size["kills"], "at most the one job that each killed worker was in"


@sized(
    short={"whom": "every process", "jobs": 150, "seconds": 0.08, "stops": 3, "every_s": 0.8},
    full=[{"whom": whom, "jobs": 5_000, "seconds": 0.02, "stops": 30, "every_s": 2.0} for whom in WHOM],
)
def test_2_workers_stopped_again_and_again_lose_nothing_and_repeat_nothing(crew: Crew, size: dict[str, Any]) -> None:
    crew.sabotage["lease_s"] = LEASE_S  # who is stopped gives back by itself what it holds
    crew.enqueue(size["jobs"], seconds=size["seconds"])
    crew.start(3)
    stopped: list[WorkerProcess] = []
    for _ in range(size["stops"]):
        time.sleep(crew.random.uniform(0.5, 1.5) * size["every_s"])
        wait_until(lambda: len(crew.workers) > 1, timeout_s=180, what="workers that have started")
        worker = crew.random.choice(crew.workers)
        for pid in family(worker.pid) if size["whom"] == "every process" else [worker.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        crew.workers.remove(worker)
        stopped.append(worker)
        crew.start_later()
    codes = [worker.process.wait(30) for worker in stopped]
    settled_s = crew.settle(300)

    lost, twice = crew.count()
    crew.note(stops=size["stops"], settled_s=settled_s, states=dict(crew.states()))
    assert codes == [0] * size["stops"]
    assert (lost, twice, crew.leftovers()) == (0, 0, {})
    assert crew.states() == {"SUCCESS": size["jobs"]}


@sized(
    short=[
        {"victim": "child", "queues": QUEUES, "jobs": 6, "points": POINTS},
        {"victim": "host", "queues": ("sms",), "jobs": 6, "points": ("claimed", "after", "rescuing")},
    ],
    full=[
        {"victim": victim, "queues": queues, "jobs": 40, "points": POINTS}
        for victim in ("child", "host")
        for queues in (("sms",), QUEUES)
    ],
)
def test_3_a_kill_at_any_point_of_a_jobs_life_loses_nothing(crew: Crew, size: dict[str, Any]) -> None:
    queues, victim = size["queues"], size["victim"]
    crew.start(2, *queues)
    took: dict[str, float] = {}
    for point in size["points"]:
        fuses = [crew.light(each, victim) for each in ("inside", point)[point != "rescuing" :]]
        made = crew.enqueue(size["jobs"], queues)
        wait_until(lambda fuses=fuses: not any(map(Path.exists, fuses)), timeout_s=180, what=f"a kill at {point}")
        if victim == "host":
            wait_until(lambda: crew.replace_dead(*queues), what="a dead worker")
        took[point] = crew.settle(2 * crew.lease_s + 30)
        crew.replace_dead(*queues)
        assert {find(task.id).state for task in made} == {"SUCCESS"}, point

    lost, twice = crew.count()
    kills = len(took) + 1
    crew.note(queues=len(queues), kills=kills, settled_s=took)
    assert lost == 0
    assert twice <= (3 if victim == "child" else kills), "only what was killed in the function or behind it"
    assert crew.leftovers() == {}
    assert max(took.values()) <= crew.lease_s + 5


def push_and_die(_: int) -> None:
    """As an API that is killed between its commit and its push."""
    queues.push = lambda *_: os._exit(0)  # type: ignore[assignment]
    enqueue("effect_sms", {"path": os.environ["EFFECTS"], "number": 0})


@sized(short={"callers": 3}, full={"callers": 50})
def test_3_a_kill_between_commit_and_push_loses_nothing(
    crew: Crew, size: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EFFECTS", str(crew.effects))
    at_once(size["callers"], push_and_die_in_a_child)
    crew.start()

    settled_s = crew.settle(40)

    crew.note(kills=size["callers"], settled_s=settled_s)
    assert runs(crew.effects) == {0: size["callers"]}
    assert crew.states() == {"SUCCESS": size["callers"]}


def push_and_die_in_a_child(number: int) -> None:
    pid = os.fork()
    if pid == 0:
        push_and_die(number)
    os.waitpid(pid, 0)


@sized(short={"seconds": 0.5}, full={"seconds": 120.0})
def test_4_the_child_of_a_killed_worker_is_gone_at_once_and_never_two_copies_run(
    crew: Crew, size: dict[str, Any]
) -> None:
    worker, release = crew.start(), crew.service.data_dir / "release"
    task = enqueue("beat", {"path": str(crew.effects), "seconds": 1_000.0, "release": str(release)})
    wait_until(lambda: len(lines(crew.effects)) > 10)
    children = family(worker.pid)[1:]

    crew.workers.remove(worker)
    worker.process.kill()
    gone_s = until(lambda: not any(map(alive, children)), 1, "the children's end, whom nobody else tells of it")
    crew.start()
    wait_until(lambda: len(copies(crew)) == 2, timeout_s=crew.lease_s + 30, what="another that does the job")
    time.sleep(size["seconds"])
    release.touch()
    ended = task.wait(60)

    crew.note(jobs=1, kills=1, child_gone_s=gone_s, state=ended.state, attempts=ended.attempts)
    assert (ended.state, ended.attempts) == ("SUCCESS", 1)
    assert overlaps(lines(crew.effects)) == 0
    assert len(copies(crew)) == 2


def copies(crew: Crew) -> set[str]:
    """The processes that have beaten."""
    return {beat.split()[0] for beat in lines(crew.effects)}


@pytest.mark.parametrize(("kind", "state"), [("linger", "FAILURE"), ("effect_sms", "RETRY")])
@sized(short={"times": 3}, full={"times": 20})
def test_5_a_killed_child_is_noticed_at_once_and_its_back_off_kept(
    crew: Crew, size: dict[str, Any], kind: str, state: str, tmp_path: Path
) -> None:
    crew.sabotage.pop("back_off_s", None)
    worker = crew.start()
    noticed: list[float] = []
    for number in range(size["times"]):
        path = tmp_path / f"begun-{number}"
        given = {"release": "never"} if kind == "linger" else {"number": number, "seconds": 60.0}
        task = enqueue(kind, {"path": str(path), **given})
        wait_until(lambda path=path: lines(path))
        killed_at = now()
        os.kill(worker.children()[0], signal.SIGKILL)
        found = wait_until(lambda task=task: (seen := find(task.id)).state == state and seen, what="the notice")
        told_at = datetime.fromtimestamp(int(found.event_id.partition("-")[0]) / 1000, UTC)
        noticed.append((told_at - killed_at).total_seconds())
        assert found.error["type"] == "WorkerLost"
        assert "SIGKILL" in found.error["message"], "by its own fleet, and not because its lease ran out"
        if state == "RETRY":
            assert 1.55 <= (found.next_run_at - told_at).total_seconds() <= 2.45
            cancel(task.id)

    crew.note(kills=size["times"], slowest_notice_s=round(max(noticed), 2))
    assert max(noticed) <= 2


@sized(
    short=[{"victim": "child", "others": 30}, {"victim": "host", "others": 30}],
    full=[{"victim": "child", "others": 100}, {"victim": "host", "others": 100}],
)
def test_6_poison_ends_at_its_fourth_death_and_the_others_finish(crew: Crew, size: dict[str, Any]) -> None:
    deaths = crew.service.data_dir / "deaths"
    crew.start(2)
    poison = enqueue("kill_worker", {"path": str(deaths), "whole_fleet": size["victim"] == "host"})
    crew.enqueue(size["others"])

    def failed() -> bool:
        crew.replace_dead()
        return find(poison.id).ended

    ended_s = until(failed, 300, "the poison's end")
    crew.settle(60)

    crew.note(deaths=len(lines(deaths)), ended_s=ended_s)
    assert len(lines(deaths)) == 4
    assert find(poison.id).error["type"] == "Poison"  # type: ignore[index]
    assert crew.states() == {"SUCCESS": size["others"], "FAILURE": 1}


@sized(
    short={"whom": "worker", "seconds": 3.0},
    full=[{"whom": whom, "seconds": 90.0} for whom in ("worker", "keeper", "child")],
)
def test_7_what_a_frozen_process_says_late_is_refused(crew: Crew, size: dict[str, Any]) -> None:
    whom = size["whom"]
    release = crew.service.data_dir / "release"
    frozen = crew.start()
    task = enqueue("linger", {"path": str(crew.effects), "release": str(release)})
    wait_until(lambda: lines(crew.effects))
    crew.start()
    victims = {"worker": family(frozen.pid), "child": frozen.children()}
    victims["keeper"] = [pid for pid in family(frozen.pid)[1:] if pid not in frozen.children()]

    for pid in victims[whom]:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(size["seconds"])
    release.touch()
    ended_before = wait_until(lambda: find(task.id).ended, timeout_s=180) if whom == "worker" else False
    for pid in victims[whom]:
        os.kill(pid, signal.SIGCONT)
    ended = task.wait(60)
    wait_until(lambda: whom != "worker" or "late outcome refused" in frozen.log.read_text())

    crew.note(seconds=size["seconds"], copies=lines(crew.effects).count("begin"))
    assert (ended.state, ended.result) == ("SUCCESS", "released")
    assert ended_before == (whom == "worker")
    assert crew.service.redis.xlen(f"rq:results:{task.id}") == 1
    assert find(task.id).ended_at == ended.ended_at
    assert lines(crew.effects).count("begin") == {"worker": 2, "keeper": 2, "child": 1}[whom]


@sized(short={"jobs": 5, "pause_s": 1}, full={"jobs": 50, "pause_s": 5})
def test_20_a_retry_with_a_pause_comes_back_without_any_scheduler(crew: Crew, size: dict[str, Any]) -> None:
    paths = [crew.service.data_dir / f"again-{number}" for number in range(size["jobs"])]
    crew.start()
    made = [enqueue("again_in", {"path": str(path), "seconds": size["pause_s"]}) for path in paths]

    assert {task.get(timeout=60) for task in made} == {"enough"}

    pauses = [float(later) - float(first) for first, later in map(lines, paths)]
    crew.note(jobs=size["jobs"], shortest_s=round(min(pauses), 2), longest_s=round(max(pauses), 2))
    assert min(pauses) >= size["pause_s"]
    assert max(pauses) <= size["pause_s"] + 10
