"""What `flask check` tries: whether each setting works here, and whether it is safe in production."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from tempfile import TemporaryFile
from urllib.parse import urlsplit

from app.rate import read
from workers.errors import BadAddress, BadSettings, DatabaseDown, NotRunning, QueueDown, SiraError, TablesMissing
from workers.services import phones
from workers.services.mail_servers import LOOPBACK, read_url
from workers.services.mail_text import sender_of
from workers.settings import Settings

MAX_CAUSE_CHARS = 200  # redis-py tells its whole connection pool
MIN_DIFFERENT_CHARS = 8  # 32 random hexadecimal digits never have fewer in practice, "changeme" over and over has


@dataclass(frozen=True)
class Finding:
    """What was tried, whether it is as it should be, and a sentence about it."""

    what: str
    fine: bool
    text: str


def findings(chosen: Settings) -> Iterator[Finding]:
    """Everything that is to be known about these settings, one thing after the other."""
    unsafe = [*chosen.unsafe(), *_unsent(chosen), *_guessable(chosen)]
    yield from (Finding("production", False, sentence) for sentence in unsafe)
    for what, attempt in ATTEMPTS.items():
        try:
            yield Finding(what, True, attempt(chosen))
        except SiraError as error:
            yield Finding(what, False, error.message + _cause(error))
        except OSError as error:
            yield Finding(what, False, f"{error.filename}: {error.strerror}.")
        except Exception as error:  # a check that breaks has found something, too
            yield Finding(what, False, f"{str(error).partition(chr(10))[0]} ({type(error).__name__}).")


def readable(chosen: Settings) -> None:
    """Refuse what nobody needs to be asked about. Raises BadSettings: a service would start, and send nothing."""
    for judge in (_limits, _addresses, _reports):
        judge(chosen)


def _guessable(chosen: Settings) -> list[str]:
    if chosen.app_env != "production" or all(len(set(key)) >= MIN_DIFFERENT_CHARS for key in chosen.secret_keys):
        return []
    return ["SECRET_KEY is not random: make one with `openssl rand -hex 32`."]


def _unsent(chosen: Settings) -> list[str]:
    """What keeps messages from leaving the house in production, or lets others read them."""
    if chosen.app_env != "production":
        return []
    checks = [
        (chosen.sms_provider == "sandbox", "SMS_PROVIDER is sandbox, which sends nothing: name a gateway."),
        (not chosen.smtp_url, "SMTP_URL is not set: the sandbox takes mails and sends none."),
        (_is_mailed_in_the_clear(chosen.smtp_url), "SMTP_URL is unencrypted: use tls=starttls or tls=ssl."),
        *(  # of all: a company with an account of its own uses another than SMS_PROVIDER
            (_is_asked_in_the_clear(url), f"{name.upper()} is unencrypted, and gets a password: use https.")
            for name, url in chosen
            if name.endswith("_base_url")
        ),
    ]
    return [sentence for wrong, sentence in checks if wrong]


def _is_mailed_in_the_clear(url: str) -> bool:
    try:
        server = read_url(url)
    except BadSettings:  # said elsewhere
        return False
    return server.tls == "none" and server.host not in LOOPBACK


def _is_asked_in_the_clear(url: str) -> bool:
    return _is_url(url, "http") and urlsplit(url).hostname not in LOOPBACK


def _cause(error: SiraError) -> str:
    """What the library said: "password authentication failed" helps, "the database does not answer" doesn't."""
    lines = str(getattr(error.__cause__, "orig", None) or error.__cause__ or "").splitlines()
    return f" ({lines[0][:MAX_CAUSE_CHARS]})" if lines else ""


def _data_dir(chosen: Settings) -> str:
    chosen.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with TemporaryFile(dir=chosen.data_dir) as file:
        file.write(b"\0")
    return f"{chosen.data_dir.resolve()} is writable."


def _database(chosen: Settings) -> str:
    from sqlalchemy import text

    from workers import db, migrations

    with db.writing() as session:
        session.execute(text("SELECT 1"))
        kind = session.get_bind().dialect.name
    state = "has all tables" if migrations.current() else "lacks tables: run `flask db upgrade`"
    return f"{kind} answers and {state}."


def _stored(chosen: Settings) -> str:
    from sqlalchemy import func, select

    from workers.db import reading
    from workers.engine.tables import tasks
    from workers.engine.tasks import params_of

    try:
        with reading() as session:
            newest = session.scalar(select(func.max(tasks.c.id)).where(tasks.c.released))
    except TablesMissing:
        newest = None
    except DatabaseDown:  # which is said of the database itself
        return "what is stored can't be looked at."
    if newest is None:
        return "nothing is stored yet."
    params_of(newest)
    return "what is stored can be opened."


