"""`python -m benchmarks`: measure beside other servers, on this machine, in one run, and print the ratios."""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks import decisions, doors, logins, memory, pages, recording, relaying, servers
from benchmarks.findings import Finding, machine, show, write_json
from benchmarks.settings import QUICK, USUAL, Effort

_Part = Callable[[servers.Ground, Effort, dict[str, str]], list[Finding]]
_BESIDE_OTHERS: dict[str, _Part] = {
    "logins": logins.measure,
    "relay": relaying.measure,
    "memory": memory.measure,
}
_PARTS = ("decisions", "recording", *_BESIDE_OTHERS, "doors", "pages")


def main() -> int:
    """Run the chosen parts. The exit code tells whether every part ran, not whether targets are met."""
    chosen = _arguments()
    effort = QUICK if chosen.quick else USUAL
    if chosen.large:
        effort = replace(effort, app_passwords=chosen.large)
    lacking = servers.missing()
    left_out = [f"{name} (Debian: apt-get install {package})" for name, package in lacking.items()]
    if os.cpu_count() == 1:
        left_out.append("a core of its own for the servers: this machine has one")
    where, findings = machine(), list[Finding]()
    failed = False
    for name in chosen.parts or _PARTS:
        begin = time.monotonic()
        try:
            findings += _measured(name, effort, lacking, left_out)
        except (OSError, RuntimeError) as error:  # the other parts' figures are not to be lost with this one
            failed = True
            left_out.append(f"{name}, which failed: {error}")
        print(f"{name}: {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
    show(findings, left_out, where)
    if chosen.json:
        write_json(chosen.json, findings, left_out, where)
    return int(failed)


def _measured(name: str, effort: Effort, lacking: dict[str, str], left_out: list[str]) -> list[Finding]:
    if name == "decisions":
        return decisions.measure(effort)
    if name == "recording":
        return recording.measure(effort)
    if name == "pages":
        return pages.measure(effort, left_out)
    if name == "doors":
        return doors.measure(effort, left_out)
    with (
        tempfile.TemporaryDirectory(prefix="valetkey-bench-", ignore_cleanup_errors=True) as folder,
        servers.ground(Path(folder), relaying.MESSAGE) as where,
    ):
        return _BESIDE_OTHERS[name](where, effort, lacking)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure beside other servers.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"which of {', '.join(_PARTS)}; all, unless named")
    parser.add_argument("--quick", action="store_true", help="two minutes at most, with more noise")
    parser.add_argument("--large", type=int, metavar="N", help="so many app passwords, such as 1000000")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there too")
    chosen = parser.parse_args()
    for name in chosen.parts:
        if name not in _PARTS:
            parser.error(f"{name} is none of {', '.join(_PARTS)}")
    return chosen


if __name__ == "__main__":
    sys.exit(main())
