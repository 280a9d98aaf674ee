"""Settings as people mean them: a home that no shell has read, and text that an editor saved in its own way."""

import os
from pathlib import Path

import pytest

from tests.test_settings import KEY, load
from workers.errors import BadSettings


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("DATA_DIR", "~", "{home}"),
        ("DATA_DIR", "~/sira", "{home}/sira"),
        ("DATA_DIR", "data/~", "data/~"),
        ("STORAGE_URL", "file://~/files", "file://{home}/files"),
        ("STORAGE_URL", "file:///~/files", "file://{home}/files"),
        ("STORAGE_URL", "file:///srv/~/files", "file:///srv/~/files"),
        ("DATABASE_URL", "sqlite:///~/sira.db", "sqlite:///{home}/sira.db"),
        ("REDIS_URL", "unix://~/redis.sock", "unix://{home}/redis.sock"),
        ("MAIL_FROM", "~/a@b.example", "~/a@b.example"),
    ],
)
def test_a_tilde_is_the_home_of_who_runs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str, meant: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    told = load({"SECRET_KEY": KEY, name: value}).model_dump()[name.lower()]

    assert str(told) == meant.format(home=tmp_path)


def test_what_was_saved_in_another_encoding_is_told_by_the_name_of_the_setting() -> None:
    saved = os.fsdecode("Sıra <a@b.example>".encode("cp1254"))

    with pytest.raises(BadSettings, match=r"MAIL_FROM is not UTF-8; save the file that sets it .* as UTF-8") as told:
        load({"MAIL_FROM": saved})

    told.value.message.encode()
