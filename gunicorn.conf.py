"""What holds for every gunicorn of ours, however it is started; how many of what stands in the Procfile."""

import gc
import sys
from pathlib import Path
from typing import Any

from gunicorn import glogging

sys.path.insert(0, str(Path(__file__).parent))  # gunicorn looks there for the application, and only later
from app.terminal import loading
from workers import logs, settings

limit_request_line = 8190  # bytes, the most that gunicorn takes: an id of any shape is answered by us, as unknown
control_socket_disable = True  # a door that nobody uses, in the user's home, and one for all services of that user


class logger_class(glogging.Logger):
    """Its own lines in the form of ours. Of a request that can't be read or answered they would tell who sent it, and
    what: tokens, names and numbers."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        with loading():
            form = logs.formatter(production=settings.current().app_env == "production")
        for handler in self.error_log.handlers:
            handler.setFormatter(form)

    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        super().warning(str(msg).partition(" from ip=")[0], *args, **kwargs)

    def exception(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        super().exception(str(msg).partition(" %s")[0], **kwargs)


def post_worker_init(_: Any) -> None:
    """What is loaded is never garbage: looking through all of it takes 70 ms out of some request, time and again."""
    gc.collect()
    gc.freeze()
