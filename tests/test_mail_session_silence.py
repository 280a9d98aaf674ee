"""A mail server that says nothing, nonsense, or too much."""

import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from itertools import count

import pytest

from tests.conftest import wait_until
from tests.mailbox import Mailbox
from tests.smtp_script import DRIP, FLOOD, HANG_UP, HELLO, SILENCE, scripted
from tests.test_mail_session import OFFERED, done, mail
from workers.errors import GatewayAway
from workers.services.mail_answers import Deferred
from workers.services.mail_session import MailSession


def for_a_moment(session: MailSession, *answers: int) -> Callable[[], None]:
    """What lets a session, as it asks, wait but a moment for these answers to its offers, counted from 0. It is patient
    with all others, for they may come from a machine that is busy."""
    asked = count()
    return lambda: session._be_patient(0.1) if next(asked) in answers else None


@pytest.mark.parametrize(
    "after", [[HANG_UP], [SILENCE], ["hmm"], ["354 go on"], ["100 wait"], ["250 " + "x" * 9000], [DRIP], [FLOOD]]
)
def test_an_answer_to_the_content_that_can_not_be_read_leaves_the_mail_unknown(after):
    with scripted([*HELLO, *OFFERED, *after]) as script, MailSession(script.url) as session:

        def wait_no_longer() -> None:
            session._timeout_s = 0.1

        assert session.send(mail(), "ali@ornek.com", before_content=wait_no_longer).state == "unknown"
    assert script.connections == 1


@pytest.mark.parametrize("last", [HANG_UP, SILENCE, "hmm", "250 " + "x" * 9000, DRIP, FLOOD])
@pytest.mark.parametrize("stage", [0, 1, 2])
def test_an_answer_before_the_content_that_can_not_be_read_is_asked_for_once_more(stage, last):
    spoilt = [*HELLO, *OFFERED[:stage], last]
    with scripted(spoilt, [*HELLO, *OFFERED, "250 ok"]) as script, MailSession(script.url) as session:
        assert session.send(mail(), "ali@ornek.com", meanwhile=for_a_moment(session, stage)) == done()
    with scripted(spoilt, spoilt) as script, MailSession(script.url) as session:
        with nullcontext() if stage else pytest.raises(GatewayAway):  # once it knows the recipient, that may be why
            twice = for_a_moment(session, stage, 2 * stage + 1)
            assert isinstance(session.send(mail(), "ali@ornek.com", meanwhile=twice), Deferred)


def test_the_answer_to_a_content_may_take_longer_than_others():
    with Mailbox(slow_s=0.6) as box, MailSession(box.url) as session:

        def wait_less() -> None:
            session._timeout_s = 0.55

        assert session.send(mail(), "ali@ornek.com", before_content=wait_less) == done()


def test_a_server_that_refuses_the_recipient_and_still_wants_the_content_does_not_get_it():
    together = [HELLO[0], "250-hello\r\n250 PIPELINING", "250 ok", "550 5.1.1 no", "354 go ahead"]
    with scripted(together, [*HELLO, *OFFERED, "250 ok"]) as script, MailSession(script.url) as session:
        assert session.send(mail(1), "ali1@ornek.com").state == "failed"
        assert session.send(mail(2), "ali2@ornek.com") == done(2)
    assert script.connections == 2


def test_a_server_that_refuses_and_hangs_up_at_once_is_heard():
    together = [HELLO[0], "250-hello\r\n250 PIPELINING", "250 ok", "550 5.1.1 no", HANG_UP]
    with scripted(together) as script, MailSession(script.url) as session:
        assert session.send(mail(), "ali@ornek.com").state == "failed"


def test_a_dead_server_does_not_hold_up_the_end():
    with scripted([*HELLO, SILENCE]) as script:
        session = MailSession(script.url, timeout_s=30)
        session.open()
        ending = threading.Thread(target=session.close)
        began = time.monotonic()
        ending.start()
        wait_until(lambda: not ending.is_alive(), timeout_s=25, what="the end of the session")
    assert time.monotonic() - began < 25
