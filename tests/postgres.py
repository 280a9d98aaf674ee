"""A PostgreSQL server of the tests' own, thrown away afterwards."""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

import psycopg
import pytest

from app.ports import held_port

START_DEADLINE_S = 120
PR_SET_PDEATHSIG = 1
INITDB = ("--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
THROW_AWAY = ("-F", "-c", "full_page_writes=off", "-c", "synchronous_commit=off", "-c", "unix_socket_directories=")


@contextmanager
def running_postgres(folder: Path) -> Iterator[str]:
    """Run a server on a free port of 127.0.0.1, its data in `folder`; gives its `postgresql://` URL.

    Skips the test, with a warning, where PostgreSQL is not installed. PostgreSQL refuses root, and no other user
    can enter pytest's own folders: a root's server keeps its data in a temporary folder instead.
    """
    programs = _programs()
    with _home(folder) as home:
        data = home / "data"
        command = [str(programs / "initdb"), "-D", str(data), "-U", "sira", *INITDB]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **_as_user(home))
        server, url = _started(programs / "postgres", data, home)
        try:
            yield url
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(timeout=START_DEADLINE_S)


def fresh_database(url: str) -> str:
    """Make an empty database on the server of `url`; gives its URL."""
    name = f"t{token_hex(6)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return f"{url.rpartition('/')[0]}/{name}"


def _programs() -> Path:
    on_path = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    found = [Path(on_path).resolve().parent] if on_path else debian[-1:]
    if not found:
        warnings.warn("PostgreSQL is NOT TESTED: no initdb in PATH or in /usr/lib/postgresql/*/bin", stacklevel=4)
        pytest.skip("PostgreSQL is not installed")
    return found[0]


@contextmanager
def _home(folder: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="sira-postgres-") as name:
        os.chown(name, _user().pw_uid, _user().pw_gid)
        yield Path(name)


def _user() -> pwd.struct_passwd:
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


def _as_user(home: Path) -> dict[str, Any]:
    if os.geteuid() != 0:
        return {"cwd": home}
    return {"cwd": home, "user": _user().pw_uid, "group": _user().pw_gid, "extra_groups": []}


def _started(program: Path, data: Path, home: Path) -> tuple[subprocess.Popen[bytes], str]:
    with held_port() as held:
        port = held.getsockname()[1]
        command = [str(program), "-D", str(data), "-h", "127.0.0.1", "-p", str(port), *THROW_AWAY]
        with (home / "log").open("ab") as log:
            server = subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=_die_with_parent, **_as_user(home))
        url = f"postgresql://sira@127.0.0.1:{port}/postgres"
        if _answers(server, url):
            return server, url
    server.kill()
    server.wait()
    raise RuntimeError(f"PostgreSQL did not start:\n{(home / 'log').read_text()}")


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)


def _answers(server: subprocess.Popen[bytes], url: str) -> bool:
    deadline = time.monotonic() + START_DEADLINE_S
    while server.poll() is None and time.monotonic() < deadline:
        try:
            psycopg.connect(url, connect_timeout=2).close()
            return True
        except psycopg.OperationalError:
            time.sleep(0.05)
    return False
