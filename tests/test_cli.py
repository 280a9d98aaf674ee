import re
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select
from werkzeug.security import check_password_hash

from app import auth, create_app
from tests.commands import VKN, a_company, flask, printed, run
from tests.conftest import ROOT, SECRET, Service
from workers import db, migrations
from workers.models import Company, User

HEAVY = ("reportlab", "openpyxl", "alembic", "obstore", "pikepdf", "rq_dashboard")
COMMANDS = ("companies", "tokens", "users", "enqueue", "tasks", "db", "check", "up", "demo")


def test_a_company_a_token_and_a_user_are_made_with_the_real_command(service: Service) -> None:
    company_id = printed(flask(service, "companies", "create", "Iğdır & Oğulları Ltd. Şti.", "--vkn", VKN))
    token = printed(flask(service, "tokens", "create", "--company", company_id, "--role", "member"))
    person = flask(service, "users", "create", "ayse@example.com", "--company", company_id, "--role", "operator")

    assert auth.holder(auth.digest_of(token)) == auth.Caller(int(company_id), "member", auth.digest_of(token))
    with db.reading() as session:
        assert session.get_one(Company, int(company_id)).name == "Iğdır & Oğulları Ltd. Şti."
        user = session.scalars(select(User)).one()
    assert (user.company_id, user.role) == (int(company_id), "operator")
    assert check_password_hash(user.password_hash, printed(person))


@pytest.mark.parametrize(
    "arguments",
    [
        ["companies", "create", "A"],
        ["companies", "set", "1", "vkn=1"],
        ["companies", "set", "1", "phone"],
        ["tokens", "create", "--company", "1", "--role", "king"],
        ["tokens", "create", "--company", "0", "--role", "member"],
        ["tokens", "create", "--company", "99999999999999999999", "--role", "member"],
        ["enqueue", "generate_mutabakat_pdf", "{"],
        ["enqueue", "generate_mutabakat_pdf", "[1]"],
        ["tasks", "list", "--state", "LOST"],
        ["up", "--port", "0"],
    ],
)
def test_a_command_that_is_used_wrongly_ends_with_2(service: Service, arguments: list[str]) -> None:
    ended = run(*arguments)

    assert ended.exit_code == 2
    assert ended.stdout == ""


@pytest.mark.parametrize("first", ["check", "db upgrade", f"companies create A --vkn {VKN}", "enqueue tidy_up"])
def test_whichever_command_comes_first_what_it_makes_is_for_its_user_alone(
    tmp_path: Path, service: Service, first: str
) -> None:
    embedded = {**service.env, "DATA_DIR": str(tmp_path / "new"), "REDIS_URL": "", "SECRET_KEY": ""}

    subprocess.run([sys.executable, "-m", "flask", *first.split()], cwd=ROOT, env=embedded, umask=0, timeout=180)

    made = [tmp_path / "new", *(tmp_path / "new").glob("*")]
    assert len(made) > 1
    assert [path.name for path in made if path.stat().st_mode & 0o077] == []


def test_an_embedded_database_gets_its_tables_at_first_use(tmp_path: Path, service: Service) -> None:
    empty = {"DATA_DIR": str(tmp_path / "new"), "REDIS_URL": "", "SECRET_KEY": ""}

    made = flask(service, "companies", "create", "A", "--vkn", VKN, **empty)
    upgraded = flask(service, "db", "upgrade", **empty)

    assert printed(made) == "1"
    assert (upgraded.returncode, upgraded.stdout) == (0, "")
    assert f"already at revision {migrations.head()}" in upgraded.stderr


def test_a_database_server_is_upgraded_only_when_asked(tmp_path: Path, service: Service) -> None:
    server = {"DATABASE_URL": f"sqlite:///{tmp_path / 'server.db'}"}

    refused = flask(service, "companies", "create", "A", "--vkn", VKN, **server)
    upgraded = flask(service, "db", "upgrade", **server)

    assert refused.returncode == 1
    assert "flask db upgrade" in refused.stderr
    assert upgraded.returncode == 0
    assert f"upgraded to revision {migrations.head()}" in upgraded.stderr


