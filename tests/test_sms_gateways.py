"""One suite for all SMS gateways, against a local server that speaks each one's protocol: what is sent, and how."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import gateway_samples
from tests.gateway_samples import CAN_TELL, GATEWAYS, KEY, MANY, MESSAGES, opened, some
from tests.gateways import apart
from workers.errors import BadSettings
from workers.services.sending import Verdict
from workers.services.sms_gateways import (
    KINDS,
    Sms,
    billing_of,
    netgsm,
    open_gateway,
    refused_together,
    requests_of,
    verimor,
)
from workers.services.sms_text import Billing

ALPHABETS = {"GSM-7": None, "GSM-7-TR": "TR", "UCS-2": "UNICODE"}


fake, gateway = gateway_samples.fake, gateway_samples.gateway


def test_each_message_arrives_once_as_it_was_written_and_is_done(gateway, fake):
    verdicts = gateway.send(some(gateway), KEY)

    assert [verdict.state for verdict in verdicts] == ["done"] * len(some(gateway))
    assert [(row["phone"], row["text"]) for row in fake.accepted] == [(each.phone, each.text) for each in some(gateway)]
    ids = [verdict.provider_id or "" for verdict in verdicts]
    assert len({*ids}) == len(ids)
    assert not any(message.phone[-6:] in found for message, found in zip(some(gateway), ids, strict=True))


def test_a_key_of_ours_goes_with_the_request_where_the_gateway_takes_one(gateway, fake):
    gateway.send(some(gateway), KEY)

    assert {row["key"] for row in fake.accepted} == {KEY if gateway.name in CAN_TELL else ""}


@pytest.mark.parametrize("name", GATEWAYS)
def test_a_missing_option_is_named(name, fake):
    for option in KINDS[name].options:
        given_options = {key: value for key, value in fake.options(name).items() if key != option}
        with pytest.raises(BadSettings, match=rf"{name}: {option} is missing"):
            open_gateway(name, given_options)
        with pytest.raises(BadSettings, match=option):
            open_gateway(name, {**given_options, option: ""})


def test_an_unknown_gateway_an_odd_address_and_an_odd_number_are_refused_at_once():
    with pytest.raises(BadSettings, match="netgsm"):
        open_gateway("carrier-pigeon", {})
    with pytest.raises(BadSettings, match="base_url"):
        open_gateway("sandbox", {})
    with pytest.raises(BadSettings, match="base_url"):
        open_gateway("sandbox", {"base_url": "file:///etc/passwd"})
    with pytest.raises(BadSettings, match="whole numbers"):
        billing_of("netgsm", {"turkish_cost": "two"})


def test_billing_is_a_table_that_options_overrule():
    assert billing_of("twilio") == Billing(tables="none")
    assert billing_of("netgsm", {"suffix": "0", "turkish_cost": "2"}) == Billing(2, suffix=0, max_segments=6)
    assert billing_of("verimor").measure("ş" * 298).segments == 2


def test_a_setting_says_what_one_request_carries(fake):
    def batch(name, wanted):
        with open_gateway(name, fake.options(name), batch=wanted) as found:
            return found.batch

    assert [batch("netgsm", wanted) for wanted in (None, 10, 500, 5000, 0)] == [100, 10, 500, 500, 100]
    assert [batch("twilio", wanted) for wanted in (None, 10)] == [1, 1]


def test_a_refused_message_fails_with_the_gateways_code(gateway, fake):
    fake.reject = {MESSAGES[0].phone}

    (verdict,) = gateway.send(MESSAGES[:1], KEY)

    assert (verdict.state, fake.accepted) == ("failed", [])
    assert fake.protocols[gateway.name].message in (verdict.reason or "")


@pytest.mark.parametrize("name", MANY)
def test_one_bad_number_fails_its_request_which_may_then_go_message_by_message(name, fake):
    fake.reject = {MESSAGES[1].phone}
    with opened(name, fake) as gateway:
        together = gateway.send(MESSAGES, KEY)
        if name == "sandbox":
            assert [verdict.state for verdict in together] == ["done", "failed", "done"]
            assert not refused_together(together)
            return
        assert refused_together(together)
        alone = [gateway.send([each], f"{KEY}-{each.ref}") for each in MESSAGES]

    assert [verdict.state for (verdict,) in alone] == ["done", "failed", "done"]
    assert fake.per_phone() == {MESSAGES[0].phone: 1, MESSAGES[2].phone: 1}


def test_a_repeated_order_counts_as_sent(fake):
    with opened("iletimerkezi", fake) as gateway:
        gateway.send(MESSAGES, KEY)
        again = gateway.send(MESSAGES, KEY)

    assert [(verdict.state, verdict.provider_id) for verdict in again] == [("done", None)] * 3
    assert all("451" in (verdict.reason or "") for verdict in again)
    assert set(fake.per_phone().values()) == {1}


def test_the_same_key_is_answered_with_the_first_answer_by_the_sandbox(fake):
    with opened("sandbox", fake) as gateway:
        assert gateway.send(MESSAGES, KEY) == gateway.send(MESSAGES, KEY)

    assert set(fake.per_phone().values()) == {1}


def test_requests_are_cut_by_alphabet_and_size_and_lose_nothing(fake):
    texts = {"GSM-7": "Borcunuz", "GSM-7-TR": "Bakiyeniz ödenmiş", "UCS-2": "Teşekkürler 👍"}
    messages = [Sms(f"item-{n}", f"+9055500000{n:02}", [*texts.values()][n % 3]) for n in range(40)]
    with open_gateway("netgsm", fake.options("netgsm"), batch=6) as gateway:
        cut = list(requests_of(gateway, messages))

    assert sorted((each for part in cut for each in part), key=lambda each: int(each.ref[5:])) == messages
    assert all(len(part) <= 6 and len({each.text for each in part}) == 1 for part in cut)
    assert len(cut) == 3 + 3 + 3
    assert [netgsm._encoding([Sms("", "", text)]).get("encoding") for text in texts.values()] == [*ALPHABETS.values()]
    assert [verimor._coding([Sms("", "+90", text)])["datacoding"] for text in texts.values()] == ["0", "1", "2"]
    assert verimor._coding([Sms("", "+49", texts["GSM-7-TR"])]) == {}


def test_numbers_abroad_are_written_as_each_gateway_wants(fake):
    for name in GATEWAYS:
        with opened(name, fake) as gateway:
            gateway.send([Sms("item-1", "+4915112345678", "Hallo")], f"{KEY}-{name}")

    assert {row["phone"] for row in fake.accepted} == {"+4915112345678"}
    assert netgsm._number("+905551234567") == "5551234567"


def test_the_fake_counts_right_with_many_connections_at_once(fake):
    fake.delay_s, fake.trouble, fake.share = 0.01, "drop", 0.3

    def send(n: int) -> list[Verdict]:
        with opened(GATEWAYS[n % 5], fake) as gateway:
            return gateway.send([Sms(f"item-{n}", f"+90555{n:07}", f"Borcunuz {n} TL")], f"{KEY}-{n}")

    with ThreadPoolExecutor(40) as pool:
        states = [verdict.state for verdicts in pool.map(send, range(400)) for verdict in verdicts]

    assert len(fake.accepted) == 400
    assert set(fake.per_phone().values()) == {1}
    assert 60 < states.count("unknown") < 180
    assert states.count("done") + states.count("unknown") == 400


def test_the_fake_runs_in_a_process_of_its_own():
    with apart() as server:
        server.behave(trouble="drop", times=1, reject={"+905551110000"})
        with open_gateway("netgsm", server.options("netgsm")) as gateway:
            states = [gateway.send(MESSAGES[:2], f"{KEY}-{n}")[0].state for n in range(2)]
            refused = gateway.send(MESSAGES[2:], KEY)

        assert states == ["unknown", "done"]
        assert [verdict.state for verdict in refused] == ["failed"]
        assert [row["phone"] for row in server.accepted] == [each.phone for each in MESSAGES[:2]] * 2
        server.behave(reset=True)
        assert server.accepted == []
