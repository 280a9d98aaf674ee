"""What the jobs of messages need to know of a company: its way out, its caps, who wants no mail, and the evidence."""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from random import random
from typing import Any

from sqlalchemy import and_, bindparam, func, select, update
from sqlalchemy.orm import Session

from workers import records, settings
from workers.db import many, now, reading, writing
from workers.engine.ledger import Item, Note, item_of
from workers.engine.seal import Seal
from workers.engine.tables import items
from workers.errors import NotFound, SealBroken
from workers.models import Channel, Company, Delivery, Suppression

ROWS_AT_ONCE, CHUNK = 5000, 100
SENT = ("sending", "done", "unknown")
IDENTIFY = ("base_url", "usercode", "username", "account_sid", "key")
D = Delivery.__table__
TELL = (
    update(D)  # type: ignore[arg-type]  # declared as FromClause, is a Table
    .where(D.c.request_key == bindparam("key"), D.c.item_id == bindparam("item"))
    .values({name: bindparam(f"new_{name}") for name in ("state", "provider_id")})
)


@dataclass(frozen=True)
class Way:
    """How a company sends on one channel, and what it may. `options` are its own credentials or the service's; `own`
    is the name of its own gateway."""

    channel: str
    company_id: int | None
    provider: str
    options: dict[str, str]
    sender: str = ""
    reply_to: str | None = None
    paused: str | None = None
    limits: dict[str, Any] = field(default_factory=dict)
    own: str = ""

    @property
    def account(self) -> str:
        """A name for the account at the gateway that gives nothing away: who shares it shares its pace."""
        return f"{self.provider}:{hashlib.sha256(repr(sorted(self.options.items())).encode()).hexdigest()[:16]}"

    @property
    def identity(self) -> str:
        """The same account's name, whichever password or sender it is used with: what it knows, no other can tell. The
        sandbox is always the same one, whose port is another at each start."""
        names = () if self.provider == "sandbox" else IDENTIFY
        known_by = [(name, value) for name, value in sorted(self.options.items()) if name in names]
        return f"{self.provider}:{hashlib.sha256(repr(known_by).encode()).hexdigest()[:16]}"

    def is_account(self, provider: str, account: str | None) -> bool:
        """Whether it is that one; of older evidence the provider alone is known."""
        return provider == self.provider and account in (None, self.identity)

    @property
    def scope(self) -> str:
        return str(self.company_id or "")


def way(company_id: int | None, channel: str) -> Way:
    """The company's own gateway, else that of the settings."""
    chosen = settings.current()
    provider: str = "smtp" if channel == "email" else chosen.sms_provider
    with reading() as session:
        company = session.get(Company, company_id) if company_id is not None else None
        query = select(Channel).where(Channel.company_id == company_id, Channel.channel == channel)
        own = session.scalars(query).one_or_none()
    if own and own.provider:
        provider = own.provider
    options = {"url": chosen.smtp_url} if channel == "email" else chosen.sms_options(provider)
    if own and own.credentials:
        options |= Seal.loads(own.credentials)
    limits = company.options if company else {}
    paused = own.paused_reason if own else None
    name, reply_to = (company.name, company.email) if company else ("", None)
    gateway = own.provider or "" if own else ""
    return Way(channel, company_id, provider, options, name, reply_to, paused, limits, gateway)


def pause(way: Way, reason: str) -> None:
    """The gateway refuses the account: nothing of the company is tried on this channel until somebody mends it."""
    if way.company_id is None:
        return
    row = {"company_id": way.company_id, "channel": way.channel, "paused_reason": reason, "paused_at": now()}
    records.put(Channel.__table__, ("company_id", "channel"), row)


def resume(company_id: int, channel: str) -> None:
    """Let the company send on this channel again."""
    mine = (Channel.company_id == company_id, Channel.channel == channel)
    with writing() as session:
        session.execute(update(Channel).where(*mine).values(paused_reason=None, paused_at=None))


def set_way(company_id: int, channel: str, provider: str | None, credentials: dict[str, str] | None) -> None:
    """Give the company a gateway of its own, its credentials sealed; without a provider, take it away."""
    sealed = Seal.dumps(credentials) if credentials else None
    row = {"company_id": company_id, "channel": channel, "provider": provider, "credentials": sealed}
    records.put(Channel.__table__, ("company_id", "channel"), row)


def digest(recipient: str) -> str:
    """A keyed hash of a number or an address: it finds the same again, and tells nobody what it was."""
    return digests(recipient)[0]


def digests(recipient: str) -> list[str]:
    """The same under each key of SECRET_KEY, the present one first."""
    return _digests(settings.current(), recipient)


