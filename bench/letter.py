"""One letter without any queue: ours on a canvas, the same page in plain Platypus."""

from bench.letters import PlatypusLetter, cpu_ms, sample
from bench.table import Row, alternate, gain
from workers.services.letters import draw

LETTERS, ROUNDS = 100, 5


def letter() -> list[Row]:
    """CPU time of a one-page letter."""
    platypus = PlatypusLetter().draw
    pages = [sample(number) for number in range(1, LETTERS + 1)]
    draw(pages[0])
    platypus(pages[0])
    pairs = alternate(
        lambda: {"cpu": cpu_ms(draw, pages)},
        lambda: {"cpu": cpu_ms(platypus, pages)},
        rounds=ROUNDS,
    )
    return [gain("letter to the same page in plain Platypus: CPU", pairs["cpu"], "ms", at_least=2.5)]
