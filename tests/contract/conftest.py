"""A store on a fresh database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from valetkey.adapters.store import SqliteStore, open_store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "valetkey.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    opened = open_store(path, busy_timeout=0.3)
    yield opened
    opened.close()
