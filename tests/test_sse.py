"""Event streams: begin with the present, end after the last, and leave nothing behind."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from sqlalchemy import select

from app.api import streams
from app.auth import digest_of
from tests import face as faces
from tests.conftest import Service, wait_until
from tests.face import Face, Person
from workers import db
from workers.errors import DatabaseDown
from workers.models import Token

face = faces.face


def follow(person: Person, path: str, **more: Any) -> Any:
    """An open stream; its `events` yields `{"id", "event", "data"}`, and None for a heartbeat."""
    answer = person.get(path, **more)
    assert answer.status_code == 200, answer.text
    assert answer.content_type.startswith("text/event-stream")
    answer.events = parsed(answer.iter_encoded())
    return answer


def parsed(chunks: Iterator[bytes]) -> Iterator[dict[str, Any] | None]:
    for chunk in chunks:
        block = chunk.decode()
        assert block.endswith("\n\n")
        if block.startswith(":"):
            yield None
        elif not block.startswith("retry:"):
            found = dict(line.split(": ", 1) for line in block.strip().split("\n"))
            yield {**found, "data": json.loads(found["data"])}


def test_a_stream_shows_a_task_from_its_present_state_to_its_last(face: Face, service: Service, tmp_path: Any) -> None:
    task_id = face.ayse.enqueue("count", path=str(tmp_path / "out"), n=5, pause_s=0.05)
    with closing(follow(face.ayse, f"/api/tasks/{task_id}/events")) as stream:
        first = next(stream.events)
        service.run_worker()
        rest = [event for event in stream.events if event]

    assert (first["event"], first["data"]["task_id"], first["data"]["state"]) == ("status", task_id, "PENDING")
    assert rest[-1]["data"]["state"] == "SUCCESS"
    assert rest[-1]["data"] == face.ayse.status(task_id)
    progress = [event["data"]["current"] for event in rest if event["data"]["state"] == "PROGRESS"]
    assert progress == sorted(progress)
    assert all(event["id"] for event in rest)


def test_a_stream_of_what_has_ended_tells_it_and_ends(face: Face) -> None:
    task_id = face.ayse.enqueue("add", a=1)
    face.ayse.post(f"/api/tasks/{task_id}/cancel")

    with closing(follow(face.ayse, f"/api/tasks/{task_id}/events", headers={"Accept-Language": "en"})) as stream:
        events = list(stream.events)

    assert [(event["data"]["state"], event["data"]["status"]) for event in events] == [("REVOKED", "Cancelled")]


def test_a_stream_whose_reader_has_hung_up_ends_before_its_next_heartbeat(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_S", 600.0)
    ours, theirs = socket.socketpair()
    with ours, closing(follow(face.ayse, "/api/events", environ_overrides={"werkzeug.socket": ours})) as stream:
        began = time.monotonic()
        theirs.close()
        left = list(stream.events)

    assert left == []
    assert time.monotonic() - began < 60


def test_who_has_hung_up_while_waiting_for_an_end_holds_no_seat_any_longer(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_seats", threading.BoundedSemaphore(streams.SEATS))
    task_id = face.ayse.enqueue("add", a=1)
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours:
        began = time.monotonic()
        hung_up = {"environ_overrides": {"werkzeug.socket": ours}}
        assert face.ayse.status(task_id, query_string={"wait": 30}, **hung_up)["state"] == "PENDING"

    assert time.monotonic() - began < 25
    assert streams._seats._value == streams.SEATS


def test_a_stream_goes_on_behind_the_last_event_that_was_seen(face: Face, service: Service) -> None:
    task_id = face.ayse.enqueue("add", a=1)
    with closing(follow(face.ayse, "/api/events")) as stream:
        seen = next(stream.events)["id"]
    service.run_worker()
    face.ayse.status(task_id, query_string={"wait": 20})

    for resumed in ({"headers": {"Last-Event-ID": seen}}, {"query_string": {"last_event_id": seen}}):
        with closing(follow(face.ayse, "/api/events", **resumed)) as stream:
            missed = next(event for event in stream.events if event)
        assert (missed["data"]["task_id"], missed["data"]["state"]) == (task_id, "SUCCESS")


@pytest.mark.parametrize("last_id", ["x", "1-", "-1", "9" * 30, "0", "$", "%00"])
def test_a_last_event_id_of_any_shape_does_no_harm(face: Face, last_id: str) -> None:
    task_id = face.ayse.enqueue("add", a=1)
    face.ayse.post(f"/api/tasks/{task_id}/cancel")
    with closing(follow(face.ayse, f"/api/tasks/{task_id}/events", headers={"Last-Event-ID": last_id})) as stream:
        assert [event["data"]["state"] for event in stream.events if event] == ["REVOKED"]


def test_the_stream_of_all_tasks_begins_with_those_that_live_and_shows_the_own_company_only(face: Face) -> None:
    waiting, ended = face.ayse.enqueue("add", a=1), face.ayse.enqueue("add", a=2)
    face.ayse.post(f"/api/tasks/{ended}/cancel")
    face.bora.enqueue("add", a=3)

    with closing(follow(face.ayse, "/api/events")) as stream:
        assert next(stream.events)["data"]["task_id"] == waiting
        new = face.ayse.enqueue("add", a=4)
        face.bora.enqueue("add", a=5)
        face.ayse.post(f"/api/tasks/{new}/cancel")
        told = next(event for event in stream.events if event and event["data"]["task_id"] == new)

    assert told["data"]["links"]["self"].startswith(f"/api/tasks/{new}")


def test_silence_is_filled_with_heartbeats(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_S", 0.1)
    task_id = face.ayse.enqueue("add", a=1)
    with closing(follow(face.ayse, f"/api/tasks/{task_id}/events")) as stream:
        assert next(stream.events)
        assert [next(stream.events), next(stream.events)] == [None, None]


def test_a_stream_ends_when_its_token_is_revoked(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_S", 0.05)
    task_id = face.ayse.enqueue("add", a=1)
    with closing(follow(face.ayse, f"/api/tasks/{task_id}/events")) as stream:
        next(stream.events)
        with db.writing() as session:
            session.scalars(select(Token).where(Token.digest == digest_of(face.ayse.token))).one().revoked_at = db.now()
        assert all(event is None for event in stream.events)


def test_streams_are_capped_and_give_their_seats_back(face: Face) -> None:
    task_id = face.ayse.enqueue("add", a=1)
    path = f"/api/tasks/{task_id}/events"
    with ExitStack() as open_streams:
        for _ in range(streams.SEATS):
            open_streams.callback(face.ayse.get(path).close)  # some never read, as when a browser goes at once
        full = face.ayse.get(path)
        assert (full.status_code, full.content_type) == (503, "application/problem+json")
        assert int(full.headers["Retry-After"]) > 0
        assert face.ayse.status(task_id, query_string={"wait": 30})["state"] == "PENDING"  # at once, for want of a seat
    with closing(follow(face.ayse, path)) as stream:
        assert next(stream.events)


def test_asking_for_the_head_of_a_stream_takes_no_seat(face: Face) -> None:
    task_id = face.ayse.enqueue("add", a=1)
    for _ in range(streams.SEATS + 1):
        assert face.ayse.call("HEAD", f"/api/tasks/{task_id}/events").status_code == 200
    with closing(follow(face.ayse, f"/api/tasks/{task_id}/events")) as stream:
        assert next(stream.events)


def test_a_stream_that_can_not_begin_keeps_no_seat(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_seats", threading.BoundedSemaphore(streams.SEATS))
    task_id = face.ayse.enqueue("add", a=1)

    def broken(_: object) -> str:
        raise DatabaseDown()

    monkeypatch.setattr(streams, "_language", broken)

    assert face.ayse.get(f"/api/tasks/{task_id}/events").status_code == 503
    assert streams._seats._value == streams.SEATS


def test_a_client_that_goes_away_frees_its_thread(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a real socket: the server notices at the next heartbeat."""
    from http.client import HTTPConnection

    from werkzeug.serving import make_server

    monkeypatch.setattr(streams, "_seats", threading.BoundedSemaphore(streams.SEATS))
    monkeypatch.setattr(streams, "HEARTBEAT_S", 0.05)
    task_id = face.ayse.enqueue("add", a=1)
    server = make_server("127.0.0.1", 0, face.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        connection = HTTPConnection("127.0.0.1", server.server_port, timeout=10)
        connection.request("GET", f"/api/tasks/{task_id}/events", headers={"Authorization": "Bearer ayse-token"})
        assert connection.getresponse().read(6) == b"retry:"
        assert streams._seats._value == streams.SEATS - 1
        connection.close()
        wait_until(lambda: streams._seats._value == streams.SEATS, what="the free seat")
    finally:
        server.shutdown()
        thread.join()
