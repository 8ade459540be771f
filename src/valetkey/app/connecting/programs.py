"""Asks programs of this machine: which version they are, and how they are configured. Nothing is changed by that."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_WITHIN = 10.0  # seconds
_MOST = 2_000_000  # characters of an answer
_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+)+")
# Those of servers are not on everybody's path.
_MORE_PATHS = "/usr/local/sbin:/usr/sbin:/sbin"


@dataclass(frozen=True, slots=True)
class Said:
    """What a program wrote to its output and to its errors, and whether it ended well."""

    text: str
    complaint: str
    is_good: bool


def is_installed(program: str) -> bool:
    """Tell whether a program is on this machine."""
    return _path_of(program) is not None


def ask(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Said | None:
    """Run a program to its end and give what it said; None if it is not here or does not end in time."""
    program = _path_of(command[0])
    if program is None:
        return None
    usual = {"PATH": f"{os.environ.get('PATH', '')}:{_MORE_PATHS}", "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(  # noqa: S603  (a program of the server's, with words of ours)
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_WITHIN,
            check=False,
            env={**usual, **(environment or {})},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    text, complaint = (each.decode(errors="replace")[:_MOST] for each in (done.stdout, done.stderr))
    return Said(text, complaint, done.returncode == 0)


def version_of(command: Sequence[str]) -> str:
    """Ask an installed program for its version; empty if it is not here or says none."""
    said = ask(command) if command else None
    match = _VERSION.search(said.text + said.complaint) if said else None
    return match[0] if match else ""


def _path_of(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:{_MORE_PATHS}")
