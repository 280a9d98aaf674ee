"""A task as the outside sees it: the contract's status object and its sentences in Turkish and English."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from workers import settings
from workers.engine.tasks import Task
from workers.wording.told import worded

SENTENCES = {
    "PENDING": {"tr": "Bekliyor...", "en": "Waiting..."},
    "STARTED": {"tr": "Başladı", "en": "Started"},
    "PROGRESS": {"tr": "Çalışıyor...", "en": "Running..."},
    "RETRY": {"tr": "{error} Yeniden denenecek: {when}", "en": "{error} Will be tried again: {when}"},
    "SUCCESS": {"tr": "Tamamlandı", "en": "Done"},
    "FAILURE": {"tr": "Başarısız oldu", "en": "Failed"},
    "REVOKED": {"tr": "İptal edildi", "en": "Cancelled"},
}
FOUND_OUT = {  # of a FAILURE some of whose messages have turned out to have arrived
    "tr": "{total} kalemden {done} tanesinin tamamlandığı sonradan anlaşıldı.",
    "en": "It was found out later that {done} of {total} items are done.",
}
NOTHING = ("NothingDone", "NotDone")
UNFINISHED_ITEMS = ("failed", "unknown")


def status_of(task: Task, lang: str, *, traceback: bool = False) -> dict[str, Any]:
    """The status object; `traceback`: whether the reader may see where it failed (operators)."""
    row = row_of(task, lang)
    if task.result is None:
        row["links"]["result"] = None
    if row["error"] and traceback and task.traceback:
        row["error"]["traceback"] = task.traceback
    return {**row, "result": task.result}


def row_of(task: Task, lang: str) -> dict[str, Any]:
    """The status object without its result. `lang` is that of `status`; `error` stays as it was written, for programs
    that compare it."""
    current, total = _progress(task)
    return {
        "task_id": task.id,
        "kind": task.kind,
        "queue": task.queue,
        "state": task.state,
        "current": current,
        "total": total,
        "percent": min(100, current * 100 // total) if total else 0,
        "status": sentence(task, lang),
        "eta_seconds": task.eta_seconds,
        "counts": task.counts,
        "position": task.position,
        "next_run_at": iso(task.next_run_at),
        "created_at": iso(task.created_at),
        "started_at": iso(task.started_at),
        "ended_at": iso(task.ended_at),
        "attempts": task.attempts,
        "max_attempts": max(task.max_attempts, task.attempts),  # a job may have asked for more by a Retry of its own
        "error": dict(task.error) if task.error else None,
        "links": links_of(task),
    }


def _progress(task: Task) -> tuple[int, int | None]:
    """A total below the current is one that nobody knows."""
    if task.state == "SUCCESS":
        return 100, 100
    if task.state in ("PENDING", "STARTED"):
        return 0, 100
    total = sum((task.counts or {}).values())
    if task.state in ("PROGRESS", "RETRY") and task.counts and task.total == total:  # it reports its items
        return total - task.counts["pending"], total
    return task.current, task.total if task.total >= task.current else None


def sentence(task: Task, lang: str) -> str:
    """The status line of people: what the job reported, what went wrong, or the state's own sentence."""
    message = worded((task.error or {}).get("message") or "", lang)
    if task.state == "RETRY" and message:
        return SENTENCES["RETRY"][lang].format(error=message, when=_local(task.next_run_at))
    counts = task.counts or {}
    if task.state == "FAILURE" and counts.get("done") and (task.error or {}).get("type") in NOTHING:
        return FOUND_OUT[lang].format(done=counts["done"], total=sum(counts.values()))
    if task.state == "FAILURE" and message:
        return message
    if task.state == "PROGRESS" and task.status:
        return task.status
    return SENTENCES["PENDING" if task.state == "RETRY" else task.state][lang]


def links_of(task: Task) -> dict[str, str | None]:
    unfinished = any((task.counts or {}).get(state) for state in UNFINISHED_ITEMS)
    applies = {
        "self": True,
        "events": True,
        "items": task.counts is not None,
        "result": task.state == "SUCCESS",
        "cancel": not task.ended,
        "retry": task.ended and (task.state != "SUCCESS" or unfinished),
    }
    return {name: _path(task, "status" if name == "self" else name) if yes else None for name, yes in applies.items()}


def status_url(task: Task) -> str:
    return _path(task, "status")


def _path(task: Task, what: str) -> str:
    return f"/api/tasks/{task.id}/{what}"


def iso(instant: datetime | None) -> str | None:
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z") if instant else None


def _local(instant: datetime | None) -> str:
    """The instant on the clock of the people here (TIMEZONE)."""
    return instant.astimezone(ZoneInfo(settings.current().timezone)).strftime("%d.%m.%Y %H:%M:%S") if instant else "…"
