"""The command line over a real installation, without a terminal."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from valetkey.app.front import FrontHall
from valetkey.doors.cli import build, config_first

PASSWORD = "meadow-lantern-otter"


class CommandLine:
    """Runs commands on one configuration file."""

    def __init__(self, app: typer.Typer, config: Path) -> None:
        self.app = app
        self.config = config
        self.code = 0
        self.out = ""
        self.err = ""

    def __call__(self, *arguments: str, given: str = "", code: int = 0) -> str:
        """Run a command that must end with `code`; gives its standard output."""
        line = config_first(["--config", str(self.config), *arguments])
        result = CliRunner().invoke(self.app, line, input=given, catch_exceptions=False)
        self.code, self.out, self.err = result.exit_code, result.stdout, result.stderr
        assert self.code == code, self.err or self.out
        return self.out

    def json(self, *arguments: str, given: str = "", code: int = 0) -> Any:
        """Run a command with --json and read what it prints."""
        return json.loads(self(*arguments, "--json", given=given, code=code))


def no_demo(_: object) -> Any:
    raise AssertionError("no demo here")


@pytest.fixture
def bare(tmp_path: Path) -> CommandLine:
    """No installation yet."""
    return CommandLine(build(FrontHall(no_demo, no_demo)), tmp_path / "valetkey.toml")


def made(place: Path) -> CommandLine:
    cli = CommandLine(build(FrontHall(no_demo, no_demo)), place / "valetkey.toml")
    cli(
        "init", "--non-interactive", "--hostname", "mail.example.org", "--admin", "admin@example.org",
        "--state", str(place), "--password-stdin", given=f"{PASSWORD}\n",
    )  # fmt: skip
    return cli


def copied(source: CommandLine, place: Path) -> CommandLine:
    """Copy an installation that was made once."""
    old = source.config.parent
    shutil.copytree(old, place, dirs_exist_ok=True)
    config = place / "valetkey.toml"
    config.write_text(config.read_text().replace(str(old), str(place)))
    return CommandLine(source.app, config)


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    return made(tmp_path_factory.mktemp("installation"))


@pytest.fixture(scope="session")
def installation_with_people(tmp_path_factory: pytest.TempPathFactory, installation: CommandLine) -> CommandLine:
    cli = copied(installation, tmp_path_factory.mktemp("people"))
    cli("account", "create", "alice@example.org", "--password-stdin", given=f"{PASSWORD}\n")
    cli("account", "create", "scanner@example.org", "--shared")
    cli("account", "owner", "add", "scanner@example.org", "alice@example.org")
    return cli


@pytest.fixture
def cli(installation: CommandLine, tmp_path: Path) -> CommandLine:
    """An installation with the account admin@example.org."""
    return copied(installation, tmp_path)


@pytest.fixture
def people(installation_with_people: CommandLine, tmp_path: Path) -> CommandLine:
    """With alice, and the shared scanner that she owns."""
    return copied(installation_with_people, tmp_path)
