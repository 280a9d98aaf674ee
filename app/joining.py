"""How companies and people come in and go, from the command line and the desk alike, by the rules of the API."""

from typing import Any

from pydantic import BaseModel, ValidationError, create_model
from sqlalchemy import select, update

from app.api.companies import CompanyChange
from app.errors import refuse_invalid
from app.fields import Email, Vkn
from app.passwords import hashed, new_password
from app.people import set_password
from workers import db
from workers.errors import Conflict, MissingRecord
from workers.models import Company, User


def checked(given: dict[str, Any], *, of: Any = None, also: dict[str, Any] | None = None) -> BaseModel:
    """What was given as the model `of`; `also`: more fields, as pydantic wants them. Raises InvalidInput."""
    model: type[BaseModel] = create_model("Given", __base__=of, **(also or {}))
    try:
        return model.model_validate(given)
    except ValidationError as error:
        refuse_invalid(error)
        raise


def new_company(given: dict[str, Any]) -> int:
    """Add a company of these fields (name, vkn, tax_office, …); its id. Raises InvalidInput, and Conflict if a company
    has that VKN."""
    cleaned = checked(given, of=CompanyChange, also={"vkn": (Vkn, ...)}).model_dump(exclude_unset=True)
    with db.writing() as session:
        if twin := session.scalar(select(Company.id).where(Company.vkn == cleaned["vkn"]).limit(1)):
            raise Conflict(reason=f"company {twin} has the VKN {cleaned['vkn']} already")
        company = Company(**cleaned)
        session.add(company)
        session.flush()
        return company.id


def new_user(email: str, company_id: int | None, role: str) -> str:
    """Add a person; the password, which nobody can read again. Only an operator may be of no company.

    Raises InvalidInput, MissingRecord, and Conflict if somebody has that e-mail.
    """
    address = checked({"email": email}, also={"email": (Email, ...)}).model_dump()["email"].lower()
    password = new_password()
    digest = hashed(password)  # slow on purpose, so before the transaction
    with db.writing() as session:
        if company_id is not None or role != "operator":
            _there(session.get(Company, company_id or 0), "Company", company_id)
        if session.scalar(select(User.id).where(User.email == address)):
            raise Conflict(reason=f"there is a user {address} already")
        session.add(User(company_id=company_id, email=address, role=role, password_hash=digest))
    return password


def renew_password(user_id: int) -> str:
    """Give a person (an imported one has none yet) a new password, which is shown once; all sessions end."""
    with db.reading() as session:
        user: User = _there(session.get(User, user_id), "User", user_id)
    password = new_password()
    set_password(user, password)
    return password


def let_in(user_id: int, *, active: bool) -> None:
    """Let a person sign in, or not any more: sessions end at once."""
    with db.writing() as session:
        query = update(User).where(User.id == user_id)
        changed = session.execute(query.values(active=active, session_epoch=User.session_epoch + 1))
    if not changed.rowcount:  # type: ignore[attr-defined]
        raise MissingRecord(what="User", id=user_id)


def _there(record: Any, what: str, record_id: int | None) -> Any:
    if record is None:
        raise MissingRecord(what=what, id=record_id)
    return record
