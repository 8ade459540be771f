"""What the demo shows: where the portal is, who can sign in, and lines to paste."""

import asyncio
import base64
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from rich.console import Console, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from valetkey.app.supervisor import Run
from valetkey.core.second_factor import STEP_SECONDS, code_at, step_of
from valetkey.demo.layout import HOST, Files, PortNumbers
from valetkey.demo.people import People, Person

_ACCENT = "bold cyan"
_LAST_SECONDS = 5


def program() -> str:
    """Say how a shell starts this program: by its name if that is on the path, otherwise as it was started."""
    name = shutil.which("valetkey")
    return "valetkey" if name and name == shutil.which(sys.argv[0]) else shlex.quote(sys.argv[0])


def code_now(person: Person) -> str:
    """Give the code that this person's authenticator shows now."""
    seed = base64.b32decode(person.totp_secret or "")
    return code_at(seed, step_of(datetime.now(UTC)))


def lines_to_paste(files: Files, ports: PortNumbers, people: People) -> dict[str, tuple[str, ...]]:
    """Give the commands that a person can paste into a shell, each under what it does, in parts of readable length."""
    secret = people.app_password("mail-app").secret
    alice, bob = people["alice"].address, people["bob"].address
    imaps = f"imaps://{HOST}:{ports.listeners['imaps']}/INBOX"
    smtps = f"smtps://{HOST}:{ports.listeners['smtps']}"
    curl = (f"curl -sS --cacert {shlex.quote(str(files.ca))}", f"-u {alice}:{secret}")
    letter = rf"From: {alice}\r\nTo: {bob}\r\nSubject: Hello from the demo\r\n\r\nIt works.\r\n"
    return {
        "List alice's inbox": (*curl, f"{imaps} -X 'FETCH 1:* ENVELOPE'"),
        "Read the last message in it": (*curl, f"'{imaps};MAILINDEX=*'"),
        "Send bob a message": (f"printf '{letter}' |", *curl, f"{smtps} --mail-from {alice} --mail-rcpt {bob} -T -"),
    }


def _in_lines(parts: tuple[str, ...]) -> str:
    """Write a command over several lines that a shell reads as one."""
    return " \\\n    ".join(parts)


def plain(files: Files, ports: PortNumbers, people: People) -> str:
    """Give the screen as plain text, for output that is no terminal."""
    rows = [
        f"  {p.address:<24} {p.main_password or '(shared, no sign-in)':<44} {_factor(p):<26} {p.role or ''}".rstrip()
        for p in people.persons
    ]
    pasted = [f"\n# {what}\n{_in_lines(parts)}" for what, parts in lines_to_paste(files, ports, people).items()]
    return "\n".join(
        [
            "Valetkey demo is running.",
            f"  Portal       http://{HOST}:{ports.portal}  (also https://{HOST}:{ports.portal_tls})",
            f"  Console      http://{HOST}:{ports.portal}/console  (as admin; chief countersigns; its staff is made up)",
            f"  API          http://{HOST}:{ports.portal}/api/v1/openapi.json  (its tokens: portal, Account, API tokens)",
            "",
            "Sign in as               main password                                second factor",
            *rows,
            f"  Codes: {program()} demo-code alice --state {shlex.quote(str(files.state))}  (or admin, chief, …)",
            "",
            f"App password of alice, ready made: {people.app_password('mail-app').secret}",
            *pasted,
            f"\n# Thunderbird (set up the account by hand)\n{_thunderbird(files, ports, people)}",
            "",
            f"Everything as JSON: {files.facts}   Log: {files.log}   End: Ctrl-C",
        ]
    )


def live_screen(files: Files, ports: PortNumbers, people: People) -> Run:
    """Give the work of the child that keeps the screen of a terminal."""

    async def run(stop: asyncio.Event, ready: Callable[[], None]) -> None:
        ready()
        while not files.facts.exists() and not stop.is_set():
            await _pause(stop, 0.05)
        if stop.is_set():
            return
        console = Console(highlight=False)
        for block in _above(files, ports, people):
            console.print(block, soft_wrap=isinstance(block, Text))
        with Live(_code_line(people), console=console, auto_refresh=False, transient=True) as live:
            while not stop.is_set():
                live.update(_code_line(people), refresh=True)
                await _pause(stop, 1.0 - time.time() % 1.0)

    return run


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


def _above(files: Files, ports: PortNumbers, people: People) -> Iterator[RenderableType]:
    yield ""
    yield Rule(Text("Valetkey demo", style="bold"), style="cyan")
    yield ""
    yield Text.assemble(
        ("Portal  ", "dim"), (f"http://{HOST}:{ports.portal}", f"{_ACCENT} underline"),
        ("   or   ", "dim"), f"https://{HOST}:{ports.portal_tls}", "\n",
    )  # fmt: skip
    who = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    for title in ("Sign in as", "main password", "second factor", "in the console"):
        who.add_column(title)
    for person in people.persons:
        if person.main_password:
            who.add_row(person.address, Text(person.main_password, style="green"), _factor(person), person.role or "")
    yield who
    yield Text.assemble(
        ("\nConsole  ", "dim"), (f"http://{HOST}:{ports.portal}/console", f"{_ACCENT} underline"),
        "  as admin; chief countersigns. Its staff and their month of logins are made up.",
    )  # fmt: skip
    yield Text.assemble(
        ("API      ", "dim"), (f"http://{HOST}:{ports.portal}/api/v1/openapi.json", f"{_ACCENT} underline"),
        "  its tokens are made in the portal: Account, API tokens.",
    )  # fmt: skip
    secret = people.app_password("mail-app").secret
    yield Text.assemble("\nMail programs get an app password. One of alice's is ready:  ", (secret, _ACCENT))
    for what, parts in lines_to_paste(files, ports, people).items():
        yield Text(f"\n# {what}", style="dim")
        yield Text(_in_lines(parts))
    yield Text("\n# Thunderbird (set up the account by hand)", style="dim")
    yield Text(_thunderbird(files, ports, people))
    yield Text(f"\nEverything as JSON   {files.facts}", style="dim")
    yield Text(f"Other commands       {program()} --config {files.config} …", style="dim")
    yield Text(f"Log                  {files.log}", style="dim")
    yield Text("End                  Ctrl-C", style="dim")


def _code_line(people: People) -> RenderableType:
    left = STEP_SECONDS - int(time.time()) % STEP_SECONDS
    bar = "█" * (left * 20 // STEP_SECONDS) + "░" * (20 - left * 20 // STEP_SECONDS)
    style = "yellow" if left <= _LAST_SECONDS else "cyan"
    line = Text("codes now  ", style="dim")
    for person in people.persons:
        if person.totp_secret:
            code, name = code_now(person), person.address.partition("@")[0]
            line += Text.assemble((f"{name} ", "dim"), (f"{code[:3]} {code[3:]}", "bold"), "   ")
    return Padding(Text.assemble(line, (bar, style), f" {left:>2} s"), (1, 0))


def _factor(person: Person) -> str:
    if person.totp_secret:
        return "a code, shown by the demo"
    return "none to begin with" if person.main_password else ""


def _thunderbird(files: Files, ports: PortNumbers, people: People) -> str:
    return (
        f"{people['alice'].address}, password: the app password, authentication: normal password\n"
        f"IMAP {HOST} {ports.listeners['imaps']} SSL/TLS    SMTP {HOST} {ports.listeners['smtps']} SSL/TLS\n"
        f"Authority to import: {files.ca}"
    )
