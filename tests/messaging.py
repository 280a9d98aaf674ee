"""What the tests of messages share: a service that sends by a fake gateway, and the people who use it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select, update

from tests.conftest import Service
from tests.face import VKNS, Face, open_face
from tests.gateways import FakeGateway
from tests.mailbox import Mailbox
from workers import settings
from workers.db import reading, writing
from workers.engine import find, ledger
from workers.engine.seal import Seal
from workers.engine.tables import items
from workers.models import Company, Delivery

FAST = {"sms_rate_per_second": 1e6, "mail_rate_per_second": 1e6}


def phone(number: int) -> str:
    """A Turkish mobile for each number, all different."""
    return f"+90555{number:07d}"


def letters(count: int, text: str = "Borcunuz var") -> list[dict[str, str]]:
    return [{"phone": phone(number), "message": f"{text} {number}"} for number in range(count)]


def configure(service: Service, **changes: Any) -> None:
    """Let this process and the workers of the service have these settings."""
    service.settings = service.settings.model_copy(update=changes)
    settings.use(service.settings)
    service.env |= {name.upper(): str(value) for name, value in changes.items()}


def use_gateway(service: Service, name: str, url: str, options: dict[str, str]) -> None:
    """Send by this gateway."""
    named = {f"{name}_{option}": value for option, value in options.items() if option != "base_url"}
    address = {"sandbox_url": url} if name == "sandbox" else {f"{name}_base_url": url}
    configure(service, sms_provider=name, **named, **address, **FAST)


@dataclass
class Office:
    """A service with a gateway, and its face."""

    service: Service
    gateway: FakeGateway
    face: Face

    def send_by(self, name: str, **changes: Any) -> None:
        use_gateway(self.service, name, self.gateway.url, self.gateway.options(name))
        configure(self.service, **changes)

    def ended(self, task_id: str, timeout_s: float = 90) -> Any:
        return find(task_id).wait(timeout_s)


@pytest.fixture
def office(service: Service) -> Iterator[Office]:
    """Netgsm, without limits of pace."""
    with FakeGateway() as gateway:
        yield _opened(service, gateway)


@pytest.fixture
def office_anywhere(anywhere: Service) -> Iterator[Office]:
    """The same on each kind of database in turn."""
    with FakeGateway() as gateway:
        yield _opened(anywhere, gateway)


def _opened(service: Service, gateway: FakeGateway) -> Office:
    made = Office(service, gateway, open_face())
    made.send_by("netgsm", sms_per_number="1000/minute")
    return made


@pytest.fixture
def box(office: Office) -> Iterator[Mailbox]:
    with Mailbox() as box:
        configure(office.service, smtp_url=box.url, mail_from="Sıra <sira@sira.example>")
        with writing() as session:
            session.get_one(Company, office.face.ayse.company_id).email = "muhasebe@cinar.example"
        yield box


def items_of(task_id: str, **wanted: Any) -> list[dict[str, Any]]:
    return ledger.page(task_id, limit=1000, **wanted)[0]


def counts_of(task_id: str) -> dict[str, int]:
    return {state: count for state, count in (find(task_id).counts or {}).items() if count}


def hurry(task_id: str) -> None:
    """Let a waiting retry run now."""
    task = find(task_id)
    from workers.engine import wire

    wire.connect().zadd(f"rq:scheduled:{task.queue}", {task_id: 0}, xx=True)


def deliveries(task_id: str) -> list[Any]:
    """The evidence of a task, recipients opened."""
    with reading() as session:
        rows = list(session.scalars(select(Delivery).where(Delivery.task_id == task_id).order_by(Delivery.id)))
    for row in rows:
        row.opened = Seal.loads(row.recipient)
    return rows


def make_due(task_id: str) -> None:
    """Let what waits in the ledger for a later time be due now."""
    with writing() as session:
        session.execute(update(items).where(items.c.task_id == task_id).values(due_at=None))


def rested(office: Office) -> None:
    """Let every rest be over that a gateway asked for."""
    if kept := office.service.redis.keys("sira:pace:*"):
        office.service.redis.delete(*kept)


def face_vkn(office: Office) -> str:
    return VKNS[0]
