"""The mail session over real sockets: what each way of a server to say no, or nothing, makes of a mail."""

from collections.abc import Iterator
from contextlib import nullcontext
from email.message import EmailMessage
from typing import Any

import pytest

from tests.mailbox import Mailbox
from workers.errors import BadAddress, BadSettings, GatewayAway, GatewayBusy, GatewayRefused
from workers.services.mail_answers import DEFERRAL_S, Deferred
from workers.services.mail_session import MailSession
from workers.services.mail_text import Attachment, Sender, compose, message_id
from workers.services.sending import Verdict

FIRM = Sender("Boğaziçi Endüstriyel Makine Sanayi ve Ticaret A.Ş.", "sira@example.com")
OFFERED = ["250 sender ok", "250 recipient ok", "354 go ahead"]


def mail(n: int = 1, **changes: Any) -> EmailMessage:
    plain: dict[str, Any] = {"sender": FIRM, "to": f"ali{n}@ornek.com", "subject": "Konu"}
    return compose(message_id=message_id(str(n), "example.com"), **(plain | {"body": f"Metin {n}"} | changes))


def done(n: int = 1) -> Verdict:
    return Verdict("done", provider_id=message_id(str(n), "example.com"))


@pytest.fixture(params=[False, True], ids=["one-by-one", "pipelining"])
def box(request: pytest.FixtureRequest) -> Iterator[Mailbox]:
    with Mailbox(pipelining=request.param) as mailbox:
        yield mailbox


@pytest.fixture
def session(box: Mailbox) -> Iterator[MailSession]:
    with MailSession(box.url, timeout_s=30) as opened:
        yield opened


def test_many_mails_share_one_connection(box, session):
    assert [session.send(mail(n), f"ali{n}@ornek.com") for n in range(30)] == [done(n) for n in range(30)]

    assert box.connections == 1
    assert [received.recipients for received in box.messages] == [[f"ali{n}@ornek.com"] for n in range(30)]
    assert {received.sender for received in box.messages} == {"sira@example.com"}


def test_a_mail_that_may_not_go_out_after_all_is_not_sent_and_those_behind_it_are(box, session):
    with pytest.raises(ZeroDivisionError):
        session.send(mail(1), "ali@ornek.com", before_content=lambda: 1 / 0)
    assert session.send(mail(2), "ali@ornek.com") == done(2)
    assert [received.message_id for received in box.messages] == [message_id("2", "example.com")]


def test_a_mail_arrives_byte_for_byte(box, session):
    sent = mail(
        body="çok\n.\n..iki nokta\n" + "ş" * 3000, attachments=[Attachment("a.pdf", "application/pdf", b"\0\r\n.\r\n")]
    )

    assert session.send(sent, "ali@ornek.com") == done()

    assert box.messages[0].wire == sent.as_bytes() + (b"" if sent.as_bytes().endswith(b"\r\n") else b"\r\n")
    assert b"8bit" not in box.messages[0].wire


def test_a_mail_of_megabytes_arrives_whole(box, session):
    data = bytes(range(256)) * 20_000

    assert session.send(mail(attachments=[Attachment("a.pdf", "application/pdf", data)]), "ali@ornek.com") == done()

    (file,) = box.messages[0].message.iter_attachments()
    assert file.get_content() == data


def test_a_stock_message_with_bare_line_feeds_and_dots_can_not_smuggle_a_second_mail(box, session):
    stock = EmailMessage()
    stock["From"], stock["Message-ID"] = "Sıra <sira@example.com>", "<1@example.com>"
    stock.set_content("ilk\n.\nMAIL FROM:<x@y.com>\nşimdi\n", cte="8bit")

    assert session.send(stock, "ali@ornek.com").state == "done"

    assert len(box.messages) == 1
    assert box.messages[0].wire.isascii()
    assert "\n.\nMAIL FROM:" in box.messages[0].message.get_content().replace("\r\n", "\n")


def test_a_refused_recipient_fails_alone_and_names_nobody(box, session):
    box.answers["ali1@ornek.com"] = "550 5.1.1 <ali1@ornek.com>: user unknown"

    said = [session.send(mail(n), f"ali{n}@ornek.com") for n in range(3)]

    assert said == [
        done(0),
        Verdict("failed", reason="Posta sunucusu kabul etmedi: 550 5.1.1 <a***@ornek.com>: user unknown"),
        done(2),
    ]
    assert (box.connections, len(box.messages)) == (1, 2)


def test_a_deferred_recipient_waits_alone_and_is_taken_at_the_second_try(box, session):
    box.once["ali1@ornek.com"] = "450 4.2.0 Greylisted"

    said = [session.send(mail(n), f"ali{n}@ornek.com") for n in (0, 1, 2, 1)]

    assert isinstance(said[1], Deferred)
    assert said[1].retry_after_s == DEFERRAL_S
    assert [said[0], *said[2:]] == [done(0), done(2), done(1)]
    assert len(box.messages) == 3


@pytest.mark.parametrize("reply", ["554 5.7.1 Spam", "552 5.3.4 Too large"])
def test_a_content_that_is_refused_fails_alone(box, session, reply):
    box.at_content = [reply]

    assert session.send(mail(1), "ali1@ornek.com").state == "failed"
    assert session.send(mail(2), "ali2@ornek.com") == done(2)
    assert len(box.messages) == 1


