"""People who sign in: their passwords, tried and changed."""

from limits import parse_many
from sqlalchemy import select, update

from app import passwords, rate
from workers import db, messages
from workers.errors import MissingRecord
from workers.models import User

TRIES_PER_PERSON = parse_many("10/10minutes")  # from one network, so that nobody elsewhere can lock the person out
FAILURES_PER_PERSON = parse_many("100/10minutes")  # from all networks together: no botnet guesses faster than this
FAILURES_PER_NETWORK = parse_many("50/10minutes")  # a whole office may share one address


def signing_in(email: str, password: str, address: str) -> User | None:
    """The person of that e-mail if the password is right; raises LimitReached after too many tries.

    The e-mails of those who try lie in Redis as a keyed hash only. A right password forgives the tries before it, but
    not those of other networks.
    """
    email = email.strip().lower()
    who = "login:" + messages.digest(email.encode(errors="replace").decode())
    network = f"login:{rate.network_of(address)}"
    here = f"{who}:{network}"
    rate.check(FAILURES_PER_NETWORK, network)
    rate.check(FAILURES_PER_PERSON, who)
    rate.hit(TRIES_PER_PERSON, here)
    user = _active(email)
    if not passwords.matches(user.password_hash if user else "", password) or user is None:
        rate.hit(FAILURES_PER_NETWORK, network)
        rate.hit(FAILURES_PER_PERSON, who)
        return None
    rate.clear(TRIES_PER_PERSON, here)
    return user


def _active(email: str) -> User | None:
    with db.reading() as session:
        return session.scalar(select(User).where(User.email == db.storable(email), User.active))


def change_password(user: User, old: str, new: str) -> str | None:
    """Give the person another password, and end all sessions. If that is refused: `wrong` (the old one), or why the
    new one is (see `passwords.fault_of`)."""
    rate.hit(TRIES_PER_PERSON, f"password:{user.id}")
    if not passwords.matches(user.password_hash, old):
        return "wrong"
    if fault := passwords.fault_of(new, user.email, old):
        return fault
    set_password(user, new)
    return None


def speaks(user_id: int, language: str) -> None:
    """Remember the language that the person chose: mails, and every other browser, follow it."""
    with db.writing() as session:
        session.execute(update(User).where(User.id == user_id).values(language=language))


def set_password(user: User, password: str) -> None:
    """Write the password; the sessions that the person had end."""
    digest = passwords.hashed(password)  # slow on purpose, so before the transaction
    with db.writing() as session:
        kept = session.get(User, user.id)
        if kept is None:
            raise MissingRecord(what="User", id=user.id)
        kept.password_hash, kept.password_changed_at = digest, db.now()
        kept.password_expired_at = kept.password_notice_for = None
        kept.session_epoch += 1
    user.password_hash, user.session_epoch = digest, kept.session_epoch
