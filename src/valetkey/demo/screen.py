"""What the demo shows: where the portal is, who can sign in, and lines to paste."""

import asyncio
import base64
import shlex
import time
from collections.abc import Callable
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from valetkey.app.supervisor import Run
from valetkey.core.second_factor import STEP_SECONDS, code_at, step_of
from valetkey.demo.layout import HOST, Files, Ports
from valetkey.demo.people import People, Person

_ACCENT = "bold cyan"


def code_now(person: Person) -> str:
    """Give the code that this person's authenticator shows now."""
    seed = base64.b32decode(person.totp_secret or "")
    return code_at(seed, step_of(datetime.now(UTC)))


def lines_to_paste(files: Files, ports: Ports, people: People) -> dict[str, str]:
    """Give the lines that a person can paste into a shell, each under what it does."""
    secret = people.app_password("mail-app").secret
    alice, bob = people["alice"].address, people["bob"].address
    login = f"{alice}:{secret}"
    imaps = f"imaps://{HOST}:{ports.listeners['imaps']}/INBOX"
    smtps = f"smtps://{HOST}:{ports.listeners['smtps']}"
    curl = f"curl -sS --cacert {shlex.quote(str(files.ca))} -u {login}"
    letter = f"From: {alice}\\nTo: {bob}\\nSubject: Hello from the demo\\n\\nIt works.\\n"
    return {
        "List alice's inbox": f"{curl} {imaps} -X 'FETCH 1:* ENVELOPE'",
        "Read her newest message": f"{curl} '{imaps};MAILINDEX=5'",
        "Send bob a message": f"printf '{letter}' | {curl} {smtps} --mail-from {alice} --mail-rcpt {bob} -T -",
    }


def plain(files: Files, ports: Ports, people: People) -> str:
    """Give the screen as plain text, for output that is no terminal."""
    rows = [f"  {p.address:<24} {p.main_password or '(shared, no sign-in)':<44} {_factor(p)}" for p in people.persons]
    pasted = [f"  # {what}\n  {line}" for what, line in lines_to_paste(files, ports, people).items()]
    return "\n".join(
        [
            "Valetkey demo is running.",
            f"  Portal       http://{HOST}:{ports.portal}  (also https://{HOST}:{ports.portal_tls})",
            "",
            "Sign in as               main password                                second factor",
            *rows,
            f"  alice's code: valetkey demo-code --state {shlex.quote(str(files.state))}",
            "",
            f"App password of alice, ready made: {people.app_password('mail-app').secret}",
            *pasted,
            f"  # Thunderbird: {_thunderbird(ports, people)}",
            "",
            f"Everything as JSON: {files.facts}   Log: {files.log}   End: Ctrl-C",
        ]
    )


def live_screen(files: Files, ports: Ports, people: People) -> Run:
    """Give the work of the child that keeps the screen of a terminal."""

    async def run(stop: asyncio.Event, ready: Callable[[], None]) -> None:
        ready()
        while not files.facts.exists() and not stop.is_set():
            await _pause(stop, 0.05)
        if stop.is_set():
            return
        console = Console(highlight=False)
        console.print(_above(files, ports, people))
        with Live(_code_line(people["alice"]), console=console, auto_refresh=False, transient=True) as live:
            while not stop.is_set():
                live.update(_code_line(people["alice"]), refresh=True)
                await _pause(stop, 1.0 - time.time() % 1.0)

    return run


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


def _above(files: Files, ports: Ports, people: People) -> RenderableType:
    portal = Text.assemble(
        ("Portal  ", "dim"), (f"http://{HOST}:{ports.portal}", f"{_ACCENT} underline"),
        ("   or   ", "dim"), f"https://{HOST}:{ports.portal_tls}",
    )  # fmt: skip
    who = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    for title in ("sign in as", "main password", "second factor"):
        who.add_column(title)
    for person in people.persons:
        if person.main_password:
            who.add_row(person.address, Text(person.main_password, style="green"), _factor(person))
    ready_made = Text.assemble(
        ("Mail programs get an app password. One of alice's is ready:  ", ""),
        (people.app_password("mail-app").secret, _ACCENT),
    )
    blocks: list[RenderableType] = [Rule(Text("Valetkey", style="bold"), style="cyan"), portal, "", who, "", ready_made]
    for what, line in lines_to_paste(files, ports, people).items():
        blocks += ["", Text(f"# {what}", style="dim"), Text(line)]
    blocks += ["", Text("# Thunderbird", style="dim"), Text(_thunderbird(ports, people))]
    blocks += ["", Text(f"All of this as JSON: {files.facts}", style="dim")]
    blocks.append(
        Text(f"Other commands: valetkey --config {files.config} …   Log: {files.log}   End: Ctrl-C", style="dim")
    )
    return Padding(Group(*blocks), (1, 2, 0, 2))


def _code_line(person: Person) -> RenderableType:
    left = STEP_SECONDS - int(time.time()) % STEP_SECONDS
    code = code_now(person)
    bar = "█" * (left * 20 // STEP_SECONDS) + "░" * (20 - left * 20 // STEP_SECONDS)
    style = "yellow" if left <= 5 else "cyan"  # noqa: PLR2004  (the last seconds)
    line = Text.assemble(
        ("alice's code now  ", "dim"), (f"{code[:3]} {code[3:]}", "bold"), "  ", (bar, style), f" {left:>2} s"
    )
    return Padding(line, (1, 2))


def _factor(person: Person) -> str:
    if person.totp_secret:
        return "a code, shown by the demo"
    return "none yet" if person.main_password else ""


def _thunderbird(ports: Ports, people: People) -> str:
    return (
        f"{people['alice'].address}, IMAP {HOST} {ports.listeners['imaps']} SSL/TLS, "
        f"SMTP {HOST} {ports.listeners['smtps']} SSL/TLS, normal password: the app password"
    )
