"""The one table of results: what, ours, peer, ratio, wanted, ok or not."""

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass

HEAD = ("what", "ours", "peer", "ratio", "wanted", "")
Measured = dict[str, float]


@dataclass(frozen=True)
class Row:
    """One figure. `verdict` None: nothing was promised, it is told for honesty. A `note` stands below the table."""

    what: str
    ours: str
    peer: str
    ratio: str
    wanted: str = ""
    verdict: bool | None = None
    note: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        told = {True: "ok", False: "NOT", None: ""}[self.verdict]
        return (self.what, self.ours, self.peer, self.ratio, self.wanted, told)


def alternate(*sides: Callable[[], Measured], rounds: int = 3) -> dict[str, list[float]]:
    """Let the sides take turns; gives the medians of what each measured by that name: `{name: [ours, peer]}`."""
    measured = [[side() for side in sides] for _ in range(rounds)]
    names = set.intersection(*(set(one) for one in measured[0]))
    return {name: [statistics.median(turn[n][name] for turn in measured) for n in range(len(sides))] for name in names}


def cost(what: str, pair: list[float], unit: str, *, at_most: float | None = None) -> Row:
    """Ours takes `ratio` times what the peer takes."""
    ratio = pair[0] / pair[1]
    wanted, verdict = ("", None) if at_most is None else (f"<= {at_most} x", ratio <= at_most)
    return _row(what, pair, unit, ratio, wanted, verdict)


def gain(
    what: str, pair: list[float], unit: str, *, at_least: float | None = None, more_is_better: bool = False
) -> Row:
    """Ours is `ratio` times as good as the peer: as quick, or as much where `more_is_better`."""
    ratio = pair[0] / pair[1] if more_is_better else pair[1] / pair[0]
    wanted, verdict = ("", None) if at_least is None else (f">= {at_least} x", ratio >= at_least)
    return _row(what, pair, unit, ratio, wanted, verdict)


def _row(what: str, pair: list[float], unit: str, ratio: float, wanted: str, verdict: bool | None) -> Row:
    ours, peer = (f"{figure:,.0f} {unit}" if figure >= 100 else f"{figure:.2f} {unit}" for figure in pair)
    return Row(what, ours, peer, f"{ratio:.2f} x", wanted, verdict)


def show(rows: Iterable[Row]) -> str:
    """The rows under their heads, figures right-aligned, and what is to be said of some below."""
    rows = list(rows)
    lines = [HEAD, *(row.cells for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    table = [_line(line, widths) for line in [lines[0], tuple("-" * width for width in widths), *lines[1:]]]
    return "\n".join([*table, *(f"{row.what}: {row.note}" for row in rows if row.note)])


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    what, *rest = cells
    return "  ".join([what.ljust(widths[0]), *map(str.rjust, rest, widths[1:])]).rstrip()
