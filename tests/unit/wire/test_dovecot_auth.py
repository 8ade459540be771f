import base64

import pytest

from valetkey.wire.dovecot_auth import MOST_LINE, AuthServer, unescape
from valetkey.wire.machine import PeerError

PLAIN = base64.b64encode(b"\0alice\0secret").decode()


def server(said: str = "") -> AuthServer:
    found = AuthServer()
    found.receive(b"VERSION\t1\t0\n" + said.encode("latin-1"))
    return found


def asked(machine: AuthServer) -> list[int]:
    found = []
    while (event := machine.next_event()) is not None:
        found.append(event.number)
    return found


def test_every_fact_is_unescaped():
    machine = server(f"AUTH\t1\tPLAIN\tservice=smtp\trip=::1\tsession=a\x01tb=c\tsecured\tcert\tresp={PLAIN}\n")
    event = machine.next_event()
    assert event is not None
    assert event.facts == {b"rip": b"::1", b"session": b"a\tb=c", b"secured": b"", b"cert": b""}
    assert (event.login.name, event.login.secret) == (b"alice", b"secret")


@pytest.mark.parametrize(
    ("value", "found"),
    [(b"\x010\x011\x01t\x01r\x01n", b"\0\x01\t\r\n"), (b"a\x01xb", b"axb"), (b"a\x01", b"a\x01"), (b"", b"")],
)
def test_escapes(value, found):
    assert unescape(value) == found


def test_numbers_are_used_up_to_the_highest():
    assert asked(server(f"AUTH\t4294967295\tPLAIN\tresp={PLAIN}\nAUTH\t0\tPLAIN\tresp={PLAIN}\n")) == [4294967295, 0]


def test_an_answer_is_given_once_and_only_to_what_was_asked():
    machine = server(f"AUTH\t1\tPLAIN\tresp={PLAIN}\nAUTH\t2\tLOGIN\n")
    assert asked(machine) == [1]
    machine.take_output()
    machine.allow(2, "alice")  # its client has not said who it is
    machine.refuse(3, "alice")
    assert machine.take_output() == b""
    machine.allow(1, "alice")
    machine.allow(1, "alice")
    machine.refuse(1, "alice")
    assert machine.take_output() == b"OK\t1\tuser=alice\n"


def test_a_number_is_free_again_after_its_answer():
    machine = server(f"AUTH\t1\tPLAIN\tresp={PLAIN}\n")
    assert asked(machine) == [1]
    machine.refuse(1, "alice")
    machine.receive(f"AUTH\t1\tPLAIN\tresp={PLAIN}\n".encode())
    assert asked(machine) == [1]


def test_exchanges_that_nobody_continues_end_the_oldest_first():
    machine = server("".join(f"AUTH\t{n}\tLOGIN\n" for n in range(1, 71)))
    assert asked(machine) == []
    lines = machine.take_output().decode().splitlines()
    assert [line for line in lines if line.startswith("FAIL")] == [f"FAIL\t{n}" for n in range(1, 7)]
    machine.receive(b"CONT\t70\tYWxpY2U=\nCONT\t1\tYWxpY2U=\n")
    assert asked(machine) == []
    assert machine.take_output() == b"CONT\t70\tUGFzc3dvcmQ6\nFAIL\t1\n"


@pytest.mark.parametrize(
    "said",
    [
        b"VERSION\t2\t0\n",
        b"VERSION\n",
        b"AUTH\t1\tPLAIN\n",  # before the version
        b"VERSION\t1\t0\nAUTH\n",
        b"VERSION\t1\t0\nAUTH\tone\tPLAIN\n",
        b"VERSION\t1\t0\nAUTH\t99999999999\tPLAIN\n",
        b"VERSION\t1\t0\nCONT\t\xb2\tAAAA\n",
        b"VERSION\t1\t0\nCANCEL\n",
        b"VERSION\t1\t0\nAUTH\t1\tLOGIN\nAUTH\t1\tLOGIN\n",
        b"VERSION\t1\t0\nAUTH\t1\tLOGIN" + b"\ta" * 70 + b"\n",
        b"VERSION\t1\t0\nAUTH\t1\tLOGIN\tsession=" + b"a" * 9000 + b"\n",
        b"x" * MOST_LINE,
    ],
)
def test_a_mail_server_that_breaks_the_protocol(said):
    machine = AuthServer()
    machine.receive(said)
    with pytest.raises(PeerError):
        asked(machine)


def test_secrets_are_not_shown():
    machine = server(f"AUTH\t1\tPLAIN\trip=203.0.113.9\tresp={PLAIN}\n")
    event = machine.next_event()
    assert "secret'" not in repr(event) and "203.0.113.9" not in repr(event)
