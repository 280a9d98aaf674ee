"""How much goes into one transaction follows the time that the last ones took."""

from hypothesis import given
from hypothesis import strategies as st

from workers.pace import HOLD_S, Pace


@given(st.integers(100, 4000), st.floats(0.000005, 0.0003))
def test_transactions_soon_take_the_time_that_they_may(first: int, row_s: float) -> None:
    pace = Pace(first)

    for _ in range(30):
        pace.took(pace.rows * row_s)

    assert pace.rows in (100, 4000) or 0.8 * HOLD_S <= pace.rows * row_s <= HOLD_S * 1.01


def test_a_slow_moment_is_heeded_at_once_and_forgotten_step_by_step() -> None:
    pace = Pace(1000)

    pace.took(HOLD_S * 4)
    assert pace.rows == 250
    pace.took(HOLD_S / 100)
    assert pace.rows == 376


def test_a_machine_where_even_nothing_takes_too_long_still_gets_on() -> None:
    pace = Pace(200)

    for _ in range(9):
        pace.took(1.0)

    assert pace.rows == 100


def test_a_last_transaction_that_was_small_says_how_small_it_was() -> None:
    pace = Pace(1000)

    pace.took(HOLD_S, rows=10)

    assert pace.rows == 100
