"""The run directory holds the workers' control sockets: nobody else may put one there."""

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from valetkey.app.serving import _make_run_directory
from valetkey.config import Config, describe, parse
from valetkey.core.errors import CannotStart


def config_of(directory: Path) -> Config:
    config = parse(describe(), directory.parent / "valetkey.toml")
    return replace(config, server=replace(config.server, run_directory=directory))


def test_it_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    _make_run_directory(config_of(tmp_path / "run"))
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o700
    _make_run_directory(config_of(tmp_path / "run"))


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o1777])
def test_one_that_others_write_to_is_refused_with_the_mend(tmp_path: Path, mode: int) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(mode)
    with pytest.raises(CannotStart, match="chmod 700"):
        _make_run_directory(config_of(tmp_path / "run"))


@pytest.mark.parametrize("mode", [0o700, 0o755])
def test_one_that_others_only_look_into_is_used(tmp_path: Path, mode: int) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(mode)
    _make_run_directory(config_of(tmp_path / "run"))


def test_one_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(tmp_path / "run", 65534, 65534)
    else:  # nobody else can give a folder away
        monkeypatch.setattr(os, "geteuid", lambda: 65534)
    with pytest.raises(CannotStart, match="as its owner"):
        _make_run_directory(config_of(tmp_path / "run"))
