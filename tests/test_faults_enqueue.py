"""Faults 10 and 11: answers that are lost on the way in, and the same request fifty times at once."""

from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from threading import Barrier
from typing import Any

from tests import face as faces
from tests import faults
from tests.conftest import Service
from tests.face import Face, open_face
from tests.faults import EFFECTS, Crew, runs, sized, use_redis
from tests.hands import at_once
from tests.proxy import Proxy
from workers.db import reading
from workers.engine import enqueue
from workers.engine.tables import tasks

crew, face_anywhere = faults.crew, faces.face_anywhere
CALLERS, THREADS = 50, 10


@sized(short={"jobs": 60}, full={"jobs": 1_000})
def test_10_replies_lost_on_enqueue_make_no_second_run_and_no_error(crew: Crew, size: dict[str, Any]) -> None:
    crew.start()
    ayse = open_face().ayse
    with Proxy(crew.service.settings.redis_url) as proxy:
        direct = crew.service.settings.redis_url
        use_redis(crew.service, proxy.url)
        proxy.swallow(10)

        def post(number: int) -> Any:
            body = {"path": str(crew.effects), "number": number, "seconds": 0.0}
            return ayse.elsewhere().post(f"/api/jobs/{EFFECTS['sms']}", body)

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(post, range(size["jobs"])))
        use_redis(crew.service, direct)
    settled_s = crew.settle(60)

    ran = runs(crew.effects)
    codes = {answer.status_code for answer in answers}
    crew.note(jobs=size["jobs"], swallowed=proxy.swallowed, settled_s=settled_s, codes=codes)
    assert codes == {202}
    assert proxy.swallowed > 0
    assert ran == dict.fromkeys(range(size["jobs"]), 1), "each ran once"
    assert crew.states() == {"SUCCESS": size["jobs"]}


def rows(count: Any) -> int:
    with reading() as session:
        return len(session.execute(count).all())


@sized(short={"rounds": 1}, full={"rounds": 10})
def test_11_one_key_fifty_times_at_once_makes_one_task(anywhere: Service, crew: Crew, size: dict[str, Any]) -> None:
    for turn in range(size["rounds"]):
        key = f"key-{turn}"

        def post(_: int, key: str = key) -> tuple[str, bool]:
            task = enqueue("effect_sms", {"path": str(crew.effects), "number": 0}, scope="7", key=key)
            return task.id, task.replayed

        def post_side_by_side(_: int) -> list[tuple[str, bool]]:
            with ThreadPoolExecutor(THREADS) as pool:
                return list(pool.map(post, range(THREADS)))

        given = list(chain.from_iterable(at_once(CALLERS // THREADS, post_side_by_side)))

        assert len({task_id for task_id, _ in given}) == 1
        assert [replayed for _, replayed in given].count(False) == 1
    crew.note(rounds=size["rounds"], callers=CALLERS, tasks=rows(tasks.select()))
    assert rows(tasks.select()) == size["rounds"]
    waiting = anywhere.redis.lrange("rq:queue:sms", 0, -1)
    assert len(waiting) == len(set(waiting)), "none is pushed twice"


@sized(short={"rounds": 1}, full={"rounds": 20})
def test_11_over_http_one_key_gives_one_answer_and_another_body_422(
    face_anywhere: Face, crew: Crew, size: dict[str, Any]
) -> None:
    ayse = face_anywhere.ayse
    barrier = Barrier(CALLERS)

    def post(turn: int, number: int = 0) -> Any:
        if number == 0:
            barrier.wait(60)
        body = {"path": str(crew.effects), "number": number}
        return ayse.elsewhere().post("/api/jobs/effect_sms", body, headers={"Idempotency-Key": f"k{turn}"})

    for turn in range(size["rounds"]):
        with ThreadPoolExecutor(CALLERS) as pool:
            answers = list(pool.map(post, [turn] * CALLERS))

        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.data for answer in answers}) == 1
        assert [answer.headers.get("Idempotent-Replayed") for answer in answers].count("true") == CALLERS - 1
        assert post(turn, 1).status_code == 422
    crew.note(rounds=size["rounds"], callers=CALLERS, tasks=rows(tasks.select()))
    assert rows(tasks.select()) == size["rounds"]
