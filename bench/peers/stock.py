"""`python -m bench.peers.stock worker …`: RQ's own command, with the imports that our workers have."""

import sys

from rq.cli import main

from workers.engine import fleet

if __name__ == "__main__":
    fleet.preload()
    sys.exit(main())
