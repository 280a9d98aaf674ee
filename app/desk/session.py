"""Who is signed in: a signed cookie names the person and the epoch of the sign-in, the database says if it still holds.

Whatever ends all sessions of a person (sign out everywhere, another password) counts `users.session_epoch` up.
"""

import hashlib
import time
from functools import lru_cache
from typing import Any

from flask import Flask, g, session
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import update

from app import auth
from workers import db, settings
from workers.housekeeping import passwords
from workers.models import Company, User

IDLE_S = 12 * 3600.0  # without a page being opened
LONGEST_S = 7 * 24 * 3600.0
TOUCH_S = 600.0  # how old "seen" may grow before the cookie is written anew


class Sessions(SecureCookieSessionInterface):
    """Flask's own, with SHA-256, keys that are derived when they are first needed, and no work without a cookie."""

    digest_method = staticmethod(hashlib.sha256)

    def open_session(self, app: Flask, request: Any) -> Any:
        return (
            super().open_session(app, request) if self.get_cookie_name(app) in request.cookies else self.session_class()
        )

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer:
        options = {"key_derivation": self.key_derivation, "digest_method": self.digest_method}
        return URLSafeTimedSerializer(keys(), salt=self.salt, serializer=self.serializer, signer_kwargs=options)


def register(app: Flask) -> None:
    https = settings.current().public_url.startswith("https://")
    app.session_interface = Sessions()
    app.config.update(
        # a browser takes a __Host- cookie from this host alone, and only over TLS
        SESSION_COOKIE_NAME="__Host-sira" if https else "sira",
        SESSION_COOKIE_SECURE=https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,  # a slow answer must not bring back the session that was just ended
        PERMANENT_SESSION_LIFETIME=LONGEST_S,
    )


def keys() -> list[str]:
    """The keys that sign cookies and forms, the oldest first: the last one signs, all are accepted."""
    return _derived(settings.current())


@lru_cache(maxsize=4)
def _derived(chosen: settings.Settings) -> list[str]:
    return [hashlib.sha256(b"sira desk " + key.encode()).hexdigest() for key in reversed(chosen.sealing_keys())]


def sign_in(user: User) -> None:
    """Begin a new session: nothing of the one before is left in it."""
    session.clear()
    session.permanent = True
    session.update(who=auth.digest_of_session(user.id, user.session_epoch), at=time.time(), seen=time.time())


def sign_out() -> None:
    session.clear()


def sign_out_everywhere(user_id: int) -> None:
    """End all sessions of a person, event streams included."""
    with db.writing() as writer:
        writer.execute(update(User).where(User.id == user_id).values(session_epoch=User.session_epoch + 1))


def identify() -> auth.Caller | None:
    """Who is signed in; None if nobody is, or not any more."""
    who, now = session.get("who"), time.time()
    if not who or now - session["seen"] > IDLE_S or now - session["at"] > LONGEST_S:
        return None
    return auth.holder(who)


def touch() -> None:
    """A page was opened: the twelve hours begin anew."""
    if session.get("who") and time.time() - session["seen"] > TOUCH_S:
        session["seen"] = time.time()


def load() -> None:
    """`g.user` and `g.company`: the person and the company of this request, None where there is none of them."""
    caller: auth.Caller | None = g.caller
    g.user = g.company = None
    if caller is None:
        return
    with db.reading() as reader:
        g.user = reader.get(User, caller.user_id) if caller.user_id is not None else None
        g.company = reader.get(Company, caller.company_id) if caller.company_id is not None else None


def must_change_password() -> bool:
    return g.user is not None and passwords.is_expired(g.user, g.company, db.now())
