"""The catalogue of job kinds: `@job` declares one, `kinds()` reads workers/jobs/ when first asked."""

import importlib
import inspect
import pkgutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Literal, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, create_model
from pydantic_core import to_jsonable_python

from workers import logs, settings
from workers.engine import declaring, references
from workers.engine.seal import encode
from workers.errors import BadSettings, InvalidInput, NotHere, NotSerializable, SiraError, UnknownKind

PRIORITIES = (("pdf",), ("sms", "email"), ("excel", "maintenance"))
QUEUES = tuple(name for equals in PRIORITIES for name in equals)
JOBS_PACKAGE = "workers.jobs"
PLAIN = (Any, int, str, float, bool)
ENDED = {"tr": "Görev tamamlandı!", "en": "Task done!"}
log = logs.get("registry")

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Kind:
    """One kind of job, as declared by `@job`. Limits are seconds; `None` means the setting of that name."""

    name: str
    function: Callable[..., Any]
    queue: str
    retries: int = 3
    soft_limit_s: float | None = None
    hard_limit_s: float | None = None
    items: str | None = None
    parallel: bool = False
    single: bool = False
    share: bool = True
    sift: Callable[..., Any] | None = None
    note: Callable[..., None] | None = None
    on_success: Callable[..., Any] | None = None
    on_failure: Callable[..., Any] | None = None
    cron: str | None = None
    zone: str | None = None
    overlap: Literal["skip", "queue", "allow"] = "skip"
    missed: Literal["one", "all", "skip"] = "one"
    accepted: dict[str, str] = field(default_factory=lambda: {"tr": "Sıraya alındı...", "en": "Queued..."})
    ended: dict[str, str] | Callable[[Any], dict[str, str]] = field(default_factory=lambda: dict(ENDED))
    quiet: bool | None = None
    when: Callable[[], bool] | None = None
    no_return: Callable[[str], bool] | None = None

    @property
    def summary(self) -> str:
        """What it does: the first paragraph of its docstring, as one line."""
        return " ".join((inspect.getdoc(self.function) or "").partition("\n\n")[0].split())

    @property
    def rings(self) -> bool:
        """Whether people are told of its end; of house-keeping only where it says `quiet=False`."""
        return not (self.queue == "maintenance" if self.quiet is None else self.quiet)

    @property
    def soft_s(self) -> float:
        return self.soft_limit_s or min(settings.current().task_soft_time_limit, self.hard_s)

    @property
    def hard_s(self) -> float:
        return self.hard_limit_s or max(settings.current().task_time_limit, self.soft_limit_s or 0)

    @cached_property
    def hints(self) -> dict[str, Any]:
        declared = get_type_hints(self.function, include_extras=True)
        return {name: declared.get(name, Any) for name in inspect.signature(self.function).parameters}

    @cached_property
    def model(self) -> type[BaseModel]:
        """The parameters as a pydantic model: strict, nothing unknown allowed. BadSettings where their types allow
        none."""
        fields: dict[str, Any] = {}
        try:
            for name, parameter in inspect.signature(self.function).parameters.items():
                default = ... if parameter.default is parameter.empty else parameter.default
                fields[name] = (self.hints[name], default)
            return create_model(self.name, __config__=ConfigDict(extra="forbid", strict=True), **fields)
        except Exception as error:  # of anybody's annotations, which may name what is not there
            reason = f"job kind {self.name} in {self.function.__module__}: {str(error).partition(chr(10))[0]}"
            raise BadSettings(reason=reason) from error

    def schema(self) -> dict[str, Any]:
        return self.model.model_json_schema()

    def takes(self, name: str) -> bool:
        return name in self.hints

    def needs(self, name: str) -> bool:
        """Whether it takes that parameter and has no default for it."""
        return self.takes(name) and self.model.model_fields[name].is_required()

    def check(self, params: dict[str, Any]) -> dict[str, Any]:
        """The parameters as JSON values, defaults filled in; raises InvalidInput naming each field."""
        if self.items and isinstance(params.get(self.items), list | tuple):
            limit = settings.current().max_items
            if len(params[self.items]) > limit:
                raise InvalidInput([{"field": self.items, "message": f"more than {limit:,} items; split the request"}])
        return self._validated(params).model_dump(mode="json")

    def arguments(self, params: dict[str, Any]) -> dict[str, Any]:
        """Checked JSON parameters, without the items, as the Python values that the function is called with. Raises
        NotHere for those of a later release."""
        if not params:
            return {}
        if later := ", ".join(sorted(params.keys() - self.hints.keys())):
            raise NotHere(name=f"{self.name}({later})")
        model = self._validated({**params, self.items: []} if self.items else params)
        return {name: getattr(model, name) for name in params}

    @cached_property
    def _item(self) -> TypeAdapter[Any] | None:
        """None where an item's JSON value is what is declared, or `sift` has made other items of what was posted."""
        inner = references.inner(self.hints[self.items]) if self.items and not self.sift else Any
        return None if inner in PLAIN else TypeAdapter(inner)

    def item_of(self, value: Any) -> Any:
        """An item of the ledger as the declared Python value."""
        return value if self._item is None else self._item.validate_json(encode(value), strict=True)

    def _validated(self, params: dict[str, Any]) -> BaseModel:
        try:
            return self.model.model_validate_json(encode(params))
        except NotSerializable as error:
            raise InvalidInput(list(_unfit(params))) from error
        except ValidationError as error:
            raise InvalidInput(
                [{"field": ".".join(map(str, e["loc"])) or "body", "message": e["msg"]} for e in error.errors()]
            ) from error

    def names(self, record: str) -> bool:
        """Whether a parameter may name records of that kind."""
        return record in {name for hint in self.hints.values() for name in references.names(hint)}

    def references(self, params: dict[str, Any]) -> dict[str, set[Any]]:
        """The ids of records that the parameters name, by record: `{"mutabakat": {1, 2}}`."""
        found: dict[str, set[Any]] = {}
        for name, hint in self.hints.items():
            for record, value in references.of(hint, params.get(name)):
                found.setdefault(record, set()).add(value)
        return found


