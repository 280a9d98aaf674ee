"""The company's own records: companies, users, tokens, accounts, mutabakat letters, files."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Date, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from workers.db import Base, Utc, now

NO_PASSWORD = "!"  # no hash: nothing that anybody types matches


class Company(Base):
    """A sender of letters. Its id as text is the `scope` of its tasks."""

    __tablename__ = "companies"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    vkn: Mapped[str] = mapped_column(String(10))
    tax_office: Mapped[str | None] = mapped_column(String(100))
    address: Mapped[str | None] = mapped_column(Text)
    phone: Mapped[str | None] = mapped_column(String(40))
    email: Mapped[str | None] = mapped_column(String(320))
    legal_text: Mapped[str | None] = mapped_column(Text)
    options: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created_at: Mapped[datetime] = mapped_column(Utc, default=now)


class User(Base):
    """A person who signs in. `company_id` is none only for operators of the whole service. Sessions of another
    `session_epoch` than the person's have ended."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    company_id: Mapped[int | None] = mapped_column(ForeignKey("companies.id"), index=True)
    email: Mapped[str] = mapped_column(String(320), unique=True)
    name: Mapped[str | None] = mapped_column(String(200))
    phone: Mapped[str | None] = mapped_column(String(40))
    language: Mapped[str] = mapped_column(String(2), default="tr")
    role: Mapped[str] = mapped_column(String(10), default="member")
    password_hash: Mapped[str] = mapped_column(String(255))
    password_changed_at: Mapped[datetime] = mapped_column(Utc, default=now)
    password_expired_at: Mapped[datetime | None] = mapped_column(Utc)
    password_notice_for: Mapped[date | None] = mapped_column(Date)
    created_at: Mapped[datetime] = mapped_column(Utc, default=now)
    active: Mapped[bool] = mapped_column(default=True)
    session_epoch: Mapped[int] = mapped_column(default=0)
    notices_seen_at: Mapped[datetime | None] = mapped_column(Utc)


class Token(Base):
    """An API token: 256 random bits shown once, of which only the SHA-256 is kept."""

    __tablename__ = "tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    company_id: Mapped[int] = mapped_column(ForeignKey("companies.id"), index=True)
    role: Mapped[str] = mapped_column(String(10))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(Utc, default=now)
    expires_at: Mapped[datetime | None] = mapped_column(Utc)
    revoked_at: Mapped[datetime | None] = mapped_column(Utc)


