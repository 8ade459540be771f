"""app/private_files.py."""

import os
import stat
from pathlib import Path

import pytest

from valetkey.app.private_files import replace, write_new
from valetkey.core.errors import CannotStart


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_is_its_owners_alone_and_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    write_new(path, "first\n")
    assert mode_of(path) == 0o600
    with pytest.raises(CannotStart, match="nothing is overwritten"):
        write_new(path, "second\n")
    assert path.read_text() == "first\n"


def test_another_takes_the_place_of_a_file_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    replace(path, b"first", mode=0o644)
    with path.open("rb") as reader:
        replace(path, b"second")
        assert reader.read() == b"first", "who reads the old one reads all of it"
    assert (path.read_bytes(), mode_of(path)) == (b"second", 0o600)
    assert [each.name for each in tmp_path.iterdir()] == ["ca.pem"]


def test_what_an_interrupted_writer_left_behind_is_no_hindrance(tmp_path: Path) -> None:
    left = tmp_path / ".ca.pem.new"
    left.write_bytes(b"half")
    left.chmod(0o644)
    replace(tmp_path / "ca.pem", b"whole")
    assert (tmp_path / "ca.pem").read_bytes() == b"whole"
    assert mode_of(tmp_path / "ca.pem") == 0o600
    assert os.listdir(tmp_path) == ["ca.pem"]  # noqa: PTH208  (the names are the claim)