def _unfit(params: dict[str, Any]) -> Iterator[dict[str, str]]:
    """The parameters that JSON can't hold, as problems."""
    for name, value in params.items():
        try:
            encode({name: value})
        except NotSerializable as error:
            what = error.fields["type_name"]
            yield {"field": str(name).encode(errors="replace").decode(), "message": f"JSON can't hold this {what}"}


@dataclass(frozen=True)
class Asked:
    """For whom a task is asked for, and a name that is the same however often this very task is asked for."""

    scope: str | None
    name: str


_kinds: dict[str, Kind] = {}
_left_out: dict[str, str] = {}
_loading = threading.RLock()
_loaded = False


def job(*, queue: str, **declared: Any) -> Callable[[Function], Function]:
    """Declare a kind above a plain function: its typed parameters are the schema, calling it still just runs it.

    Options: retries=3, soft_limit_s, hard_limit_s, items (the bulk parameter: the function is called anew for each
    slice of two seconds, with what is left; an item is done when the next is asked for), parallel, single (a bulk of
    one: its parameters are the item), share (False: it waits behind no other task of its company), sift (`(rows,
    params, Asked) -> [Entry]`: what of the posted rows becomes which item, refused ones with the reason), note (a
    ledger.Note: what is written beside items of which a dead worker's journal tells), on_success, on_failure, cron,
    zone, overlap="skip", missed="one", when (asked at each time of `cron` whether there is anything to do; if not,
    there is no run), accepted={"tr": …, "en": …} (what its starter is told), ended={…} (what its company is told
    when it succeeded, or a function that makes it of the result, also of one that is unreadable), quiet (nobody is
    told; the default for maintenance), no_return (asked with the id of a task at a cancel: whether it is past what can
    be left undone, see noreturn.py). `.delay(**params)` enqueues it.
    """

    def declare(function: Function) -> Function:
        _refuse_misspelled(function, declared)
        kind = Kind(name=function.__name__, function=function, queue=queue, **declared)
        _refuse_faults(kind)
        _kinds[kind.name] = kind

        def delay(*args: Any, **params: Any) -> Any:
            from workers.engine.queues import enqueue

            return enqueue(kind.name, inspect.signature(function).bind_partial(*args, **params).arguments)

        function.delay = delay  # type: ignore[attr-defined]
        return function

    return declare


def _refuse_misspelled(function: Callable[..., Any], declared: dict[str, Any]) -> None:
    known = [option.name for option in fields(Kind) if option.name not in ("name", "function", "queue")]
    for advice in declaring.misspelled(declared, known):
        raise BadSettings(reason=f"job kind {function.__name__} in {function.__module__}: {advice}")


def _refuse_faults(kind: Kind) -> None:
    known = _kinds.get(kind.name)
    taken = known is not None and known.function.__module__ != kind.function.__module__
    for advice in declaring.faults(kind, QUEUES, taken=taken):
        raise BadSettings(reason=f"job kind {kind.name} in {kind.function.__module__}: {advice}")


def kinds() -> dict[str, Kind]:
    """Every kind by name, with its model made; imports the modules of workers/jobs/ when first asked."""
    global _loaded
    if not _loaded:
        with _loading:
            package = importlib.import_module(JOBS_PACKAGE)
            for module in sorted(found.name for found in pkgutil.iter_modules(package.__path__)):
                _read(module)
            _leave_out_unusable()
            _loaded = True
    return _kinds


def _read(module: str) -> None:
    """Whatever is wrong in a module, the others go on; a declaration that is refused says why and ends the process."""
    name = f"{JOBS_PACKAGE}.{module}"
    try:
        importlib.import_module(name)
    except SiraError:
        raise
    except (Exception, SystemExit) as error:  # a script without a guard ends itself
        _leave_out(f"module {module}", error)
        for kind in [kind for kind in _kinds.values() if kind.function.__module__ == name]:
            del _kinds[kind.name]  # what is declared above the fault would run without what stands below it


def left_out() -> dict[str, str]:
    """What of workers/jobs/ this process can't use, and why."""
    kinds()
    return dict(_left_out)


def _leave_out_unusable() -> None:
    """A kind whose parameters can't be described can't be enqueued either; it must not stop the others."""
    for kind in list(_kinds.values()):
        try:
            kind.schema()
            to_jsonable_python([each.default for each in kind.model.model_fields.values() if not each.is_required()])
        except Exception as error:
            _leave_out(f"kind {kind.name}", error)
            del _kinds[kind.name]


def _leave_out(what: str, error: BaseException) -> None:
    _left_out[what] = error.message if isinstance(error, SiraError) else f"{type(error).__name__}: {error}"
    log.error("left out of the catalogue", what=what, error=_left_out[what])


def get(name: str) -> Kind:
    """The kind of that name; raises UnknownKind."""
    if (kind := kinds().get(name)) is None:
        raise UnknownKind()
    return kind


def claim_order(turn: int) -> list[str]:
    """All queues by priority; equals take turns, so that none of them starves."""
    return [name for equals in PRIORITIES for name in equals[turn % len(equals) :] + equals[: turn % len(equals)]]
