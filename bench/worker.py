"""`python -m bench.worker`: a real worker that also knows the kinds of the benchmarks.

With BENCH_RECORDER=off its keeper writes no events into SQL, as where another machine is the recorder.
"""

import os
import sys

import bench.kinds  # noqa: F401
from workers.__main__ import main
from workers.engine import events

if __name__ == "__main__":
    if os.environ.get("BENCH_RECORDER") == "off":
        events.record = lambda: 0
    sys.exit(main())
