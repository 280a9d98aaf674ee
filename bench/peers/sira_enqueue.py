"""Ours as callers meet it: `enqueue`, which commits the row (fsync) before it pushes."""

from collections.abc import Callable
from functools import partial
from typing import Any

from bench.peers.sira import fill
from workers.engine import enqueue

__all__ = ["fill", "prepare"]


def prepare(task: str) -> Callable[[], Any]:
    return partial(enqueue, task)
