from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.verbs.site import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    found = House(tmp_path)
    yield found
    found.close()
