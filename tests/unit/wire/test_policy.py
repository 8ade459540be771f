import pytest

from valetkey.wire.machine import PeerError
from valetkey.wire.policy import MOST_LINE, PolicyServer, policy_reply


def taken(data: bytes):
    machine = PolicyServer()
    machine.receive(data)
    return machine.next_request()


def test_attributes_are_what_postfix_says():
    request = taken(b"request=smtpd_access_policy\nsender=a=b@example.org\nhelo_name=\xc3\xbc\nx=\xff\n\n")
    assert request is not None
    assert (request["sender"], request["helo_name"], request["x"], request["absent"]) == (
        "a=b@example.org",
        "ü",
        "ÿ",
        "",
    )


@pytest.mark.parametrize(
    ("text", "count"), [("", 0), ("0", 0), ("12", 12), ("-1", 0), ("x", 0), ("²", 0), ("9999999999", 0), ("1.0", 0)]
)
def test_a_count_is_a_number_or_none(text, count):
    request = taken(f"request=smtpd_access_policy\nrecipient_count={text}\n\n".encode())
    assert request is not None
    assert request.recipients == count


def test_pending_until_the_empty_line():
    machine = PolicyServer()
    assert not machine.has_pending
    machine.receive(b"request=smtpd_access_policy\n")
    assert machine.next_request() is None
    assert machine.has_pending
    machine.receive(b"\n")
    assert machine.next_request() is not None
    assert not machine.has_pending


@pytest.mark.parametrize(
    "said",
    [
        b"\n",
        b"request=junk\n\n",
        b"sender=a\n\n",
        b"junk\n",
        b"a=1\na=1\n",
        b"a=" + b"x" * MOST_LINE,
        b"".join(b"a%d=1\n" % n for n in range(201)),
        b"".join(b"a%d=%s\n" % (n, b"x" * 8000) for n in range(9)),
    ],
)
def test_what_is_no_request_is_an_error(said):
    with pytest.raises(PeerError):
        taken(said)


def test_an_answer_is_one_line():
    assert policy_reply("REJECT 5.7.1 No") == b"action=REJECT 5.7.1 No\n\n"
    for action in ("", "DUNNO\n", "REJECT a\r\nb", "REJECT \x1b[2J"):
        with pytest.raises(ValueError):
            policy_reply(action)
