"""What was measured: one line each, held against its target, printed as a table or written as JSON."""

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Finding:
    """One figure, or one ratio of two figures of the same run.

    `target` says in words what is wanted of it, and `met` whether that is so; None where nothing is wanted, because
    the line is there to be compared with.
    """

    part: str
    what: str
    value: float
    unit: str
    target: str = ""
    met: bool | None = None


def at_most(part: str, what: str, value: float, unit: str, limit: float) -> Finding:
    """Give a finding that must not be above `limit`."""
    return Finding(part, what, value, unit, f"≤ {limit:g}", value <= limit)


def at_least(part: str, what: str, value: float, unit: str, limit: float) -> Finding:
    """Give a finding that must not be below `limit`."""
    return Finding(part, what, value, unit, f"≥ {limit:g}", value >= limit)


def show(findings: Iterable[Finding], left_out: Iterable[str], where: str) -> None:
    """Print the table, and by name what could not be measured here; `where` is what `machine` said at the start."""
    table = Table(title=where)
    table.add_column("part")
    table.add_column("what")
    for heading in ("value", "target", ""):
        table.add_column(heading, justify="right")
    last = ""
    for each in findings:
        if last and each.part != last:
            table.add_section()
        value = f"{_digits(each.value)} {each.unit}".strip()
        table.add_row(each.part if each.part != last else "", each.what, value, each.target, _verdict(each.met))
        last = each.part
    console = Console(width=None if Console().is_terminal else 132)
    console.print(table)
    for reason in left_out:
        console.print(f"Left out: {reason}")


def write_json(path: Path, findings: Iterable[Finding], left_out: Iterable[str], where: str) -> None:
    """Write everything as JSON."""
    document = {
        "machine": where,
        "findings": [asdict(each) for each in findings],
        "left_out": list(left_out),
    }
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def machine() -> str:
    """Name the machine: processor, cores, system, Python; and how many processes want its cores just now."""
    names = [line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")]
    processor = names[0] if names else platform.machine()
    system = f"Linux {platform.release()}, Python {platform.python_version()}"
    return f"{processor}, {len(names)} cores, {system}, load {os.getloadavg()[0]:.1f}"


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def _digits(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _verdict(met: bool | None) -> str:
    return {None: "", True: "met", False: "MISSED"}[met]
