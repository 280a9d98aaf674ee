"""The benchmarks beside the peers: their arithmetic, and that no peer gets into what the service installs."""

import re

import pytest

from bench import contest
from bench.drain import Point, per_job
from bench.kill import JOBS, Counts
from bench.latency import percentile
from bench.systems import REQUIREMENTS
from tests.conftest import ROOT


def pins(text: str) -> dict[str, str]:
    """Name and version of each pinned package, without extras."""
    found = (re.match(r"([a-z-]+)(?:\[[a-z]+\])?==([0-9.]+)$", line) for line in text.splitlines())
    return {match[1]: match[2] for match in found if match}


@pytest.mark.parametrize("venv", REQUIREMENTS)
def test_peers_are_pinned_exactly(venv: str) -> None:
    lines = [line for line in REQUIREMENTS[venv].read_text().splitlines() if line and line[0] != "#"]
    assert len(pins("\n".join(lines))) == len(lines)


def test_no_peer_is_installed_with_the_service() -> None:
    ours = pins((ROOT / "requirements.txt").read_text())
    for requirements in REQUIREMENTS.values():
        assert set(pins(requirements.read_text())) & set(ours) <= {"redis", "hiredis"}


def test_every_contestant_has_its_module_and_its_environment() -> None:
    for system in contest.BY_NAME.values():
        assert (ROOT / "bench" / "peers" / f"{system.module}.py").exists()
        assert system.venv in ("", *REQUIREMENTS)


def test_what_a_job_costs_is_counted_between_two_points() -> None:
    first = Point(done=100, at_s=10.0, worker_s=1.0, server_s=0.5, commands=1_000, reads=200, asked=7)
    last = Point(done=600, at_s=12.0, worker_s=2.0, server_s=0.75, commands=16_010, reads=710, asked=10)
    assert per_job(first, last) == {"rate": 250, "cpu": 2, "server": 0.5, "commands": 30, "trips": 1}


def test_percentiles_lie_between_the_samples() -> None:
    samples = [number / 100 for number in range(101)]
    assert percentile(samples, 50) == pytest.approx(0.5)
    assert percentile(samples, 99) == pytest.approx(0.99)
    assert percentile([2.0, 1.0, 3.0], 50) == 2.0


def test_what_redis_still_holds_is_late_and_not_lost() -> None:
    assert Counts(done=JOBS - 8, held=8, settled_s=1.0).lost == 0
    assert Counts(done=JOBS - 8, held=2, settled_s=1.0).lost == 6
