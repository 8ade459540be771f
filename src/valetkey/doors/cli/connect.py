"""`valetkey connect`: the lines by which a mail server asks Valetkey, and a login through it to see whether it does."""

# ruff: noqa: FBT002, PLR0917  (typer takes a command's options from its parameters)

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from valetkey.doors.cli.findings import show_finding
from valetkey.doors.cli.front import Connecting, ConnectOptions, ConnectStep, Level, TrialOptions
from valetkey.doors.cli.output import note, out, say, show_json, show_table
from valetkey.doors.cli.running import EXIT_USAGE, Json, Running, ask_password, fail, told

_HIDDEN = "THE-SECRET-OF-THE-PEER"
_MOST_PASSWORD = 4096
_PORTS = ("imap", "imaps", "pop3", "pop3s", "submission", "submissions", "sieve")


def add_to(app: typer.Typer, running: Running) -> None:
    """Add the command."""

    @app.command(rich_help_panel="Begin")
    def connect(
        server: Annotated[str, typer.Argument(help="Such as dovecot. Without it: which there are.")] = "",
        version: Annotated[str, typer.Option(help="Of the mail server, otherwise the installed one's.")] = "",
        peer: Annotated[str, typer.Option(help="The [[peer]] that it is, if several fit or a new one is added.")] = "",
        address: Annotated[str, typer.Option(help="With --add: where the mail server is, if not here.")] = "",
        listen: Annotated[str, typer.Option(help="With --add: this machine's IP address for it, if it is not here.")] = "",
        add: Annotated[bool, typer.Option("--add", help="Write what is missing into Valetkey's configuration.")] = False,
        write: Annotated[Path | None, typer.Option(help="Write the script for Dovecot to this file.")] = None,
        show_secrets: Annotated[
            bool, typer.Option("--show-secrets", help="Print secrets also where the output is no terminal.")
        ] = False,
        test: Annotated[bool, typer.Option("--test", help="Log in through the server, and explain what is wrong.")] = False,
        account: Annotated[str, typer.Option(help="With --test: who logs in.")] = "",
        password_file: Annotated[Path | None, typer.Option(help="With --test: a file with an app password.")] = None,
        host: Annotated[str, typer.Option(help="With --test: where mail clients connect.")] = "localhost",
        port: Annotated[list[str] | None, typer.Option(help="With --test: such as imaps=993; again for others.")] = None,
        trust: Annotated[Path | None, typer.Option(help="With --test: who signed the server's certificate.")] = None,
        its_config: Annotated[Path | None, typer.Option(help="With --test: where the server's configuration is.")] = None,
        as_json: Json = False,
    ) -> None:  # fmt: skip
        """Print the lines by which a mail server asks Valetkey, and how to take them out again.

        Examples: [bold]valetkey connect dovecot --add[/bold], then
        [bold]valetkey connect dovecot --test --account alice@example.org[/bold]

        Secrets are printed to a terminal only. Exit code 1 of --test: something is wrong.
        """
        if not server:
            _show_servers(running, as_json=as_json)
        elif test:
            secret = _secret(password_file)
            ports = tuple(_port(each) for each in port or ())
            options = TrialOptions(server, account, secret, peer, host, ports, trust, its_config)
            _try(running, options, as_json=as_json)
        elif write is not None:
            told(lambda: running.front.write_script(write))
            note(f"wrote {write}")
        else:
            wish = ConnectOptions(server, version, peer, address, listen, add)
            done = told(lambda: running.front.connect(running.config, wish))
            _show(_told(done, is_open=show_secrets or sys.stdout.isatty()), as_json=as_json)


def _show_servers(running: Running, *, as_json: bool) -> None:
    servers = running.front.asking_servers()
    if as_json:
        show_json([{"server": each.name, "what": each.sentence} for each in servers])
    else:
        show_table(["SERVER", ""], [[each.name, each.sentence] for each in servers], empty="There is none.")


def _told(done: Connecting, *, is_open: bool) -> Connecting:
    """Leave secrets out where others may read along."""
    if is_open:
        return done
    steps = tuple(replace(step, text=_without_secret(step)) for step in done.steps)
    return replace(done, steps=steps)


def _without_secret(step: ConnectStep) -> str:
    text = step.text
    for secret in step.secrets:
        text = text.replace(secret, _HIDDEN)
    return text


def _show(done: Connecting, *, as_json: bool) -> None:
    if as_json:
        show_json(_as_facts(done))
        return
    for path in done.written:
        note(f"wrote {path}")
    if done.missing:
        note("The configuration lacks this; --add writes it, and the secret's file:")
        say(done.missing)
        return
    if done.written:
        note("Restart Valetkey: the new door opens at its start.")
    for number, step in enumerate(done.steps, 1):
        _show_step(number, step)
    for sentence in done.notes:
        say(f"- {sentence}")
    say("\nTo take it out again:")
    for line in done.removal:
        say(f"  {line}")


def _show_step(number: int, step: ConnectStep) -> None:
    out().print(Text(f"{number}. {step.what}", style="bold"))
    if step.file:
        verb = "" if step.is_whole else "into "
        rights = f"  (root:{step.group or 'root'}, mode {step.mode:o})" if step.is_whole else ""
        say(f"   {verb}{step.file}{rights}")
    say("")
    for line in (*step.text.splitlines(), *step.commands):
        say(f"    {line}" if line else "")
    say("")


def _as_facts(done: Connecting) -> dict[str, object]:
    steps = [
        {
            "what": step.what,
            "file": step.file,
            "text": step.text,
            "group": step.group,
            "mode": f"{step.mode:o}",
            "is_whole": step.is_whole,
            "commands": step.commands,
        }
        for step in done.steps
    ]
    return {
        "server": done.server,
        "version": done.version,
        "missing": done.missing,
        "written": done.written,
        "steps": steps,
        "notes": done.notes,
        "removal": done.removal,
    }


def _secret(file: Path | None) -> str:
    if file is None:
        return ask_password("App password", from_stdin=not sys.stdin.isatty())
    try:
        with file.open("rb") as opened:
            return opened.read(_MOST_PASSWORD).decode(errors="replace").partition("\n")[0].rstrip("\r")
    except OSError as problem:
        fail(f"{file} cannot be read: {problem.strerror}.", EXIT_USAGE)


def _port(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if name not in _PORTS or not number.isascii() or not number.isdigit() or len(number) > 5:  # noqa: PLR2004
        fail(f"--port {text}: write such as imaps=993, with one of {', '.join(_PORTS)}.", EXIT_USAGE)
    return name, int(number)


def _try(running: Running, options: TrialOptions, *, as_json: bool) -> None:
    if not options.account:
        fail("Say who logs in: --account alice@example.org", EXIT_USAGE)
    counts: Counter[Level] = Counter()
    shown = []
    for finding in told(lambda: list(running.front.try_login(running.config, options))):
        counts[finding.level] += 1
        shown.append({"level": finding.level, "subject": finding.subject, "what": finding.what, "mend": finding.mend})
        if not as_json:
            show_finding(finding)
    if as_json:
        show_json(shown)
    else:
        note(f"{counts[Level.GOOD]} right, {counts[Level.WARNING]} to look at, {counts[Level.PROBLEM]} wrong")
    if counts[Level.PROBLEM]:
        raise typer.Exit(1)
