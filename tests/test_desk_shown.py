"""How times, numbers and names are written for people, in both languages."""

from datetime import UTC, datetime, timedelta

from flask import Flask

from app.desk import shown
from tests import face as faces
from tests.face import Face
from workers import db
from workers.engine import registry
from workers.engine.tasks import STATES

face = faces.face
GAP = "\N{NO-BREAK SPACE}"
NIGHT = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)


def read_as(app: Flask, lang: str) -> object:
    return app.test_request_context("/", headers={"Accept-Language": lang})


def test_an_instant_stands_on_the_clock_of_the_people_here_with_its_utc_for_programs(face: Face) -> None:
    with read_as(face.app, "tr"):
        written = shown.when(NIGHT)
        assert written == '<time datetime="2026-11-23T22:30:00Z" title="24.11.2026 01:30:00">24.11.2026 01:30</time>'
        assert shown.when("2026-11-23T22:30:00.000Z") == written
        assert shown.exactly(NIGHT).endswith(">24.11.2026 01:30:00</time>")
        assert shown.when(None) == shown.ago(None) == shown.duration(None) == shown.number(None) == "–"


LENGTHS = [
    (0, "0 sn", "0 s"),
    (0.44, "0,4 sn", "0.4 s"),
    (0.04, "40 ms", "40 ms"),
    (9.96, "10 sn", "10 s"),
    (59.6, "1 dk", "1 min"),
    (125, "2 dk 5 sn", "2 min 5 s"),
    (3605, "1 sa 5 sn", "1 h 5 s"),
    (90061, "1 gün 1 sa", "1 d 1 h"),
    (-3, "0 sn", "0 s"),
]


def test_a_length_of_time_is_told_in_its_two_largest_units(face: Face) -> None:
    for lang, words in (("tr", [turkish for _, turkish, _ in LENGTHS]), ("en", [english for *_, english in LENGTHS])):
        with read_as(face.app, lang):
            assert [shown.duration(seconds).replace(GAP, " ") for seconds, *_ in LENGTHS] == words


def test_what_is_left_is_told_roughly_as_the_script_tells_it(face: Face) -> None:
    with read_as(face.app, "tr"):
        told = [shown.roughly(seconds).replace(GAP, " ") for seconds in (0, 59.4, 90, 150, 3599, 5400)]
    assert told == ["0 sn", "59 sn", "2 dk", "3 dk", "60 dk", "2 sa"]


def test_what_was_and_what_will_be_is_told_from_now_on(face: Face) -> None:
    with read_as(face.app, "tr"):
        told = [shown.ago(db.now() + timedelta(seconds=s)).replace(GAP, " ") for s in (-1, -300, 7205)]
    assert [text.partition(">")[2].removesuffix("</time>") for text in told] == ["az önce", "5 dk önce", "2 sa sonra"]


def test_numbers_percents_and_sizes_have_the_signs_of_the_language(face: Face) -> None:
    with read_as(face.app, "tr"):
        assert (shown.number(1234.5), shown.percent(12), shown.size(1_440_000)) == ("1.234,5", "%12", f"1,4{GAP}MB")
    with read_as(face.app, "en"):
        assert (shown.number(1234.5), shown.percent(12), shown.size(999)) == ("1,234.5", "12%", "999 bytes")


def test_every_state_kind_and_queue_has_a_name_in_turkish(face: Face) -> None:
    ours = [kind for kind in registry.kinds().values() if kind.function.__module__.startswith("workers.jobs")]
    with read_as(face.app, "tr"):
        assert [state for state in STATES if shown.state_name(state) == state] == []
        assert [kind.name for kind in ours if shown.kind_name(kind.name) == kind.name] == []
        assert [queue for queue in registry.QUEUES if shown.queue_name(queue) == queue] == []
    assert len(ours) > 10
