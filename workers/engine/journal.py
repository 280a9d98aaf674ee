"""The journal of a sender: which of its requests have begun and how each ended, kept by Redis beside the ledger.

A commit for every mail costs more than the mail does, so the ledger declares requests some at a time: all of them are
`sending` before the first goes out, and their outcomes are written together. A sender that is killed in between would
leave them all unknown. So it also writes a line here before each request and after it, without waiting for a disk, and
who takes up its work reads them: what has ended is settled as it ended, what had begun is unknown, and what never began
is pending again. Never begun is proved by the absence of a line, so everything hangs on no line being lost:

* All lines go over one connection, never opened anew, and to one server: the first names it, by `run_id` (it is another
  after a restart) and `master_replid` (another after a failover). Who reads finds the same two, or believes nothing.
* A line is added only to a journal that is there (RPUSHX). One that was flushed away can't begin again without its
  past: the sender sees that its line was not taken, and sends no more.
* Who reads takes the journal away first (RENAME). A sender that only slept can begin nothing from then on.

Where nothing can be proved, all that was declared is unknown, as it would be without a journal. Outcomes are sealed:
they hold gateways' words, and who forged one could have a message sent twice.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from redis.exceptions import RedisError

from workers.engine import wire
from workers.engine.seal import Seal

KEPT_S = 86_400  # for whoever takes up the work, at the latest
SERVER = ("run_id", "master_replid")
BEGAN = b"began "
OUTCOME = ("id", "request_key", "state", "error", "provider_id", "ref")


@dataclass
class Told:
    """What a journal says: the keys of the requests that began, and the outcomes of items by their ids."""

    began: set[str] = field(default_factory=set)
    ended: dict[int, dict[str, Any]] = field(default_factory=dict)

    def begin(self, key: str) -> None:
        """A request that begins once more, for the gateway was busy, has not ended."""
        if key in self.began:
            self.ended = {item_id: told for item_id, told in self.ended.items() if told["request_key"] != key}
        self.began.add(key)

    def outcome(self, item_id: int, key: str | None) -> dict[str, Any] | None:
        """What became of the item in this request; what was said of an earlier one of it says nothing."""
        told = self.ended.get(item_id)
        return told if told and told["request_key"] == key else None


class Journal:
    """The lines of one execution. `write` says whether they were taken; after the first that was not, none is."""

    def __init__(self, tag: str) -> None:
        self._key = key_of(tag)
        self._pool = wire.connect().connection_pool
        self._line: Any = self._pool.get_connection()
        self._unanswered = False
        server = _identity(self._say("INFO"))
        begins = self._say("RPUSH", self._key, Seal.dumps(server)) == 1
        self._say("EXPIRE", self._key, KEPT_S)
        if not begins:
            self._hang_up()

    def write(self, *lines: bytes) -> bool:
        self.say(*lines)
        return self.taken()

    def say(self, *lines: bytes) -> None:
        """Send the lines; `taken` waits for the answer, which must be had before anything is done that counts."""
        if not self.taken():
            return
        try:
            self._line.send_command("RPUSHX", self._key, *lines)
            self._unanswered = True
        except RedisError:
            self._hang_up()

    def taken(self) -> bool:
        """Whether all that was said so far was taken."""
        if self._unanswered:
            self._unanswered = False
            try:
                if not self._answer():
                    self._hang_up()
            except RedisError:
                pass
        return self._line is not None

    def close(self, *, settled: bool) -> None:
        """The execution ends. With everything settled in the ledger, nobody needs the journal any more."""
        if self.taken() and settled:
            with suppress(RedisError):
                self._say("DEL", self._key)
        if self._line is not None:
            self._pool.release(self._line)
            self._line = None

    def _say(self, *command: Any) -> Any:
        try:
            self._line.send_command(*command)
        except BaseException:
            self._hang_up()
            raise
        return self._answer()

    def _answer(self) -> Any:
        try:
            return self._line.read_response()
        except BaseException:
            self._hang_up()
            raise

    def _hang_up(self) -> None:
        """For good: what comes after a line that may be lost proves nothing."""
        if self._line is not None:
            self._line.disconnect()
            self._pool.release(self._line)
            self._line = None


def began(key: str) -> bytes:
    """The line that is written before a request."""
    return BEGAN + key.encode()


def ended(items: list[Any]) -> bytes:
    """The line that is written after it, with what became of its items."""
    return Seal.dumps([{name: getattr(item, name) for name in OUTCOME} | _due(item) for item in items])


def _due(item: Any) -> dict[str, Any]:
    return {"due_at": item.due_at.isoformat() if item.due_at else None}


def read(tag: str) -> Told | None:
    """What a dead execution wrote, which writes no more from now on; None where that proves nothing."""
    taken = f"{key_of(tag)}:taken"
    with wire.connect().pipeline(transaction=True) as pipe:
        pipe.rename(key_of(tag), taken).lrange(taken, 0, -1).info()
        _, lines, server = pipe.execute(raise_on_error=False)  # who read it before us has renamed it already
    if not lines or Seal.loads(lines[0]) != [str(server[name]) for name in SERVER]:
        return None
    told = Told()
    for line in lines[1:]:
        if line.startswith(BEGAN):
            told.begin(line.removeprefix(BEGAN).decode())
        else:
            told.ended |= {outcome.pop("id"): _read(outcome) for outcome in Seal.loads(line)}
    return told


def _read(outcome: dict[str, Any]) -> dict[str, Any]:
    due = outcome["due_at"]
    return {**outcome, "due_at": datetime.fromisoformat(due) if due else None}


def key_of(tag: str) -> str:
    return f"sira:sent:{tag}"


def _identity(info: bytes) -> list[str]:
    told = dict(line.partition(":")[::2] for line in info.decode().splitlines())
    return [told[name] for name in SERVER]