@lru_cache(maxsize=512)  # of one message it is asked for four times
def _digests(chosen: settings.Settings, recipient: str) -> list[str]:
    return [hmac.digest(key, recipient.encode(), "sha256").hex() for key in _hash_keys(chosen)]


@lru_cache(maxsize=4)
def _hash_keys(chosen: settings.Settings) -> list[bytes]:
    return [hashlib.sha256(b"sira recipient " + key.encode()).digest() for key in chosen.sealing_keys()]


def evidence(way: Way, task_id: str, recipient: Callable[[Item], str]) -> Note:
    """Writes, in the transactions of the items, who is being sent what and what became of it."""

    def note(session: Session, batch: list[Item]) -> None:
        begun = [item for item in batch if item.state == "sending"]
        if begun:
            at = now()
            rows = [_begun(way, task_id, item, recipient(item), at) for item in begun]
            query = records.upsert(session, D, ("request_key", "item_id"), ("state", "sent_at"))
            many(session, query, rows)
        told(session, [item for item in batch if item.state != "sending"])

    return note


def told(session: Session, batch: list[Item]) -> None:
    """A Note for what is found out later about messages whose evidence stands already."""
    many(session, TELL, [_told(item) for item in batch])


def _begun(way: Way, task_id: str, item: Item, recipient: str, at: datetime) -> dict[str, Any]:
    return {
        **{"company_id": way.company_id, "task_id": task_id, "item_id": item.id or item.position},
        **{"channel": way.channel, "recipient": Seal.dumps(recipient), "recipient_hash": digest(recipient.lower())},
        **{"state": item.state, "provider": way.provider, "account": way.identity, "sent_at": at},
        "request_key": item.request_key,
        "provider_id": item.provider_id,
    }


def _told(item: Item) -> dict[str, Any]:
    told = {"new_state": item.state, "new_provider_id": item.provider_id}
    return {"key": item.request_key, "item": item.id or item.position, **told}


def letters_sent(note: Note) -> Note:
    """The same note, which also says of letters (values `{"id", "channel"}`) that they are sent, as what the output of
    an item says, also of those that may have been: as drafts they would go out twice. Or not, once that has failed."""

    def both(session: Session, batch: list[Item]) -> None:
        note(session, batch)
        letters = [item for item in batch if isinstance(item.value, dict) and "channel" in item.value]
        gone = [(item.value["id"], item.id, item.output) for item in letters if item.state in ("done", "unknown")]
        records.sent(session, gone)
        if failed := {item.id: item.value["id"] for item in letters if item.state == "failed"}:
            query = select(items.c.id).where(items.c.id.in_(failed), items.c.state == "failed")  # and not sent again
            records.not_sent(session, [(failed[one], one) for one in session.scalars(query)])

    return both


def reached(task_id: str, hashes: Iterable[str]) -> dict[str, int]:
    """Who of these got a message of this task already (or may have): the item of it, by hash."""
    query = select(Delivery.recipient_hash, Delivery.item_id).where(Delivery.task_id == task_id)
    query = query.where(Delivery.recipient_hash.in_(list(hashes)), Delivery.state.in_(SENT))
    with reading() as session:
        return dict(session.execute(query).all())


def stands(key: str) -> Any:
    """`state` and `provider_id` of the message of this request, which an earlier try has begun; else None."""
    with reading() as session:
        return session.execute(select(D.c.state, D.c.provider_id).where(D.c.request_key == key).limit(1)).first()


def sent_elsewhere(way: Way, key: str) -> bool:
    """Whether the request of this key went to another account than this way's, which can tell nothing of it."""
    query = select(D.c.provider, D.c.account).where(D.c.request_key == key).limit(1)
    with reading() as session:
        sent = session.execute(query).first()
    return sent is not None and not way.is_account(*sent)


def suppressed(company_id: int | None, recipients: Iterable[str]) -> set[str]:
    """Those of the addresses that asked for no more mails of the company."""
    by_hash = {found: recipient for recipient in recipients for found in digests(recipient)}
    query = select(Suppression.recipient_hash).where(Suppression.company_id == company_id)
    with reading() as session:
        return {by_hash[found] for found in session.scalars(query.where(Suppression.recipient_hash.in_(list(by_hash))))}


def unsubscribe_token(company_id: int, address: str) -> str:
    """What stands in the link of a bulk mail: sealed, so that nobody unsubscribes another."""
    return urlsafe_b64encode(Seal.dumps([company_id, digest(address.lower())])).decode().rstrip("=")


def unsubscribe(token: str) -> None:
    """From now on no bulk mail of the company goes to this address. Raises NotFound for what is no token of ours."""
    company_id, address_hash = opened(token)
    row = {"company_id": company_id, "recipient_hash": address_hash, "created_at": now()}
    records.put(Suppression.__table__, ("company_id", "recipient_hash"), row)


