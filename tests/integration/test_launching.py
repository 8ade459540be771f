"""What the tests' launcher starts is as if it had been started by itself (tests/servers/launching.py)."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.servers.launching import ROOT, Launched, run_valetkey, start_valetkey
from tests.servers.surroundings import MAIN

pytestmark = pytest.mark.integration

COLD = "import sys; sys.path[0] = sys.argv.pop(1); from tests.servers.surroundings import main; main()"
OF_THE_START = {"PYTHONPATH"}


def launched(folder: Path, *, session: bool = False) -> tuple[Launched, list[Any], str]:
    (folder / "given").write_text("given ü\n")
    with (
        (folder / "given").open("rb") as given,
        (folder / "said").open("wb") as said,
        (folder / "e").open("wb") as errors,
    ):
        process = start_valetkey("one", "two ü", stdin=given, output=said, errors=errors, session=session, program=MAIN)
    assert process.wait() == 7
    return process, json.loads((folder / "said").read_text()), (folder / "e").read_text()


def test_it_finds_what_a_process_finds_that_starts_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VALETKEY_OF_THIS_TEST", "ü")
    monkeypatch.delenv("LANGUAGE", raising=False)
    _, (found, _), errors = launched(tmp_path)
    command = [sys.executable, "-c", COLD, str(tmp_path), "one", "two ü"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    cold = subprocess.run(
        command, input="given ü\n", capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    expected = json.loads(cold.stdout)[0]
    for facts in (expected, found):
        facts["environment"] = {name: text for name, text in facts["environment"].items() if name not in OF_THE_START}
    assert found == expected
    assert found["environment"]["VALETKEY_OF_THIS_TEST"] == "ü"
    assert (errors, cold.stderr, cold.returncode) == ("a word", "a word", 7)


def test_each_is_a_process_of_its_own(tmp_path: Path):
    first, (_, one), _ = launched(tmp_path, session=True)
    _, (_, other), _ = launched(tmp_path)
    assert one["pid"] == one["session"] == first.pid
    assert other["session"] == os.getsid(0)
    assert one["pid"] != other["pid"]
    assert one["drawn"] != other["drawn"]


def test_its_exit_code_and_its_words_are_those_of_the_command_line(tmp_path: Path):
    done = run_valetkey("account", "list", "--config", str(tmp_path / "none.toml"))
    assert done.returncode == 3
    assert "none.toml" in done.stderr
    assert run_valetkey("--version").stdout.startswith("valetkey ")


def test_whoever_is_killed_or_lasts_too_long_is_told(tmp_path: Path):
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as never, os.fdopen(writing, "wb"):
        process = start_valetkey(stdin=never, program=MAIN)  # it waits for the end of its input
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.05)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        process.terminate()  # does nothing any more
        assert process.poll() == -signal.SIGKILL
