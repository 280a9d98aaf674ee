"""Mail headers: what is written is what is read, whatever its letters and its length, and nothing breaks out of it."""

import email
import email.policy
import email.utils
from email.header import decode_header, make_header
from email.message import EmailMessage, MIMEPart

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.services import mail_headers
from workers.services.mail_headers import AS_WRITTEN, is_line

WORDS = [
    "Çınar",
    "Gıda",
    "Sanayi,",
    "ve",
    "(Ticaret)",
    "Ltd.",
    "Şti.",
    '"borç"',
    "İZMİR",
    "a",
    ";",
    "<x>",
    "?",
    "_",
    "@",
]
WORDS += ["=", "50%", "\\", "'", "[…]", "👩‍👩‍👧"]
LINE = st.one_of(
    st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join),
    st.text(max_size=200).filter(is_line).map(lambda text: " ".join(text.split())),
    st.text("aş ", max_size=150).map(lambda text: text.strip(" ")),
    st.text("x", min_size=55, max_size=200),
)


def read(name: str, value: str) -> MIMEPart:
    """The message as its reader sees it, after a check of what every line on the wire must keep to."""
    message = EmailMessage(AS_WRITTEN)
    message[name] = value
    message["X-After"] = "untouched"
    wire = message.as_bytes()
    assert wire.isascii()
    assert all(len(line.strip()) > 0 and len(line) <= 78 for line in wire.split(b"\r\n")[:-2]), wire
    seen = email.message_from_bytes(wire, policy=email.policy.default)
    assert (seen.keys(), seen["X-After"]) == ([name, "X-After"], "untouched")
    return seen


def shown_name(seen: MIMEPart) -> str:
    """The name in Reply-To by RFC 2047, section 6.2; the newer half of `email` sees spaces between encoded words."""
    ((name, _),) = email.utils.getaddresses([str(value) for _, value in seen.raw_items()][:1])
    return str(make_header(decode_header(name))) if "=?" in name else name


def looks_encoded(text: str) -> bool:
    """Text that Python's own reader decodes, where other readers show what stands there."""
    return "=?" in text


@given(LINE.filter(lambda line: line != ""))
def test_a_subject_arrives_as_it_was_written(line):
    assert read("Subject", mail_headers.text("Subject", line))["Subject"] == line


@given(LINE)
def test_a_name_arrives_as_it_was_written_and_the_address_is_one(line):
    seen = read("Reply-To", mail_headers.address("Reply-To", "ali@ornek.com", line))

    assert [each.addr_spec for each in seen["Reply-To"].addresses] == ["ali@ornek.com"]
    assert shown_name(seen) == line


@given(st.one_of(LINE, st.text("abc ışğ.pdf'()%\"\\", min_size=1)).map(lambda line: line[:80].strip(" ") or "a"))
def test_a_file_name_arrives_as_it_was_written(name):
    part = EmailMessage(AS_WRITTEN)
    part["Content-Disposition"] = mail_headers.disposition(name)
    seen = email.message_from_bytes(part.as_bytes(), policy=email.policy.default)

    assert seen.get_content_disposition() == "attachment"
    assert looks_encoded(name) or seen["Content-Disposition"].params["filename"] == name


def test_text_that_looks_like_an_encoded_word_is_not_taken_for_one():
    text = "=?utf-8?q?Bedava?="

    assert mail_headers.text("Subject", text) == "=?utf-8?b?PT91dGYtOD9xP0JlZGF2YT89?="


@pytest.mark.parametrize("text", ["a\r\nBcc: x@ornek.com", "a\nb", "a\rb", "a\0b", "a\u2028b", "a\u2029b", "a\x85b"])
def test_breaks_and_controls_make_no_line(text):
    assert not is_line(text)


@pytest.mark.parametrize("text", ["fatura\u202efdp.exe", "a\u2066b", "\ud83d", "a\tb", "\x7f"])
def test_what_hides_or_breaks_letters_makes_no_line(text):
    assert not is_line(text)


def test_a_line_may_hold_every_other_letter():
    assert is_line("Çığ “öşü” – İ€ 👩‍👩‍👧 a\u00a0b")


@pytest.mark.parametrize("value", ["a\r\nBcc: x@ornek.com", "a\nb", "a\rb", "a\n\n b", "a\0b"])
def test_a_header_that_breaks_out_of_its_line_can_not_even_be_set(value):
    message = EmailMessage(AS_WRITTEN)
    with pytest.raises(ValueError, match="must not hold line breaks"):
        message["Subject"] = value
