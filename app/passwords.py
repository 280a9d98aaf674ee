"""Passwords that we make up for people, shown once; only their scrypt hash is kept."""

import secrets

READABLE = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that looks like its neighbour: no i l o, no 0 1
GROUPS, GROUP_CHARS = 4, 5  # 31^20: about 99 bits


def new_password() -> str:
    """Such as `k7mp2-x9wqe-4tbnc-hr6ud`: to be read out on the telephone, and one word in any shell."""
    return "-".join("".join(secrets.choice(READABLE) for _ in range(GROUP_CHARS)) for _ in range(GROUPS))


def hashed(password: str) -> str:
    """What `User.password_hash` holds; werkzeug's check_password_hash reads it."""
    from werkzeug.security import generate_password_hash

    return generate_password_hash(password, method="scrypt")
