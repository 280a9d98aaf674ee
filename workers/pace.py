"""How much goes into one transaction: by the time that the last ones took, not by a number that fits some machine."""

HOLD_S = 0.02  # of the 0.05 s that a transaction may hold the database; disk and processor may be busy with others
GROWTH = 1.5


class Pace:
    """`rows` is how many the next transaction should take; tell it how long each `took`.

    Never fewer than `at_least`: on a machine so busy that an empty transaction takes too long, fewer rows don't help.
    """

    def __init__(self, rows: int, *, at_least: int = 100, at_most: int = 4000, hold_s: float = HOLD_S) -> None:
        self.rows = rows
        self._at_least, self._at_most, self._hold_s = at_least, at_most, hold_s

    def took(self, seconds: float, rows: int | None = None) -> None:
        """`rows`: how many those seconds were for, if not `self.rows`."""
        fitting = (rows or self.rows) * self._hold_s / max(seconds, 0.0001)
        self.rows = int(max(self._at_least, min(fitting, self.rows * GROWTH + 1, self._at_most)))
