"""Runs the embedded mailbox as one of the supervisor's children: pymap beside us, the sink and POP3 inside."""

import asyncio
import importlib.util
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable

from valetkey.app.supervisor import Run
from valetkey.core.errors import CannotStart
from valetkey.core.scope import MailProtocol
from valetkey.demo.conversation import listen
from valetkey.demo.layout import Files, PortNumbers
from valetkey.demo.people import People
from valetkey.demo.pop3 import Pop3
from valetkey.demo.sink import Sink

_START_WITHIN = 30.0  # seconds
_END_WITHIN = 5.0


def require_mailbox() -> None:
    """Make sure that the embedded mailbox is installed.

    Raises:
        CannotStart: It is not.
    """
    missing = [name for name in ("pymap", "sievelib") if importlib.util.find_spec(name) is None]
    if missing:
        raise CannotStart("The demo needs its embedded mailbox. Install it with: pip install 'valetkey[demo]'")


def mailbox(files: Files, ports: PortNumbers, people: People) -> Run:
    """Give the work of the mailbox's child."""
    known = people.upstream_passwords

    async def run(stop: asyncio.Event, ready: Callable[[], None]) -> None:
        sink = await listen(lambda r, w: Sink(r, w, known, files.mail), ports.mailbox[MailProtocol.SMTP])
        pop3 = await listen(lambda r, w: Pop3(r, w, known, files.mail), ports.mailbox[MailProtocol.POP3])
        process = await _start(files, ports)
        try:
            ready()
            await _until(stop, process)
        finally:
            sink.close()
            pop3.close()
            await _end(process)

    return run


async def _start(files: Files, ports: PortNumbers) -> Process:
    arguments = (str(files.mail), str(ports.mailbox[MailProtocol.IMAP]), str(ports.mailbox[MailProtocol.SIEVE]))
    command = (sys.executable, "-m", "valetkey.demo.mailbox", *arguments)
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    if process.stdout is None:
        raise AssertionError("its standard output is a pipe")
    try:
        line = await asyncio.wait_for(process.stdout.readline(), _START_WITHIN)
    except TimeoutError:
        line = b""
    if line != b"ready\n":
        await _end(process)
        raise CannotStart("The embedded mailbox did not start.")
    return process


async def _until(stop: asyncio.Event, process: Process) -> None:
    ended = asyncio.create_task(process.wait())
    asked = asyncio.create_task(stop.wait())
    done, waiting = await asyncio.wait((ended, asked), return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    if ended in done and not stop.is_set():
        raise ChildProcessError(f"the embedded mailbox ended with code {ended.result()}")


async def _end(process: Process) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), _END_WITHIN)
    except TimeoutError:
        process.kill()
        await process.wait()
