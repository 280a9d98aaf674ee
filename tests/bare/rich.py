"""Stands before the `rich` that the tests' own tools bring, on the path of the processes that tests start: they are to
find what an installation has and no more. (Where it is, structlog loads it, a tenth of each start.)"""

raise ModuleNotFoundError(__doc__, name="rich")
