"""The settings: read from the environment here and nowhere else, checked once, frozen."""

import os
import re
import secrets
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from workers.errors import BadSettings

SECRET_MIN_CHARS = 32
MAX_LIMIT_S = 30 * 86_400  # what one execution may take
MAX_DAYS = 36_500
AT_HOME = re.compile(r"(?:(sqlite:///|file://|unix://)/?)?~(?=/|$)")
MASKED = ("password", "secret", "token", "key", "hash", "dsn", "usercode", "alert")


class Settings(BaseSettings):
    """Every setting of the service; names are the environment variables in small letters."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, allow_inf_nan=False)

    app_env: Literal["development", "production"] = "development"
    data_dir: Path = Path("var")
    database_url: str = ""
    redis_url: str = ""
    storage_url: str = ""
    secret_key: str = ""
    public_url: str = ""
    port: int = Field(8000, ge=1, le=65535)
    web_concurrency: int = Field(1, ge=1, le=64)
    timezone: str = "Europe/Istanbul"

    smtp_url: str = ""
    mail_from: str = ""
    sms_provider: Literal["sandbox", "netgsm", "iletimerkezi", "verimor", "twilio"] = "sandbox"
    sms_countries: str = "TR"
    sms_rate_per_second: float = Field(100, gt=0)
    mail_rate_per_second: float = Field(20, gt=0)
    sms_daily_cap: int | None = Field(None, ge=0)
    sms_per_number: str = "3/10minutes"
    sms_segment_price: Decimal | None = Field(None, ge=0)
    sandbox_url: str = ""

    netgsm_base_url: str = "https://api.netgsm.com.tr"
    netgsm_usercode: str = ""
    netgsm_password: str = ""
    netgsm_header: str = ""
    netgsm_batch: int = Field(100, ge=1, le=500)
    iletimerkezi_base_url: str = "https://api.iletimerkezi.com"
    iletimerkezi_key: str = ""
    iletimerkezi_hash: str = ""
    iletimerkezi_sender: str = ""
    iletimerkezi_batch: int = Field(100, ge=1, le=500)
    verimor_base_url: str = "https://sms.verimor.com.tr"
    verimor_username: str = ""
    verimor_password: str = ""
    verimor_source: str = ""
    verimor_batch: int = Field(100, ge=1, le=500)
    twilio_base_url: str = "https://api.twilio.com"
    twilio_account_sid: str = ""
    twilio_auth_token: str = ""
    twilio_from: str = ""
    sandbox_batch: int = Field(100, ge=1, le=500)

    task_soft_time_limit: float = Field(1500, gt=0, le=MAX_LIMIT_S)
    task_time_limit: float = Field(1800, gt=0, le=MAX_LIMIT_S)
    max_jobs_per_child: int = Field(1000, ge=1)
    log_retention_days: int = Field(90, ge=1, le=MAX_DAYS)
    result_ttl_days: int = Field(90, ge=1, le=MAX_DAYS)

    rate_limit: str = "1200/minute"
    max_items: int = Field(100_000, ge=1)
    max_upload_mb: int = Field(25, ge=1)
    max_sheet_rows: int = Field(1_000_000, ge=1)

    webhook_allow_loopback: bool = False
    redis_tls_verify: bool = True
    sentry_dsn: str = ""
    alert_urls: str = ""

    def __hash__(self) -> int:
        """Of the few that tell services apart: caches are keyed by the settings, and asked for every message."""
        return hash((self.data_dir, self.database_url, self.redis_url, self.secret_key))

    @model_validator(mode="before")
    @classmethod
    def _as_meant(cls, given: dict[str, Any]) -> dict[str, Any]:
        """`~` is the home of who runs it, also where no shell has read it; and an editor may have saved as cp1254."""
        foreign = [name.upper() for name, value in given.items() if re.search("[\ud800-\udfff]", str(value))]
        if foreign:
            raise ValueError(f"{', '.join(foreign)} is not UTF-8; save the file that sets it (.env) as UTF-8")
        paths = ("data_dir", "database_url", "redis_url", "storage_url")
        return {name: _at_home(value) if name in paths else value for name, value in given.items()}

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except Exception as error:
            raise ValueError(f"{name!r} is no IANA time zone, such as Europe/Istanbul") from error
        return name

    @field_validator("database_url", "redis_url", "storage_url", "smtp_url", "public_url", "sandbox_url")
    @classmethod
    def _readable(cls, url: str) -> str:
        """In our words: the library's repeat parts of the URL, perhaps of its password."""
        try:
            for address in urlsplit(url).netloc.rpartition("@")[2].split(","):  # of Sentinel's hosts each has a port
                _ = urlsplit(f"//{address}").port
        except ValueError:
            raise ValueError("is no readable URL: a port is a number, / in a password is written %2F") from None
        return url

    @field_validator("database_url")
    @classmethod
    def _psycopg(cls, url: str) -> str:
        """Heroku says postgres://, SQLAlchemy wants the driver named."""
        scheme, separator, rest = url.partition("://")
        if separator and scheme in ("postgres", "postgresql"):
            return f"postgresql+psycopg://{rest}"
        if separator and scheme not in ("sqlite", "postgresql+psycopg"):
            raise ValueError("use postgresql://… or sqlite:///…")
        if url and (not separator or (scheme == "sqlite" and rest.partition("?")[0].strip("/") in ("", ":memory:"))):
            raise ValueError("use postgresql://… or sqlite:////folder/file.db")
        return url

    @field_validator("redis_url")
    @classmethod
    def _redis_scheme(cls, url: str) -> str:
        if url and urlsplit(url).scheme not in ("redis", "rediss", "unix", "redis+sentinel"):
            raise ValueError("use redis://, rediss://, unix:// or redis+sentinel://")
        parts = urlsplit(url)
        if parts.scheme == "redis+sentinel" and not re.fullmatch(r"/[^/]+(/[0-9]*)?", parts.path):
            raise ValueError("name the service and the database: redis+sentinel://h1:26379,h2:26379/service/0")
        if parts.scheme in ("redis", "rediss") and not re.fullmatch(r"(/[0-9]*)?", parts.path):
            raise ValueError("ends with the number of a database, as redis://host:6379/0 does, or with none")
        return url

    @field_validator("storage_url")
    @classmethod
    def _storage_scheme(cls, url: str) -> str:
        if url and urlsplit(url).scheme not in ("file", "s3"):
            raise ValueError("use file:///path or s3://bucket?endpoint=…")
        return url

    @model_validator(mode="after")
    def _whole(self) -> "Settings":
        weak = [key for key in self.secret_keys if len(key) < SECRET_MIN_CHARS]
        if weak or (self.secret_key and not self.secret_keys):
            raise ValueError(f"SECRET_KEY: every key must have at least {SECRET_MIN_CHARS} random characters")
        if not self.secret_key and (self.redis_url or self.database_url):
            raise ValueError("SECRET_KEY is required when REDIS_URL or DATABASE_URL is set")
        if self.task_soft_time_limit > self.task_time_limit and "task_soft_time_limit" in self.model_fields_set:
            raise ValueError("TASK_SOFT_TIME_LIMIT must not exceed TASK_TIME_LIMIT")
        return self

    @property
    def secret_keys(self) -> list[str]:
        """The keys, first one seals. Without SECRET_KEY: one made at first use and kept in DATA_DIR (mode 0600)."""
        return [key.strip() for key in self.secret_key.split(",") if key.strip()]

    def sms_options(self, provider: str) -> dict[str, str]:
        """What that gateway is opened with, by the names without its own: `{"base_url", "usercode", …}`."""
        if provider == "sandbox":
            return {"base_url": self.sandbox_url}
        prefix = f"{provider}_"
        named = {
            name.removeprefix(prefix): value for name, value in self.model_dump().items() if name.startswith(prefix)
        }
        return {name: value for name, value in named.items() if name != "batch" and value}

    def sms_batch(self, provider: str) -> int:
        """How many messages one request carries: what one crash can leave unknown."""
        return int(getattr(self, f"{provider}_batch", 1))

    @property
    def countries(self) -> tuple[str, ...]:
        return tuple(code.strip() for code in self.sms_countries.split(",") if code.strip())

    @property
    def database(self) -> str:
        """The SQLAlchemy URL of the database."""
        return self.database_url or f"sqlite:///{quote(str((self.data_dir / 'sira.db').resolve()))}"

    @property
    def storage(self) -> str:
        return self.storage_url or Path(os.path.abspath(self.data_dir / "files")).as_uri()

    @property
    def base_url(self) -> str:
        return self.public_url.rstrip("/") or f"http://127.0.0.1:{self.port}"

    @property
    def webhook_loopback(self) -> bool:
        """Whether webhooks may go to this machine, also by http: never in production."""
        return self.webhook_allow_loopback and self.app_env != "production"

    @property
    def embedded_redis(self) -> bool:
        return not self.redis_url

    def sealing_keys(self) -> list[str]:
        """`secret_keys`, or the embedded default's own key from DATA_DIR."""
        return self.secret_keys or [_own_key(self.data_dir / "secret.key")]

    def unsafe(self) -> list[str]:
        """What must not stand in production, one sentence each."""
        if self.app_env != "production":
            return []
        host = urlsplit(self.redis_url).hostname or ""
        local = self.redis_url.startswith("unix:") or host in ("127.0.0.1", "localhost", "::1")
        checks = [
            (not self.secret_key, "SECRET_KEY is not set."),
            (not self.redis_url, "REDIS_URL is not set: the embedded Valkey is for trying out and small offices."),
            (not self.database_url, "DATABASE_URL is not set: production lives on PostgreSQL."),
            (self.redis_url.startswith("redis:") and not local, "REDIS_URL is unencrypted: use rediss://."),
            (bool(self.redis_url) and not local and "@" not in self.redis_url, "REDIS_URL has no password."),
            (not self.redis_tls_verify, "REDIS_TLS_VERIFY is off."),
            (self.webhook_allow_loopback, "WEBHOOK_ALLOW_LOOPBACK is on: it is for tests alone."),
            (bool(self.public_url) and not self.public_url.startswith("https://"), "PUBLIC_URL is not https."),
        ]
        return [sentence for wrong, sentence in checks if wrong]

    def masked(self) -> dict[str, str]:
        """Names and values for people: secrets as ***, passwords in URLs too."""
        return {name.upper(): _masked(name, value) for name, value in self.model_dump().items()}


