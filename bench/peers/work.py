"""What the tasks do, the same for every system. All return something, so that all have a result to store."""

import os
import socket
import struct
import time
from hashlib import sha256

BLOCK = bytes(range(256)) * 4  # of over 2 kB a digest would let go of Python's lock


def nothing() -> int:
    return 1


def cpu_5ms() -> int:
    """So many kB (BENCH_SPIN) of a digest that they take 5 ms on this machine.

    A loop of Python's own turns will not do: how fast one process runs it, and the next does not, differs by a third
    with where their code and numbers came to lie (of 14 processes 2.8 to 3.8 ms; of 24 with a digest 4.67 to 4.69).
    """
    digest = sha256()
    for _ in range(int(os.environ["BENCH_SPIN"])):
        digest.update(BLOCK)
    return digest.digest()[0]


def stamp() -> int:
    """Tell the bench when the first line of the job ran, by the clock that all processes of a machine share."""
    began = time.monotonic()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.sendto(struct.pack("d", began), os.environ["BENCH_STAMPS"])
    return 1


TASKS = (nothing, cpu_5ms, stamp)
