"""`python -m bench.peers SYSTEM fill TASK COUNT` and `… SYSTEM latency COUNT`, in the system's own environment."""

import importlib
import json
import os
import random
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Any

PAUSE_FROM_S, PAUSE_TO_S = 0.05, 0.2
LATE_S = 30


def latency(module: Any, count: int) -> list[float]:
    """Seconds from just before one task is enqueued to its first line, with pauses in which the workers fall idle."""
    Path(os.environ["BENCH_STAMPS"]).unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(os.environ["BENCH_STAMPS"])
        line.settimeout(LATE_S)
        return [_once(module.prepare("stamp"), line) for _ in range(count)]


def _once(send: Any, line: socket.socket) -> float:
    time.sleep(random.uniform(PAUSE_FROM_S, PAUSE_TO_S))
    sent = time.monotonic()
    send()
    return float(struct.unpack("d", line.recv(8))[0]) - sent


def main(system: str, what: str, *given: str) -> None:
    module = importlib.import_module(f"bench.peers.{system}")
    if what == "fill":
        module.fill(given[0], int(given[1]))
    else:
        print(json.dumps(latency(module, int(given[0]))))


if __name__ == "__main__":
    main(*sys.argv[1:])
