"""What mail servers ask by, as transcripts: tests/dialogues/asked/*.txt."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.dialogues import owner
from tests.dialogues import transcript as runner

from valetkey.wire.dovecot_auth import AuthServer
from valetkey.wire.policy import PolicyServer, policy_reply
from valetkey.wire.socketmap import SocketmapServer, Status, socketmap_reply

FOLDER = Path(__file__).parent / "asked"


def _auth(_settings) -> runner.Machine:
    machine = AuthServer()
    machine.greet(26336, 1, "9af131e4423f87c54d57870b5e844c6f")

    def act(text: str) -> None:
        verb, number, rest = text.split(" ", 2)
        user, _, reason = rest.partition(" ")
        if verb == "allow":
            machine.allow(int(number), user)
        else:
            machine.refuse(int(number), user.replace("\\t", "\t"), reason)

    return runner.Machine({"C": machine.receive}, {"S": machine.take_output}, machine.next_event, act)


@dataclass
class Asked:
    """A policy request, as far as transcripts look at it."""

    state: str
    name: str
    recipient: str
    recipients: int


def _in_turn(machine, act) -> runner.Machine:
    said: list[bytes] = []

    def take() -> bytes:
        taken = b"".join(said)
        said.clear()
        return taken

    return runner.Machine(
        {"C": machine.receive}, {"S": take}, machine.next_request, lambda text: said.append(act(text))
    )


def _policy(_settings) -> runner.Machine:
    machine = PolicyServer()
    found = _in_turn(machine, lambda text: policy_reply(text.removeprefix("action ")))

    def next_event() -> Asked | None:
        request = machine.next_request()
        if request is None:
            return None
        return Asked(request["protocol_state"], request["sasl_username"], request["recipient"], request.recipients)

    found.next_event = next_event
    return found


def _socketmap(_settings) -> runner.Machine:
    def act(text: str) -> bytes:
        status, _, rest = text.partition(" ")
        return socketmap_reply(Status[status], rest)

    return _in_turn(SocketmapServer(), act)


MACHINES = {"auth": _auth, "policy": _policy, "socketmap": _socketmap}


@pytest.mark.parametrize("piece", [0, 1, 7])
@pytest.mark.parametrize("path", runner.transcripts(FOLDER), ids=lambda path: path.stem)
def test_dialogue(path: Path, piece: int) -> None:
    owner.play(path, MACHINES, piece)
