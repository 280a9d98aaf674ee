"""How many messages a request carries: few to a gateway that nobody knows yet, then as many as it proves to take
quickly. One that works on each message for seconds would be silent for minutes over a hundred, and taken for dead."""

from dataclasses import dataclass

FIRST, GROWTH = 5, 20
QUICK_S, SLOW_S = 0.5, 2.0


@dataclass
class RequestSize:
    """`size` messages go into the next request to one gateway. `last` and `before` are the last request and the last of
    another size, messages and seconds: what both took tells what a message costs, beside what any request costs."""

    most: int
    size: int = 0
    before: tuple[int, float] | None = None
    last: tuple[int, float] | None = None

    def __post_init__(self) -> None:
        self.size = self.size or min(FIRST, self.most)

    def took(self, count: int, seconds: float) -> None:
        """
        >>> slow = RequestSize(100)
        >>> for _ in range(4): slow.took(slow.size, 2.0 * slow.size)
        >>> far = RequestSize(100)
        >>> for _ in range(4): far.took(far.size, 9.0)
        >>> near = RequestSize(100)
        >>> near.took(near.size, 0.05)
        >>> slow.size, far.size, near.size
        (1, 100, 100)
        """
        if self.last and self.last[0] != count:
            self.before = self.last
        self.last = count, seconds
        self.size = max(1, min(self.most, self._next(count, seconds)))

    def _next(self, count: int, seconds: float) -> int:
        if seconds < QUICK_S:
            return max(self.size, count * GROWTH)
        if self.before is None:
            return count // 2 if count > 1 else 2
        each_s = max(0.0, (seconds - self.before[1]) / (count - self.before[0]))
        return int(min(SLOW_S / each_s, self.most)) if each_s else self.most
