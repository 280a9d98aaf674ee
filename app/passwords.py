"""Passwords: those that we make up (shown once), and those that people choose. Only their scrypt hash is kept."""

import secrets
import threading
import unicodedata

READABLE = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that looks like its neighbour: no i l o, no 0 1
GROUPS, GROUP_CHARS = 4, 5  # 31^20: about 99 bits
MIN_CHARS, MAX_CHARS = 10, 200
# What is compared where there is no such person, so that this takes as long as with one.
NOBODY = (
    "scrypt:32768:8:1$nobodyhasthissalt$"
    "0c6d3b1f6f2d9c1c1f0b7fba3a0a9f3f2c39a5b8ef3e21f1c9c8a8ac5d7f3d3a"
    "0c6d3b1f6f2d9c1c1f0b7fba3a0a9f3f2c39a5b8ef3e21f1c9c8a8ac5d7f3d3a"
)
_turns = threading.BoundedSemaphore(4)  # each takes 32 MB: a flood of logins must not take a web process's memory


def new_password() -> str:
    """Such as `k7mp2-x9wqe-4tbnc-hr6ud`: to be read out on the telephone, and one word in any shell."""
    return "-".join("".join(secrets.choice(READABLE) for _ in range(GROUP_CHARS)) for _ in range(GROUPS))


def hashed(password: str) -> str:
    """What `User.password_hash` holds: werkzeug's scrypt (N=32768, r=8, p=1)."""
    from werkzeug.security import generate_password_hash

    return generate_password_hash(_normal(password), method="scrypt")


def matches(password_hash: str, password: str) -> bool:
    """Whether it is the password of that hash; takes as long where there is none (imported people, nobody at all)."""
    from werkzeug.security import check_password_hash

    there = password_hash.startswith("scrypt:")
    with _turns:
        return check_password_hash(password_hash if there else NOBODY, _normal(password[:MAX_CHARS])) and there


def fault_of(password: str, email: str, old: str = "") -> str | None:
    """Why a chosen password won't do: `short`, `plain` or `same`; None if it will. Length counts (NIST SP 800-63B)."""
    if not MIN_CHARS <= len(password) <= MAX_CHARS:
        return "short"
    if (
        len(set(password)) < 5
        or password.lower() in email.lower()
        or email.partition("@")[0].lower() in password.lower()
    ):
        return "plain"
    return "same" if password == old else None


def _normal(password: str) -> str:
    """One and the same text for ş typed as one letter or as two."""
    return unicodedata.normalize("NFKC", password)
