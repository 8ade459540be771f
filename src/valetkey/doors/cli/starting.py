"""Commands that begin: init, serve, demo, demo-code."""

# ruff: noqa: FBT002, PLR0917  (typer takes a command's options from its parameters)

import os
import pwd
import secrets
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.prompt import Prompt
from rich.text import Text

from valetkey.core.errors import InvalidInput
from valetkey.doors.cli.front import DemoOptions, InitAnswers, InitDone
from valetkey.doors.cli.output import note, out, say
from valetkey.doors.cli.running import Running, ask_new_password, complain, fail, read_password_line, told

_SYSTEM_CONFIG = Path("/etc/valetkey/valetkey.toml")
_SYSTEM_STATE = Path("/var/lib/valetkey")
_DRAWN_OCTETS = 15
_DEMO_STATE = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "valetkey-demo"
_DEMO_PORT = 8800
_MAX_BASE_PORT = 65000


def add_to(app: typer.Typer, running: Running) -> None:
    """Add the commands."""
    _add_init(app, running)
    _add_serve(app, running)
    _add_demo(app, running)


def _add_init(app: typer.Typer, running: Running) -> None:
    @app.command(rich_help_panel="Begin")
    def init(
        hostname: Annotated[str, typer.Option(help="The name that mail clients connect to.")] = "",
        admin: Annotated[str, typer.Option(help="The first account, for yourself.")] = "",
        portal: Annotated[str, typer.Option(help="Where the portal listens, host:port.")] = "",
        base_url: Annotated[str, typer.Option(help="The address that people open for the portal.")] = "",
        upstream: Annotated[str, typer.Option(help="The mail server behind the gateway.")] = "",
        master_user: Annotated[str, typer.Option(help="Its master user.")] = "",
        state: Annotated[Path | None, typer.Option(help="Where database and keys go.")] = None,
        user: Annotated[str, typer.Option(help="The system user that runs it, if started as root.")] = "",
        no_gateway: Annotated[
            bool, typer.Option("--no-gateway", help="No mail port here: your mail servers will ask (valetkey connect).")
        ] = False,
        non_interactive: Annotated[
            bool, typer.Option("--non-interactive", help="Ask nothing: options and defaults only.")
        ] = False,
        password_stdin: Annotated[
            bool, typer.Option("--password-stdin", help="Read the admin's password from standard input.")
        ] = False,
    ) -> None:
        """Set up a new installation: configuration, keys, database, first account.

        Example: [bold]valetkey init --hostname mail.example.org --admin you@example.org[/bold]
        """
        config = running.chosen or (_SYSTEM_CONFIG if _is_root() else Path("valetkey.toml"))
        if config.exists():
            fail(f"{config} is there already. Edit it, or name another with --config.")
        ask = _Asking(quiet=non_interactive or not sys.stdin.isatty())

        def answers() -> InitAnswers:
            name = ask(hostname, "Name that mail clients connect to", socket.getfqdn())
            place = ask(str(state or ""), "Where to keep database and keys", str(_default_state(config)))
            portal_at = ask(portal, "Where the portal listens", "127.0.0.1:8080")
            near = f"http://localhost:{portal_at.rpartition(':')[2]}"
            url = ask(base_url, "Address that people open for the portal", near)
            mail = upstream if no_gateway else ask(upstream, "Mail server behind the gateway", "127.0.0.1")
            master = master_user if no_gateway else ask(master_user, "Its master user", "valetkey")
            person = ask(admin, "Your own mail address, for the first account", f"admin@{_domain_of(name)}")
            runs_as = ask(user, "System user that runs it (empty: whoever starts it)", _service_user())
            password = _admin_password(from_stdin=password_stdin, quiet=ask.quiet)
            return InitAnswers(
                config,
                Path(place),
                name,
                person,
                password,
                portal_at,
                url,
                mail,
                master,
                user=runs_as,
                gateway=not no_gateway,
            )

        given, done = told(lambda: _until_accepted(running, ask, answers))
        for path in done.written:
            note(f"wrote {path}")
        for path in done.kept:
            note(f"kept {path}, which was there already")
        _say_what_next(given, done, given.password if ask.quiet and not password_stdin else None)


def _add_serve(app: typer.Typer, running: Running) -> None:
    @app.command(rich_help_panel="Begin")
    def serve(
        workers: Annotated[
            int | None, typer.Option(min=1, max=256, help="Gateway processes; otherwise what the configuration says.")
        ] = None,
    ) -> None:
        """Run the gateway, the portal and the health listener until SIGTERM or Ctrl-C.

        Example: [bold]valetkey serve --workers 4[/bold]

        Certificates are reloaded when their files change. A changed configuration needs a restart.
        """
        told(lambda: running.front.serve(running.config, workers))


