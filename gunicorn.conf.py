"""What holds for every gunicorn of ours, however it is started; how many of what stands in the Procfile."""

import gc
import logging
import time
from typing import Any

limit_request_line = 8190  # bytes, the most that gunicorn takes: an id of any shape is answered by us, as unknown
control_socket_disable = True  # a door that nobody uses, in the user's home, and one for all services of that user
logging.Formatter.converter = time.gmtime  # the times of its own lines, too, are UTC


def post_worker_init(_: Any) -> None:
    """What is loaded is never garbage: looking through all of it takes 70 ms out of some request, time and again."""
    gc.collect()
    gc.freeze()
