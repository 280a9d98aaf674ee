"""The accounts of a company: who they are, how they are reached, and the newest letter of each."""

from typing import Any

from flask import Blueprint, render_template, request
from sqlalchemy import func, or_, select

from app.desk import gate, selection, whose
from app.desk.selection import PAGE, A, M
from workers import db

FIELDS = (A.id, A.code, A.title, A.vkn, A.tckn, A.tax_office, A.email, A.phone)

pages = Blueprint("desk_accounts", __name__)


@pages.get("/letters/accounts")
def listed() -> str:
    """Accounts in the order of their codes; htmx asks for more rows of the same."""
    company, given = whose.choice(), request.args
    asked = {name: given.get(name, "") for name in ("q", "email", "phone")}
    if company.id is None:
        return render_template("desk/accounts.html", whose=company, asked=asked, rows=None)
    rows, cursor = _page(company.id, asked, db.storable(given.get("cursor", "")))
    template = "desk/accounts_rows.html" if gate.is_htmx() and given.get("cursor") else "desk/accounts.html"
    return render_template(template, whose=company, asked=asked, rows=rows, cursor=cursor)


def _page(company_id: int, asked: dict[str, str], after: str) -> tuple[list[Any], str | None]:
    """A page of accounts behind the code `after`, each with the id of its newest letter, and the next cursor."""
    newest = select(func.max(M.id)).where(M.account_id == A.id).scalar_subquery().label("letter")
    query = select(*FIELDS, newest).where(*selection.accounts(company_id, asked["q"]))
    for column, wanted in ((A.email, asked["email"]), (A.phone, asked["phone"])):
        empty = or_(column.is_(None), column == "")
        query = query.where(empty if wanted == "no" else ~empty) if wanted in ("yes", "no") else query
    query = query.where(A.code > after) if after else query
    with db.reading() as session:
        rows = session.execute(query.order_by(A.code).limit(PAGE + 1)).all()
    return list(rows[:PAGE]), rows[PAGE - 1].code if len(rows) > PAGE else None
