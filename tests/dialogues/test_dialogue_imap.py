"""IMAP, as transcripts: tests/dialogues/imap/*.txt."""

from pathlib import Path

import pytest
from tests.dialogues import transcript as runner

from valetkey.wire.imap_client import ImapClient
from valetkey.wire.imap_command import Forward, ImapAnswer, ImapCommand, Refuse
from valetkey.wire.imap_filter import ImapFilter
from valetkey.wire.imap_login import ImapLogin
from valetkey.wire.machine import ClientFacts, Credentials, Refusal, RefusalKind, Security

FOLDER = Path(__file__).parent / "imap"
WRITES = {"STORE", "UID STORE", "APPEND", "EXPUNGE", "DELETE", "COPY"}


def _login(settings) -> runner.Machine:
    listener = settings["listener"]
    security = Security(tls=listener == "tls", starttls=listener != "tls", plaintext_login=listener == "plain")
    machine = ImapLogin(security, server_id={"name": "Valetkey"})

    def act(text: str) -> None:
        verb, _, rest = text.partition(" ")
        if verb == "allow":
            machine.allow(tuple(rest.encode().split()))
        elif verb == "refuse":
            kind, _, words = rest.partition(" ")
            machine.refuse(Refusal(RefusalKind[kind], words))
        elif verb == "tls":
            machine.tls_started()
        else:
            assert (verb, machine.take_rest().decode("latin-1").replace("\r\n", "|")) == ("rest", rest)

    return runner.login_machine(machine, act)


def _client(settings) -> runner.Machine:
    name = settings.get("name", settings["user"])
    facts = ClientFacts("203.0.113.9", 50123, "198.51.100.2", 993, "gw-abc", {"app_id": "a7"})
    machine = ImapClient(
        Credentials(settings["user"], name, settings["secret"]),
        starttls=settings.get("starttls") == "yes",
        facts=facts if settings.get("facts") == "yes" else None,
    )

    def act(text: str) -> None:
        assert text == "tls"
        machine.tls_started()

    return runner.client_machine(machine, act)


def _read_only(command: ImapCommand) -> ImapAnswer:
    if command.name == "SELECT":
        return Forward(command.with_name("EXAMINE"))
    if command.name in WRITES and command.mailbox != b"Drafts":
        return Refuse("This app password may only read")
    return Forward(command)


def _filter(settings) -> runner.Machine:
    return runner.filter_machine(ImapFilter(_read_only, tuple(settings["upstream"].encode().split())))


MACHINES = {"login": _login, "client": _client, "filter": _filter}


@pytest.mark.parametrize("piece", [0, 1, 7])
@pytest.mark.parametrize("path", runner.transcripts(FOLDER), ids=lambda path: path.stem)
def test_dialogue(path: Path, piece: int) -> None:
    script = runner.read_transcript(path)
    runner.run(script, MACHINES[script.settings["machine"]](script.settings), piece=piece)
