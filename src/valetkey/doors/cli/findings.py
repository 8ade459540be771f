"""How findings of `check` and `connect --test` are shown."""

from rich.text import Text

from valetkey.doors.cli.front import Finding, Level
from valetkey.doors.cli.output import out

_MARKS = {Level.GOOD: ("ok  ", "green"), Level.WARNING: ("warn", "yellow"), Level.PROBLEM: ("BAD ", "bold red")}


def show_finding(finding: Finding) -> None:
    """Print one finding, and how to mend it."""
    mark, style = _MARKS[finding.level]
    line = Text.assemble((mark, style), "  ", (finding.subject, "bold"), ": ", finding.what)
    out().print(line)
    if finding.mend:
        out().print(Text(f"      → {finding.mend}"))
