"""`python -m bench [NAME …]`: run the benchmarks and print the table."""

import importlib
import signal
import sys
import time

from bench.table import Row, show

BENCHMARKS = {
    "letter": "bench.letter:letter",
    "bulk": "bench.queue:bulk",
    "singles": "bench.queue:singles",
    "two-workers": "bench.scaling:two_workers",
    "memory": "bench.memory:memory",
    "http": "bench.http:http",
    "sheets": "bench.sheets:reading",
    "imports": "bench.imports:imports",
    "refusals": "bench.imports:refusals",
    "messages": "bench.messages:messages",
    "drain": "bench.drain:drains",
    "latency": "bench.latency:latencies",
    "cpu": "bench.cpu:cpu",
    "backlog": "bench.backlog:backlog",
    "footprint": "bench.footprint:footprint",
    "kill": "bench.kill:kills",
}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"bench: no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    rows: list[Row] = []
    for name in names or BENCHMARKS:
        began = time.monotonic()
        module, _, function = BENCHMARKS[name].partition(":")
        rows += getattr(importlib.import_module(module), function)()
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    print(show(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
