"""The settings: the contract's names and defaults, faults told by the variable's name, and no secret ever shown."""

import os
import stat
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.hands import at_once
from workers import settings
from workers.errors import BadSettings

KEY = "0123456789abcdef0123456789abcdef"
DEFAULTS = {
    "APP_ENV": "development",
    "DATABASE_URL": "",
    "REDIS_URL": "",
    "DATA_DIR": Path("var"),
    "STORAGE_URL": "",
    "SECRET_KEY": "",
    "SMTP_URL": "",
    "MAIL_FROM": "",
    "SMS_PROVIDER": "sandbox",
    "SMS_RATE_PER_SECOND": 100,
    "MAIL_RATE_PER_SECOND": 20,
    "SMS_DAILY_CAP": None,
    "SMS_PER_NUMBER": "3/10minutes",
    "SMS_SEGMENT_PRICE": None,
    "SANDBOX_URL": "",
    "SANDBOX_BATCH": 100,
    "NETGSM_BASE_URL": "https://api.netgsm.com.tr",
    **dict.fromkeys(("NETGSM_USERCODE", "NETGSM_PASSWORD", "NETGSM_HEADER"), ""),
    "NETGSM_BATCH": 100,
    "ILETIMERKEZI_BASE_URL": "https://api.iletimerkezi.com",
    **dict.fromkeys(("ILETIMERKEZI_KEY", "ILETIMERKEZI_HASH", "ILETIMERKEZI_SENDER"), ""),
    "ILETIMERKEZI_BATCH": 100,
    "VERIMOR_BASE_URL": "https://sms.verimor.com.tr",
    **dict.fromkeys(("VERIMOR_USERNAME", "VERIMOR_PASSWORD", "VERIMOR_SOURCE"), ""),
    "VERIMOR_BATCH": 100,
    "TWILIO_BASE_URL": "https://api.twilio.com",
    **dict.fromkeys(("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_FROM"), ""),
    "TASK_SOFT_TIME_LIMIT": 1500,
    "TASK_TIME_LIMIT": 1800,
    "MAX_JOBS_PER_CHILD": 1000,
    "LOG_RETENTION_DAYS": 90,
    "RESULT_TTL_DAYS": 90,
    "TIMEZONE": "Europe/Istanbul",
    "PUBLIC_URL": "",
    "SMS_COUNTRIES": "TR",
    "WEBHOOK_ALLOW_LOOPBACK": False,
    "REDIS_TLS_VERIFY": True,
    "SENTRY_DSN": "",
    "ALERT_URLS": "",
    "RATE_LIMIT": "1200/minute",
    "MAX_ITEMS": 100_000,
    "MAX_UPLOAD_MB": 25,
    "MAX_SHEET_ROWS": 1_000_000,
    "PORT": 8000,
    "WEB_CONCURRENCY": 1,
}
PRODUCTION = {
    "APP_ENV": "production",
    "SECRET_KEY": KEY,
    "DATABASE_URL": "postgresql://sira:pw@db/sira",
    "REDIS_URL": "rediss://:pw@cache:6379/0",
    "PUBLIC_URL": "https://sira.example.com",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment in which none of our variables is set."""
    for name in settings.Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


def load(variables: dict[str, str]) -> settings.Settings:
    """What `load` makes of these variables, given as the environment gives them: as text."""
    return settings.load(**{name.lower(): value for name, value in variables.items()})


def test_without_an_environment_every_setting_has_the_default_of_the_contract() -> None:
    chosen = settings.load()

    assert {name: getattr(chosen, name.lower()) for name in DEFAULTS} == DEFAULTS
    assert chosen.embedded_redis
    assert chosen.database == f"sqlite:///{Path('var/sira.db').resolve()}"
    assert chosen.storage == Path("var/files").resolve().as_uri()
    assert chosen.base_url == "http://127.0.0.1:8000"
    assert {name.upper() for name in settings.Settings.model_fields} == set(DEFAULTS)


def test_settings_come_from_the_environment_and_empty_ones_count_as_unset(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PORT", "9000")
    environment.setenv("TIMEZONE", "Asia/Tokyo")
    environment.setenv("SMS_DAILY_CAP", "0")
    environment.setenv("REDIS_TLS_VERIFY", "false")
    environment.setenv("RATE_LIMIT", "")
    environment.setenv("PUBLIC_URL", "https://sira.example.com/")

    chosen = settings.load()

    assert (chosen.port, chosen.timezone, chosen.sms_daily_cap) == (9000, "Asia/Tokyo", 0)
    assert (chosen.redis_tls_verify, chosen.rate_limit) == (False, "1200/minute")
    assert chosen.base_url == "https://sira.example.com"


def test_settings_are_read_once_and_frozen(environment: pytest.MonkeyPatch) -> None:
    settings.use(None)
    environment.setenv("PORT", "9000")
    first = settings.current()
    environment.setenv("PORT", "9001")

    assert settings.current() is first
    with pytest.raises(ValidationError):
        first.port = 1

    settings.use(None)
    assert settings.current().port == 9001
    settings.use(None)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_spelling_of_postgresql_is_psycopg(scheme: str) -> None:
    chosen = load({"DATABASE_URL": f"{scheme}://u:p@h:5432/d", "SECRET_KEY": KEY})

    assert chosen.database == "postgresql+psycopg://u:p@h:5432/d"


@pytest.mark.parametrize(
    "url",
    [
        "redis://h:6379/0",
        "rediss://:pw@h/0",
        "unix:///run/redis.sock",
        "redis://[::1]:6379/0",
        "redis+sentinel://:pw@h1:26379,[::1]:26379/service/0",
    ],
)
def test_every_redis_address_of_the_contract_is_taken(url: str) -> None:
    assert load({"REDIS_URL": url, "SECRET_KEY": KEY}).redis_url == url


NO_REDIS = ["http://h/0", "h:6379", "redis://h:abc/0", "redis://h:99999/0", "redis://[::1/0", "redis://h/abc"]
NO_REDIS += ["redis+sentinel://h:1/name/abc", "redis+sentinel://h:1", "rediss://h/0/1", "redis+sentinel://h:1,h:x/name"]


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"SECRET_KEY": KEY[:31]}, "SECRET_KEY"),
        ({"SECRET_KEY": f"{KEY},short"}, "SECRET_KEY"),
        ({"SECRET_KEY": f"{KEY}, {' ' * 40}x"}, "SECRET_KEY"),
        ({"SECRET_KEY": ","}, "SECRET_KEY"),
        ({"REDIS_URL": "redis://h/0"}, "SECRET_KEY"),
        ({"DATABASE_URL": "postgresql://h/d"}, "SECRET_KEY"),
        ({"TIMEZONE": "Europe/Constantinople2"}, "TIMEZONE"),
        ({"TIMEZONE": "../../etc/passwd"}, "TIMEZONE"),
        ({"DATABASE_URL": "mysql://h/d", "SECRET_KEY": KEY}, "DATABASE_URL"),
        ({"DATABASE_URL": "sira.db", "SECRET_KEY": KEY}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://h:five/d", "SECRET_KEY": KEY}, "DATABASE_URL"),
        *[({"REDIS_URL": url, "SECRET_KEY": KEY}, "REDIS_URL") for url in NO_REDIS],
        ({"STORAGE_URL": "ftp://h/files"}, "STORAGE_URL"),
        ({"PORT": "http"}, "PORT"),
        ({"PORT": "65536"}, "PORT"),
        ({"LOG_RETENTION_DAYS": "0"}, "LOG_RETENTION_DAYS"),
        ({"LOG_RETENTION_DAYS": "9999999"}, "LOG_RETENTION_DAYS"),
        ({"APP_ENV": "staging"}, "APP_ENV"),
        ({"SMS_PROVIDER": "carrier pigeon"}, "SMS_PROVIDER"),
        ({"SMS_RATE_PER_SECOND": "0"}, "SMS_RATE_PER_SECOND"),
        ({"SMS_DAILY_CAP": "-1"}, "SMS_DAILY_CAP"),
        ({"MAX_JOBS_PER_CHILD": "0"}, "MAX_JOBS_PER_CHILD"),
        ({"TASK_SOFT_TIME_LIMIT": "60", "TASK_TIME_LIMIT": "30"}, "TASK_SOFT_TIME_LIMIT"),
        ({"TASK_SOFT_TIME_LIMIT": "inf", "TASK_TIME_LIMIT": "inf"}, "TASK_TIME_LIMIT"),
        ({"SMS_RATE_PER_SECOND": "inf"}, "SMS_RATE_PER_SECOND"),
        ({"DATABASE_URL": "sqlite:///:memory:", "SECRET_KEY": KEY}, "DATABASE_URL"),
        ({"REDIS_TLS_VERIFY": "perhaps"}, "REDIS_TLS_VERIFY"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_with_a_sentence_that_names_it(
    variables: dict[str, str], named: str
) -> None:
    with pytest.raises(BadSettings) as refused:
        load(variables)

    assert refused.value.message.startswith("The settings can't be used: ")
    assert named in refused.value.message


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(BadSettings, match=r"PORT .*; TIMEZONE|TIMEZONE .*; PORT"):
        load({"PORT": "x", "TIMEZONE": "x"})


def test_several_keys_are_taken_for_rotation_and_the_first_is_first() -> None:
    chosen = load({"SECRET_KEY": f"{KEY}, {KEY[::-1]}"})

    assert chosen.sealing_keys() == [KEY, KEY[::-1]]


SECRETS = st.text(min_size=1, max_size=20)
PLACES = {
    "DATABASE_URL": "postgresql://sira:{}@db:5432/sira",
    "REDIS_URL": "rediss://:{}@cache:6379/0",
    "SMTP_URL": "smtp://user:{}@mail:587?tls=starttls",
    "STORAGE_URL": "s3://key:{}@bucket?endpoint=http://minio:9000",
    "PUBLIC_URL": "https://user:{}@sira.example.com",
}


def shown(name: str, value: str) -> str:
    """What people see of a setting: its masked value, or why it is refused."""
    try:
        return load({"SECRET_KEY": KEY, name: value}).masked()[name]
    except BadSettings as error:
        return error.message


@pytest.mark.parametrize("name", PLACES)
@given(first=SECRETS, second=SECRETS)
def test_what_is_shown_of_a_url_is_the_same_whatever_its_password(name: str, first: str, second: str) -> None:
    one, other = (shown(name, PLACES[name].format(quote(password, safe=""))) for password in (first, second))

    assert one == other
    assert "***" in one


@pytest.mark.parametrize("name", PLACES)
@given(password=SECRETS.map(lambda text: f"{text}Gizli{text}"))
@example(password="pa/ssGizli")
@example(password="p[Gizli")
@example(password="p℀Gizli")
@example(password="12/Gizli@x")
def test_a_password_that_nobody_escaped_is_not_shown_either(name: str, password: str) -> None:
    assert "Gizli" not in shown(name, PLACES[name].format(password))


@pytest.mark.parametrize("parameter", ["password", "secret_access_key", "session_token"])
def test_a_secret_in_the_query_of_a_url_is_not_shown(parameter: str) -> None:
    told = shown("STORAGE_URL", f"s3://bucket?endpoint=http://minio:9000&{parameter}=Gizli&region=eu")

    assert told == f"s3://bucket?endpoint=http://minio:9000&{parameter}=***&region=eu"


def test_secrets_that_are_no_urls_are_not_shown_and_the_rest_is() -> None:
    told = load({"SECRET_KEY": KEY, "SENTRY_DSN": "https://abc@sentry/1", "ALERT_URLS": "tgram://bot/chat"}).masked()

    assert (told["SECRET_KEY"], told["SENTRY_DSN"], told["ALERT_URLS"]) == ("***", "***", "***")
    assert (told["PORT"], told["TIMEZONE"], told["SMS_DAILY_CAP"]) == ("8000", "Europe/Istanbul", "")


def test_without_a_secret_key_one_is_made_once_even_by_eight_processes_at_once(tmp_path: Path) -> None:
    chosen = settings.load(data_dir=tmp_path / "new" / "data")

    keys = at_once(8, lambda _: chosen.sealing_keys())

    assert [keys[0]] * 8 == keys
    assert [len(key) >= settings.SECRET_MIN_CHARS for key in keys[0]] == [True]
    made = tmp_path / "new" / "data" / "secret.key"
    assert os.listdir(made.parent) == ["secret.key"], "no draft is left"
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert settings.load(data_dir=made.parent).sealing_keys() == keys[0]


def test_a_well_made_production_is_safe_and_development_is_never_judged() -> None:
    assert load(PRODUCTION).unsafe() == []
    assert load({"REDIS_URL": "redis://elsewhere/0", "SECRET_KEY": KEY}).unsafe() == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"REDIS_URL": ""}, "REDIS_URL"),
        ({"DATABASE_URL": ""}, "DATABASE_URL"),
        ({"REDIS_URL": "redis://:pw@cache/0"}, "REDIS_URL is unencrypted"),
        ({"REDIS_URL": "rediss://cache/0"}, "REDIS_URL has no password"),
        ({"REDIS_TLS_VERIFY": "false"}, "REDIS_TLS_VERIFY"),
        ({"WEBHOOK_ALLOW_LOOPBACK": "true"}, "WEBHOOK_ALLOW_LOOPBACK"),
        ({"PUBLIC_URL": "http://sira.example.com"}, "PUBLIC_URL"),
    ],
)
def test_what_is_unsafe_in_production_is_told(change: dict[str, str], named: str) -> None:
    assert [named in sentence for sentence in load({**PRODUCTION, **change}).unsafe()] == [True]


def test_production_on_the_embedded_defaults_lacks_everything() -> None:
    found = " ".join(load({"APP_ENV": "production"}).unsafe())

    assert [name in found for name in ("SECRET_KEY", "REDIS_URL", "DATABASE_URL")] == [True] * 3


@pytest.mark.parametrize("url", ["redis://127.0.0.1:6379/0", "redis://localhost/0", "unix:///run/redis.sock"])
def test_a_redis_on_this_machine_needs_no_encryption(url: str) -> None:
    assert load({**PRODUCTION, "REDIS_URL": url}).unsafe() == []
