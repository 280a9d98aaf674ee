"""What a message needs stands in memory before the children are forked, which then share it."""

import subprocess
import sys

from tests.conftest import ROOT

SCRIPT = """
import sys
from workers.engine.fleet import preload
preload()
had = set(sys.modules)
from workers.services import phones, sms_gateways
phones.parse("0555 123 45 67")
sms_gateways.open_gateway("netgsm", {"usercode": "u", "password": "p", "header": "H"}).close()
print(sorted(set(sys.modules) - had))
"""


def test_a_child_loads_nothing_more_for_a_number_and_a_gateway() -> None:
    ended = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True)

    assert ended.stdout.strip() == "[]", ended.stderr
