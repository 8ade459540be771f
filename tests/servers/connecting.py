"""Does what `valetkey connect` prints: its steps as files and commands, in the places of a test."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers.launching import PROGRAM, run_valetkey
from tests.servers.places import free_port
from tests.servers.valetkey import Valetkey

from valetkey.app.connecting.finding import Wish, fit
from valetkey.app.connecting.lines import setup_of, version_for
from valetkey.app.connecting.local import local_findings
from valetkey.app.connecting.servers import recipe_of
from valetkey.config.reading import load

Finding = tuple[str, str, str]  # how bad, of what, what


@dataclass(frozen=True)
class Printed:
    """What was printed for a server. `places` says where this test has what has a usual place."""

    server: str
    facts: Mapping[str, Any] = field(repr=False)
    places: Mapping[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Give the text of the step that writes or changes the file of this name."""
        (text,) = [step["text"] for step in self.facts["steps"] if name in {step["file"], Path(step["file"]).name}]
        return self._placed(text)

    def commands(self, word: str) -> list[str]:
        """Give the commands that begin with a word."""
        lines = [line for step in self.facts["steps"] for line in step["commands"]]
        return [self._placed(line) for line in lines if line.split()[0] == word]

    def write(self) -> None:
        """Write the files whose folder is one of the test's."""
        for step in self.facts["steps"]:
            path = Path(self._placed(step["file"]))
            if step["is_whole"] and step["file"] and str(path) != step["file"]:
                path.touch(mode=int(step["mode"], 8))
                path.write_text(self._placed(step["text"]))
                if os.geteuid() == 0 and step["group"]:
                    shutil.chown(path, "root", step["group"])

    def _placed(self, text: str) -> str:
        for usual, place in self.places.items():
            text = text.replace(usual, place)
        return text


def added(
    valetkey: Valetkey,
    server: str,
    *ports: int,
    places: Mapping[str, str],
    options: Sequence[str] = (),
    sockets: Mapping[str, str] | None = None,
) -> Printed:
    """Let `valetkey connect --add` write what is missing, and read the lines.

    Ports of its own are put in the place of the usual ones. `sockets`: where those are to Valetkey that a server in a
    Debian of its own has at a usual place.
    """
    valetkey.cli("connect", server, "--add", *options)
    text = valetkey.config.read_text()
    for port in ports:
        text = text.replace(f'"127.0.0.1:{port}"', f'"127.0.0.1:{free_port()}"')
    valetkey.config.write_text(text)
    printed = valetkey.cli("connect", server, "--json", "--show-secrets", *options)
    for usual, place in (sockets or {}).items():
        text = text.replace(usual, place)
    valetkey.config.write_text(text)
    valetkey.stop()
    valetkey.start()
    return Printed(server, json.loads(printed), places)


def looked(valetkey: Valetkey, server: str, config: Path) -> list[Finding]:
    """Give what is found in the configuration of a server, without a login."""
    ours, recipe = load(valetkey.config), recipe_of(server)
    found = fit(ours, Wish(recipe))
    assert found.peer is not None
    setup = setup_of(ours, recipe, found, version_for(recipe, ""))
    return [(each.level.value, each.subject, each.what) for each in local_findings(server, setup, found.peer, config)]


def bad(found: Sequence[Finding]) -> str:
    """Give all that is wrong."""
    return "\n".join(f"{subject}: {what}" for level, subject, what in found if level == "problem")


def tried(valetkey: Valetkey, server: str, *options: str, is_cold: bool = False) -> list[Finding]:
    """Run `valetkey connect --test` and give what it found; its exit code has to fit.

    `is_cold`: it is started as `python -m valetkey`, and not by a launcher that has imported everything.
    """
    command = ["--config", str(valetkey.config), "connect", server, "--test", "--json", *options]
    if is_cold:
        run = subprocess.run([*PROGRAM, *command], capture_output=True, text=True, timeout=120, check=False)
    else:
        run = run_valetkey(*command, timeout=120)
    assert run.returncode in {0, 1}, run.stderr
    found = [(each["level"], each["subject"], each["what"]) for each in json.loads(run.stdout)]
    assert run.returncode == any(level == "problem" for level, _, _ in found), found
    return found
