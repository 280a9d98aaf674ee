"""Lists of tasks: by filter and by page, newest first, and whatever strange text is asked for."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tests.conftest import Service
from tests.hands import put_row, record_all
from workers.engine import wire
from workers.engine.queues import enqueue, new_id
from workers.engine.seal import Seal
from workers.engine.tasks import Task, search
from workers.errors import InvalidInput


def ids(**query: Any) -> list[str]:
    return [task.id for task in search(**query)[0]]


def test_a_search_finds_by_each_filter_and_by_all_together(anywhere: Service) -> None:
    one = put_row(scope="1", state="FAILURE", kind="add", queue="sms", error_type="E", error_message="Kâğıt %100 bitti")
    two = put_row(scope="2", state="PENDING", kind="count", queue="excel", status="3_000 satır")
    put_row(released=False)

    assert (ids(scope="1"), ids(scope="2"), set(ids())) == ([one], [two], {one, two})
    assert (ids(state="FAILURE"), ids(kind="count"), ids(queue="sms")) == ([one], [two], [one])
    assert (ids(q="Kâğıt"), ids(q="%100"), ids(q="3_0"), ids(q="3%0"), ids(q=two)) == ([one], [one], [two], [], [two])
    assert (ids(q="coun"), ids(q=one[-12:]), set(ids(q=one[:5]))) == ([two], [one], {one, two})
    assert ids(scope="1", state="FAILURE", queue="sms", kind="add", q="bitti") == [one]
    assert ids(scope="2", state="FAILURE") == []
    assert ids(scope="3") == ids(kind="%") == []


@pytest.mark.parametrize("name", ["q", "kind", "queue", "scope", "state"])
@pytest.mark.parametrize("value", ["\0", "\ud800", "'; DROP TABLE tasks; --", "%", "\\"])
def test_a_search_for_strange_text_finds_nothing(anywhere: Service, name: str, value: str) -> None:
    put_row(scope="1", status="plain")

    assert ids(**{name: value}) == []
    assert len(ids()) == 1


@pytest.mark.parametrize("cursor", ["", "x", "a" * 35, "\0" * 36, "\ud800" * 36, "z" * 36])
def test_a_cursor_that_is_not_ours_is_bad_input(anywhere: Service, cursor: str) -> None:
    with pytest.raises(InvalidInput, match="next_cursor"):
        search(cursor=cursor)


@examples(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=10)
@given(size=st.integers(0, 25), limit=st.integers(1, 10))
def test_pages_are_newest_first_complete_and_without_overlap(anywhere: Service, size: int, limit: int) -> None:
    scope = new_id()
    made = [put_row(scope=scope) for _ in range(size)]
    cursor: str | None = None
    pages: list[list[Task]] = []
    while not pages or cursor is not None:
        page, cursor = search(scope=scope, cursor=cursor, limit=limit)
        pages.append(page)

    assert [task.id for page in pages for task in page] == sorted(made, reverse=True)
    assert all(len(page) == limit for page in pages[:-1])


def test_no_task_of_a_page_has_another_state_than_was_asked_for_and_no_other_is_lost(service: Service) -> None:
    made = [enqueue("nothing") for _ in range(6)]
    for task in made[1], made[4], made[5]:  # SQL learns of it later
        wire.run(wire.connect(), "cancel", task.id, task.queue, 60)

    cursor: str | None = None
    pages: list[list[str]] = []
    while not pages or cursor is not None:
        found, cursor = search(state="PENDING", cursor=cursor, limit=2)
        assert {task.state for task in found} <= {"PENDING"}
        pages.append([task.id for task in found])

    assert pages == [[], [made[3].id, made[2].id], [made[0].id]]
    record_all()
    assert ids(state="REVOKED") == [made[n].id for n in (5, 4, 1)]


def test_a_list_shows_no_results(service: Service) -> None:
    put_row(state="SUCCESS", result=Seal.dumps("large"))

    assert search()[0][0].result is None


def test_bulks_are_listed_with_the_counts_of_their_items(service: Service) -> None:
    single, bulk = enqueue("nothing"), enqueue("square_all", {"numbers": [1, 2, 3]})

    listed = {task.id: task.counts for task in search()[0]}

    assert listed == {bulk.id: {"pending": 3, "done": 0, "failed": 0, "skipped": 0, "unknown": 0}, single.id: None}
