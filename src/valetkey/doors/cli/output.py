"""How commands speak: tables on a terminal, plain columns in pipes, JSON where it is asked for."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


def out() -> Console:
    """Give the console of standard output, as it is now."""
    return Console(highlight=False, soft_wrap=True)


def err() -> Console:
    """Give the console of standard error, as it is now."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """Print a line of plain text; nothing in it is taken for markup."""
    out().print(Text(text))


def note(text: str) -> None:
    """Print a line for the person beside the results, on standard error."""
    err().print(Text(text, style="dim"))


def tell_done(sentence: str, facts: Mapping[str, Any], *, as_json: bool) -> None:
    """Print what a command has done: a sentence, or its facts as JSON."""
    if as_json:
        show_json(facts)
    else:
        say(sentence)


def show_json(value: Any) -> None:
    """Print a value as JSON with stable keys."""
    sys.stdout.write(json.dumps(_plain(value), indent=2, ensure_ascii=False) + "\n")


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str) -> None:
    """Print rows: a table on a terminal, tab-separated lines with a heading elsewhere."""
    if not sys.stdout.isatty():
        lines = [columns, *rows] if rows else []
        sys.stdout.write("".join("\t".join(one_line(cell) for cell in line) + "\n" for line in lines))
        return
    if not rows:
        note(empty)
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(one_line(cell)) for cell in row))
    Console(highlight=False).print(table)


def show_facts(facts: Mapping[str, str]) -> None:
    """Print named facts, one per line."""
    width = max((len(name) for name in facts), default=0)
    console = out()
    for name, fact in facts.items():
        console.print(Text.assemble((f"{name:<{width}}  ", "dim"), one_line(fact)))


def when(moment: datetime | None, *, never: str = "never") -> str:
    """Write a moment for a person, in UTC."""
    return never if moment is None else moment.strftime("%Y-%m-%d %H:%M UTC")


def connections(count: int) -> str:
    """Count open connections."""
    return f"{count} open connection{'' if count == 1 else 's'}"


def one_line(text: str) -> str:
    """Write what cannot be printed as its code."""
    # Descriptions and client names are strangers' text: nothing in them may reach the terminal as a command.
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, set | frozenset):
        return sorted(_plain(inner) for inner in value)
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
