"""`python -m tests.worker`: a real worker that also knows the kinds of the tests."""

import sys
from typing import NoReturn

from tests import saboteur

saboteur.shift_clock()

import tests.fault_kinds  # noqa: E402
import tests.kinds  # noqa: E402, F401
from workers.__main__ import main  # noqa: E402


def work(arguments: list[str] | None = None) -> NoReturn:
    saboteur.arm()
    sys.exit(main(arguments))


if __name__ == "__main__":
    work()
