"""What is wrong with a declaration of a kind, and how it is put right: refused when its module is imported."""

import difflib
import inspect
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from pydantic import BaseModel

from workers.engine import cron
from workers.settings import MAX_LIMIT_S

if TYPE_CHECKING:
    from workers.engine.registry import Kind

UNRUN = (inspect.iscoroutinefunction, inspect.isasyncgenfunction, inspect.isgeneratorfunction)


def misspelled(given: Iterable[str], known: Collection[str]) -> Iterator[str]:
    """What is said of each option that there is not."""
    for name in set(given) - set(known):
        close = difflib.get_close_matches(name, known, n=1)
        advice = f"do you mean {close[0]}?" if close else f"there are {', '.join(known)}"
        yield f"there is no option {name!r}; {advice}"


def faults(kind: "Kind", queues: Collection[str], *, taken: bool) -> Iterator[str]:
    """What is to be changed. `taken`: another module has declared that name."""
    parameters = inspect.signature(kind.function).parameters.values()
    unnamed = any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD, p.POSITIONAL_ONLY) for p in parameters)
    limits, calls = (kind.soft_limit_s, kind.hard_limit_s), (kind.on_success, kind.on_failure)
    unrun = any(is_such(kind.function) for is_such in UNRUN)
    found = [
        (kind.queue not in queues, f"queue must be one of {', '.join(queues)}"),
        (not (isinstance(kind.retries, int) and kind.retries >= 0), "retries must be 0 or more, and a whole number"),
        (any(call and not callable(call) for call in calls), "on_success and on_failure are functions"),
        (unnamed, "name every parameter"),
        (
            any(_is_taken(p.name) for p in parameters),
            "call no parameter _… or like a part of a pydantic model (model_dump, …)",
        ),
        (unrun, "calling it runs nothing, for it is async or yields; make it a plain def (asyncio.run() awaits)"),
        (bool(kind.items) and kind.items not in {p.name for p in parameters}, f"it has no parameter {kind.items!r}"),
        (kind.parallel and not kind.items, "parallel needs items"),
        (kind.single and bool(kind.items), "it is either single or has items"),
        (kind.sift is not None and not (kind.single or kind.items), "sift needs items, or single"),
        (
            any(seconds is not None and not 0 < seconds <= MAX_LIMIT_S for seconds in limits),
            f"limits are seconds above 0, and at most {MAX_LIMIT_S:,}; none is endless",
        ),
        ((kind.soft_limit_s or 0) > (kind.hard_limit_s or float("inf")), "soft_limit_s must not exceed hard_limit_s"),
        (kind.overlap not in ("skip", "queue", "allow"), "overlap is skip, queue or allow"),
        (kind.missed not in ("one", "all", "skip"), "missed is one, all or skip"),
        *_of_schedule(kind, parameters),
        (taken, "that name is taken"),
    ]
    return (advice for wrong, advice in found if wrong)


def _is_taken(name: str) -> bool:
    """Of a model, which the parameters become, these are its own."""
    return name.startswith("_") or (name.startswith("model_") and hasattr(BaseModel, name))


def _of_schedule(kind: "Kind", parameters: Iterable[inspect.Parameter]) -> list[tuple[bool, str]]:
    if kind.cron is None:
        return [
            (kind.zone is not None, "zone goes with cron, which it has not; declare cron or drop zone"),
            (kind.when is not None, "when goes with cron, which it has not; declare cron or drop when"),
        ]
    wrong = cron.fault_of(kind.cron, kind.zone or "UTC")
    required = [parameter.name for parameter in parameters if parameter.default is parameter.empty]
    return [
        (wrong is not None, str(wrong)),
        (kind.items is not None or kind.single, "a bulk has no items by itself; schedule a job that enqueues it"),
        (bool(required), f"the clock passes no parameters; give {', '.join(required)} a default, or drop cron"),
    ]
