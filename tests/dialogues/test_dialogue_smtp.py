"""Submission, as transcripts: tests/dialogues/smtp/*.txt."""

from pathlib import Path

import pytest
from tests.dialogues import transcript as runner

from valetkey.wire.machine import ClientFacts, Credentials, Refusal, RefusalKind, Security
from valetkey.wire.smtp_client import SmtpClient
from valetkey.wire.smtp_command import SmtpCommand, SmtpRefusal
from valetkey.wire.smtp_filter import SmtpFilter
from valetkey.wire.smtp_login import SmtpLogin

FOLDER = Path(__file__).parent / "smtp"
UPSTREAM = (b"PIPELINING", b"SIZE 1000", b"CHUNKING", b"AUTH PLAIN", b"XCLIENT ADDR LOGIN", b"DSN", b"")


def _login(settings) -> runner.Machine:
    listener = settings["listener"]
    machine = SmtpLogin(Security(tls=listener == "tls", starttls=listener == "starttls"), hostname="mx.example.test")

    def act(text: str) -> None:
        verb, _, rest = text.partition(" ")
        if verb == "allow":
            machine.allow(())
        elif verb == "refuse":
            kind, _, words = rest.partition(" ")
            machine.refuse(Refusal(RefusalKind[kind], words))
        else:
            assert verb == "tls"
            machine.tls_started()

    return runner.login_machine(machine, act)


def _client(settings) -> runner.Machine:
    facts = ClientFacts(
        "203.0.113.9", 50123, "198.51.100.2", 587, "gw-abc", {"app_id": "a777"}, helo="my pc+"
    )  # "+" and blanks show the xtext
    machine = SmtpClient(
        Credentials(settings["user"], settings.get("name", settings["user"]), settings.get("secret")),
        starttls=settings.get("starttls") == "yes",
        facts=facts if settings.get("facts") == "yes" else None,
        hostname="gw.example.test",
    )
    return runner.client_machine(machine, lambda _: machine.tls_started())


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
    script = runner.read_transcript(path)
    runner.run(script, MACHINES[script.settings["machine"]](script.settings), piece=piece)
