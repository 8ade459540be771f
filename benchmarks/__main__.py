"""`python -m benchmarks`: measure beside other servers, on this machine, in one run, and print the ratios.

Usage: python -m benchmarks [PART ...] [--quick] [--large N] [--json FILE]
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks import decisions
from benchmarks.findings import Finding, show, write_json
from benchmarks.settings import QUICK, USUAL, Effort

_PARTS: dict[str, Callable[[Effort], list[Finding]]] = {
    "decisions": decisions.measure,
}


def main() -> int:
    """Run the chosen parts. The exit code tells whether every part ran, not whether targets are met."""
    chosen = _arguments()
    effort = QUICK if chosen.quick else USUAL
    if chosen.large:
        effort = replace(effort, app_passwords=chosen.large)
    findings: list[Finding] = []
    left_out: list[str] = []
    for name in chosen.parts or _PARTS:
        begin = time.monotonic()
        print(f"{name} …", file=sys.stderr, flush=True)
        findings += _PARTS[name](effort)
        print(f"{name}: {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
    show(findings, left_out)
    if chosen.json:
        write_json(chosen.json, findings, left_out)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure beside other servers.")
    parser.add_argument("parts", nargs="*", choices=[*_PARTS, []], help="which parts; all, unless named")
    parser.add_argument("--quick", action="store_true", help="two minutes at most, with more noise")
    parser.add_argument("--large", type=int, metavar="N", help="so many app passwords, such as 1000000")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there too")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
