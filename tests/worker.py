"""`python -m tests.worker`: a real worker that also knows the kinds of the tests."""

import sys

import tests.kinds  # noqa: F401
from workers.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
