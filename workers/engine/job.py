"""Our Job class: RQ's, but sealed. What it runs comes from the catalogue alone, never from what stands in Redis."""

import inspect
import math
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from rq.exceptions import DeserializationError
from rq.job import UNEVALUATED
from rq.job import Job as RQJob
from sqlalchemy import select

from workers.db import reading
from workers.engine import registry
from workers.engine.seal import MARK, Seal, encode, key_name
from workers.engine.tables import tasks
from workers.errors import KeyMissing, NotHere, NotInCatalogue, SealBroken, TooLarge, UnknownKind

ANY = object()
ARGUMENTS_LIMIT_BYTES = 256 * 1024
UNPACKED_AT_MOST_BYTES = 4 * ARGUMENTS_LIMIT_BYTES
KEEP_S = 86_400  # what has ended


class Job(RQJob):
    """Goes with the seal wherever RQ asks: `rq worker -S workers.engine.seal.Seal -j workers.engine.job.Job`.

    The payload names its own task id and company, so that the data of one job can't run as another, nor for another.
    """

    def __init__(self, id: str | None = None, connection: Any = None, serializer: Any = None) -> None:
        super().__init__(id, connection, serializer or Seal)

    @property
    def data(self) -> bytes:
        if self._data is UNEVALUATED:
            kind, params = _called(str(self._func_name), self._args, self._kwargs)
            refuse_large(params)
            self._data = sealed_data(self.id, kind, params, limit_s=self.timeout)
        return self._data  # type: ignore[return-value]

    @data.setter
    def data(self, value: bytes) -> None:
        RQJob.data.fset(self, value)  # type: ignore[attr-defined]

    def _deserialize_data(self) -> None:
        try:
            self._func_name, self._kwargs, _ = opened(self.id, self.data)
        except SealBroken as error:
            raise DeserializationError(error.fields["reason"]) from error
        self._instance, self._args = None, []

    @property
    def kind(self) -> registry.Kind:
        return kind_of(str(self.func_name))

    @property
    def func(self) -> Callable[..., Any]:
        return self.kind.function

    @property
    def success_callback(self) -> None:
        """Callbacks are the kind's, run by our worker; names in the plain hash are ignored."""
        return None

    failure_callback = success_callback
    stopped_callback = success_callback

    def send_webhooks(self, *_: Any, **__: Any) -> None:
        """Nothing is sent: whoever writes to Redis could name any address and would get the traceback."""

    def get_call_string(self) -> str:
        """RQ would write the parameters into the description, where everybody can read them."""
        return str(self.func_name).rpartition(".")[2]

    def _execute(self) -> Any:
        """What a stock `rq worker` calls."""
        from workers.engine import bulk, callbacks
        from workers.engine.helpers import calls_back

        if calls_back(self.id):
            return callbacks.make(self.kind, dict(self.kwargs))
        return bulk.run_whole(self.kind, self.id, dict(self.kwargs))

    def get_result_ttl(self, default_ttl: int) -> int:
        """Seconds. Not that of a stock worker, which may be told to forget at once: SQL would not hear of the end."""
        return super().get_result_ttl(KEEP_S)

    def to_dict(self, include_meta: bool = True, include_result: bool = True) -> dict[str, Any]:
        """As RQ's, without compressing what is sealed and can't shrink."""
        fields = super().to_dict(include_meta, include_result)
        return {**fields, "data": self.data}


def _called(name: str, args: Any, kwargs: Any) -> tuple[str, dict[str, Any]]:
    """Kind and parameters of a call as RQ's own `enqueue` takes it: a function or its name, also by position."""
    known = registry.kinds()
    kind = known.get(name) or known.get(name.rpartition(".")[2])
    if kind is None or name not in (kind.name, f"{kind.function.__module__}.{kind.function.__qualname__}"):
        return name, dict(kwargs)
    return kind.name, inspect.signature(kind.function).bind_partial(*args, **kwargs).arguments


def refuse_large(params: dict[str, Any]) -> None:
    """Raises TooLarge: what is large stays where it is, and ids of it cross processes."""
    size = len(encode(params))
    if size > ARGUMENTS_LIMIT_BYTES:
        advice = "Store the data as a file and pass its id."
        raise TooLarge(what="The set of arguments", size=size, limit=ARGUMENTS_LIMIT_BYTES, advice=advice)


def sealed_data(task_id: str, kind: str, params: dict[str, Any], scope: str | None = None, **more: Any) -> bytes:
    """The `data` field of a job hash. `limit_s`: the time that RQ's own `enqueue` gives a job, beside its kind's."""
    return Seal.dumps({"id": task_id, "kind": kind, "params": params, "scope": scope, **more})


def params_in(task_id: str, sealed: bytes) -> dict[str, Any]:
    """The parameters in a row of `tasks`: sealed as its job carries them, in rows of older releases alone. Raises
    SealBroken."""
    body: dict[str, Any] = Seal.loads(sealed)
    return body["params"] if body.get("id") == task_id else body


def data_of(row: Any) -> bytes:
    """The `data` field of the job of such a row; raises SealBroken."""
    sealed, body = row["params"], Seal.loads(row["params"])
    is_whole = body.get("id") == row["id"]
    return sealed if is_whole else sealed_data(row["id"], row["kind"], body, row["scope"])


def opened(task_id: str, data: bytes, scope: Any = ANY) -> tuple[str, dict[str, Any], float]:
    """Kind, parameters and limit (seconds) that a `data` field holds for this id and `scope`, which stands in the hash
    for everybody to write; raises SealBroken before anything of it is run. KeyMissing only where its row was sealed so,
    too (helpers, calls have none): as in the middle of a change of keys, and unlike what somebody else has sealed."""
    data = _as_sealed(data)
    try:
        body = Seal.loads(data)
        kind, params, sealed_id = body["kind"], body["params"], body["id"]
        limit_s = float(body.get("limit_s") or 0)
    except KeyMissing as error:
        if _key_of_row(task_id) not in (None, key_name(data)):
            raise SealBroken(reason="its row was sealed with another key") from error
        raise
    except SealBroken:
        raise
    except Exception as error:
        raise SealBroken(reason="it is no job of ours") from error
    if sealed_id != task_id:
        raise SealBroken(reason="it was sealed for another task")
    if scope is not ANY and body.get("scope", scope) != scope:
        raise SealBroken(reason="it was sealed for another company")
    return kind, params, limit_s if limit_s > 0 else math.inf


def _as_sealed(data: bytes) -> bytes:
    """A stock `rq worker --with-scheduler` compresses what it moves into its queue: it loads it by RQ's own class."""
    if data[: len(MARK)] != MARK:
        with suppress(zlib.error):
            return zlib.decompressobj().decompress(data, UNPACKED_AT_MOST_BYTES)
    return data


def _key_of_row(task_id: str) -> bytes | None:
    with reading() as session:
        sealed = session.scalar(select(tasks.c.params).where(tasks.c.id == task_id))
    return sealed and key_name(sealed)


def kind_of(name: str) -> registry.Kind:
    """The kind of that name; raises NotHere (another worker may know it) or NotInCatalogue (nobody ever will)."""
    try:
        return registry.get(name)
    except UnknownKind as error:
        raise (NotHere if name.isidentifier() else NotInCatalogue)(name=name) from error
