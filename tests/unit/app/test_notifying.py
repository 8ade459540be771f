import os
import socket
from pathlib import Path

import pytest

from valetkey.app.notifying import tell_ready


@pytest.mark.parametrize("abstract", [False, True])
def test_that_the_service_manager_hears_when_we_are_ready(tmp_path: Path, abstract: bool) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(30)
        manager.bind(b"\0" + os.fsencode(path) if abstract else os.fsencode(path))
        tell_ready(f"@{path}" if abstract else str(path))
        assert manager.recv(64) == b"READY=1"


@pytest.mark.parametrize("address", [None, ""])
def test_that_nobody_is_told_without_a_service_manager(address: str | None) -> None:
    tell_ready(address)


def test_that_a_manager_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        tell_ready(str(tmp_path / "nobody"))
