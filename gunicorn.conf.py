"""What holds for every gunicorn of ours, however it is started; how many of what stands in the Procfile."""

import logging
import time

limit_request_line = 8190  # bytes, the most that gunicorn takes: an id of any shape is answered by us, as unknown
logging.Formatter.converter = time.gmtime  # the times of its own lines, too, are UTC
