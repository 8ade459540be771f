"""Submission, as transcripts: tests/dialogues/smtp/*.txt."""

from pathlib import Path

import pytest
from tests.dialogues import owner
from tests.dialogues import transcript as runner

from valetkey.wire.machine import ClientFacts
from valetkey.wire.smtp_client import SmtpClient
from valetkey.wire.smtp_command import SmtpCommand, SmtpRefusal
from valetkey.wire.smtp_filter import SmtpFilter
from valetkey.wire.smtp_login import SmtpLogin

FOLDER = Path(__file__).parent / "smtp"
UPSTREAM = (b"PIPELINING", b"SIZE 1000", b"CHUNKING", b"AUTH PLAIN", b"XCLIENT ADDR LOGIN", b"DSN", b"")


def _login(settings) -> runner.Machine:
    return owner.server(SmtpLogin(owner.security_of(settings), hostname="mx.example.test"))


def _client(settings) -> runner.Machine:
    # "+" and blanks show the xtext.
    facts = ClientFacts("203.0.113.9", 50123, "198.51.100.2", 587, "gw-abc", {"app_id": "a777"}, helo="my pc+")
    return owner.client(SmtpClient, settings, facts, hostname="gw.example.test")


def _not_to_nobody(command: SmtpCommand) -> SmtpCommand | SmtpRefusal:
    if command.name == "RCPT" and command.path == b"nobody@example.test":
        return SmtpRefusal(550, "5.7.1", "Not to this address")
    return command


def _filter(_settings) -> runner.Machine:
    return runner.filter_machine(SmtpFilter(_not_to_nobody, UPSTREAM, hostname="mx.example.test"))


MACHINES = {"login": _login, "client": _client, "filter": _filter}


@pytest.mark.parametrize("piece", [0, 1, 7])
@pytest.mark.parametrize("path", runner.transcripts(FOLDER), ids=lambda path: path.stem)
def test_dialogue(path: Path, piece: int) -> None:
    owner.play(path, MACHINES, piece)
