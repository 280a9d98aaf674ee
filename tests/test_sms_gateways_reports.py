"""What SMS gateways tell later: whether an unanswered request arrived, and which messages were delivered."""

import doctest
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import gateway_samples
from tests.conftest import wait_until
from tests.gateway_samples import CAN_TELL, GATEWAYS, KEY, MESSAGES, opened, saying, some
from workers.errors import GatewayAway, GatewayBusy
from workers.services.sms_gateways import Sms, matching, open_gateway

alike = st.builds("+9053{}{}".format, st.integers(1000, 1012), st.sampled_from(["4567", "0000", "4568", "9000"]))
phones = st.lists(alike, min_size=1, max_size=30, unique=True)


fake, gateway = gateway_samples.fake, gateway_samples.gateway


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(matching).failed == 0


@pytest.mark.parametrize("name", CAN_TELL)
def test_an_unanswered_request_is_found_by_its_key(name, fake):
    fake.trouble = "time_out"
    with opened(name, fake, timeout_s=0.4) as gateway:
        assert {verdict.state for verdict in gateway.send(MESSAGES, KEY)} == {"unknown"}
    wait_until(lambda: fake.accepted, what="what we did not wait for")
    with opened(name, fake) as gateway:
        found = gateway.look_up(MESSAGES, KEY)

        assert [verdict and verdict.state for verdict in found] == ["done"] * 3
        told = gateway.reports([verdict.provider_id for verdict in found])

    assert [report.state for report in told.values()] == ["delivered"] * 3
    assert set(fake.per_phone().values()) == {1}


def test_what_was_never_sent_is_not_found_and_not_guessed(gateway, fake):
    verdicts = gateway.look_up(some(gateway), KEY)

    expected = {"verimor": [None] * 3, "sandbox": [None] * 3, "iletimerkezi": None, "twilio": None}
    if gateway.name == "netgsm":  # its reports may be late: not there proves nothing
        assert [verdict.state for verdict in verdicts] == ["unknown"] * 3
    else:
        assert verdicts == expected[gateway.name]


@pytest.mark.parametrize("name", ["verimor", "netgsm"])
def test_a_request_of_many_pages_is_found_whole(name, fake):
    messages = [Sms(f"item-{n}", f"+90555{n:07}", f"Borcunuz {n} TL") for n in range(0, 250 * 37, 37)]
    fake.trouble = "drop"
    with opened(name, fake) as gateway:
        gateway.send(messages, KEY)
        found = gateway.look_up(messages, KEY)
        told = gateway.reports([verdict.provider_id for verdict in found])

    assert [verdict.state for verdict in found] == ["done"] * 250
    assert [report.state for report in told.values()] == ["delivered"] * 250


@pytest.mark.parametrize("name", CAN_TELL)
def test_a_look_up_without_an_answer_says_so(name, fake):
    with opened(name, fake) as gateway:
        gateway.send(MESSAGES, KEY)
    with saying(b"HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n") as base_url:
        with open_gateway(name, {**fake.options(name), "base_url": base_url}) as gateway, pytest.raises(GatewayAway):
            gateway.look_up(MESSAGES, KEY)
    with saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") as base_url:
        with open_gateway(name, {**fake.options(name), "base_url": base_url}) as gateway, pytest.raises(GatewayAway):
            gateway.look_up(MESSAGES, KEY)


@pytest.mark.parametrize("body", ["<html>404 Not Found kampanya</html>", "404 page not found", ""])
def test_a_proxys_404_does_not_say_that_a_request_never_came(body, fake):
    answer = f"HTTP/1.1 404 Not Found\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    with (
        saying(answer) as base_url,
        open_gateway("verimor", {**fake.options("verimor"), "base_url": base_url}) as gateway,
    ):
        with pytest.raises(GatewayAway):
            gateway.look_up(MESSAGES, KEY)


def test_each_report_belongs_to_its_message_even_where_numbers_end_alike(gateway, fake):
    fake.deliveries = {MESSAGES[0].phone: "undelivered", MESSAGES[1].phone: "delivered", MESSAGES[2].phone: "waiting"}
    before = datetime.now(UTC) - timedelta(seconds=2)
    sent = [gateway.send([each], f"{KEY}-{n}") for n, each in enumerate(MESSAGES)] if gateway.batch == 1 else []
    ids = [verdict.provider_id for (verdict,) in sent] or [v.provider_id for v in gateway.send(MESSAGES, KEY)]

    told = gateway.reports(ids)

    assert [told[found].state for found in ids] == ["undelivered", "delivered", "waiting"]
    assert told[ids[0]].reason
    assert told[ids[2]].reason is None
    if gateway.name != "iletimerkezi":  # which tells no times
        assert before <= told[ids[1]].at <= datetime.now(UTC)


def test_a_report_of_nothing_known_is_empty(gateway):
    assert gateway.reports([]) == {}
    assert gateway.reports(["SM77" if gateway.name == "twilio" else "77/4567"]) == {}


@pytest.mark.parametrize("name", GATEWAYS)
def test_reports_known_before_the_gateway_wants_a_rest_are_kept(name, fake, monkeypatch):
    with opened(name, fake) as gateway:
        ids = [
            gateway.send([MESSAGES[n % 3]], f"{KEY}-{n}")[0].provider_id for n in range(3 * (name != "iletimerkezi"))
        ]
        asked, real = [], gateway.wire.ask

        def tired(*arguments, **found):
            asked.append(arguments)
            if len(asked) > 2:
                raise GatewayBusy(retry_after_s=60, reason="tired")
            return real(*arguments, **found)

        monkeypatch.setattr(gateway.wire, "ask", tired)
        told = gateway.reports(ids)
        whole = 3 if name == "netgsm" else 2  # Netgsm tells of many requests at once

        assert list(told) == ids[:whole]
        asked[:] = [()] * 2
        if ids:
            with pytest.raises(GatewayBusy):
                gateway.reports(ids)


@given(phones, st.data())
def test_a_provider_id_finds_its_number_again_and_shows_four_digits(numbers, data):
    ids = matching.provider_ids("17377215342605050417149344", numbers)
    listed = data.draw(st.permutations([number[1:] for number in numbers]))
    missing = data.draw(st.sampled_from(listed))

    assert [matching.number_of(found, listed) for found in ids] == [number[1:] for number in numbers]
    assert [matching.number_of(found, [number[-10:] for number in numbers]) for found in ids] == [
        number[-10:] for number in numbers
    ]
    fewer = [number for number in listed if number != missing]
    for found, number in zip(ids, numbers, strict=True):
        assert matching.number_of(found, fewer) in (number[1:], None)
        assert found.partition("/")[2].partition(".")[0] == number[-4:]
