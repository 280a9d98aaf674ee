"""The sandbox as it runs: a process of its own, real SMTP and HTTP, rows in the database."""

import signal
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from sqlalchemy import func, select, text

from app import up
from app.ports import held_port
from app.sandbox_mail import rows_of
from tests.conftest import ROOT, Service, wait_until
from workers import db, settings
from workers.models import SandboxMessage
from workers.services.mail_session import MailSession
from workers.services.mail_text import Attachment, Sender, compose, message_id

FIRM = Sender("Boğaziçi Endüstriyel Makine Sanayi ve Ticaret A.Ş.", "sira@example.com")


class Sandbox:
    """A running sandbox."""

    def __init__(self, service: Service) -> None:
        with held_port() as smtp, held_port() as http:
            self.smtp_port, self.http_port = smtp.getsockname()[1], http.getsockname()[1]
            self._start(service)

    def _start(self, service: Service) -> None:
        command = [sys.executable, "-m", "app.sandbox", "--smtp-port", str(self.smtp_port)]
        command += ["--http-port", str(self.http_port)]
        self.log = service.data_dir / "sandbox.log"
        with self.log.open("w") as out:
            self.process = subprocess.Popen(command, cwd=ROOT, env=service.env, stdout=out, stderr=out)
        wait_until(self._ready, timeout_s=90, what="a ready sandbox")

    @property
    def smtp(self) -> str:
        return f"smtp://127.0.0.1:{self.smtp_port}"

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def _ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return requests.get(f"{self.http}/healthz", timeout=1).json() == {"status": "ok"}
        except requests.RequestException:
            return False

    def send(self, key: str, *texts: str) -> requests.Response:
        messages = [{"ref": str(n), "phone": f"+9055512345{n:02}", "text": text} for n, text in enumerate(texts)]
        return requests.post(f"{self.http}/sms/send", json={"key": key, "messages": messages}, timeout=30)


def running(service: Service) -> Iterator[Sandbox]:
    started = Sandbox(service)
    yield started
    started.process.terminate()
    assert started.process.wait(60) == 0


@pytest.fixture
def sandbox(service: Service) -> Iterator[Sandbox]:
    yield from running(service)


@pytest.fixture
def sandbox_anywhere(anywhere: Service) -> Iterator[Sandbox]:
    yield from running(anywhere)


def mail(n: int, **changes: Any) -> Any:
    plain: dict[str, Any] = {
        "sender": FIRM,
        "to": "ali@ornek.com",
        "subject": f"Konu {n}",
    }
    return compose(message_id=message_id(str(n), "example.com"), **(plain | {"body": "Sayın yetkili,"} | changes))


def rows(channel: str) -> list[SandboxMessage]:
    with db.reading() as session:
        found = select(SandboxMessage).where(SandboxMessage.channel == channel).order_by(SandboxMessage.id)
        return [*session.scalars(found)]


def test_a_mail_is_kept_with_all_that_its_reader_would_see(sandbox_anywhere: Sandbox):
    letter = Attachment("Mutabakat Çınar.pdf", "application/pdf", b"%PDF" * 100)
    with MailSession(sandbox_anywhere.smtp) as session:
        said = session.send(mail(1, html="<p>Sayın yetkili,</p>", attachments=[letter]), "ali@ornek.com")

    assert said.state == "done"
    (row,) = rows("mail")
    assert (row.key, row.recipient, row.subject) == (said.provider_id, "ali@ornek.com", "Konu 1")
    assert row.sender == f"{FIRM.name} <sira@example.com>"
    assert (row.body, row.html) == ("Sayın yetkili,", "<p>Sayın yetkili,</p>")
    assert row.attachments == [{"name": "Mutabakat Çınar.pdf", "size": 400}]


def test_a_mail_that_was_sent_twice_is_seen_twice(sandbox: Sandbox):
    with MailSession(sandbox.smtp) as session:
        for _ in range(2):
            assert session.send(mail(1), "ali@ornek.com").state == "done"
    assert len({row.key for row in rows("mail")}) == 1
    assert len(rows("mail")) == 2


