"""Bulks of letters name the customers of their items: on their page, and in the sheet that is made of them."""

from sqlalchemy import delete, update

from tests import desk as desks
from tests.desk import Desk
from tests.hands import record_all, work_off
from tests.imports_made import read_back
from tests.test_desk_tasks import words
from workers import db, lettered
from workers.engine import enqueue, ledger
from workers.engine.tables import items
from workers.models import Mutabakat

face, desk = desks.face, desks.desk


def letters(desk: Desk, *names: str) -> list[int]:
    accounts = ({"code": f"120.{n}", "title": name} for n, name in enumerate(names, 1))
    return [desk.face.ayse.letter(account={**account, "vkn": "4540536920"}) for account in accounts]


def bulk(desk: Desk, kind: str, **params: object) -> str:
    task_id = enqueue(kind, params, scope=str(desk.member.company_id)).id
    work_off()
    record_all()
    return task_id


def test_the_page_of_a_bulk_of_letters_names_their_customers(desk: Desk) -> None:
    first, gone = letters(desk, "Çınar & Oğlu", "Işık")
    with db.writing() as session:
        session.execute(delete(Mutabakat).where(Mutabakat.id == gone))

    page = desk.member.get(f"/tasks/{bulk(desk, 'generate_bulk_pdfs', mutabakat_ids=[first, gone])}")

    assert page.status_code == 200
    assert f'<a href="/letters/{first}">120.1</a>' in page.text
    assert "120.1 Çınar & Oğlu" in words(page)
    assert f'<span class="ref">{gone}</span>' in page.text


def test_letters_on_their_way_are_named_by_their_customers_on_the_page_and_in_the_sheet(desk: Desk) -> None:
    task_id = bulk(desk, "send_mutabakat", mutabakat_ids=letters(desk, "Çınar"), channels=["email"])

    shown = words(desk.member.get(f"/tasks/{task_id}"))
    made = bulk(desk, "export_sheet", what="items", task_id=task_id, company_id=desk.member.company_id)
    sheet = read_back(desk.face.ayse.get(f"/api/tasks/{made}/result").data)

    assert "120.1 Çınar" in shown
    assert [row[-3:-1] for row in sheet] == [["Cari Kodu", "Cari"], ["120.1", "Çınar"]]
    assert len(sheet[0]) == len(sheet[1])


def test_other_bulks_name_nobody_and_what_a_lost_key_has_sealed_hides_no_page(desk: Desk) -> None:
    numbers = bulk(desk, "square_all", numbers=[1, 2], pause_s=0.0)
    ids = [item["id"] for item in ledger.page(numbers)[0]]
    task_id = bulk(desk, "touch", mutabakat_ids=letters(desk, "Çınar"))
    [item] = ledger.page(task_id)[0]
    assert [letter["name"] for letter in lettered.letters("touch", [item["id"]]).values()] == ["Çınar"]

    with db.writing() as session:
        session.execute(update(items).where(items.c.task_id == task_id).values(value=b"of another key"))

    assert lettered.letters("square_all", ids) == lettered.letters("gone_kind", ids) == {}
    assert desk.member.get(f"/tasks/{task_id}").status_code == 200
