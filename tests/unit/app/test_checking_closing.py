"""What `valetkey check` says of mail servers that are told to close sessions, and how the configuration names them."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from valetkey.adapters.doveadm import Doveadm
from valetkey.app.checking_closing import closing_findings
from valetkey.app.closing import server_sessions_of
from valetkey.config import Config, describe, parse
from valetkey.config.door_sections import PeerSection
from valetkey.core.errors import Unavailable
from valetkey.doors.cli.front import Level
from valetkey.service.closing_parts import NoServers

COMMAND = PeerSection("mx1", doveadm=True)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return replace(parse(describe(), tmp_path / "valetkey.toml"), peer=(COMMAND,))


def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Put a program `doveadm` before all others."""
    path = tmp_path / "doveadm"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


def found(config: Config) -> list[tuple[Level, str]]:
    return [(each.level, each.what) for each in closing_findings(config, has_store=False)]


def test_one_that_can_be_told(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command(tmp_path, monkeypatch, 'echo "[]"')
    assert found(config) == [(Level.GOOD, "mx1 can be told")]


def test_one_that_may_not_be_told(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command(tmp_path, monkeypatch, "echo 'connect(anvil) failed: Permission denied' >&2; exit 75")
    ((level, what),) = found(config)
    assert level is Level.PROBLEM
    assert "Permission denied" in what


def test_a_key_in_the_clear(config: Config) -> None:
    peer = replace(COMMAND, doveadm_url="http://mx1.invalid:8099", doveadm_key_file=Path("nowhere"))
    (level, what), (missing, why) = found(replace(config, peer=(peer,)))
    assert (level, missing) == (Level.WARNING, Level.PROBLEM)
    assert "unencrypted" in what
    assert "doveadm_key_file" in why


def test_peers_that_are_no_dovecot_are_left_out(config: Config) -> None:
    assert isinstance(server_sessions_of(replace(config, peer=(PeerSection("mx1"),))), NoServers)
    assert found(replace(config, peer=())) == []


def test_a_url_is_enough(config: Config) -> None:
    servers = server_sessions_of(replace(config, peer=(PeerSection("mx2", doveadm_url="http://127.0.0.1:1"),)))
    assert isinstance(servers, Doveadm)
    assert servers.servers == ("mx2",)
    with pytest.raises(Unavailable):
        asyncio.run(servers.probe("mx2"))