def test_mails_of_many_at_once_are_all_kept(sandbox: Sandbox):
    def send(n: int) -> str:
        with MailSession(sandbox.smtp) as session:
            return "".join(session.send(mail(100 * n + m), "ali@ornek.com").state[0] for m in range(10))

    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(send, range(8))] == ["d" * 10] * 8
    assert len({row.key for row in rows("mail")}) == 80


def test_a_mail_of_somebody_else_s_making_is_kept_as_far_as_it_can_be_read(sandbox: Sandbox):
    broken = b"Subject: a\xffb\x00\r\nContent-Type: multipart/mixed\r\n\r\nno parts\r\n"
    with smtplib.SMTP("127.0.0.1", sandbox.smtp_port) as client:
        assert client.sendmail("a@x.com", ["b@x.com", "c@x.com"], broken) == {}

    assert [(row.recipient, row.sender) for row in rows("mail")] == [("b@x.com", "a@x.com"), ("c@x.com", "a@x.com")]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\r\n",
        b"\x00\xff",
        b"From: =?nope?b?eA==?= <a@x.com>\r\n\r\n",
        b"Content-Type: text/plain; charset=nope\r\n\r\n\xfe",
        b"Content-Type: text/html\r\n\r\n<b>",
        b"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\ny",
        b"Subject: " + b"x" * 5000,
        b"Message-ID: <" + b"x" * 900,
    ],
)
def test_any_content_makes_a_row(content):
    (row,) = rows_of(content, "a@x.com", ["b" * 400])

    assert len(row.recipient) == len(row.recipient[:320])
    assert "\0" not in f"{row.body}{row.html}{row.subject}{row.key}"


def test_messages_are_accepted_with_an_id_for_each_and_can_be_asked_for(sandbox_anywhere: Sandbox):
    answer = sandbox_anywhere.send("key 1/ş", "Birinci", "İkinci")

    accepted = answer.json()["accepted"]
    assert (answer.status_code, [each["ref"] for each in accepted]) == (200, ["0", "1"])
    assert [(str(row.id), row.ref, row.recipient, row.body) for row in rows("sms")] == [
        (accepted[0]["id"], "0", "+905551234500", "Birinci"),
        (accepted[1]["id"], "1", "+905551234501", "İkinci"),
    ]
    asked = requests.get(f"{sandbox_anywhere.http}/sms/status", params={"key": "key 1/ş"}, timeout=30)
    assert asked.status_code == 200
    assert [{"ref": row["ref"], "id": row["id"]} for row in asked.json()["accepted"]] == accepted
    assert {row["state"] for row in asked.json()["accepted"]} == {"delivered"}


def test_the_same_key_is_answered_the_same_and_sends_nothing_anew(sandbox: Sandbox):
    first = sandbox.send("1", "Birinci", "İkinci").json()
    with ThreadPoolExecutor(8) as pool:
        again = [*pool.map(lambda _: sandbox.send("1", "Birinci", "İkinci").json(), range(8))]

    assert again == [first] * 8
    assert len(rows("sms")) == 2
    assert sandbox.send("2", "Birinci").json() != first


def test_a_key_that_never_came_is_unknown(sandbox: Sandbox):
    assert requests.get(f"{sandbox.http}/sms/status", params={"key": "1"}, timeout=30).status_code == 404
    assert requests.get(f"{sandbox.http}/nothing", timeout=30).status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 422),
        (b"[]", 422),
        (b'{"key": "1", "messages": []}', 422),
        (b'{"key": "1", "messages": [{"ref": "1", "phone": "", "text": "a"}]}', 422),
        (b'{"key": 1, "messages": [{"ref": "1", "phone": "+90", "text": "a"}]}', 422),
        (b'{"key": "1", "messages": [{"ref": "1", "phone": "+90", "text": "a"}]}' + b" " * 10_000_000, 413),
    ],
)
def test_a_request_that_can_not_be_used_is_refused_and_nothing_is_kept(sandbox: Sandbox, body: bytes, status: int):
    head = {"Content-Type": "application/json"}
    answer = requests.post(f"{sandbox.http}/sms/send", data=body, headers=head, timeout=30)

    assert (answer.status_code, rows("sms")) == (status, [])
    assert sandbox.send("1", "a").status_code == 200


