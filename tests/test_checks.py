import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app import checks, cli
from tests.conftest import HURRIED_S, ROOT, SECRET, Service
from workers import db, settings
from workers.embedded import EmbeddedValkey
from workers.engine import enqueue, wire

SEEN = ("limits", "addresses", "reports")  # by `flask up`, which asks nobody else


@pytest.fixture
def wrong(service: Service) -> Iterator[Any]:
    """What is found wrong, by what was tried, when the service's settings are changed so."""

    def found(**changes: Any) -> dict[str, str]:
        db.close()
        given = {"redis_url": service.settings.redis_url, "secret_key": SECRET, "data_dir": service.data_dir}
        settings.use(settings.load(**(given | changes)))
        return {finding.what: finding.text for finding in checks.findings(settings.current()) if not finding.fine}

    yield found
    db.close()
    settings.use(service.settings)


def test_what_works_is_found_to_work(wrong: Any) -> None:
    assert wrong() == {}
    assert (
        wrong(public_url="https://sira.example.com", mail_from="Sıra <sira@example.com>", sms_countries="TR,DE") == {}
    )
    assert wrong(smtp_url="smtp://user:password@mail.example.com:587?tls=ssl") == {}
    assert wrong(alert_urls="json://127.0.0.1:9,tgram://123456789:abcdefg_hijklmnop/12315544/") == {}


