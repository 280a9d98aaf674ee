"""Telling a company that a task has ended, by mail (`note`) or by webhook (`hook`), and what became of that.

An end becomes a row here, one for each channel, and then the work of a job under a key that is derived from the row:
whatever dies in between, the next run finds the ends that have no row and the rows that were not handed on.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import String, case, cast, func, literal, select, update

from workers import records
from workers.db import Utc, insert, now, reading, writing
from workers.engine import ends, enqueue, find
from workers.engine.seal import Seal
from workers.engine.tables import tasks
from workers.errors import Conflict, NotFound, SealBroken, UnknownTask
from workers.models import Channel, Telling, User
from workers.statuses import status_of

CHANNELS = HOOK, NOTE = ("hook", "note")
DELIVERS = "deliver_webhook"
CHUNK = 500
OVERLAP = timedelta(minutes=2)  # an end that was written from elsewhere than the stream may stand before one that was
MAIL_EVERY = timedelta(minutes=10)  # the first end is mailed at once, those that follow it gather
T, C, E = Telling.__table__.c, Channel.__table__.c, tasks.c


@dataclass(frozen=True)
class Wish:
    """What a company asked for on one channel: `options` are `{"url", "secret"}` of a hook, `{"emails"}` of a note."""

    company_id: int
    channel: str
    options: dict[str, Any]
    since: datetime
    paused: str | None


def wish(company_id: int, channel: str) -> Wish | None:
    return next(iter(_wishes(Channel.company_id == company_id, Channel.channel == channel)), None)


def _wishes(*where: Any) -> list[Wish]:
    query = select(Channel).where(Channel.credentials.is_not(None), Channel.since.is_not(None), *where)
    with reading() as session:
        rows = [row for row in session.scalars(query.order_by(Channel.id)) if _opens(row)]
    return [
        Wish(row.company_id, row.channel, Seal.loads(row.credentials or b""), row.since or now(), row.paused_reason)
        for row in rows
    ]


def _opens(row: Channel) -> bool:
    """A wish that was sealed with a key that is gone must not keep the others from being told."""
    try:
        return bool(Seal.loads(row.credentials or b""))
    except SealBroken:
        return False


def want(company_id: int, channel: str, options: dict[str, Any] | None) -> None:
    """Tell the company from now on (None: no more); what ended before is not told."""
    known = wish(company_id, channel)
    row = {"company_id": company_id, "channel": channel, "credentials": Seal.dumps(options) if options else None}
    row |= {"since": known.since if known and not known.paused else now(), "paused_reason": None, "paused_at": None}
    records.put(Channel.__table__, ("company_id", "channel"), row)


def switch_off(company_id: int, reason: str) -> None:
    """No more webhooks until somebody switches them on again."""
    mine = (Channel.company_id == company_id, Channel.channel == HOOK)
    with writing() as session:
        session.execute(update(Channel).where(*mine).values(paused_reason=reason, paused_at=now()))


def due() -> bool:
    """Whether there is anything to tell: what the clock asks before it makes a task of it."""
    wishes = _active()
    if not wishes:
        return False
    query = select(Telling.id).where(Telling.due_at <= now()).limit(1)
    with reading() as session:
        if session.scalar(query) is not None:
            return True
    until = ends.complete_until()
    return until is not None and not _waiting(until).isdisjoint((one.company_id, one.channel) for one in wishes)


def _waiting(until: datetime) -> set[tuple[int, str]]:
    """The companies and channels that have an end to be told, in one query: it is asked every second."""
    mine = (T.company_id == C.company_id, T.channel == C.channel)
    told_to = func.coalesce(select(func.max(T.task_ended_at)).where(*mine).scalar_subquery(), C.since)
    recent = literal(until - OVERLAP, Utc)
    since = case((told_to < recent, told_to), else_=recent)
    theirs = ends.between(cast(C.company_id, String), since, until).where(E.ended_at > C.since)
    told = select(T.id).where(T.task_id == E.id, T.task_ended_at == E.ended_at, T.channel == C.channel)
    query = select(C.company_id, C.channel).where(C.channel.in_(CHANNELS), theirs.where(~told.exists()).exists())
    with reading() as session:
        return {(company_id, channel) for company_id, channel in session.execute(query)}


def _active() -> list[Wish]:
    return _wishes(Channel.channel.in_(CHANNELS), Channel.paused_reason.is_(None))


def gather() -> int:
    """Write a row for each end that is to be told and has none; how many."""
    until, gathered = ends.complete_until(), 0
    for one in _active() if until else ():
        while untold := _untold(one, until, CHUNK):
            rows = [row for task_id, ended_at in untold if (row := _row(one, task_id, ended_at))]
            added = _add(rows)
            gathered += added
            if len(untold) < CHUNK or not added:
                break
    return gathered


def _untold(one: Wish, until: Any, limit: int) -> list[tuple[str, datetime]]:
    mine = (Telling.company_id == one.company_id, Telling.channel == one.channel)
    with reading() as session:
        told_to = session.scalar(select(func.max(Telling.task_ended_at)).where(*mine))
        since = max(one.since, told_to - OVERLAP) if told_to else one.since
        told = set(
            session.execute(select(Telling.task_id, Telling.task_ended_at).where(*mine, T.task_ended_at > since))
        )
    fresh = [tuple(row) for row in ends.after(str(one.company_id), since, until, limit + len(told))]
    return [row for row in fresh if row not in told][:limit]


def _row(one: Wish, task_id: str, ended_at: datetime) -> dict[str, Any] | None:
    """None for a task that was meanwhile begun anew, for its next end will be told, or deleted."""
    try:
        task = find(task_id)
    except UnknownTask:
        return None
    if task.ended_at != ended_at:
        return None
    row = {"company_id": one.company_id, "channel": one.channel, "task_id": task_id, "task_ended_at": ended_at}
    row |= {"state": "waiting", "attempts": 0, "created_at": now(), "due_at": now(), "body": None, "message_id": None}
    if one.channel == HOOK:
        return row | {"message_id": new_message(), "body": Seal.dumps(status_of(task, "tr"))}
    return row | {"due_at": _next_mail(one.company_id)}


def new_message() -> str:
    return f"msg_{uuid4().hex}"


def _next_mail(company_id: int) -> datetime:
    latest = select(func.max(Telling.tried_at)).where(Telling.company_id == company_id, Telling.channel == NOTE)
    with reading() as session:
        mailed_at = session.scalar(latest)
    return max(now(), mailed_at + MAIL_EVERY) if mailed_at else now()


def _add(rows: list[dict[str, Any]]) -> int:
    if not rows:
        return 0
    with writing() as session:
        query = insert(session.get_bind().dialect.name, Telling.__table__).on_conflict_do_nothing()
        return len(session.connection().execute(query.returning(T.id), rows).all())


def hooks_due() -> list[int]:
    """Webhooks that are to be handed to a job."""
    query = select(Telling.id).where(Telling.channel == HOOK, Telling.due_at <= now()).order_by(Telling.due_at)
    with reading() as session:
        return list(session.scalars(query.limit(CHUNK)))


def hand_on(telling_id: int) -> None:
    """Give a webhook to a job of its own. Its key is that of this sending: said twice it is one."""
    row = get(telling_id)
    key = f"{row.message_id}:{row.tried_at.isoformat() if row.tried_at else ''}"
    task = enqueue(DELIVERS, {"telling_id": telling_id}, scope=str(row.company_id), key=key)
    _write(telling_id, due_at=None, handed_to=task.id)


def mails_due() -> dict[str, list[Any]]:
    """The ends that are to be mailed, by the message that they come together in. That is written first: a run that dies
    half-way finds the same messages again."""
    mine = (Telling.channel == NOTE, Telling.due_at <= now())
    with writing() as session:
        fresh = select(Telling.company_id).where(*mine, Telling.message_id.is_(None)).distinct()
        for company_id in session.scalars(fresh).all():
            theirs = update(Telling).where(*mine, Telling.message_id.is_(None), Telling.company_id == company_id)
            session.execute(theirs.values(message_id=new_message()))
    query = select(Telling.message_id, Telling.company_id, Telling.task_id).where(*mine).order_by(Telling.id)
    found: dict[str, list[Any]] = {}
    with reading() as session:
        for row in session.execute(query):
            found.setdefault(str(row.message_id), []).append(row)
    return found


def mailed(message_id: str) -> None:
    with writing() as session:
        mine = update(Telling).where(Telling.message_id == message_id, Telling.channel == NOTE)
        session.execute(mine.values(state="done", due_at=None, tried_at=now(), attempts=1))


def get(telling_id: int) -> Telling:
    """Raises NotFound."""
    with reading() as session:
        row = session.get(Telling, telling_id)
    if row is None:
        raise NotFound()
    return row


def tried(row: Telling, state: str, status_code: int | None, answer: str) -> None:
    """Write what came of one try."""
    values = {"state": state, "status_code": status_code, "answer": answer}
    _write(row.id, attempts=row.attempts + 1, tried_at=now(), **values)


def _write(telling_id: int, **values: Any) -> None:
    with writing() as session:
        session.execute(update(Telling).where(Telling.id == telling_id).values(**values))


def failing_since(company_id: int, on_since: datetime) -> datetime | None:
    """Since when webhooks are tried and none is taken; None if all is well. Not from before the last one that arrived
    or from before they were switched on (`on_since`), though an older one may have been sent again since then."""
    mine = (T.company_id == company_id, T.channel == HOOK)
    with reading() as session:
        arrived = session.scalar(select(func.max(T.tried_at)).where(*mine, T.state == "done"))
        begun = max(arrived or on_since, on_since)
        written = session.scalar(select(func.min(T.created_at)).where(*mine, T.state != "done", T.tried_at > begun))
    return max(written, begun) if written else None


def last_failure(company_id: int) -> tuple[int, datetime] | None:
    """The webhook that was tried last and when, if that was in vain."""
    query = select(Telling.id, Telling.state, Telling.tried_at).where(
        Telling.company_id == company_id, Telling.channel == HOOK, Telling.tried_at.is_not(None)
    )
    with reading() as session:
        row = session.execute(query.order_by(Telling.tried_at.desc()).limit(1)).first()
    return (row.id, row.tried_at) if row and row.state != "done" else None


def test(company_id: int) -> int:
    """Send a webhook that is about no task; the id of its row. Raises Conflict where there is none."""
    one = wish(company_id, HOOK)
    if one is None or one.paused:
        raise Conflict(reason="there is no webhook, or it is switched off")
    row = Telling(company_id=company_id, channel=HOOK, message_id=new_message(), body=Seal.dumps(TEST), due_at=now())
    with writing() as session:
        session.add(row)
        session.flush()
        telling_id = row.id
    hand_on(telling_id)
    return telling_id


def again(company_id: int, telling_id: int) -> None:
    """Send a webhook once more, under the same id. Raises NotFound, Conflict while it is on its way."""
    row = get(telling_id)
    if row.company_id != company_id or row.channel != HOOK:
        raise NotFound()
    if is_on_its_way(row):
        raise Conflict(reason="it is on its way already")
    _write(telling_id, state="waiting", attempts=0, due_at=now(), tried_at=now())  # a new time makes a new key
    hand_on(telling_id)


def is_on_its_way(row: Telling) -> bool:
    """Whether somebody will yet post it; not if the task that would was cancelled, or failed for another reason."""
    if row.state != "waiting" or row.handed_to is None:
        return row.state == "waiting"
    try:
        return not find(row.handed_to).ended
    except UnknownTask:
        return False


def log(company_id: int, before: int | None = None, limit: int = 50) -> list[Telling]:
    """What was told, the latest first."""
    query = select(Telling).where(Telling.company_id == company_id).order_by(Telling.id.desc()).limit(limit)
    with reading() as session:
        return list(session.scalars(query.where(Telling.id < before) if before else query))


def languages(addresses: list[str]) -> dict[str, str]:
    """The language of whoever reads mail at each address: the person's of the desk, else Turkish."""
    with reading() as session:
        query = select(User.email, User.language).where(User.email.in_([one.lower() for one in addresses]))
        known = dict(session.execute(query).all())
    return {one: known.get(one.lower(), "tr") for one in addresses}


TEST = {
    **{"task_id": "00000000-0000-7000-8000-000000000000", "kind": "test", "state": "SUCCESS", "status": "Deneme"},
    **{"current": 100, "total": 100, "percent": 100, "result": None, "error": None},
}
