"""What a job has changed about its process does not reach the next one."""

import os
import time
from pathlib import Path

import pytest

from tests.conftest import Service, wait_until
from tests.hands import work_off
from workers import logs, settings
from workers.__main__ import main
from workers.engine import enqueue, find, forks
from workers.engine.surroundings import Surroundings
from workers.engine.worker import Worker


def test_the_next_job_finds_the_folder_of_the_worker(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("here").touch()
    left, task = enqueue("mistreat", {"how": "moved"}), enqueue("import_missing", {"path": "here"})

    work_off()

    assert [find(each.id).state for each in (left, task)] == ["SUCCESS", "SUCCESS"]


def test_the_next_job_finds_the_environment_and_the_zone_of_the_worker(service: Service) -> None:
    here = {"zone": time.strftime("%Z"), "TZ": os.environ.get("TZ"), "PATH": os.environ.get("PATH")}
    left, task = enqueue("mistreat", {"how": "abroad"}), enqueue("look_around")

    work_off()

    assert find(left.id).state == "SUCCESS"
    assert find(task.id).result == here


def test_a_job_that_goes_elsewhere_takes_no_data_dir_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "_chosen", [settings.load(data_dir=Path("near"))])

    with pytest.raises(SystemExit):
        main(["--help"])

    assert settings.current().data_dir == Path("near").absolute()


def test_the_mask_is_put_back_and_a_folder_that_is_gone_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    descriptor, mask = os.open(tmp_path, os.O_RDONLY), os.umask(0o027)
    surroundings = Surroundings.found(descriptor)

    os.umask(0o777)
    tmp_path.rmdir()
    surroundings.put_back()

    assert (os.umask(mask), surroundings.spoilt) == (0o027, False)
    os.close(descriptor)
    wait_until(lambda: surroundings.spoilt)


@pytest.mark.parametrize(
    ("how", "ends"), [("closed", "SUCCESS"), ("outputs", "SUCCESS"), ("leaked", "SUCCESS"), ("silenced", "FAILURE")]
)
def test_a_child_whose_descriptors_or_streams_a_job_has_closed_or_used_up_takes_no_other(
    service: Service, how: str, ends: str
) -> None:
    left, task = enqueue("mistreat", {"how": how}), enqueue("nothing")

    os.waitpid(forks.fork(_work), 0)

    assert [find(each.id).state for each in (left, task)] == [ends, "PENDING"]
    work_off()
    assert find(task.id).state == "SUCCESS"


def _work() -> None:
    logs.setup()
    Worker().work_kept(burst=True)
