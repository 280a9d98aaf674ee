"""A pytest plugin: `rq.Worker` is ours, with RQ's own Job class and serializer unless a test names others."""

import tempfile
from pathlib import Path
from typing import Any

import rq
import rq.worker

from workers import migrations, settings
from workers.engine.worker import Worker

FOLDER = Path(tempfile.mkdtemp(prefix="sira-conformance-"))


class OurWorker(Worker):
    job_class = rq.job.Job  # type: ignore[assignment]

    def __init__(self, queues: Any, *args: Any, **options: Any) -> None:
        options["serializer"] = options.get("serializer") or rq.serializers.DefaultSerializer
        super().__init__(queues, *args, **options)
        _look_where(self.connection)


def _look_where(connection: Any) -> None:
    """The keeper beside a worker finds the server by the settings."""
    given = connection.connection_pool.connection_kwargs
    url = f"redis://{given.get('host', 'localhost')}:{given.get('port', 6379)}/{given.get('db', 0)}"
    settings.use(settings.load(redis_url=url, secret_key="k" * 32, data_dir=FOLDER))


settings.use(settings.load(data_dir=FOLDER))
migrations.upgrade()
OurWorker.__name__ = OurWorker.__qualname__ = "Worker"
rq.Worker = rq.worker.Worker = OurWorker  # type: ignore[misc]
