"""House-keeping for people: each expiry of a password is announced once; operators hear what failed."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from tests.conftest import Service
from tests.face import new_company
from tests.hands import at_once, put_row
from workers import db, settings
from workers.engine.job import params_in
from workers.engine.seal import Seal
from workers.engine.tables import items, occurrences, tasks
from workers.errors import BadSettings, GatewayAway
from workers.jobs import maintenance
from workers.models import NO_PASSWORD, User

NOON = datetime(2026, 3, 10, 9, tzinfo=UTC)  # what is asked for twice in a test is asked for on one day


@pytest.fixture(autouse=True)
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "now", lambda: NOON)


def a_user(email: str, *, changed_days_ago: int, company: int | None = None, **values: Any) -> int:
    changed_at = NOON - timedelta(days=changed_days_ago)
    with db.writing() as session:
        given = {"password_hash": "scrypt:", "password_changed_at": changed_at, **values}
        user = User(email=email, company_id=company, **given)
        session.add(user)
        session.flush()
        return user.id


def mails() -> list[dict[str, Any]]:
    with db.reading() as session:
        found = session.execute(select(tasks).where(tasks.c.kind == "send_notice").order_by(tasks.c.id)).all()
        values = {row.task_id: Seal.loads(row.value) for row in session.execute(select(items))}
    return [{"scope": row.scope, **params_in(row.id, row.params), **_row(values.get(row.id))} for row in found]


def _row(value: Any) -> dict[str, Any]:
    return {"to_email": value.get("to"), **value} if isinstance(value, dict) else {}


def user(user_id: int) -> User:
    with db.reading() as session:
        found = session.get(User, user_id)
        assert found is not None
        return found


def test_each_expiry_is_announced_once_in_the_users_language(anywhere: Service) -> None:
    company = new_company("4540536920")
    a_user("ayse@example.com", changed_days_ago=80, company=company, name="Ayşe")
    a_user("bob@example.com", changed_days_ago=89, company=company, language="en")
    a_user("cem@example.com", changed_days_ago=10, company=company)
    a_user("gone@example.com", changed_days_ago=80, company=company, active=False)
    a_user("imported@example.com", changed_days_ago=80, company=company, password_hash=NO_PASSWORD)

    assert maintenance.check_password_expiry() == {"expiring": 2, "mailed": 2, "expired": 0}
    assert maintenance.check_password_expiry() == {"expiring": 2, "mailed": 0, "expired": 0}

    turkish, english = mails()
    assert (turkish["to_email"], turkish["scope"]) == ("ayse@example.com", str(company))
    assert "10 gün" in turkish["subject"]
    assert "Sayın Ayşe" in turkish["body"]
    assert "in 1 day" in english["subject"]
    assert "1 days" not in english["subject"] + english["body"]


def test_a_run_that_died_before_it_noted_its_mail_sends_no_second_one(service: Service) -> None:
    user_id = a_user("ayse@example.com", changed_days_ago=80)
    maintenance.check_password_expiry()
    with db.writing() as session:
        session.execute(update(User).values(password_notice_for=None))

    maintenance.check_password_expiry()

    assert len(mails()) == 1
    assert user(user_id).password_notice_for is not None


def test_runs_at_once_send_one_mail_and_count_it_once(anywhere: Service) -> None:
    for name in ("ayse", "bob", "cem"):
        a_user(f"{name}@example.com", changed_days_ago=80)

    counts = at_once(3, lambda _: maintenance.check_password_expiry()["mailed"])

    assert sum(counts) == len(mails()) == 3


def test_a_changed_password_expires_anew(service: Service) -> None:
    user_id = a_user("ayse@example.com", changed_days_ago=100)
    assert maintenance.check_password_expiry()["expired"] == 1
    assert user(user_id).password_expired_at is not None

    with db.writing() as session:
        session.execute(update(User).values(password_changed_at=NOON - timedelta(days=85)))
    assert maintenance.check_password_expiry() == {"expiring": 1, "mailed": 1, "expired": 0}

    assert user(user_id).password_expired_at is None


@pytest.mark.parametrize(("limit", "expired"), [(30, 1), (0, 0), (None, 0), (60, 0)])
def test_the_age_limit_is_the_companys(service: Service, limit: int | None, expired: int) -> None:
    from workers.models import Company

    company = new_company("4540536920")
    with db.writing() as session:
        session.execute(update(Company).values(options={"password_max_age_days": limit}))
    a_user("ayse@example.com", changed_days_ago=40, company=company)

    assert maintenance.check_password_expiry()["expired"] == expired


def test_operators_get_a_summary(service: Service) -> None:
    a_user("ayse@example.com", changed_days_ago=80)
    a_user("op@example.com", changed_days_ago=1, role="operator")

    for _ in range(2):
        maintenance.check_password_expiry()

    assert [mail["to_email"] for mail in mails()] == ["ayse@example.com", "op@example.com"]
    assert "1 yaklaşıyor" in mails()[1]["subject"]


def test_the_digest_names_what_failed_and_keeps_quiet_otherwise(service: Service) -> None:
    a_user("op@example.com", changed_days_ago=1, role="operator", language="en")
    assert maintenance.send_daily_digest() == {"tasks": {}, "late": {}, "set_aside": []}
    assert mails() == []

    put_row(kind="send_sms", state="FAILURE", ended_at=NOON)
    put_row(kind="send_sms", state="FAILURE", ended_at=NOON - timedelta(days=2))
    with db.writing() as session:
        session.execute(insert(occurrences).values(schedule="nightly", due_at=NOON, state="missed", lateness_s=90))

    assert maintenance.send_daily_digest() == {"tasks": {"send_sms": 1}, "late": {"nightly": 1}, "set_aside": []}
    maintenance.send_daily_digest()
    assert len(mails()) == 1
    assert "send_sms: 1" in mails()[0]["body"]


def test_what_was_missed_in_an_outage_of_days_stands_in_the_first_digest_behind_it(anywhere: Service) -> None:
    days = timedelta(days=3)
    missed = {"state": "missed", "lateness_s": days.total_seconds() - 60, "enqueued_at": None}
    late = {"state": "done", "lateness_s": days.total_seconds() - 60, "enqueued_at": NOON - timedelta(minutes=1)}
    told_before = {"state": "missed", "lateness_s": 90, "enqueued_at": None}
    runs = {"never": missed, "nightly": late, "long_ago": told_before}
    with db.writing() as session:
        session.execute(
            insert(occurrences), [{"schedule": name, "due_at": NOON - days, **run} for name, run in runs.items()]
        )

    assert maintenance.send_daily_digest()["late"] == {"never": 1, "nightly": 1}


def test_what_failed_since_the_last_digest_is_told_however_long_ago_that_was(anywhere: Service) -> None:
    hour = timedelta(hours=1)
    for hours_ago in (72, 1):  # before an outage, and today by hand
        put_row(kind="send_daily_digest", state="SUCCESS", started_at=NOON - hours_ago * hour, ended_at=NOON)
    for hours_ago in (74, 70, 2):
        put_row(kind="send_sms", state="FAILURE", ended_at=NOON - hours_ago * hour)

    assert maintenance.send_daily_digest()["tasks"] == {"send_sms": 2}


class Inbox(HTTPServer):
    """An alert service of the tests' own."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Listener)
        self.status, self.got = 200, []