def _masked(name: str, value: object) -> str:
    text = "" if value is None else str(value)
    if text and any(word in name for word in MASKED):
        return "***"
    text = re.sub(r"(?s)(://[^:/?#@]*:).*@", r"\1***@", text)
    return re.sub(rf"([?&][^=&]*(?:{'|'.join(MASKED)})[^=&]*=)[^&]*", r"\1***", text)


def _at_home(value: Any) -> Any:
    found = AT_HOME.match(value) if isinstance(value, str) else None
    home = os.path.expanduser("~")
    return (f"{found[1]}{quote(home)}" if found[1] else home) + value[found.end() :] if found else value


def _own_key(path: Path) -> str:
    """Read the key, or make it; two processes that start at once agree, because only one can link its file there."""
    try:
        if not path.exists():
            _make_key(path)
        return path.read_text().strip()
    except OSError as error:
        raise BadSettings(reason=f"DATA_DIR {path.parent} can't be used ({error.strerror})") from error


def _make_key(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    draft.touch(mode=0o600)
    draft.write_text(secrets.token_urlsafe(48))
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def load(**overrides: object) -> Settings:
    """Read the environment; raises BadSettings with every fault in one sentence each."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        faults = [
            (".".join(map(str, e["loc"])).upper(), e["msg"].removeprefix("Value error, ")) for e in error.errors()
        ]
        reason = "; ".join(f"{name} {message}".strip() for name, message in faults)
        raise BadSettings(reason=reason) from None  # pydantic's own words show the values


_chosen: list[Settings] = []


def current() -> Settings:
    """The settings of this process, read once from the environment unless `use` gave them."""
    if not _chosen:
        _chosen.append(load())
    return _chosen[0]


def use(chosen: Settings | None) -> None:
    """Let this process work with these settings; None reads the environment again."""
    _chosen[:] = [chosen] if chosen else []
