"""The same three tasks in every task queue: a module per system, written as its manual has it.

Each module is imported by its own workers and by `python -m bench.peers`, which runs in the system's own virtual
environment; therefore nothing of the service is imported here, but in sira.py. A module offers
`fill(task, count)`, enqueue so many, and `prepare(task)`, a callable that enqueues one.
"""