class Listener(BaseHTTPRequestHandler):
    server: Inbox

    def do_POST(self) -> None:
        self.server.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def inbox(service: Service) -> Iterator[Inbox]:
    with Inbox() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        urls = f"json://127.0.0.1:{server.server_port}/"
        settings.use(service.settings.model_copy(update={"alert_urls": urls}))
        yield server
        server.shutdown()
        thread.join()


def test_operators_are_alerted_through_apprise(inbox: Inbox) -> None:
    assert maintenance.alert_operators("Sıra: cleanup_old_logs", "The run failed.") == 1

    assert (inbox.got[0]["title"], inbox.got[0]["message"]) == ("Sıra: cleanup_old_logs", "The run failed.")
    inbox.status = 500
    with pytest.raises(GatewayAway, match="ALERT_URLS"):
        maintenance.alert_operators("a", "b")


def test_a_second_digest_of_a_day_that_would_say_more_is_no_failure(inbox: Inbox) -> None:
    for _ in range(2):
        put_row(kind="send_sms", state="FAILURE", ended_at=NOON)
        maintenance.send_daily_digest()

    with db.reading() as session:
        alerts = session.execute(select(tasks.c.id, tasks.c.params).where(tasks.c.kind == "alert_operators")).all()
    assert ["send_sms: 1" in params_in(*alert)["text"] for alert in alerts] == [True]


def test_unreadable_alert_urls_are_named_by_their_place_not_by_their_secrets(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    settings.use(service.settings.model_copy(update={"alert_urls": "json://127.0.0.1:1, nonsense:secret"}))

    with pytest.raises(BadSettings, match="entry 2") as caught:
        maintenance.alert_operators("a", "b")
    assert "secret" not in caught.value.message + caplog.text
