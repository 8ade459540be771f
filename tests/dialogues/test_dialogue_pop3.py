"""POP3, as transcripts: tests/dialogues/pop3/*.txt."""

from pathlib import Path

import pytest
from tests.dialogues import owner
from tests.dialogues import transcript as runner

from valetkey.wire.machine import ClientFacts
from valetkey.wire.pop3_client import Pop3Client
from valetkey.wire.pop3_command import Pop3Command
from valetkey.wire.pop3_filter import Pop3Filter, Pop3Refusal
from valetkey.wire.pop3_login import Pop3Login

FOLDER = Path(__file__).parent / "pop3"


def _login(settings) -> runner.Machine:
    return owner.server(Pop3Login(owner.security_of(settings)))


def _client(settings) -> runner.Machine:
    facts = ClientFacts("203.0.113.9", 50123, "198.51.100.2", 995, "gw-abc", {"app_id": "a7"})
    return owner.client(Pop3Client, settings, facts)


def _read_only(command: Pop3Command) -> Pop3Command | Pop3Refusal:
    if command.name == "DELE":
        return Pop3Refusal("This app password may only read")
    if command.name == "RETR":
        return Pop3Command("TOP", (*command.arguments, 2147483647))
    return command


def _filter(settings) -> runner.Machine:
    return runner.filter_machine(Pop3Filter(_read_only, tuple(settings["upstream"].encode().split(b"|"))))


MACHINES = {"login": _login, "client": _client, "filter": _filter}


@pytest.mark.parametrize("piece", [0, 1, 7])
@pytest.mark.parametrize("path", runner.transcripts(FOLDER), ids=lambda path: path.stem)
def test_dialogue(path: Path, piece: int) -> None:
    owner.play(path, MACHINES, piece)