def test_an_embedded_server_that_is_silent_is_told_from_one_that_does_not_run(
    wrong: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, patience_s in HURRIED_S.items():
        monkeypatch.setattr(wire, name, patience_s)
    assert "Redis" not in wrong(redis_url="", data_dir=tmp_path / "embedded"), "`flask up` starts it"
    with EmbeddedValkey(tmp_path / "embedded") as valkey:
        assert valkey.process
        valkey.process.send_signal(signal.SIGSTOP)
        found = wrong(redis_url="", data_dir=tmp_path / "embedded")
        valkey.process.send_signal(signal.SIGCONT)

    assert "Redis does not answer" in found["Redis"]


@pytest.mark.parametrize(
    ("change", "what", "sentence"),
    [
        ({"redis_url": "redis://127.0.0.1:1"}, "Redis", "refused"),
        ({"redis_url": "redis://127.0.0.1:1?bogus=1"}, "Redis", "bogus"),
        ({"redis_url": "unix:///tmp/none.sock?db=y"}, "Redis", "REDIS_URL"),
        ({"database_url": "postgresql://u:geheim@127.0.0.1:1/d"}, "database", "refused"),
        ({"storage_url": "s3://bucket?endpoint=nowhere"}, "storage", "STORAGE_URL"),
        ({"rate_limit": "often"}, "limits", "RATE_LIMIT"),
        ({"rate_limit": "0/minute"}, "limits", "RATE_LIMIT"),
        ({"sms_per_number": "never"}, "limits", "SMS_PER_NUMBER"),
        ({"sms_per_number": "3/minute;9/hour"}, "limits", "SMS_PER_NUMBER"),
        ({"sms_per_number": "1/year"}, "limits", "SMS_PER_NUMBER must be one limit such as 3/10minutes"),
        ({"sms_per_number": "3/0minutes"}, "limits", "in 1 second to 31 days"),
        ({"smtp_url": "http://127.0.0.1"}, "addresses", "SMTP_URL"),
        ({"smtp_url": "smtp://127.0.0.1?tls=maybe"}, "addresses", "SMTP_URL"),
        ({"mail_from": "nobody"}, "addresses", "MAIL_FROM"),
        ({"public_url": "sira.example.com"}, "addresses", "PUBLIC_URL"),
        ({"public_url": "https://sira.example.com?a=b"}, "addresses", "PUBLIC_URL"),
        ({"public_url": "https://x y"}, "addresses", "PUBLIC_URL"),
        ({"netgsm_base_url": "foo"}, "addresses", "NETGSM_BASE_URL"),
        ({"sms_countries": "Türkiye"}, "addresses", "SMS_COUNTRIES"),
        ({"sms_countries": "TR,XX"}, "addresses", "SMS_COUNTRIES"),
        ({"storage_url": "file:here"}, "storage", "STORAGE_URL"),
        ({"alert_urls": "json://127.0.0.1, geheim"}, "reports", "ALERT_URLS: entry 2"),
        ({"sentry_dsn": "geheim"}, "reports", "SENTRY_DSN"),
        ({"sentry_dsn": "https://sentry.example.com/1"}, "reports", "SENTRY_DSN"),
    ],
)
def test_what_does_not_work_is_found_with_its_cause_and_not_started_where_it_can_be_seen(
    wrong: Any, change: Any, what: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.up.run", lambda *_, **__: 0)

    found = wrong(**change)
    started = CliRunner().invoke(cli.up, ["--no-sandbox"])

    assert sentence in found[what]
    assert "geheim" not in found[what]
    assert (started.exit_code, sentence in started.output) == ((1, True) if what in SEEN else (0, False))


FAULTY = """
from workers.engine import job

@job(queue="maintenance", cron="0 25 * * *")
def never() -> None:
    pass
"""


@pytest.mark.parametrize(("module", "sentence"), [(FAULTY, "never"), ("import no_such_package", "no_such_package")])
def test_a_jobs_module_that_can_not_be_used_is_found(
    service: Service, tmp_path: Path, module: str, sentence: str
) -> None:
    (tmp_path / "added.py").write_text(module)
    script = (
        f"import workers.jobs; workers.jobs.__path__.append({str(tmp_path)!r})\n"
        "from app import checks; from workers import settings\n"
        "print([found.text for found in checks.findings(settings.current()) if not found.fine])"
    )

    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=service.env, capture_output=True, text=True)

    assert sentence in ended.stdout, ended.stderr


def test_a_folder_that_can_not_be_made_is_found(wrong: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")

    found = wrong(data_dir=tmp_path / "file" / "var")

    assert str(tmp_path / "file") in found["DATA_DIR"]
    assert {"database", "storage"} <= found.keys()


def test_a_server_that_drops_jobs_is_found(wrong: Any, service: Service) -> None:
    service.redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        assert "noeviction" in wrong()["Redis"]
    finally:
        service.redis.config_set("maxmemory-policy", "noeviction")


def test_a_server_that_is_full_is_found(wrong: Any, service: Service) -> None:
    service.redis.config_set("maxmemory", 1)
    try:
        assert "is full" in wrong()["Redis"]
    finally:
        service.redis.config_set("maxmemory", 0)


def test_a_database_that_is_away_is_told_of_once(wrong: Any) -> None:
    found = wrong(database_url="postgresql://sira@127.0.0.1:1/sira")

    assert [what for what, text in found.items() if "database" in text.lower()] == ["database"]


def test_a_server_that_refuses_the_password_is_not_called_away(wrong: Any, service: Service) -> None:
    stranger = re.sub(r"://(.*@)?", "://nobody:wrong@", service.settings.redis_url)

    assert "refuses its user or password" in wrong(redis_url=stranger)["Redis"]


def test_what_is_unsafe_is_wrong_in_production_only(wrong: Any) -> None:
    repeated = "changeme" * 5

    assert wrong(secret_key=repeated) == {}
    assert "SECRET_KEY" in wrong(secret_key=repeated, app_env="production")["production"]
    assert "DATABASE_URL" not in wrong(secret_key=repeated)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"smtp_url": ""}, "SMTP_URL is not set"),
        ({"sms_provider": "sandbox"}, "SMS_PROVIDER is sandbox"),
        ({"smtp_url": "smtp://mail.example.com:25?tls=none"}, "SMTP_URL is unencrypted"),
        ({"twilio_base_url": "http://api.twilio.com"}, "TWILIO_BASE_URL is unencrypted"),
        ({"netgsm_base_url": "http://api.netgsm.com.tr"}, "NETGSM_BASE_URL is unencrypted"),
    ],
)
def test_a_sandbox_in_production_is_found_and_what_goes_in_the_clear(wrong: Any, change: Any, sentence: str) -> None:
    real = {"smtp_url": "smtp://127.0.0.1:25?tls=none", "sms_provider": "twilio", "app_env": "production"}
    real["twilio_base_url"] = "http://localhost:8025"

    assert not any(word in str(wrong(**real)) for word in ("SMTP_URL", "SMS_PROVIDER", "_BASE_URL"))
    unsafe = [finding.text for finding in checks.findings(settings.load(**(real | change))) if not finding.fine]
    assert any(sentence in text for text in unsafe)
    assert "production" not in wrong(**(real | change | {"app_env": "development"}))


def test_keys_that_do_not_open_what_is_stored_are_found(wrong: Any) -> None:
    assert wrong() == {}, "nothing is stored yet"
    enqueue("nothing")
    assert wrong() == {}

    found = wrong(secret_key="another key of at least thirty-two characters mistyped")

    assert set(found) == {"SECRET_KEY"}
    assert "not among SECRET_KEY" in found["SECRET_KEY"]
    assert wrong(secret_key=f"a new key of at least thirty-two characters,{SECRET}") == {}
