"""How many messages go into a request follows what requests of two sizes took."""

import doctest

import pytest

from workers.services import request_sizes
from workers.services.request_sizes import FIRST, RequestSize


def after(requests: int, call_s: float, message_s: float, most: int = 100) -> RequestSize:
    """What a gateway that takes so long for a request, and for each message in it, is given after some requests."""
    found = RequestSize(most)
    for _ in range(requests):
        found.took(found.size, call_s + found.size * message_s)
    return found


def test_the_example_in_the_docstring_holds() -> None:
    assert doctest.testmod(request_sizes).failed == 0


@pytest.mark.parametrize(
    ("call_s", "message_s", "size"),
    [
        pytest.param(0.05, 0.0005, 100, id="quick"),
        pytest.param(9.0, 0.0, 100, id="far away"),
        pytest.param(0.1, 2.0, 1, id="two seconds a message"),
        pytest.param(0.0, 0.6, 3, id="each takes its time"),
        pytest.param(3.0, 0.1, 20, id="both"),
    ],
)
def test_a_request_holds_what_a_gateway_takes_in_two_seconds(call_s: float, message_s: float, size: int) -> None:
    for requests in range(5, 9):
        assert after(requests, call_s, message_s).size == size


def test_a_gateway_that_recovers_gets_full_requests_again() -> None:
    found = after(5, 0.0, 2.0)

    for _ in range(2):
        found.took(found.size, 0.01 * found.size)

    assert found.size == 100


def test_no_request_is_larger_than_the_gateway_takes() -> None:
    assert RequestSize(100).size == FIRST
    assert RequestSize(1).size == 1
    assert after(3, 0.01, 0.0, most=1).size == 1
