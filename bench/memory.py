"""How much the peak memory of a worker child grows over a large bulk."""

from bench.queue import run_bulk
from bench.service import Service, peak_mb, service
from bench.table import Row

BULK, FIRST = 5_000, 100
AT_MOST_MB = 30


def memory() -> list[Row]:
    """The largest resident size (VmHWM) after a first bulk and after a large one, for each format in a fresh child."""
    with service(BULK) as own:
        return [_growth(own, format) for format in ("zip", "pdf")]


def _growth(own: Service, format: str) -> Row:
    with own.workers(1) as (child,):
        run_bulk(own, FIRST, format)
        first_mb = peak_mb(child)
        size = run_bulk(own, BULK, format)["size"]
        grown_mb = peak_mb(child) - first_mb
    what = (
        f"peak memory of a child over a {format} of {BULK:,} letters ({size / 2**20:,.0f} MB), after its first {FIRST}"
    )
    wanted, verdict = f"<= +{AT_MOST_MB} MB", grown_mb <= AT_MOST_MB
    return Row(what, f"{first_mb + grown_mb:.0f} MB", f"{first_mb:.0f} MB", f"{grown_mb:+.1f} MB", wanted, verdict)
