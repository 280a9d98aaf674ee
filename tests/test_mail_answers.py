"""What the answers of mail servers mean: a table of codes as servers give them, and what is kept private of them."""

import pytest

from workers.errors import GatewayBusy, GatewayRefused
from workers.services.mail_answers import BUSY_S, DEFERRAL_S, Answer, Deferred, Trouble, judge
from workers.services.sending import Verdict

ALI = "ali.veli@ornek.com"


def verdict(stage, reply: str):
    code, _, words = reply.partition(" ")
    return judge(stage, Answer(int(code), words), ALI)


@pytest.mark.parametrize("reply", ["250 2.1.5 OK", "251 User not local; will forward", "252 maybe", "354 Go ahead"])
def test_a_yes_goes_on(reply):
    assert verdict("RCPT", reply) is None


@pytest.mark.parametrize(
    ("stage", "reply"),
    [
        ("RCPT", "550 5.1.1 User unknown"),
        ("RCPT", "553 5.1.3 Error: malformed address"),
        ("RCPT", "552 5.2.2 Mailbox full"),
        ("DATA", "554 no valid recipients"),
        ("content", "554 5.7.1 Spam"),
        ("content", "552 5.3.4 too large"),
        ("content", "500 Line too long"),
        ("MAIL", "552 Error: message size exceeds fixed maximum message size"),
        ("MAIL", "550 5.3.4 message too large"),
    ],
)
def test_a_no_to_one_mail_fails_it_with_the_code(stage, reply):
    assert verdict(stage, reply) == Verdict("failed", reason=f"Posta sunucusu kabul etmedi: {reply}")


@pytest.mark.parametrize(
    ("stage", "reply"),
    [
        ("RCPT", "450 4.2.0 Greylisted, please try again in 300 seconds"),
        ("RCPT", "451 4.7.1 Greylisting in action"),
        ("RCPT", "452 4.2.2 Mailbox full"),
        ("RCPT", "450 later"),
        ("content", "451 4.7.1 try again"),
        ("content", "451 Requested action aborted: local error in processing"),
    ],
)
def test_not_now_for_one_recipient_holds_up_nobody_else(stage, reply):
    said = verdict(stage, reply)

    assert isinstance(said, Deferred)
    assert (said.retry_after_s, reply in said.reason) == (DEFERRAL_S, True)


@pytest.mark.parametrize(
    ("stage", "reply", "wait_s"),
    [
        ("MAIL", "421 4.7.0 Too many connections", BUSY_S),
        ("MAIL", "452 4.3.1 Insufficient system storage", DEFERRAL_S),
        ("MAIL", "450 slow down", DEFERRAL_S),
    ],
)
def test_not_now_before_a_recipient_is_named_is_meant_for_all(stage, reply, wait_s):
    with pytest.raises(GatewayBusy) as busy:
        verdict(stage, reply)
    assert busy.value.fields == {"retry_after_s": wait_s, "reason": reply}


@pytest.mark.parametrize(
    ("stage", "reply", "wait_s"),
    [
        ("RCPT", "421 4.4.5 Server busy", BUSY_S),
        ("content", "421 4.3.2 Shutting down", BUSY_S),
        ("RCPT", "451 4.3.0 <ali.veli@ornek.com>: Temporary lookup failure", DEFERRAL_S),
        ("DATA", "451 4.3.0 Queue file write error", DEFERRAL_S),
        ("content", "452 4.3.1 Out of memory", DEFERRAL_S),
        ("RCPT", "450 4.4.2 no route", DEFERRAL_S),
    ],
)
def test_trouble_of_the_server_may_be_one_recipients_or_everyones(stage, reply, wait_s):
    trouble, shown = verdict(stage, reply), reply.replace("ali.veli@", "a***@")

    assert trouble == Trouble(wait_s, shown)
    assert trouble.of_one() == Deferred(wait_s, f"Posta sunucusu bu alıcı için şimdi kabul etmiyor: {shown}")
    assert trouble.of_all().fields == {"retry_after_s": wait_s, "reason": shown}


@pytest.mark.parametrize(
    ("stage", "reply"),
    [
        ("MAIL", "530 5.7.0 Authentication required"),
        ("MAIL", "553 5.7.1 Sender address rejected: not owned by user"),
        ("MAIL", "550 5.1.8 Sender domain unknown"),
        ("RCPT", "530 5.7.0 Must issue a STARTTLS command first"),
        ("RCPT", "535 5.7.8 Authentication credentials invalid"),
    ],
)
def test_a_no_to_the_account_or_its_sender_burns_no_mail(stage, reply):
    with pytest.raises(GatewayRefused) as refused:
        verdict(stage, reply)
    assert reply in refused.value.message


def test_the_first_repeat_is_within_the_promised_five_minutes():
    assert DEFERRAL_S < 300


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("<Ali.Veli@Ornek.com>: user unknown", "550 <A***@Ornek.com>: user unknown"),
        ("ali.veli: no such user, ask postmaster@ornek.com", "550 ***: no such user, ask p***@ornek.com"),
        ("to=ali.veli@ornek.com proto=ESMTP", "550 to=a***@ornek.com proto=ESMTP"),
        ("x" * 300, "550 " + "x" * 196),
    ],
)
def test_a_reason_names_nobody_and_is_short(words, shown):
    assert Answer(550, words).about(ALI) == shown


def test_a_short_name_is_left_alone_where_it_is_a_word():
    assert Answer(550, "no such user").about("no@ornek.com") == "550 no such user"


def test_an_answer_of_many_lines_becomes_one():
    assert Answer.read(550, b"5.1.1 no\n5.1.1  such \xff user") == Answer(550, "5.1.1 no 5.1.1 such \ufffd user")