def _add_demo(app: typer.Typer, running: Running) -> None:
    @app.command(rich_help_panel="Begin")
    def demo(
        base_port: Annotated[
            int, typer.Option(min=1024, max=_MAX_BASE_PORT, help="The portal's port; the others follow it.")
        ] = _DEMO_PORT,
        state: Annotated[Path, typer.Option(help="Where the demo keeps its state.")] = _DEMO_STATE,
        workers: Annotated[int, typer.Option(min=1, max=64, help="Gateway processes.")] = 1,
    ) -> None:
        """Show everything on this machine, with sample people and sample mail.

        Example: [bold]valetkey demo --base-port 9000 --state /tmp/demo[/bold]

        A second start with the same --state goes on where the first ended.
        """
        told(lambda: running.front.demo(DemoOptions(base_port, state, workers)))

    @app.command("demo-code", rich_help_panel="Begin")
    def demo_code(
        name: Annotated[str, typer.Argument(help="Whose: alice, admin, chief, helpdesk or auditor.")] = "alice",
        state: Annotated[Path, typer.Option(help="Where the demo keeps its state.")] = _DEMO_STATE,
    ) -> None:
        """Print the code that somebody in the demo would read from the authenticator now.

        Example: [bold]valetkey demo-code admin[/bold]
        """
        say(told(lambda: running.front.demo_code(state, name)))


class _Asking:
    """Takes an answer from its option, from the person, or from the default; asked again, from the last answer."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self._before: dict[str, str] = {}

    def __call__(self, given: str, question: str, default: str) -> str:
        """Give the answer."""
        before = self._before.get(question)
        if before is None and (given or self.quiet):
            answer = given or default
        else:
            answer = Prompt.ask(question, default=default if before is None else before)
        self._before[question] = answer
        return answer


def _until_accepted(running: Running, ask: _Asking, answers: Callable[[], InitAnswers]) -> tuple[InitAnswers, InitDone]:
    """Set up with the answers of a person, who is asked again while one cannot be used.

    Raises:
        InvalidInput: An answer cannot be used, and nobody is there to be asked.
        CannotStart: A file cannot be written.
    """
    while True:
        given = answers()
        try:
            return given, running.front.init(given)
        except InvalidInput as error:
            if ask.quiet:
                raise
            complain(f"{error} Here are the questions again, with your answers.")


def _admin_password(*, from_stdin: bool, quiet: bool) -> str:
    """Give the admin's password; where nobody can be asked it is drawn, to be shown."""
    if from_stdin:
        return read_password_line()
    return secrets.token_urlsafe(_DRAWN_OCTETS) if quiet else ask_new_password(from_stdin=False)


def _say_what_next(answers: InitAnswers, done: InitDone, drawn: str | None) -> None:
    config, admin = answers.config, answers.admin
    lines = [
        *_first_step(done, config),
        "2. See whether everything is right:",
        f"     valetkey --config {config} check",
        "3. Start it:",
        f"     valetkey --config {config} serve",
        f"4. Sign in at {answers.base_url} as {admin} and set up the second factor.",
    ]
    if drawn is not None:
        lines += ["", f"The password of {admin}, shown this once:  {drawn}"]
    out().print(Text.assemble("\n", ("Valetkey is set up.", "bold"), "\n"))
    say("\n".join(lines))


def _first_step(done: InitDone, config: Path) -> list[str]:
    if done.secret is None:
        return [
            f"1. Look over the configuration, {config},",
            "   and have a mail server ask; which, and how, says:",
            f"     valetkey --config {config} connect",
        ]
    verb = (
        "See that the master user's password is in"
        if done.secret in done.kept
        else "Put the master user's password into"
    )
    return [f"1. {verb} {done.secret},", "   and look over the configuration:", f"     {config}"]


def _is_root() -> bool:
    return os.geteuid() == 0


def _service_user() -> str:
    """Give the user that a package or an administrator made for this, if there is one and it can be become."""
    try:
        pwd.getpwnam("valetkey")
    except KeyError:
        return ""
    return "valetkey" if _is_root() else ""


def _default_state(config: Path) -> Path:
    return _SYSTEM_STATE if config == _SYSTEM_CONFIG else config.absolute().parent


def _domain_of(hostname: str) -> str:
    first, _, rest = hostname.partition(".")
    return rest if "." in rest else hostname if "." in hostname else f"{first}.localdomain"
