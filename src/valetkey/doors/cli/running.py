"""How a command runs: finds its configuration, opens the installation, and turns errors into sentences and exit codes."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import typer
from rich.prompt import Prompt
from rich.text import Text

from valetkey.core.errors import CannotStart, Refused, Unavailable
from valetkey.doors.cli.administration import Administration, Remote
from valetkey.doors.cli.front import Front
from valetkey.doors.cli.on_this_machine import OnThisMachine
from valetkey.doors.cli.output import err, one_line
from valetkey.doors.cli.server import Server
from valetkey.late import late
from valetkey.service import accounts
from valetkey.service.ports import OPERATOR, Ports

T = TypeVar("T")

EXIT_REFUSED = 1
EXIT_USAGE = 2
EXIT_UNAVAILABLE = 3
HERE_ONLY = "This works only on the server itself: run it there, without --server."
_MAX_PASSWORD = 4096
_SEARCHED = (Path("valetkey.toml"), Path("/etc/valetkey/valetkey.toml"))
_ask_server = late("valetkey.doors.cli.connecting:ask_server")

Json = Annotated[bool, typer.Option("--json", help="Print JSON, with keys that stay the same between releases.")]


class Running:
    """One run of the command line."""

    def __init__(self, front: Front) -> None:
        self.front = front
        self.chosen: Path | None = None  # --config or $VALETKEY_CONFIG
        self.server: Server | None = None  # --server

    @property
    def config(self) -> Path:
        """The configuration file: the one that was named, or the first of the usual ones that exists."""
        self.must_be_here()
        if self.chosen is not None:
            return self.chosen
        for path in _SEARCHED:
            with suppress(PermissionError):  # a current folder that is another user's, as under runuser
                if path.exists():
                    return path
        tried = " or ".join(str(path) for path in _SEARCHED)
        raise CannotStart(f"There is no {tried}. Name one with --config, or make one with: valetkey init")

    def on(self, work: Callable[[Administration], Awaitable[T]]) -> T:
        """Run work on the installation of this machine, or over the API of --server."""
        if self.server is not None:
            return self.remotely(work)
        return self.do(lambda ports: work(OnThisMachine(ports, self.portal_url)))

    def remotely(self, work: Callable[[Remote], Awaitable[T]]) -> T:
        """Run work over the API of --server."""
        server = self.server
        if server is None:
            fail("Say which server: valetkey --server https://mail.example.org …", EXIT_USAGE)
        ask: Callable[[Server, Callable[[Remote], Awaitable[T]]], T] = _ask_server
        return told(lambda: ask(server, work))

    def do(self, work: Callable[[Ports], Awaitable[T]]) -> T:
        """Run work on the installation of this machine; what is refused ends the command with a sentence."""
        return told(lambda: asyncio.run(self._do(work)))

    def must_be_here(self) -> None:
        """End the command if it was asked to work over the API, and cannot."""
        if self.server is not None:
            fail(HERE_ONLY, EXIT_USAGE)

    def portal_url(self) -> str:
        """Give the address that people open for the portal."""
        return self.front.portal_url(self.config)

    def on_account(self, name_or_id: str, work: Callable[[Ports, str], Awaitable[T]]) -> T:
        """Run work on one account, which it is given by its id."""

        async def find_and_do(ports: Ports) -> T:
            return await work(ports, (await accounts.find(ports, OPERATOR, name_or_id)).id)

        return self.do(find_and_do)

    async def _do(self, work: Callable[[Ports], Awaitable[T]]) -> T:
        async with self.front.open(self.config) as ports:
            return await work(ports)


def told(work: Callable[[], T]) -> T:
    """Do work, and turn what the house raises into a sentence on standard error and an exit code.

    Raises:
        typer.Exit: The work was refused or could not be done.
    """
    try:
        return work()
    except Refused as error:
        fail(str(error), EXIT_REFUSED)
    except Unavailable as error:
        fail(str(error), EXIT_UNAVAILABLE)
    except CannotStart as error:
        complain(*str(error).split("\n"))  # the mistakes of a configuration stand one on a line
        raise typer.Exit(EXIT_UNAVAILABLE) from None


def complain(*lines: str) -> None:
    """Print what is wrong on standard error."""
    err().print(Text.assemble(("error: ", "bold red"), "\n".join(map(one_line, lines))))


def fail(sentence: str, code: int = EXIT_REFUSED) -> NoReturn:
    """End the command with a sentence.

    Raises:
        typer.Exit: Always.
    """
    complain(sentence)
    raise typer.Exit(code)


def ask_new_password(*, from_stdin: bool) -> str:
    """Take a new main password, twice from the terminal or once from standard input; never from an argument."""
    if from_stdin:
        return read_password_line()
    if not sys.stdin.isatty():
        fail("There is no terminal to ask on. Pipe the password in with --password-stdin.", 2)
    first = Prompt.ask("New main password", password=True, console=err())
    if first != Prompt.ask("Once more", password=True, console=err()):
        fail("The two do not match.")
    return first


def ask_password(prompt: str, *, from_stdin: bool) -> str:
    """Take a password that exists."""
    if from_stdin:
        return read_password_line()
    if not sys.stdin.isatty():
        fail("There is no terminal to ask on. Pipe the password in with --password-stdin.", 2)
    return Prompt.ask(prompt, password=True, console=err())


def read_password_line() -> str:
    """Read one line of standard input."""
    return sys.stdin.readline(_MAX_PASSWORD).rstrip("\r\n")


PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from the first line of standard input.")
]
