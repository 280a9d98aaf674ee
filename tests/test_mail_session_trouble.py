"""A server that speaks of its own trouble: when it means one recipient, and when all."""

from collections.abc import Iterator

import pytest

from tests.mailbox import Mailbox
from tests.test_mail_session import done, mail
from workers.errors import GatewayBusy
from workers.services import mail_session
from workers.services.mail_answers import Deferred
from workers.services.mail_session import MailSession
from workers.services.sending import Verdict

LOOK_UP = "451 4.3.0 Temporary lookup failure"
CLOSING = "421 4.3.2 Closing"
HANGS_UP = ""


@pytest.fixture(autouse=True)
def nobody_in_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server of an earlier test may have had the same port."""
    monkeypatch.setattr(mail_session, "_in_trouble", {})


@pytest.fixture(params=[False, True], ids=["one-by-one", "pipelining"])
def box(request: pytest.FixtureRequest) -> Iterator[Mailbox]:
    with Mailbox(pipelining=request.param) as mailbox:
        yield mailbox


def send(box: Mailbox, *numbers: int, again: bool = False) -> list[Verdict | Deferred]:
    """Send to each of these in one session."""
    with MailSession(box.url, timeout_s=30) as session:
        return [session.send(mail(n), f"ali{n}@ornek.com", again=again) for n in numbers]


@pytest.mark.parametrize("reply", [LOOK_UP, CLOSING])
def test_a_recipient_who_always_hears_it_waits_alone(box, reply):
    box.answers["ali1@ornek.com"] = reply

    said = send(box, 0, 1, 2, 1, 3)

    assert [said[0], said[2], said[4]] == [done(0), done(2), done(3)]
    assert all(isinstance(said[n], Deferred) and reply in said[n].reason for n in (1, 3))
    assert [received.recipients for received in box.messages] == [[f"ali{n}@ornek.com"] for n in (0, 2, 3)]


def test_a_recipient_of_whom_the_server_will_not_hear_waits_alone(box):
    box.answers["ali1@ornek.com"] = HANGS_UP

    said = send(box, 0, 1, 2)

    assert [said[0], said[2], isinstance(said[1], Deferred)] == [done(0), done(2), True]
    assert box.commands.count("RCPT ali1@ornek.com") == 2, "a connection may have been dead before"


def test_a_server_that_hangs_up_on_two_in_a_row_makes_all_wait(box):
    box.answers = {"ali1@ornek.com": HANGS_UP, "ali2@ornek.com": HANGS_UP}

    with pytest.raises(GatewayBusy):
        send(box, 1, 2)


@pytest.mark.parametrize("reply", [LOOK_UP, CLOSING])
def test_a_content_that_is_answered_so_waits_alone_and_is_taken_later(box, reply):
    box.at_content = [reply]

    said = send(box, 1, 2, 1)

    assert (isinstance(said[0], Deferred), said[1:]) == (True, [done(2), done(1)])
    assert [received.recipients for received in box.messages] == [["ali2@ornek.com"], ["ali1@ornek.com"]]


@pytest.mark.parametrize("reply", [LOOK_UP, CLOSING])
def test_when_the_next_hears_it_too_all_wait_whatever_else_was_refused_in_between(box, reply):
    box.answers = {"ali1@ornek.com": reply, "ali2@ornek.com": "550 5.1.1 User unknown", "ali4@ornek.com": reply}
    box.once = {"ali3@ornek.com": "450 4.2.0 Greylisted"}
    assert isinstance(send(box, 1, 2, 3)[0], Deferred)

    with pytest.raises(GatewayBusy, match=reply):
        send(box, 4)

    assert box.messages == []


def test_a_content_that_is_answered_so_after_a_recipient_was_makes_all_wait(box):
    box.answers, box.at_content = {"ali1@ornek.com": LOOK_UP}, ["452 4.3.1 Disk full"]

    with pytest.raises(GatewayBusy, match=r"452 4\.3\.1"):
        send(box, 1, 2)


def test_after_a_rest_one_recipient_is_asked_alone_again_so_that_two_can_not_hold_up_the_third(box):
    box.answers = {"ali1@ornek.com": LOOK_UP, "ali2@ornek.com": LOOK_UP}
    with pytest.raises(GatewayBusy):
        send(box, 1, 2)

    said = send(box, 2, 3)

    assert (isinstance(said[0], Deferred), said[1]) == (True, done(3))


def test_one_who_hears_it_again_proves_nothing_of_the_others(box):
    box.answers["ali1@ornek.com"] = LOOK_UP

    assert all(isinstance(said, Deferred) for said in send(box, 1, 1, 1))


def test_those_who_were_put_off_before_prove_nothing_either_and_leave_it_at_who_heard_it_first(box):
    box.answers = {f"ali{n}@ornek.com": LOOK_UP for n in range(1, 5)}

    assert all(isinstance(said, Deferred) for said in [*send(box, 1), *send(box, 2, 3, again=True)])
    with pytest.raises(GatewayBusy):
        send(box, 4)


def test_what_was_heard_longer_ago_than_a_rest_takes_says_nothing_of_now(box, monkeypatch):
    box.answers = {"ali1@ornek.com": LOOK_UP, "ali2@ornek.com": LOOK_UP}
    monkeypatch.setattr(mail_session, "DEFERRAL_S", 0)

    assert all(isinstance(said, Deferred) for said in send(box, 1, 2))


def test_trouble_of_one_server_says_nothing_of_another(box):
    box.answers["ali1@ornek.com"] = LOOK_UP
    with Mailbox(answers={"ali2@ornek.com": LOOK_UP}) as other:
        assert all(isinstance(said, Deferred) for said in (*send(box, 1), *send(other, 2)))
