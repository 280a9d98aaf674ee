"""What SMS gateways refuse, what can't be reached, what nobody can know: judged on the safe side, telling nothing."""

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests import gateway_samples
from tests.conftest import wait_until
from tests.gateway_http import FakeServer
from tests.gateway_protocols import Reply
from tests.gateway_samples import CAN_TELL, GATEWAYS, KEY, MESSAGES, opened, saying, some
from workers.errors import GatewayAway, GatewayBusy, GatewayRefused, SiraError
from workers.services.sending import Verdict
from workers.services.sms_gateways import (
    KINDS,
    answers,
    iletimerkezi,
    netgsm,
    open_gateway,
    sandbox,
    twilio,
    verimor,
)
from workers.services.sms_gateways.answers import Answer

CODES = [netgsm.SENT, iletimerkezi.SENT, verimor.CODES, twilio.CODES, sandbox.CODES]
known = [code for codes in CODES for code in (*codes.accepted, *codes.account, *codes.message, *codes.busy)]


fields = st.sampled_from(
    [
        *("code", "jobid", "jobs", "number", "status", "response", "order", "message", "id", "campaign_id", "error"),
        *("sid", "accepted", "refused", "ref", "state", "at", "deliveredDate", "done_at", "date_updated"),
    ]
)


@pytest.fixture(scope="module")
def talker() -> Iterator[FakeServer]:
    """A server that answers every request with what its `answer` gives."""
    with FakeServer(("127.0.0.1", 0), lambda _: None) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


fake, gateway = gateway_samples.fake, gateway_samples.gateway


def everything_said_by(error: BaseException) -> str:
    """All that a log with its traceback would show of an error."""
    shown = [str(error), repr(error.args)]
    if error.__cause__ or (error.__context__ and not error.__suppress_context__):
        shown.append(everything_said_by(error.__cause__ or error.__context__))  # type: ignore[arg-type]
    return " ".join(shown)


def test_a_refused_account_pauses_and_sends_nothing(gateway, fake):
    fake.trouble = "refuse"

    with pytest.raises(GatewayRefused) as refused:
        gateway.send(some(gateway), KEY)

    assert fake.accepted == []
    assert fake.protocols[gateway.name].account in refused.value.fields["reason"]


@pytest.mark.parametrize("name", [name for name in GATEWAYS if KINDS[name].options])
def test_a_wrong_password_pauses_for_messages_reports_and_look_ups(name, fake):
    secret = KINDS[name].options[1]
    with open_gateway(name, {**fake.options(name), secret: "wrong"}) as gateway:
        with pytest.raises(GatewayRefused):
            gateway.send(some(gateway), KEY)
        with pytest.raises(GatewayRefused):
            gateway.reports(["SM1" if name == "twilio" else "1/4567"])
        if name in CAN_TELL:
            with pytest.raises(GatewayRefused):
                gateway.look_up(MESSAGES, KEY)

    assert fake.accepted == []


@pytest.mark.parametrize("trouble", ["throttle", "closed"])
def test_a_throttled_request_is_not_sent_and_keeps_its_retry_after(trouble, gateway, fake):
    fake.trouble, fake.times, fake.retry_after_s = trouble, 1, 17

    with pytest.raises(GatewayBusy) as busy:
        gateway.send(some(gateway), KEY)

    assert (busy.value.fields["retry_after_s"], fake.accepted) == (17, [])
    assert [verdict.state for verdict in gateway.send(some(gateway), KEY)] == ["done"] * len(some(gateway))


@pytest.mark.parametrize(
    ("name", "code", "wait_s"),
    [
        *(("netgsm", "80", 60), ("netgsm", "85", 61), ("netgsm", "100", 60), ("iletimerkezi", "503", 60)),
        *(("twilio", "20429", 60), ("twilio", "21611", 60)),
    ],
)
def test_a_gateways_own_code_for_later_is_understood(name, code, wait_s, fake):
    fake.trouble, fake.code = "refuse", code
    with opened(name, fake) as gateway:
        with pytest.raises(GatewayBusy) as busy:
            gateway.send(some(gateway), KEY)

    assert (busy.value.fields["retry_after_s"], fake.accepted) == (wait_s, [])


@pytest.mark.parametrize("trouble", ["time_out", "drop", "error", "garbage"])
@pytest.mark.parametrize("name", GATEWAYS)
def test_what_may_have_been_accepted_is_unknown_for_every_message_and_sent_once(trouble, name, fake):
    fake.trouble = trouble
    with opened(name, fake, timeout_s=0.4 if trouble == "time_out" else 30) as gateway:
        verdicts = gateway.send(some(gateway), KEY)

    assert [verdict.state for verdict in verdicts] == ["unknown"] * len(some(gateway))
    assert all(verdict.reason and verdict.provider_id is None for verdict in verdicts)
    wait_until(lambda: fake.accepted, what="what we did not wait for")
    assert (fake.requests, len(fake.accepted)) == (1, len(some(gateway)))