def test_a_web_page_can_not_post_to_it_behind_somebody_s_back(sandbox: Sandbox):
    plain = {"Content-Type": "text/plain"}
    assert requests.post(f"{sandbox.http}/sms/send", data="{}", headers=plain, timeout=30).status_code == 415


def test_a_body_of_unknown_length_is_refused(sandbox: Sandbox):
    assert requests.post(f"{sandbox.http}/sms/send", data=iter([b"{}"]), timeout=30).status_code == 411


def test_what_can_not_be_recorded_is_not_accepted(sandbox: Sandbox):
    with db.writing() as session:
        session.execute(text("ALTER TABLE sandbox_messages RENAME TO elsewhere"))
    try:
        with MailSession(sandbox.smtp) as session:
            assert "451 4.3.0" in session.send(mail(1), "ali@ornek.com").reason
        answer = sandbox.send("1", "a")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    finally:
        with db.writing() as session:
            session.execute(text("ALTER TABLE elsewhere RENAME TO sandbox_messages"))

    assert sandbox.send("1", "a").status_code == 200


def test_it_stops_at_once_though_clients_are_connected(service: Service):
    sandbox = Sandbox(service)
    with smtplib.SMTP("127.0.0.1", sandbox.smtp_port) as client, requests.Session() as session:
        client.ehlo()
        session.get(f"{sandbox.http}/healthz", timeout=30)
        sandbox.process.send_signal(signal.SIGTERM)
        assert sandbox.process.wait(30) == 0, "for its clients it would wait longer than that"
    assert "Traceback" not in sandbox.log.read_text()


def test_what_it_logs_names_nobody(sandbox: Sandbox):
    with MailSession(sandbox.smtp) as session:
        session.send(mail(1, body="gizli"), "ali@ornek.com")
    sandbox.send("1", "gizli")

    with db.reading() as session:
        assert session.scalar(select(func.count()).select_from(SandboxMessage)) == 2
    assert not any(word in sandbox.log.read_text() for word in ("ali@", "gizli", "+90555"))


def test_flask_up_starts_it_on_free_ports_and_tells_the_others_where(service: Service):
    with up.sandbox(service.settings) as ((program,), addresses):
        assert program.ready is not None
        process = subprocess.Popen(program.argv, cwd=ROOT, env=service.env | dict(program.env))
        try:
            wait_until(program.ready, timeout_s=90, what="a ready sandbox")
            with MailSession(addresses["SMTP_URL"]) as session:
                assert session.send(mail(1), "ali@ornek.com").state == "done"
            assert requests.get(f"{addresses['SANDBOX_URL']}/healthz", timeout=30).status_code == 200
        finally:
            process.terminate()
            assert process.wait(60) == 0


@pytest.mark.parametrize(
    ("chosen", "wanted", "told"),
    [
        ({}, True, ["SANDBOX_URL", "SMTP_URL"]),
        ({"smtp_url": "smtp://h"}, True, ["SANDBOX_URL"]),
        ({"sms_provider": "twilio"}, True, ["SMTP_URL"]),
        ({"sms_provider": "twilio", "smtp_url": "smtp://h"}, True, []),
        ({"sandbox_url": "http://127.0.0.1:1", "smtp_url": "smtp://h"}, True, []),
        ({}, False, []),
    ],
)
def test_flask_up_starts_it_only_where_a_gateway_is_missing(chosen: dict[str, str], wanted: bool, told: list[str]):
    with up.sandbox(settings.load(**chosen), wanted=wanted) as (programs, addresses):
        assert sorted(addresses) == told
        assert len(programs) == bool(told)
