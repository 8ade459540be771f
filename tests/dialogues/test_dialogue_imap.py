"""IMAP, as transcripts: tests/dialogues/imap/*.txt."""

from pathlib import Path

import pytest
from tests.dialogues import owner
from tests.dialogues import transcript as runner

from valetkey.wire.imap_client import ImapClient
from valetkey.wire.imap_command import Forward, ImapAnswer, ImapCommand, Refuse
from valetkey.wire.imap_filter import ImapFilter
from valetkey.wire.imap_login import ImapLogin
from valetkey.wire.machine import ClientFacts

FOLDER = Path(__file__).parent / "imap"
WRITES = {"STORE", "UID STORE", "APPEND", "EXPUNGE", "DELETE", "COPY"}


def _login(settings) -> runner.Machine:
    return owner.server(ImapLogin(owner.security_of(settings), server_id={"name": "Valetkey"}))


def _client(settings) -> runner.Machine:
    facts = ClientFacts("203.0.113.9", 50123, "198.51.100.2", 993, "gw-abc", {"app_id": "a7"})
    return owner.client(ImapClient, settings, facts)


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
    owner.play(path, MACHINES, piece)
