import pytest

from valetkey.wire.machine import PeerError
from valetkey.wire.socketmap import MOST_REPLY, MOST_REQUEST, Lookup, SocketmapServer, Status, socketmap_reply


def taken(data: bytes) -> list[Lookup]:
    machine = SocketmapServer()
    machine.receive(data)
    found = []
    while (lookup := machine.next_request()) is not None:
        found.append(lookup)
    return found


def test_look_ups():
    assert taken(b"9:login a b,6:x \xc3\xbc\xff,,10:virtual a@,") == [
        Lookup("login", "a b"),
        Lookup("x", "Ã¼ÿ,"),
        Lookup("virtual", "a@"),
    ]


def test_the_longest():
    key = b"a" * (MOST_REQUEST - 6)
    assert taken(b"%d:login %s," % (MOST_REQUEST, key)) == [Lookup("login", key.decode())]


@pytest.mark.parametrize(
    "said",
    [b":", b"x", b"-1:", b"0:,", b"01:x,", b"2049:", b"999999", b"5:login,", b"6: login,", b"6:login x", b" 5:a b c,"],
)
def test_what_is_no_look_up_is_an_error(said):
    with pytest.raises(PeerError):
        taken(said)


def test_answers():
    assert socketmap_reply(Status.OK, "a,b") == b"6:OK a,b,"
    assert socketmap_reply(Status.OK, "ü") == "5:OK ü,".encode()
    assert socketmap_reply(Status.NOT_FOUND) == b"9:NOTFOUND ,"
    with pytest.raises(ValueError):
        socketmap_reply(Status.OK, "a" * MOST_REPLY)