def test_check_prints_the_settings_without_their_secrets(service: Service) -> None:
    ended = flask(service, "check", SMTP_URL="smtp://post:geheim@127.0.0.1:25")

    assert ended.returncode == 0, ended.stderr
    assert "DATA_DIR=" in ended.stdout
    assert "SMTP_URL=smtp://post:***@127.0.0.1:25" in ended.stdout
    for secret in (SECRET, "geheim"):
        assert secret not in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    "wrong",
    [
        {"PORT": "abc"},
        {"TIMEZONE": "Mars/Olympus"},
        {"SECRET_KEY": "short"},
        {"DATABASE_URL": "mysql://u:geheim@h/d"},
        {"REDIS_URL": "http://127.0.0.1"},
        {"RATE_LIMIT": "often"},
        {"REDIS_URL": "redis://127.0.0.1:abc"},
    ],
    ids=str,
)
def test_a_setting_that_can_not_be_read_is_one_sentence(service: Service, wrong: dict[str, str]) -> None:
    ended = flask(service, "check", **wrong)

    assert ended.returncode == 1
    assert ended.stdout == ""
    assert next(iter(wrong)) in ended.stderr
    assert "geheim" not in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_an_unsafe_setting_ends_check_with_1(service: Service) -> None:
    ended = flask(service, "check", APP_ENV="production")

    assert ended.returncode == 1
    assert "WRONG  production: DATABASE_URL is not set" in ended.stderr


def test_a_quick_command_imports_nothing_heavy(service: Service) -> None:
    command = ["-m", "flask", "tokens", "create", "--company", str(a_company()), "--role", "member"]

    ended = subprocess.run(
        [sys.executable, "-X", "importtime", *command], cwd=ROOT, env=service.env, capture_output=True, text=True
    )

    assert ended.returncode == 0, ended.stderr[-2000:]
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in ended.stderr.splitlines()}
    assert "flask" in imported
    assert imported.isdisjoint(HEAVY)
    assert "flask_openapi3" not in imported, "a command has no use for a route"


def test_what_flask_itself_has_to_say_of_the_application_is_told_with_all_routes(service: Service) -> None:
    told = flask(service, "routes").stdout

    assert "/api/tasks/<task_id>" in told
    assert "/login" in told


def test_help_lists_every_command(service: Service) -> None:
    told = flask(service, "--help").stdout

    for name in COMMANDS:
        assert re.search(rf"^  {name} ", told, re.MULTILINE)
    assert "--no-sandbox" in run("up", "--help").stdout


@pytest.mark.parametrize("group", [[], ["companies"], ["tokens"], ["users"], ["tasks"], ["schedules"], ["db"]])
def test_no_command_is_summed_up_in_half_a_sentence_where_80_columns_are(service: Service, group: list[str]) -> None:
    told = create_app().test_cli_runner().invoke(args=[*group, "--help"], terminal_width=80).stdout

    assert [line for line in told.splitlines() if line.endswith("...") and "Usage" not in line] == []


def test_an_empty_list_says_so_to_people_and_nothing_to_programs(service: Service) -> None:
    lists = {name: run(name, "list") for name in ("tasks", "companies")}
    company = str(a_company())
    lists["tokens"] = run("tokens", "list", "--company", company)
    lists["tasks of one"] = run("tasks", "list", "--company", company)

    assert {name: ended.stderr.split(":")[0].strip() for name, ended in lists.items()} == {
        **{"tasks": "No tasks yet.", "companies": "No companies yet", "tokens": "No tokens"},
        "tasks of one": "No such tasks.",
    }
    assert {ended.stdout for ended in lists.values()} == {""}