@pytest.mark.parametrize("name", GATEWAYS)
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (b"HTTP/1.1 307 Moved\r\nLocation: https://example.com/\r\nContent-Length: 0\r\n\r\n", GatewayRefused),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", GatewayRefused),
        (b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n", GatewayBusy),
        (b"HTTP/1.1 503 Later\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n", GatewayBusy),
        (b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n", "unknown"),
        (b"HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n", "unknown"),
        (b"HTTP/1.1 504 Late\r\nContent-Length: 4\r\n\r\noops", "unknown"),
        (b"HTTP/1.1 408 Late\r\nContent-Length: 0\r\n\r\n", "unknown"),
        (b"HTTP/1.1 303 Done\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "unknown"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK", "unknown"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", "unknown"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{", "unknown"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull", "unknown"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "unknown"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n" + b"[" * 90_000, "unknown"),
        (b"no HTTP at all\r\n\r\n", "unknown"),
        (b"", "unknown"),
        (b"HTTP/1.1 400 Bad\r\nContent-Length: 20\r\n\r\nbad no +905551234567", "failed"),
        (b"HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n", "failed"),
    ],
)
def test_any_other_answer_is_judged_on_the_safe_side(name, said, expected, fake):
    with saying(said) as base_url, open_gateway(name, {**fake.options(name), "base_url": base_url}) as gateway:
        if isinstance(expected, str):
            verdicts = gateway.send(some(gateway), KEY)
            assert [verdict.state for verdict in verdicts] == [expected] * len(some(gateway))
            assert not any("5551234567" in str(verdict) for verdict in verdicts)
        else:
            with pytest.raises(expected):
                gateway.send(some(gateway), KEY)


nonsense = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(fields, inner, max_size=5),
    max_leaves=12,
)


@pytest.mark.parametrize("name", GATEWAYS)
@settings(max_examples=60, deadline=None)
@given(st.sampled_from([200, 201, 400, 406, 500]), nonsense)
@example(200, {"accepted": ["x"], "refused": {"a": 1}})
@example(200, [["x"], "y"])
def test_whatever_a_gateway_says_is_a_verdict_or_an_error_of_ours(name, talker, status, said):
    talker.answer = lambda _: Reply(status, json.dumps(said))
    options = {**dict.fromkeys(KINDS[name].options, "x"), "base_url": f"http://127.0.0.1:{talker.server_port}"}
    with open_gateway(name, options) as gateway:
        with suppress(GatewayBusy, GatewayRefused):
            verdicts = gateway.send(some(gateway), KEY)
            assert [type(verdict) for verdict in verdicts] == [Verdict] * len(some(gateway))
        with suppress(GatewayAway, GatewayBusy, GatewayRefused):
            found = gateway.look_up(some(gateway), KEY)
            assert found is None or len(found) == len(some(gateway))
        with suppress(GatewayAway, GatewayBusy, GatewayRefused):
            assert {*gateway.reports(["77/4567", "SM1"])} <= {"77/4567", "SM1"}


def test_an_answer_that_comes_a_byte_now_and_then_is_not_waited_for(fake):
    slowly, began = [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", *[b" "] * 100], time.monotonic()
    with saying(*slowly, each_s=0.2) as base_url:
        with open_gateway("verimor", fake.options("verimor") | {"base_url": base_url}, timeout_s=1) as gateway:
            verdicts = gateway.send(some(gateway), KEY)

    assert {verdict.state for verdict in verdicts} == {"unknown"}
    assert time.monotonic() - began < 15, "not the twenty seconds that it takes to say all"


@pytest.mark.parametrize("name", GATEWAYS)
@pytest.mark.parametrize("trouble", ["refuse", "throttle", "time_out", "drop", "error", "garbage", "away"])
def test_nothing_personal_and_no_secret_stands_in_a_reason_or_a_traceback(trouble, name, fake):
    fake.trouble = trouble if trouble != "away" else ""
    options = fake.options(name) | ({"base_url": "http://127.0.0.1:1"} if trouble == "away" else {})
    said = ""
    with open_gateway(name, options, timeout_s=0.4) as gateway:
        for work in (gateway.send, gateway.look_up):
            try:
                said += repr(work(some(gateway), KEY))
            except SiraError as error:
                said += everything_said_by(error)

    secrets = [options[option] for option in KINDS[name].options[1:2]]
    hidden = [*secrets, *map(quote_plus, secrets), "5551234567", "Şükrü", "example.com"]
    assert not [found for found in hidden if found in said]


@given(
    st.sampled_from(CODES),
    st.one_of(st.sampled_from([200, 201, 202, 400, 401, 406, 408, 451, 500, 502, 503]), st.integers(100, 599)),
    st.one_of(st.sampled_from(known), st.text(), st.none(), st.integers()),
)
@example(netgsm.SENT, 500, "00")
def test_only_what_is_named_or_refused_by_http_is_ever_anything_but_unknown(codes, status, code):
    try:
        state, reason = codes.judge(Answer(status, ""), code)
    except (GatewayBusy, GatewayRefused):
        assert str(code).strip() in {*codes.account, *codes.busy} or status in answers._ACCOUNT
        return

    named = str(code).strip()
    assert state != "done" or (named in codes.accepted and status < 500)
    assert state != "failed" or named in codes.message or 400 <= status < 500
    assert reason.startswith(codes.gateway)
    assert re.fullmatch(r"[A-Z0-9_]*", named) or named in known or f"{codes.gateway} {named}" not in reason