def opened(token: str) -> tuple[int, str]:
    """The company and the hash of the address that a token names; raises NotFound."""
    try:
        company_id, address_hash = Seal.loads(urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return int(company_id), str(address_hash)
    except (SealBroken, ValueError, TypeError) as error:
        raise NotFound() from error


def unsure(
    channel: str, since: datetime, providers: Iterable[str]
) -> Iterator[tuple[int | None, str, str | None, dict[str, list[tuple[Item, str, datetime]]]]]:
    """Requests whose outcome is unknown, by company, provider and account: by their keys, of each message the item, the
    recipient and when it was sent. Evidence of what a dead worker left `sending` is brought up to its item first."""
    same = and_(D.c.item_id == items.c.id, D.c.request_key == items.c.request_key)
    left = select(D.c.id).join(items, same).where(D.c.state == "sending", items.c.state != "sending")
    now_known = {
        "state": select(items.c.state).where(same).scalar_subquery(),
        "provider_id": func.coalesce(select(items.c.provider_id).where(same).scalar_subquery(), D.c.provider_id),
    }
    with writing() as session:
        session.connection().execute(update(D).where(D.c.id.in_(left)).values(now_known))  # type: ignore[arg-type]
    query = select(Delivery, items).join(items, and_(items.c.id == D.c.item_id, items.c.state == "unknown"))
    query = query.where(D.c.channel == channel, D.c.state == "unknown", D.c.sent_at > since)
    query = query.where(D.c.provider.in_(list(providers)))
    with reading() as session:
        rows = session.execute(query.order_by(D.c.sent_at.desc()).limit(ROWS_AT_ONCE)).all()
    accounts: dict[tuple[int | None, str, str | None], dict[str, list[tuple[Item, str, datetime]]]] = {}
    for row in rows:
        sent = row.Delivery
        if row.request_key == sent.request_key:
            message = (item_of(row), Seal.loads(sent.recipient), sent.sent_at)
            account = accounts.setdefault((sent.company_id, sent.provider, sent.account), {})
            account.setdefault(sent.request_key, []).append(message)
    yield from ((*account, requests) for account, requests in accounts.items())


def is_any_unsure(channel: str, since: datetime, providers: Iterable[str]) -> bool:
    """Whether `unsure` may find anything. What is just being sent counts, for its sender may be dead."""
    query = select(D.c.id).where(D.c.state.in_(("sending", "unknown")), D.c.channel == channel, D.c.sent_at > since)
    with reading() as session:
        return session.execute(query.where(D.c.provider.in_(list(providers))).limit(1)).first() is not None


def unreported(channel: str, since: datetime) -> Iterator[tuple[int | None, str, list[str]]]:
    """Accepted messages whose delivery nobody has told of: company, provider and the provider's ids. Of more than can
    be asked about at once those behind some moment, another each time: what is never told holds up nothing."""
    query = select(D.c.company_id, D.c.provider, D.c.provider_id).where(D.c.channel == channel, D.c.state == "done")
    query = query.where(D.c.report.is_(None), D.c.provider_id.is_not(None)).order_by(D.c.sent_at).limit(ROWS_AT_ONCE)
    some_moment = since + random() * (now() - since)
    with reading() as session:
        rows = session.execute(query.where(D.c.sent_at > since)).all()
        if len(rows) == ROWS_AT_ONCE:
            rows = session.execute(query.where(D.c.sent_at > some_moment)).all()
    accounts: dict[tuple[int | None, str], list[str]] = {}
    for company_id, provider, provider_id in rows:
        accounts.setdefault((company_id, provider), []).append(provider_id)
    yield from ((*account, ids) for account, ids in accounts.items())


def report(provider: str, told: dict[str, tuple[str, str | None, datetime | None]]) -> None:
    """Write what was reported of messages by their provider ids: `delivered` or `undelivered`, why, and when. An item
    that was sent stays done; if it was not delivered, its `error` says why."""
    ids = list(told)
    for start in range(0, len(ids), CHUNK):
        with writing() as session:
            for provider_id in ids[start : start + CHUNK]:
                state, reason, at = told[provider_id]
                mine = and_(D.c.provider == provider, D.c.provider_id == provider_id, D.c.state == "done")
                values = {"report": reason or state, "delivered_at": (at or now()) if state == "delivered" else None}
                session.connection().execute(update(D).where(mine).values(values))  # type: ignore[arg-type]
                if state == "undelivered":
                    theirs = items.c.id.in_(select(D.c.item_id).where(mine))
                    session.connection().execute(update(items).where(theirs).values(error=reason))
