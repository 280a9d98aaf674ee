"""A job kind that leaves its process other than it found it, and one that looks around there."""

import os
import resource
import signal
import sys
import time
from pathlib import Path

from workers.engine import job


@job(queue="maintenance", retries=0)
def mistreat(how: str) -> None:
    """Do to the own process, or to the fleet, what the name says."""
    if how in ("SIGUSR1", "SIGUSR2"):
        os.kill(os.getpid(), getattr(signal, how))
    if how == "hung up":
        fleet = os.getppid()
        for pid in (str(fleet), *Path(f"/proc/{fleet}/task/{fleet}/children").read_text().split()):
            os.kill(int(pid), signal.SIGHUP)
    if how == "moved":
        os.chdir("/")
        os.umask(0o777)
    if how == "abroad":
        os.environ["TZ"] = "Asia/Tokyo"
        del os.environ["PATH"]
        time.tzset()
    if how in ("closed", "outputs"):
        os.closerange(*(3, 256) if how == "closed" else (1, 2))
    if how == "leaked":
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))
        list(iter(lambda: os.dup(1) < 280, False))
    if how == "gone":
        os._exit(0)
    if how == "silenced":
        sys.stdout.close()
        sys.stderr.close()
        raise ValueError("Nobody hears this.")


@job(queue="maintenance", retries=0)
def look_around() -> dict[str, str | None]:
    """What a job finds of the zone and the environment."""
    return {"zone": time.strftime("%Z"), "TZ": os.environ.get("TZ"), "PATH": os.environ.get("PATH")}
