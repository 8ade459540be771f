"""Commands that look after an installation: check, config, keys, backup."""

# ruff: noqa: FBT002  (typer takes a command's options from its parameters)

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from valetkey.doors.cli.findings import show_finding
from valetkey.doors.cli.front import Finding, Level
from valetkey.doors.cli.output import note, say, show_json, show_table, tell_done
from valetkey.doors.cli.running import Json, Running, told
from valetkey.service import keys as keys_verbs
from valetkey.service.ports import Ports


def add_to(app: typer.Typer, running: Running) -> None:
    """Add the commands."""
    _add_check(app, running)
    _add_backup(app, running)
    app.add_typer(_config_commands(running), name="config", rich_help_panel="Look after it")
    app.add_typer(_key_commands(running), name="keys", rich_help_panel="Look after it")


def _add_check(app: typer.Typer, running: Running) -> None:
    @app.command(rich_help_panel="Look after it")
    def check(
        account: Annotated[
            str | None, typer.Option(help="Also log in to each mail server for this account, as the gateway would.")
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Explain what is wrong and how to mend it: configuration, files, keys, database, ports, certificates, mail servers.

        Example: [bold]valetkey check --account alice@example.org[/bold]

        Exit code 1 if something is wrong, 0 otherwise; warnings do not count.
        """
        findings = told(lambda: list(_checked(running, account, is_quiet=as_json)))
        counts = Counter(finding.level for finding in findings)
        if as_json:
            show_json([{"level": f.level, "subject": f.subject, "what": f.what, "mend": f.mend} for f in findings])
        else:
            note(f"{counts[Level.GOOD]} right, {counts[Level.WARNING]} to look at, {counts[Level.PROBLEM]} wrong")
        if counts[Level.PROBLEM]:
            raise typer.Exit(1)


def _checked(running: Running, account: str | None, *, is_quiet: bool) -> Iterator[Finding]:
    for finding in running.front.check(running.config, account):
        if not is_quiet:
            show_finding(finding)
        yield finding


def _add_backup(app: typer.Typer, running: Running) -> None:
    @app.command(rich_help_panel="Look after it")
    def backup(
        target: Annotated[Path, typer.Argument(help="The file to write; it must not exist.")],
        as_json: Json = False,
    ) -> None:
        """Copy the database, consistent while everything runs, and verify the copy.

        The keys are not in it: back up the key file too, and keep it somewhere else.

        Example: [bold]valetkey backup /backup/valetkey-$(date +%F).db[/bold]
        """
        done = told(lambda: running.front.backup(running.config, target))
        if as_json:
            show_json({"target": done.target, "octets": done.octets})
        else:
            say(f"{done.target}: {done.octets} octets, every page and the audit chain verified")
            note("The key file is not in it. Keep a copy of that somewhere else.")


def _config_commands(running: Running) -> typer.Typer:
    commands = typer.Typer(help="The configuration file.", no_args_is_help=True)

    @commands.command()
    def describe() -> None:
        """Print every setting with its meaning and its default, as a valid file.

        Example: [bold]valetkey config describe > valetkey.toml[/bold]
        """
        sys.stdout.write(running.front.describe_config())

    @commands.command()
    def path() -> None:
        """Print which configuration file is used."""
        say(told(lambda: str(running.config)))

    return commands


def _key_commands(running: Running) -> typer.Typer:
    commands = typer.Typer(help="The numbered keys that app passwords are kept under.", no_args_is_help=True)

    @commands.command()
    def rotate(as_json: Json = False) -> None:
        """Add a new key and use it from now on. Nobody notices: app passwords move to it as they are used.

        Example: [bold]valetkey keys rotate[/bold]
        """
        number = told(lambda: running.front.rotate_keys(running.config))
        tell_done(f"Key {number} is the current one.", {"current": number}, as_json=as_json)
        note("Back up the key file again. Old keys stay until no app password is under them.")

    @commands.command()
    def status(as_json: Json = False) -> None:
        """Show how many app passwords in use are under each key."""

        async def look(ports: Ports) -> tuple[dict[int, int], int]:
            return await keys_verbs.usage(ports), ports.keys.current

        usage, current = running.do(look)
        numbers = sorted({*usage, current})
        if as_json:
            keys = [{"number": n, "is_current": n == current, "app_passwords": usage.get(n, 0)} for n in numbers]
            show_json(keys)
        else:
            rows = [[str(n), "current" if n == current else "", str(usage.get(n, 0))] for n in numbers]
            show_table(["KEY", "", "APP PASSWORDS"], rows, empty="There is no key.")

    return commands
