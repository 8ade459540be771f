"""A run that cannot do everything says so, and in CI it fails."""

import subprocess
import sys

HERE = ("tests/integration/test_clients_themselves.py", "tests/integration/test_left_out.py")


def collected_without_programs(ci: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *HERE]
    environment = {"PATH": "/nowhere", "CI": ci, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_what_was_left_out_is_named_with_the_package_that_brings_it():
    run = collected_without_programs(ci="")
    assert run.returncode == 0
    assert "tests: this machine lacks mbsync (Debian: apt-get install isync)" in run.stdout


def test_in_ci_a_run_that_left_something_out_fails():
    run = collected_without_programs(ci="true")
    assert run.returncode == 1
    assert "CI: nothing may be skipped or left out" in run.stdout
