"""Companies and people come in by one door."""

import pytest

from app import joining
from tests import desk as desks
from tests.desk import Desk
from workers.errors import Conflict, InvalidInput, MissingRecord

face, desk = desks.face, desks.english_desk


def test_joining_refuses_what_cannot_be(desk: Desk) -> None:
    with pytest.raises(InvalidInput):
        joining.new_user("no address", None, "operator")
    with pytest.raises(MissingRecord):
        joining.new_user("a@b.example", None, "member")
    with pytest.raises(Conflict):
        joining.new_user(desk.member.email.upper(), desk.member.company_id, "member")
    with pytest.raises(MissingRecord):
        joining.let_in(999, active=True)
