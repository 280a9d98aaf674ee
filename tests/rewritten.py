"""Test files whose assertions pytest has rewritten, so that a failure says what stood on both sides. It keeps them for
whoever comes later; what it can not do is ready one without running it, so this is the half that it lacks."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from _pytest.assertion import rewrite


def ready(files: Iterable[Path], config: pytest.Config) -> None:
    """Keep the rewritten code of these files where it is not kept yet."""
    state = config.stash[rewrite.assertstate_key]
    for file in files:
        kept = rewrite.get_cache_dir(file) / f"{file.stem}{rewrite.PYC_TAIL}"
        if rewrite.try_makedirs(kept.parent) and rewrite._read_pyc(file, kept) is None:
            source_hash, code = rewrite._rewrite_test(file, config)
            rewrite._write_pyc(state, code, source_hash, kept)
