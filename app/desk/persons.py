"""People who sign in, as operators keep them: added, given a password (shown once), shut out, signed out."""

from typing import Any

from flask import Blueprint, g, redirect, render_template, request
from flask_babel import gettext as _
from sqlalchemy import or_, select
from werkzeug.wrappers import Response

from app import joining
from app.auth import record_id, require_operator
from app.desk import acts, gate, whose
from app.desk.reasons import Refusal, refusal_of
from app.desk.session import sign_out_everywhere
from workers import db
from workers.errors import Conflict, InvalidInput, NotFound, SiraError
from workers.models import Company, User

PER_PAGE = 50
ROLES = ("member", "operator")
pages = Blueprint("desk_persons", __name__, url_prefix="/admin/users")
pages.before_request(require_operator)


@pages.get("")
def listed() -> str:
    """By company (`company_id`) and by what stands in e-mail or name (`q`)."""
    return _listed()


@pages.post("")
def create() -> tuple[str, int] | str:
    """Add somebody; the page that follows shows the password, and no other ever will."""
    email, role = request.form.get("email", ""), request.form.get("role", "member")
    try:
        if role not in ROLES:
            raise InvalidInput([{"field": "role", "message": "is member or operator"}])
        password = joining.new_user(email, whose.choice().id, role)
    except SiraError as error:
        refused = refusal_of(error)
        return _listed(refused=refused), refused.status
    acts.note("user created", detail=f"{email.strip()} {role}")
    return _listed(fresh=(email.strip().lower(), password))


@pages.post("/<number>/password")
def renew(number: str) -> str:
    """A new password, for who forgot it or was imported without one."""
    user = _user(number)
    password = joining.renew_password(user.id)
    acts.note("user password renewed", detail=user.email)
    return _listed(fresh=(user.email, password))


@pages.post("/<number>/<any(shut_out, let_in, sign_out):verb>")
def steer(number: str, verb: str) -> Response:
    user = _user(number)
    if verb == "sign_out":
        sign_out_everywhere(user.id)
        gate.say(_("%(email)s is signed out everywhere.", email=user.email))
    else:
        _refuse_oneself(user, verb)
        joining.let_in(user.id, active=verb == "let_in")
        told = _("%(email)s may sign in again.") if verb == "let_in" else _("%(email)s can't sign in any more.")
        gate.say(told % {"email": user.email})
    acts.note(f"user {verb}", detail=user.email)
    return redirect("/admin/users", 303)


def _refuse_oneself(user: User, verb: str) -> None:
    if verb == "shut_out" and g.user and g.user.id == user.id:
        raise Conflict(reason=_("nobody can shut out oneself; ask another operator"))


def _user(number: str) -> User:
    with db.reading() as session:
        user = session.get(User, record_id(number))
    if user is None:
        raise NotFound()
    return user


def _listed(fresh: tuple[str, str] | None = None, refused: Refusal | None = None) -> str:
    """`fresh`: e-mail and password to be shown this once."""
    q, of = request.args.get("q", "").strip(), request.args.get("of", "")
    cursor = request.args.get("cursor", "")
    query = select(User, Company.name).outerjoin(Company, Company.id == User.company_id).order_by(User.id.desc())
    if q:
        looked_in = (User.email, User.name)
        query = query.where(or_(*(column.icontains(db.storable(q), autoescape=True) for column in looked_in)))
    for column, text, compare in ((User.company_id, of, "__eq__"), (User.id, cursor, "__lt__")):
        query = query.where(getattr(column, compare)(record_id(text))) if text else query
    with db.reading() as session:
        rows: list[Any] = list(session.execute(query.limit(PER_PAGE + 1)))
    following = str(rows[PER_PAGE - 1][0].id) if len(rows) > PER_PAGE else None
    known = {"q": q, "of": of, "cursor": following, "fresh": fresh, "refused": refused, "whose": whose.choice()}
    return render_template("desk/admin_users.html", people=rows[:PER_PAGE], typed=request.form, **known)
