"""Messages against local servers: in requests and over one connection, to the naive way of one after the other."""

import os
import smtplib
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlsplit

from bench.service import ROOT, Service, peak_mb, service
from bench.table import Row, cost, gain
from tests.gateways import Apart, apart
from workers import settings
from workers.engine import enqueue
from workers.services.sms_gateways import Sms, open_gateway

SMS, NAIVE_SMS, ANSWER_S, REQUEST = 10_000, 40, 0.05, 100
MAILS, NAIVE_MAILS = 2_000, 200
MANY, FIRST = 100_000, 1_000
AT_MOST_MB = 30
WITHIN_S = 900.0


def messages() -> list[Row]:
    with service(1) as own, apart() as gateway:
        _use(SMS_PROVIDER="netgsm", NETGSM_BASE_URL=gateway.url, **_named("netgsm", gateway))
        rows = _sms(own, gateway)
        rows += [_growth(own, gateway)]
    for more, at_least in (((), 5), (("--pipelining",), None)):
        with service(1) as own, _mailbox(*more) as (url, certificate):
            _use(SMTP_URL=url, MAIL_FROM="Sıra <sira@sira.example>", SSL_CERT_FILE=certificate)
            rows += [_mails(own, url, " ".join((f"{MAILS:,} mails, STARTTLS and login", *more)), at_least)]
    return rows


def _use(**environment: str) -> None:
    """Settings of this process and the workers to come, without limits of pace."""
    free = {"SMS_RATE_PER_SECOND": "1000000", "MAIL_RATE_PER_SECOND": "1000000", "SMS_PER_NUMBER": "1000/second"}
    os.environ |= environment | free
    settings.use(None)


def _named(name: str, gateway: Apart) -> dict[str, str]:
    return {f"{name}_{key}".upper(): value for key, value in gateway.options(name).items() if key != "base_url"}


def _phone(number: int) -> str:
    return f"+9055{number // 10_000_000 % 10}{number % 10_000_000:07d}"


def _sms(own: Service, gateway: Apart) -> list[Row]:
    gateway.behave(delay_s=ANSWER_S)
    with own.workers(1):
        _bulk(own, 200)
        ours_s = min(_bulk(own, SMS) for _ in range(2))
    one_by_one_s, in_requests_s = _alone(gateway, NAIVE_SMS, 1) * SMS / NAIVE_SMS, _alone(gateway, SMS, REQUEST)
    what = f"{SMS:,} SMS, answers after {ANSWER_S * 1000:.0f} ms,"
    return [
        gain(f"{what} to one by one ({NAIVE_SMS} measured)", [ours_s, one_by_one_s], "s", at_least=20),
        cost(f"{what} to the same requests without a ledger", [ours_s, in_requests_s], "s", at_most=1.15),
    ]


def _bulk(own: Service, count: int) -> float:
    """Seconds from the claim to the end of a bulk of SMS: what the sending takes, not the writing of its rows."""
    rows = [{"phone": _phone(number), "message": f"Borcunuz {number} TL"} for number in range(count)]
    task = enqueue("send_bulk_sms", {"messages": rows, "company_id": own.company_id}, scope=own.scope)
    return _took(task, count)


def _took(task: Any, count: int) -> float:
    ended = task.wait(WITHIN_S)
    if ended.result != {"done": count}:
        raise SystemExit(f"{ended.kind} ended as {ended.state}: {ended.result} {ended.error}")
    return float((ended.ended_at - ended.started_at).total_seconds())


def _alone(gateway: Apart, count: int, request: int) -> float:
    """Seconds for so many SMS in requests of this size, one after the other, with nothing written down."""
    rows = [Sms(str(number), _phone(number), f"Borcunuz {number} TL") for number in range(count)]
    began = time.monotonic()
    with open_gateway("netgsm", gateway.options("netgsm"), batch=request) as opened:
        for start in range(0, count, request):
            opened.send(rows[start : start + request], f"bench-{count}-{start}")
    return time.monotonic() - began


def _growth(own: Service, gateway: Apart) -> Row:
    gateway.behave(reset=True)
    with own.workers(1) as (child,):
        _bulk(own, FIRST)
        first_mb = peak_mb(child)
        _bulk(own, MANY)
        grown_mb = peak_mb(child) - first_mb
    what = f"peak memory of a child over a bulk of {MANY:,} SMS, after its first {FIRST:,}"
    wanted, verdict = f"<= +{AT_MOST_MB} MB", grown_mb <= AT_MOST_MB
    return Row(what, f"{first_mb + grown_mb:.0f} MB", f"{first_mb:.0f} MB", f"{grown_mb:+.1f} MB", wanted, verdict)


@contextmanager
def _mailbox(*more: str) -> Iterator[tuple[str, str]]:
    """A mail server as they are met: STARTTLS and a login. Its URL, and the certificate to trust. `--pipelining`: it
    takes commands together (RFC 2920), as most do and aiosmtpd does not."""
    options = ("--file", os.devnull, "--tls", "starttls", "--user", "sira", *more)
    command = [sys.executable, "-m", "tests.mailbox", *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        _, url, certificate = process.stdout.readline().split()
        yield url, certificate
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def _mails(own: Service, url: str, what: str, at_least: float | None) -> Row:
    rows = [{"to": f"kisi{n}@ornek.com", "subject": "Hatırlatma", "body": f"Borcunuz {n} TL"} for n in range(MAILS)]
    with own.workers(1):
        _took(enqueue("send_bulk_emails", {"emails": rows[:100]}, scope=own.scope), 100)
        ours_s = min(_took(enqueue("send_bulk_emails", {"emails": rows}, scope=own.scope), MAILS) for _ in range(2))
    began = time.monotonic()
    for row in rows[:NAIVE_MAILS]:
        _mail_alone(url, row)
    naive_s = (time.monotonic() - began) * MAILS / NAIVE_MAILS
    return gain(f"{what}, to a connection each ({NAIVE_MAILS} measured)", [ours_s, naive_s], "s", at_least=at_least)


def _mail_alone(url: str, row: dict[str, str]) -> None:
    parts, mail = urlsplit(url), EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "sira@sira.example", row["to"], row["subject"]
    mail.set_content(row["body"])
    with smtplib.SMTP(str(parts.hostname), parts.port or 25) as smtp:
        smtp.starttls(context=ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"]))
        smtp.login("sira", "sira")
        smtp.send_message(mail)
