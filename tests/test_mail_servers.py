"""SMTP_URLs, and connections to real servers: encrypted, signed in, or refused with a reason that helps."""

import pytest

from app.ports import held_port
from tests.mailbox import Mailbox
from tests.smtp_script import HANG_UP, HELLO, SILENCE, scripted
from workers.errors import BadSettings, GatewayAway, GatewayBusy, GatewayRefused
from workers.services.mail_servers import Server, connect, read_url, trust


def joined(url: str, timeout_s: float = 5):
    server = read_url(url)
    return connect(server, trust(server), timeout_s)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://u:p@mail.example.com", Server("mail.example.com", 587, "starttls", "u", "p")),
        ("smtp://mail.example.com:2525", Server("mail.example.com", 2525, "starttls")),
        ("smtp://mail.example.com:465", Server("mail.example.com", 465, "ssl")),
        ("smtp://mail.example.com?tls=ssl", Server("mail.example.com", 465, "ssl")),
        ("smtp://mail.example.com:587?tls=none", Server("mail.example.com", 587, "none")),
        ("smtp://mail.example.com?tls=none", Server("mail.example.com", 25, "none")),
        ("smtp://127.0.0.1:1025", Server("127.0.0.1", 1025, "none")),
        ("smtp://[::1]:1025", Server("::1", 1025, "none")),
        ("smtp://localhost:587", Server("localhost", 587, "starttls")),
        ("smtp://localhost:465", Server("localhost", 465, "ssl")),
        ("smtp://ali%40ornek.com:p%2F%3A%40@h:25?tls=starttls", Server("h", 25, "starttls", "ali@ornek.com", "p/:@")),
    ],
)
def test_a_url_says_which_server_and_how_it_is_spoken_to(url, server):
    assert read_url(url) == server


@pytest.mark.parametrize(
    "url",
    ["", "smtp://", "http://h", "smtps://h", "h:25", "smtp://h:port", "smtp://h:0", "smtp://h?tls=maybe", "smtp://h?tls=",
     "smtp://h?ssl=1", "smtp://geheim@[::1", "smtp://u:p%00@h"],
)  # fmt: skip
def test_what_is_no_url_is_refused_without_a_word_of_it(url):
    with pytest.raises(BadSettings, match="SMTP_URL") as refused:
        read_url(url)
    assert "geheim" not in refused.value.message


def test_a_password_is_not_shown():
    assert "geheim" not in repr(read_url("smtp://u:geheim@mail.example.com"))


@pytest.mark.parametrize("tls", ["starttls", "ssl"])
def test_a_connection_is_encrypted_and_signed_in(tls, monkeypatch):
    with Mailbox(tls=tls, user="u", password="p/:@") as box:
        monkeypatch.setenv("SSL_CERT_FILE", str(box.certificate))
        with joined(box.url.replace("p/:@", "p%2F%3A%40")) as smtp:
            assert smtp.sock.version().startswith("TLS")
            assert smtp.noop()[0] == 250
        assert box.sign_ins == 1


@pytest.mark.parametrize("tls", ["starttls", "ssl"])
def test_a_certificate_that_nobody_vouches_for_is_no_connection(tls):
    with Mailbox(tls=tls) as box:
        with pytest.raises(GatewayAway, match="certificate"):
            joined(box.url)


def test_mail_is_never_sent_in_the_clear_where_encryption_was_asked_for():
    with Mailbox() as box:
        with pytest.raises(GatewayAway, match="STARTTLS"):
            joined(box.url.replace("none", "starttls"))
        with pytest.raises(GatewayAway, match=r"(?i)ssl|tls"):
            joined(box.url.replace("none", "ssl"))


def test_a_wrong_password_is_told_at_the_first_try_and_only_tried_once():
    with Mailbox(user="u", password="p") as box:
        with pytest.raises(GatewayRefused, match="535"):
            joined(box.url.replace("u:p", "u:wrong"))
        assert box.sign_ins == 1


def test_a_password_may_have_turkish_letters():
    with Mailbox(user="çınar", password="şifre") as box:
        joined(box.url).close()
        assert box.sign_ins == 1


def test_where_a_server_takes_no_such_password_it_is_said_what_to_do():
    with scripted([HELLO[0], "250-hello\r\n250 AUTH LOGIN", "334 VXNlcm5hbWU6"]) as script:
        with pytest.raises(GatewayRefused, match="ASCII only; choose others and change SMTP_URL"):
            joined(script.url.replace("//", "//u:şifre@"))


def test_a_server_that_knows_no_passwords_is_no_place_for_one():
    with scripted(HELLO) as script:
        with pytest.raises(GatewayRefused, match="no way to sign in"):
            joined(script.url.replace("//", "//u:p@"))


@pytest.mark.parametrize("reply", ["454 4.7.0 Temporary authentication failure", "421 4.7.0 Try later"])
def test_a_sign_in_that_fails_for_now_is_not_a_wrong_password(reply):
    with scripted([HELLO[0], "250-hello\r\n250 AUTH PLAIN", reply]) as script:
        with pytest.raises(GatewayBusy, match=reply[:3]):
            joined(script.url.replace("//", "//u:p@"))


@pytest.mark.parametrize(
    ("replies", "error", "words"),
    [
        (["554 5.7.1 No service for you"], GatewayAway, "554 5.7.1 No service"),
        (["421 4.3.2 Too many connections"], GatewayBusy, "421 4.3.2"),
        (["450 4.7.1 later"], GatewayBusy, "450"),
        (["no SMTP at all"], GatewayAway, "127.0.0.1"),
        ([HANG_UP], GatewayAway, "closed"),
        ([SILENCE], GatewayAway, "timed out"),
        (["220 hello", HANG_UP], GatewayAway, "closed"),
        (["220 hello", "502 no", "502 no"], GatewayAway, "502"),
        (["220 " + "x" * 9000], GatewayAway, "too long"),
    ],
)
def test_a_server_that_does_not_greet_is_away_or_busy(replies, error, words):
    with scripted(replies) as script:
        with pytest.raises(error, match=words):
            joined(script.url, timeout_s=0.3 if SILENCE in replies else 20)


def test_a_server_that_is_not_there_is_away():
    with held_port() as nobody:
        port = nobody.getsockname()[1]
        with pytest.raises(GatewayAway, match=rf"127\.0\.0\.1:{port}: .*refused"):
            joined(f"smtp://127.0.0.1:{port}")
    with pytest.raises(GatewayAway, match=r"yok\.invalid"):
        joined("smtp://yok.invalid?tls=none")
    with pytest.raises(GatewayAway):
        joined(f"smtp://{'a' * 70}.example?tls=none")
