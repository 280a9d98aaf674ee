"""Running the `flask` commands: as a person does, or in this process, which saves a second for the start."""

import subprocess
import sys

from click.testing import Result

from app import create_app, sample
from tests import compiled
from tests.conftest import ROOT, Service
from workers import db, migrations
from workers.models import Company

compiled.keep()
VKN = "4540536920"


def flask(service: Service, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The real command in a process of its own, which may fail, but never shows a traceback."""
    command = [sys.executable, "-m", "flask", *arguments]
    ended = subprocess.run(
        command, cwd=ROOT, env=service.env | environment, capture_output=True, text=True, timeout=180
    )
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended


def run(*arguments: str, stdin: str | None = None) -> Result:
    """The same command in this process."""
    ended: Result = create_app().test_cli_runner().invoke(args=list(arguments), input=stdin)
    assert ended.exception is None or isinstance(ended.exception, SystemExit), ended.exception
    return ended


def printed(ended: subprocess.CompletedProcess[str] | Result) -> str:
    """The last word of standard output, where ids, tokens and passwords stand; the command must have succeeded."""
    code = ended.exit_code if isinstance(ended, Result) else ended.returncode
    assert code == 0, ended.stderr
    return ended.stdout.split()[-1]


def a_company(name: str = "Çınar Gıda A.Ş.") -> int:
    """Add a company; its id."""
    migrations.ready()
    with db.writing() as session:
        company = Company(name=name, vkn=VKN)
        session.add(company)
        session.flush()
        return company.id


def the_sample() -> sample.Sample:
    """Load the sample company."""
    migrations.ready()
    return sample.load()