class Account(Base):
    """A cari hesap: one customer or supplier in a company's books, known by its code (kept as text: 120.10)."""

    __tablename__ = "accounts"
    __table_args__ = (UniqueConstraint("company_id", "code"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    company_id: Mapped[int] = mapped_column(ForeignKey("companies.id"))
    code: Mapped[str] = mapped_column(String(60))
    title: Mapped[str] = mapped_column(String(200))
    vkn: Mapped[str | None] = mapped_column(String(10))
    tckn: Mapped[str | None] = mapped_column(String(11))
    tax_office: Mapped[str | None] = mapped_column(String(100))
    email: Mapped[str | None] = mapped_column(String(320))
    phone: Mapped[str | None] = mapped_column(String(40))
    updated_at: Mapped[datetime] = mapped_column(Utc, default=now, onupdate=now)


class Mutabakat(Base):
    """One reconciliation of one account at one date. `snapshot` keeps both parties and the lines as they were then:
    `{"sender": {…}, "receiver": {…}, "lines": [{"currency", "amount" (decimal text), "side"}], "legal_text"}`.
    `sent_by`: the ids of the items by which it was sent, or may have been."""

    __tablename__ = "mutabakat"
    __table_args__ = (
        Index("ix_mutabakat_company", "company_id", "id"),
        Index("ix_mutabakat_as_of", "company_id", "as_of"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    company_id: Mapped[int] = mapped_column(ForeignKey("companies.id"))
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    as_of: Mapped[date] = mapped_column(Date)
    reply_by: Mapped[date | None] = mapped_column(Date)
    variant: Mapped[str] = mapped_column(String(12), default="pozitif")
    state: Mapped[str] = mapped_column(String(12), default="draft")
    sent_by: Mapped[list[int] | None] = mapped_column(JSON(none_as_null=True))
    snapshot: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(Utc, default=now)


class File(Base):
    """A file that is complete in the storage: the row is written after the last byte."""

    __tablename__ = "files"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    company_id: Mapped[int | None] = mapped_column(ForeignKey("companies.id"), index=True)
    task_id: Mapped[str | None] = mapped_column(String(36), index=True)
    purpose: Mapped[str] = mapped_column(String(20))
    filename: Mapped[str] = mapped_column(String(255))
    content_type: Mapped[str] = mapped_column(String(100))
    size: Mapped[int] = mapped_column()
    sha256: Mapped[str] = mapped_column(String(64))
    storage_key: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(Utc, default=now)


class Channel(Base):
    """A company's own way out, `channel` sms or email: its provider and credentials (a sealed dict; none: the service's
    own), and why it rests since the gateway refused the account. Of `hook` and `note` (workers/tellings.py): where the
    ends of tasks are told to, and `since` when."""

    __tablename__ = "channels"
    __table_args__ = (UniqueConstraint("company_id", "channel"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    company_id: Mapped[int] = mapped_column(ForeignKey("companies.id"))
    channel: Mapped[str] = mapped_column(String(5))
    provider: Mapped[str | None] = mapped_column(String(20))
    credentials: Mapped[bytes | None] = mapped_column()
    paused_reason: Mapped[str | None] = mapped_column(Text)
    paused_at: Mapped[datetime | None] = mapped_column(Utc)
    since: Mapped[datetime | None] = mapped_column(Utc)


class Delivery(Base):
    """Evidence of one message on its way, kept ten years (TTK 82): to whom (sealed, and hashed with a key to be found
    again), by which request, and what the gateway said. `state` is the item's; `report` what became of it later."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("request_key", "item_id"),
        Index("ix_deliveries_recipient", "task_id", "recipient_hash"),
        Index("ix_deliveries_state", "state", "sent_at"),
        Index("ix_deliveries_company", "company_id", "channel", "sent_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    company_id: Mapped[int | None] = mapped_column(ForeignKey("companies.id"))
    task_id: Mapped[str | None] = mapped_column(String(36))
    item_id: Mapped[int] = mapped_column(BigInteger)
    channel: Mapped[str] = mapped_column(String(5))
    recipient: Mapped[bytes] = mapped_column()
    recipient_hash: Mapped[str] = mapped_column(String(64), index=True)
    state: Mapped[str] = mapped_column(String(10))
    provider: Mapped[str] = mapped_column(String(20))
    account: Mapped[str | None] = mapped_column(String(40))
    provider_id: Mapped[str | None] = mapped_column(String(200), index=True)
    request_key: Mapped[str] = mapped_column(String(40))
    sent_at: Mapped[datetime] = mapped_column(Utc)
    delivered_at: Mapped[datetime | None] = mapped_column(Utc)
    report: Mapped[str | None] = mapped_column(Text)


class Suppression(Base):
    """An address that asked for no more mails of a company (RFC 8058), as a keyed hash."""

    __tablename__ = "suppressions"
    __table_args__ = (UniqueConstraint("company_id", "recipient_hash"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    company_id: Mapped[int] = mapped_column(ForeignKey("companies.id"))
    recipient_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(Utc, default=now)


class Import(Base):
    """How far a task has come in applying its sheet, written in the transaction of each batch: who goes on after a
    crash finds here what counts. `execution` alone may write it; `reached` is the key of the last row applied."""

    __tablename__ = "imports"

    task_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    execution: Mapped[str] = mapped_column(String(80))
    reached: Mapped[str | None] = mapped_column(Text)
    new: Mapped[int] = mapped_column(default=0)
    changed: Mapped[int] = mapped_column(default=0)
    unchanged: Mapped[int] = mapped_column(default=0)
    updated_at: Mapped[datetime] = mapped_column(Utc, default=now, onupdate=now)


class SandboxMessage(Base):
    """A message that the sandbox accepted instead of sending it. `key`: the request's key, or the mail's Message-ID;
    `ref`: the sender's own name for one SMS of a request; `attachments`: `[{"name", "size" (bytes)}]`."""

    __tablename__ = "sandbox_messages"

    id: Mapped[int] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(String(4))
    key: Mapped[str] = mapped_column(String(320), index=True)
    ref: Mapped[str | None] = mapped_column(String(120))
    sender: Mapped[str | None] = mapped_column(String(320))
    recipient: Mapped[str] = mapped_column(String(320))
    subject: Mapped[str | None] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    html: Mapped[str | None] = mapped_column(Text)
    attachments: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    created_at: Mapped[datetime] = mapped_column(Utc, default=now, index=True)


class Cleanup(Base):
    """What a house-keeping job deleted, kept for three years. `deleted`: `{"tasks": {"count": 3, "bytes": 900}, …}`."""

    __tablename__ = "cleanups"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(100))
    task_id: Mapped[str | None] = mapped_column(String(36))
    at: Mapped[datetime] = mapped_column(Utc, default=now, index=True)
    deleted: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class Act(Base):
    """What a person did on the desk: evidence, which no house-keeping touches. `what`: a few English words such as
    `cancel` or `item arrived`; `user_id` is none where a token was used."""

    __tablename__ = "acts"
    __table_args__ = (Index("ix_acts_task", "task_id", "id"), Index("ix_acts_company", "company_id", "id"))

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    at: Mapped[datetime] = mapped_column(Utc, default=now, index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    company_id: Mapped[int | None] = mapped_column(ForeignKey("companies.id"))
    what: Mapped[str] = mapped_column(String(80))
    task_id: Mapped[str | None] = mapped_column(String(36))
    item_id: Mapped[int | None] = mapped_column(BigInteger)
    detail: Mapped[str | None] = mapped_column(Text)


class Telling(Base):
    """The end of a task that a company wants to hear of, by `channel` hook (webhook) or note (mail); without a task it
    is a test. `state`: waiting, done or failed; `due_at` is when it is to be handed on, none once it was; `message_id`
    the webhook-id, or the mail that it is part of; `body` the status object as it was, sealed;
    `handed_to` the task that posts it."""

    __tablename__ = "tellings"
    __table_args__ = (
        UniqueConstraint("task_id", "task_ended_at", "channel"),
        Index("ix_tellings_company", "company_id", "id"),
        Index("ix_tellings_ended", "company_id", "channel", "task_ended_at"),
        Index("ix_tellings_tried", "company_id", "channel", "tried_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    company_id: Mapped[int] = mapped_column(ForeignKey("companies.id"))
    channel: Mapped[str] = mapped_column(String(5))
    task_id: Mapped[str | None] = mapped_column(String(36))
    task_ended_at: Mapped[datetime | None] = mapped_column(Utc)
    message_id: Mapped[str | None] = mapped_column(String(40))
    body: Mapped[bytes | None] = mapped_column()
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    attempts: Mapped[int] = mapped_column(default=0)
    status_code: Mapped[int | None] = mapped_column()
    answer: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Utc, default=now)
    due_at: Mapped[datetime | None] = mapped_column(Utc, index=True)
    tried_at: Mapped[datetime | None] = mapped_column(Utc)
    handed_to: Mapped[str | None] = mapped_column(String(36))
