"""The clock: `python scheduler.py`. Any number may run."""

import sys

from workers import logs, settings
from workers.engine import clock
from workers.errors import SiraError


def main() -> int:
    try:
        chosen = settings.current()
        logs.setup(production=chosen.app_env == "production", sentry_dsn=chosen.sentry_dsn)
        return clock.run()
    except SiraError as error:
        print(f"scheduler: {error.message}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    logs.never_fail()
    sys.exit(main())