def _redis(chosen: Settings) -> str:
    from workers.engine import queues, wire

    if queues.ping():
        wire.refuse_unsafe_server()
        if refusal := wire.refusal(wire.connect()):
            raise BadSettings(reason=f"REDIS_URL: the server refuses tasks: it is full, or its disk is ({refusal})")
        return "answers."
    try:
        wire.connect().ping()
    except NotRunning:
        return "the embedded server is not running; `flask up` starts it."
    except Exception as error:  # whatever it is, it is what a person must know
        if wire.is_refused(error):
            raise BadSettings(reason="REDIS_URL: the server refuses its user or password") from None
        raise QueueDown() from error
    return f"answers, but not within {wire.PUSH_TIMEOUT_S:g} s: it is far away or busy."


def _storage(chosen: Settings) -> str:
    from workers.storage import open_storage

    storage, key = open_storage(chosen.storage), f"check/{secrets.token_hex(8)}"
    storage.put(key, b"Sira")
    whole = storage.read(key) == b"Sira"
    storage.delete([key])
    if not whole:
        raise BadSettings(reason="STORAGE_URL keeps something else than was written")
    return "takes files and gives them back."


def _kinds(chosen: Settings) -> str:
    """Reads workers/jobs/: a declaration that is refused, such as of a schedule, ends every worker and the clock."""
    from workers.engine import registry

    kinds = registry.kinds().values()
    for what, why in registry.left_out().items():
        raise BadSettings(reason=f"{what} of workers/jobs is left out: {why}")
    return f"{len(kinds)} can be read, {sum(kind.cron is not None for kind in kinds)} of them run by the clock."


def _limits(chosen: Settings) -> str:
    from workers.engine import limits

    read("RATE_LIMIT", chosen.rate_limit)
    try:
        limits.sensible(chosen.sms_per_number)
    except ValueError as error:
        raise BadSettings(reason=f"SMS_PER_NUMBER {error}") from None
    return "can be counted."


def _addresses(chosen: Settings) -> str:
    if chosen.public_url and not (
        _is_url(chosen.public_url, "http", "https") and not set("?# ") & {*chosen.public_url}
    ):
        raise BadSettings(reason="PUBLIC_URL is no address such as https://sira.example.com")
    for name in ("netgsm_base_url", "iletimerkezi_base_url", "verimor_base_url", "twilio_base_url"):
        if getattr(chosen, name) and not _is_url(getattr(chosen, name), "http", "https"):
            raise BadSettings(reason=f"{name.upper()} is no address such as https://api.example.com")
    if chosen.smtp_url:
        read_url(chosen.smtp_url)
    if chosen.mail_from and not _is_sender(chosen.mail_from):
        raise BadSettings(reason="MAIL_FROM is no e-mail address")
    if not chosen.countries or not all(map(phones.is_country, chosen.countries)):
        raise BadSettings(reason="SMS_COUNTRIES is no list of countries such as TR,DE")
    return "can be read."


def _gateway(chosen: Settings) -> str:
    from workers.services.sms_gateways import open_gateway

    if chosen.sms_provider == "sandbox" and not chosen.sandbox_url:
        return "SMS go to the sandbox of `flask up`."
    open_gateway(chosen.sms_provider, chosen.sms_options(chosen.sms_provider)).close()
    return f"SMS go out by {chosen.sms_provider}."


def _reports(chosen: Settings) -> str:
    """Who hears of failures; nothing is sent."""
    from workers.services import alerts

    if chosen.sentry_dsn and not _is_dsn(chosen.sentry_dsn):
        raise BadSettings(reason="SENTRY_DSN is no address such as https://key@sentry.example.com/1")
    told = len(alerts.opened(chosen.alert_urls)) if chosen.alert_urls else 0
    return f"go to {told} of ALERT_URLS{' and to Sentry' if chosen.sentry_dsn else ''}."


def _is_url(text: str, *schemes: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_dsn(text: str) -> bool:
    from sentry_sdk.utils import BadDsn, Dsn

    try:
        return bool(Dsn(text).host)
    except BadDsn:
        return False


def _is_sender(text: str) -> bool:
    try:
        return bool(sender_of(text))
    except BadAddress:
        return False


ATTEMPTS: dict[str, Callable[[Settings], str]] = {
    "DATA_DIR": _data_dir,
    "database": _database,
    "SECRET_KEY": _stored,
    "Redis": _redis,
    "storage": _storage,
    "kinds": _kinds,
    "limits": _limits,
    "addresses": _addresses,
    "SMS": _gateway,
    "reports": _reports,
}