def test_a_content_that_is_deferred_waits_alone(box, session):
    box.at_content = ["451 4.7.1 Greylisted"]

    assert isinstance(session.send(mail(1), "ali1@ornek.com"), Deferred)
    assert session.send(mail(1), "ali1@ornek.com") == done(1)


def test_a_mail_larger_than_the_server_takes_is_not_even_offered():
    with Mailbox(size_limit=10_000) as box, MailSession(box.url) as session:
        said = session.send(mail(body="x" * 20_000), "ali@ornek.com")

        assert (said.state, "10000 bayt" in said.reason) == ("failed", True)
        assert box.commands == []
        assert session.send(mail(), "ali@ornek.com") == done()


def test_a_server_that_wants_a_pause_gets_it_as_a_whole(box, session):
    box.at_mail = ["421 4.7.0 Too many"] * 2

    with pytest.raises(GatewayBusy, match="421"):
        session.send(mail(), "ali@ornek.com")

    assert box.messages == []
    box.at_mail = []
    assert session.send(mail(), "ali@ornek.com") == done()


def test_a_connection_that_has_had_its_fill_is_replaced_at_once(box, session):
    assert session.send(mail(1), "ali1@ornek.com") == done(1)
    box.at_mail = ["421 4.4.2 Too many messages in this session"]

    assert session.send(mail(2), "ali2@ornek.com") == done(2)
    assert (box.connections, len(box.messages)) == (2, 2)


def test_a_connection_that_was_dropped_while_idle_is_opened_anew(box, session):
    assert session.send(mail(1), "ali1@ornek.com") == done(1)
    box.disconnect_all()

    assert session.send(mail(2), "ali2@ornek.com") == done(2)
    assert (box.connections, len(box.messages)) == (2, 2)


def test_a_connection_lost_before_the_content_is_tried_once_more_and_no_mail_is_sent_twice(box, session):
    box.hang_up["MAIL"] = 1
    assert session.send(mail(1), "ali1@ornek.com") == done(1)

    box.hang_up["MAIL"] = 2
    with nullcontext() if box.pipelining else pytest.raises(GatewayAway):  # the first has heard of the recipient
        assert isinstance(session.send(mail(2), "ali2@ornek.com"), Deferred)
    assert len(box.messages) == 1


def test_a_server_that_took_the_mail_and_hung_up_leaves_it_unknown_and_is_not_asked_again(box, session):
    box.hang_up["content"] = 1

    said = session.send(mail(1), "ali1@ornek.com")

    assert said.state == "unknown"
    assert len(box.messages) == 1
    assert session.send(mail(2), "ali2@ornek.com") == done(2)
    assert (box.connections, len(box.messages)) == (2, 2)


def test_a_sender_that_is_not_accepted_stops_all_and_burns_no_mail(box, session):
    box.at_mail = ["553 5.7.1 Sender address rejected"]

    with pytest.raises(GatewayRefused, match="553"):
        session.send(mail(), "ali@ornek.com")
    assert session.send(mail(), "ali@ornek.com") == done()


def test_a_wrong_password_refuses_the_account_before_any_mail():
    with Mailbox(user="u", password="p") as box, MailSession(box.url.replace("u:p", "u:x")) as session:
        with pytest.raises(GatewayRefused, match="535"):
            session.send(mail(), "ali@ornek.com")
        assert box.commands == []


@pytest.mark.parametrize("tls", ["starttls", "ssl"])
def test_an_encrypted_session_with_a_password_does_the_same(tls, monkeypatch):
    with Mailbox(tls=tls, user="u", password="p", pipelining=True) as box:
        monkeypatch.setenv("SSL_CERT_FILE", str(box.certificate))
        with MailSession(box.url) as session:
            assert [session.send(mail(n), f"ali{n}@ornek.com") for n in range(3)] == [done(n) for n in range(3)]
            box.disconnect_all()
            assert session.send(mail(3), "ali3@ornek.com") == done(3)
        assert box.sign_ins == 2


def test_what_is_no_address_never_reaches_the_server(box, session):
    for to in ("ali", "ali@ornek.com>\r\nRCPT TO:<x@y.com", "ok@x.com, kurban@y.com"):
        with pytest.raises(BadAddress):
            session.send(mail(), to)
    assert box.connections == 0


def test_a_url_that_can_not_be_used_is_told_before_any_mail():
    with pytest.raises(BadSettings):
        MailSession("http://127.0.0.1")


def test_a_session_can_be_opened_before_the_first_mail_and_ends_politely(box):
    with MailSession(box.url) as session:
        session.open()
        session.open()
        assert box.connections == 1
    session.close()
    assert session.send(mail(), "ali@ornek.com") == done()
    session.close()


def test_an_interrupt_in_the_middle_of_a_mail_leaves_no_half_conversation_behind(box, session, monkeypatch):
    class Interrupt(BaseException):
        pass

    def interrupted(*_: object) -> None:
        raise Interrupt

    with monkeypatch.context() as patched:
        patched.setattr(MailSession, "_deliver", interrupted)
        with pytest.raises(Interrupt):
            session.send(mail(1), "ali1@ornek.com")

    assert session.send(mail(2), "ali2@ornek.com") == done(2)
    assert [received.recipients for received in box.messages] == [["ali2@ornek.com"]]
