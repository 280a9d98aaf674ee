import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from app import auth, passwords
from tests.commands import VKN, a_company, printed, run
from tests.conftest import Service
from workers import db, messages
from workers.models import Company, Token, User


def test_only_the_id_stands_on_standard_output(service: Service) -> None:
    ended = run("companies", "create", "Çağ A.Ş.", "--vkn", VKN, "--tax-office", "Kadıköy", "--email", "a@example.com")

    assert re.fullmatch(r"\d+\n", ended.stdout)
    with db.reading() as session:
        made = session.get_one(Company, int(ended.stdout))
    assert (made.vkn, made.tax_office, made.email, made.phone) == (VKN, "Kadıköy", "a@example.com", None)


def test_a_second_company_of_the_same_vkn_is_refused(service: Service) -> None:
    first = printed(run("companies", "create", "Çağ A.Ş.", "--vkn", VKN))

    again = run("companies", "create", "Çağ Anonim Şirketi", "--vkn", VKN)

    assert (again.exit_code, again.stdout) == (1, "")
    assert f"company {first} has the VKN {VKN} already" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["companies", "create", "A", "--vkn", "4540536921"], "vkn: .*10 digits"),
        (["companies", "create", " ", "--vkn", VKN], "name: "),
        (["companies", "create", "A" * 201, "--vkn", VKN], "name: .*200"),
        (["companies", "create", "A\nB", "--vkn", VKN], "name: .*control"),
        (["companies", "create", "A", "--vkn", VKN, "--email", "nobody"], "email: "),
        (["companies", "set", "999", "phone=1"], "Company 999 does not exist"),
        (["tokens", "create", "--company", "999", "--role", "member"], "Company 999 does not exist"),
        (["tokens", "list", "--company", "999"], "Company 999 does not exist"),
        (["tokens", "revoke", "999"], "Token 999 does not exist"),
        (["users", "create", "nobody", "--company", "1", "--role", "member"], "email: "),
        (["users", "create", "a@example.com", "--company", "999", "--role", "member"], "Company 999 does not exist"),
    ],
)
def test_what_can_not_be_done_is_one_sentence(service: Service, arguments: list[str], sentence: str) -> None:
    ended = run(*arguments)

    assert ended.exit_code == 1
    assert ended.stdout == ""
    assert re.search(sentence, ended.stderr)
    assert len(ended.stderr.splitlines()) == 1


def test_a_company_is_changed_and_its_fields_emptied(service: Service) -> None:
    company_id = a_company()
    run("companies", "set", str(company_id), "phone=0212 000 00 00")

    ended = run("companies", "set", str(company_id), "tax_office=Üsküdar", "legal_text=Satır 1\nSatır = 2", "phone=")

    assert (ended.exit_code, ended.stdout) == (0, "")
    with db.reading() as session:
        changed = session.get_one(Company, company_id)
    assert (changed.tax_office, changed.legal_text, changed.phone) == ("Üsküdar", "Satır 1\nSatır = 2", None)
    assert run("companies", "list").stdout == f"{company_id}\t{VKN}\tÇınar Gıda A.Ş.\n"


def test_a_company_takes_all_that_the_api_changes(service: Service) -> None:
    company_id = a_company()
    gateway = '{"provider": "verimor", "username": "u", "password": "geheim", "source": "SIRA"}'
    given = ["sms_daily_cap=100", "sms_per_number=5/hour", "k=3", "password_max_age_days=90", "notice_emails=[]"]

    ended = run("companies", "set", str(company_id), *given, f"sms_gateway={gateway}")

    assert (ended.exit_code, ended.stdout) == (0, "")
    assert "geheim" not in ended.stderr
    with db.reading() as session:
        kept = session.get_one(Company, company_id).options
    assert kept == {"sms_daily_cap": 100, "sms_per_number": "5/hour", "k": 3, "password_max_age_days": 90}
    assert service.redis.hget("sira:shares", str(company_id)) == b"3"
    assert messages.way(company_id, "sms").provider == "verimor"
    assert "sms_daily_cap: " in run("companies", "set", str(company_id), "sms_daily_cap=many").stderr


def test_a_company_keeps_a_name_and_a_refused_change_changes_nothing(service: Service) -> None:
    company_id = a_company()

    ended = run("companies", "set", str(company_id), "phone=1", "name=")

    assert ended.exit_code == 1
    with db.reading() as session:
        assert session.get_one(Company, company_id).phone is None


def test_of_a_token_only_the_digest_is_kept(service: Service) -> None:
    token = printed(run("tokens", "create", "--company", str(a_company()), "--role", "operator", "--days", "30"))

    assert len(token) >= 43
    with db.reading() as session:
        kept = session.scalars(select(Token)).one()
    assert (kept.digest, kept.role) == (auth.digest_of(token), "operator")
    assert kept.expires_at is not None
    assert timedelta(days=29) < kept.expires_at - db.now() <= timedelta(days=30)
    for file in service.data_dir.glob("sira.db*"):
        assert token.encode() not in file.read_bytes()


def test_a_revoked_token_is_refused_at_once(service: Service) -> None:
    company_id = str(a_company())
    token = printed(run("tokens", "create", "--company", company_id, "--role", "member"))
    assert auth.holder(auth.digest_of(token))
    token_id = run("tokens", "list", "--company", company_id).stdout.split()[0]

    assert run("tokens", "revoke", token_id).exit_code == 0

    assert auth.holder(auth.digest_of(token)) is None
    assert run("tokens", "list", "--company", company_id).stdout == ""


def test_a_user_exists_once_whatever_the_case_of_the_address(service: Service) -> None:
    company_id = str(a_company())
    first = printed(run("users", "create", "Ayse@Example.com", "--company", company_id, "--role", "member"))

    again = run("users", "create", "ayse@example.COM", "--company", company_id, "--role", "member")

    assert re.fullmatch(r"[a-z2-9]{5}(-[a-z2-9]{5}){3}", first)
    assert again.exit_code == 1
    assert "there is a user ayse@example.com already" in again.stderr


def test_a_person_without_a_password_gets_one(service: Service) -> None:
    company_id = a_company()
    with db.writing() as session:
        session.add(User(company_id=company_id, email="imported@example.com", password_hash="!"))

    password = printed(run("users", "password", "Imported@example.com"))

    with db.reading() as session:
        kept = session.scalars(select(User)).one()
    assert passwords.matches(kept.password_hash, password)
    assert kept.session_epoch == 1
    assert "nobody@example.com does not exist" in run("users", "password", "nobody@example.com").stderr
