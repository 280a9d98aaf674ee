"""`flask companies`, `flask tokens`, `flask users`: who may use the service."""

import json
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import click

from app.terminal import Group, say
from workers.errors import MissingRecord

if TYPE_CHECKING:
    from types import ModuleType

    from sqlalchemy.orm import Session

    from workers.models import Company

ID = click.IntRange(1, 2**31 - 1)
ROLES = click.Choice(["member", "operator"])
AS_TEXT = ("name", "tax_office", "address", "phone", "email", "legal_text", "sms_per_number")
AS_NUMBER = ("sms_daily_cap", "mail_daily_cap", "k", "password_max_age_days")
AS_OBJECT = ("sms_gateway", "mail_gateway", "webhook", "excel_mappings")
AS_LIST = ("notice_emails", "resume")
CHANGEABLE = (*AS_TEXT, *AS_NUMBER, *AS_OBJECT, *AS_LIST)

companies = Group("companies", help="The companies that send letters.")
tokens = Group("tokens", help="The tokens that programs call the API with.")
users = Group("users", help="The people who sign in.")


@companies.command("create")
@click.argument("name")
@click.option("--vkn", required=True, help="Its tax number, 10 digits.")
@click.option("--tax-office")
@click.option("--address")
@click.option("--phone")
@click.option("--email")
def create_company(**fields: str | None) -> None:
    """Add a company; prints its id."""
    from app import joining

    _database()
    click.echo(joining.new_company({field: text for field, text in fields.items() if text or field == "name"}))


@companies.command("set")
@click.argument("company_id", metavar="ID", type=ID)
@click.argument("changes", metavar="KEY=VALUE...", nargs=-1, required=True)
def set_company(company_id: int, changes: tuple[str, ...]) -> None:
    """Change what PATCH /api/companies/ID changes. That is name, tax_office, address, phone, email, legal_text,
    sms_per_number, sms_daily_cap, mail_daily_cap, k, password_max_age_days, and as JSON sms_gateway, mail_gateway,
    webhook, excel_mappings, notice_emails, resume. An empty value clears it.

    Letters that exist keep what they were made with.
    """
    from app.api import companies as records
    from app.joining import checked

    given = dict(_key_and_value(change) for change in changes)
    with _database().reading() as session:
        _company(session, company_id)
    records.change(company_id, cast(records.CompanyChange, checked(given, of=records.CompanyChange)))
    say(f"Company {company_id} was changed: {', '.join(given)}.")


@companies.command("list")
def list_companies() -> None:
    """One line for each: id, VKN, name."""
    from sqlalchemy import select

    from workers.models import Company

    with _database().reading() as session:
        found = session.scalars(select(Company).order_by(Company.id)).all()
    for company in found:
        click.echo(f"{company.id}\t{company.vkn}\t{company.name}")
    if not found:
        say("No companies yet: make one with `flask companies create`.")


@tokens.command("create")
@click.option("--company", "company_id", metavar="ID", type=ID, required=True)
@click.option("--role", type=ROLES, required=True, help="An operator sees all companies.")
@click.option("--days", type=click.IntRange(1, 36_500), help="How long it is valid (default: until it is revoked).")
def create_token(company_id: int, role: str, days: int | None) -> None:
    """Make a token; prints it, this once."""
    from app.auth import digest_of
    from workers.db import now
    from workers.models import Token

    token = secrets.token_urlsafe(32)
    expires_at = now() + timedelta(days=days) if days else None
    with _database().writing() as session:
        company = _company(session, company_id)
        session.add(Token(company_id=company.id, role=role, digest=digest_of(token), expires_at=expires_at))
    click.echo(token)


@tokens.command("list")
@click.option("--company", "company_id", metavar="ID", type=ID, required=True)
def list_tokens(company_id: int) -> None:
    """Those not revoked, a line each: id, role, made at, valid until."""
    from sqlalchemy import select

    from workers.models import Token

    with _database().reading() as session:
        company = _company(session, company_id)
        query = select(Token).where(Token.company_id == company.id, Token.revoked_at.is_(None)).order_by(Token.id)
        found = session.scalars(query).all()
    for token in found:
        until = token.expires_at.isoformat(timespec="seconds") if token.expires_at else "-"
        click.echo(f"{token.id}\t{token.role}\t{token.created_at.isoformat(timespec='seconds')}\t{until}")
    if not found:
        say("No tokens: make one with `flask tokens create`.")


@tokens.command("revoke")
@click.argument("token_id", metavar="ID", type=ID)
def revoke_token(token_id: int) -> None:
    """End a token at once. `flask tokens list` shows the ids."""
    from workers.db import now
    from workers.models import Token

    with _database().writing() as session:
        token = session.get(Token, token_id)
        if token is None:
            raise MissingRecord(what="Token", id=token_id)
        token.revoked_at = token.revoked_at or now()
    say(f"Token {token_id} is revoked.")


@users.command("create")
@click.argument("email")
@click.option("--company", "company_id", metavar="ID", type=ID, required=True)
@click.option("--role", type=ROLES, required=True, help="An operator sees all companies.")
def create_user(email: str, company_id: int, role: str) -> None:
    """Add a person; prints the password, this once."""
    from app import joining

    _database()
    click.echo(joining.new_user(email, company_id, role))


@users.command("password")
@click.argument("email")
def renew_password(email: str) -> None:
    """Give a person a new password, an imported one the first. Prints it, this once. All sessions of theirs end."""
    from sqlalchemy import select

    from app import joining
    from workers.models import User

    with _database().reading() as session:
        user_id = session.scalar(select(User.id).where(User.email == email.strip().lower()))
    if user_id is None:
        raise MissingRecord(what="User", id=email)
    click.echo(joining.renew_password(user_id))


def _database() -> "ModuleType":
    """workers.db, with every table there."""
    from workers import db, migrations

    migrations.ready()
    return db


def _company(session: "Session", company_id: int) -> "Company":
    from workers.models import Company

    company = session.get(Company, company_id)
    if company is None:
        raise MissingRecord(what="Company", id=company_id)
    return company


def _key_and_value(change: str) -> tuple[str, Any]:
    field, equals, text = change.partition("=")
    if not equals or field not in CHANGEABLE:
        raise click.BadParameter(f"{change!r} is no KEY=VALUE with a key of {', '.join(CHANGEABLE)}.")
    if not text:
        return field, [] if field in AS_LIST else text if field == "name" else None
    return field, text if field in AS_TEXT else _read(text)


def _read(text: str) -> Any:
    """The JSON value; what is none is left as it is, for the check to say what the field should be."""
    try:
        return json.loads(text)
    except ValueError:
        return text
