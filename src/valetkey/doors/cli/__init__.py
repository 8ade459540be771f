"""The command line: thin commands over the verbs."""

# ruff: noqa: FBT002, PLR0917  (typer takes a command's options from its parameters)

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Annotated

import typer

from valetkey.doors.cli import (
    accounts,
    app_passwords,
    audit,
    connect,
    dns,
    keeping,
    policy,
    recovery,
    sessions,
    starting,
    tokens,
)
from valetkey.doors.cli.front import Front
from valetkey.doors.cli.output import say
from valetkey.doors.cli.running import EXIT_USAGE, HERE_ONLY, Running, fail
from valetkey.doors.cli.server import Server

__all__ = ["build", "config_first", "set_quiet_errors"]

_ANYWHERE = {"--config", "-c", "--server", "--token-file", "--ca-file"}
_HERE = {
    "init",
    "serve",
    "demo",
    "demo-code",
    "connect",
    "dns",
    "check",
    "backup",
    "config",
    "keys",
}  # never over the API

_HELP = """App passwords for mail that do not undo two-factor sign-in.

Begin with [bold]valetkey demo[/bold] to see it work, or with [bold]valetkey init[/bold] to set it up;
then [bold]valetkey check[/bold] and [bold]valetkey serve[/bold].
"""


def build(front: Front) -> typer.Typer:
    """Build the command line on what the front hall hands in."""
    running = Running(front)
    app = typer.Typer(
        help=_HELP,
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    def show_version(wanted: bool) -> None:
        if wanted:
            say(f"valetkey {front.version()}")
            raise typer.Exit

    @app.callback()
    def start(  # the options that stand before every command
        context: typer.Context,
        config: Annotated[
            Path | None,
            typer.Option(
                "--config", "-c", envvar="VALETKEY_CONFIG", show_envvar=True,
                help="The configuration file. Otherwise ./valetkey.toml, then /etc/valetkey/valetkey.toml.",
            ),
        ] = None,
        server: Annotated[
            str | None,
            typer.Option(
                help="Work over the API of this server, such as https://mail.example.org, with the API token in "
                "$VALETKEY_TOKEN or ~/.config/valetkey/token.",
            ),
        ] = None,
        token_file: Annotated[Path | None, typer.Option(help="With --server: a file with the API token.")] = None,
        ca_file: Annotated[
            Path | None, typer.Option(help="With --server: who may have signed its certificate, in place of the system's.")
        ] = None,
        version: Annotated[  # noqa: ARG001  (its callback does the work)
            bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version.")
        ] = False,
    ) -> None:  # fmt: skip
        running.chosen = config
        if server is not None and context.invoked_subcommand in _HERE:
            fail(HERE_ONLY, EXIT_USAGE)
        running.server = None if server is None else Server(server, token_file, ca_file)

    starting.add_to(app, running)
    connect.add_to(app, running)
    dns.add_to(app, running)
    tokens.add_to(app, running)
    keeping.add_to(app, running)
    app.add_typer(accounts.commands(running), name="account", rich_help_panel="Accounts and app passwords")
    app.add_typer(app_passwords.commands(running), name="app-password", rich_help_panel="Accounts and app passwords")
    app.add_typer(sessions.commands(running), name="sessions", rich_help_panel="Accounts and app passwords")
    app.add_typer(recovery.commands(running), name="recovery", rich_help_panel="Accounts and app passwords")
    app.add_typer(tokens.commands(running), name="token", rich_help_panel="Accounts and app passwords")
    app.add_typer(audit.commands(running), name="audit", rich_help_panel="Accounts and app passwords")
    app.add_typer(policy.commands(running), name="policy", rich_help_panel="Accounts and app passwords")
    return app


def config_first(arguments: Sequence[str]) -> list[str]:
    """Move --config and --server to the front, so that they may stand anywhere on the line."""
    moved: list[str] = []
    rest: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        if argument == "--":
            rest += [argument, *waiting]
        elif argument in _ANYWHERE:
            moved += [argument, *([value] if (value := next(waiting, None)) is not None else [])]
        elif argument.partition("=")[0] in _ANYWHERE and argument.startswith("--"):
            moved.append(argument)
        else:
            rest.append(argument)
    return [*moved, *rest]


def set_quiet_errors() -> None:
    """Show a bug as one line; with VALETKEY_DEBUG set, as a traceback."""
    if os.environ.get("VALETKEY_DEBUG"):
        return

    def hook(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
        sentence = (
            f"{error.strerror}: {error.filename}" if isinstance(error, OSError) and error.filename else str(error)
        )
        sys.stderr.write(f"error: {sentence} ({kind.__name__}; set VALETKEY_DEBUG=1 for the details)\n")

    sys.excepthook = hook
