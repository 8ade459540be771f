"""The options that limit an app password, for the commands that make and change one."""

from typing import Annotated, Any

import typer

Folders = Annotated[
    list[str] | None,
    typer.Option("--folder", help="Sees this folder only; Archive/* is what lies in Archive. May be repeated."),
]
Senders = Annotated[
    list[str] | None,
    typer.Option("--sender", help="Sends only as this address, or any of @a.domain. May be repeated."),
]
Recipients = Annotated[
    list[str] | None,
    typer.Option("--recipient", help="Sends only to this address, or any of @a.domain. May be repeated."),
]
_MOST = 1_000_000
MessagesPerDay = Annotated[int | None, typer.Option(min=1, max=_MOST, help="Sends so many messages a day (UTC).")]
RecipientsPerDay = Annotated[int | None, typer.Option(min=1, max=_MOST, help="Sends to so many recipients a day.")]
RecipientsPerMessage = Annotated[
    int | None, typer.Option(min=1, max=_MOST, help="Sends one message to so many recipients.")
]

# What each limit is called as an option that lifts it, and what it is then.
UNLIMITED: dict[str, tuple[str, Any]] = {
    "folders": ("folders", ()),
    "senders": ("senders", ()),
    "recipients": ("recipients", ()),
    "messages-per-day": ("messages_per_day", None),
    "recipients-per-day": ("recipients_per_day", None),
    "recipients-per-message": ("recipients_per_message", None),
}


def given(**options: list[str] | int | None) -> dict[str, Any]:
    """Give the limits that were asked for, by their names in `core.limits.Limits`; what was not given is left out."""
    return {name: tuple(each) if isinstance(each, list) else each for name, each in options.items() if each}
