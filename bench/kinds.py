"""The tasks of the benchmarks as kinds of ours; bench/worker.py runs them."""

from bench.peers import work
from workers.engine import job

for function in work.TASKS:
    job(queue="sms", retries=3)(function)
