import json

import pytest

from valetkey.wire.bearer import BEARER_MECHANISMS, BearerServer
from valetkey.wire.machine import LoginAsked
from valetkey.wire.sasl import SaslError


def test_the_example_of_rfc_7628():
    """Section 4.1, its first message."""
    message = b"n,a=user@example.com,\1host=server.example.com\1port=143\1auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1"
    asked = BearerServer("OAUTHBEARER").step(message)
    assert asked == LoginAsked("OAUTHBEARER", b"user@example.com", b"vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==")


def test_the_message_of_xoauth2():
    asked = BearerServer("XOAUTH2").step(b"user=someuser@example.com\1auth=Bearer ya29.vF9dft4qmTc2\1\1")
    assert asked == LoginAsked("XOAUTH2", b"someuser@example.com", b"ya29.vF9dft4qmTc2")


@pytest.mark.parametrize("mechanism", BEARER_MECHANISMS)
def test_asked_without_a_message_it_waits_for_one(mechanism):
    assert BearerServer(mechanism).step(None) == b""


@pytest.mark.parametrize("mechanism", BEARER_MECHANISMS)
def test_the_refusal_is_json_with_a_status(mechanism):
    assert json.loads(BearerServer(mechanism).refusal)["status"] in {"401", "invalid_token"}


def test_a_name_with_escapes():
    asked = BearerServer("OAUTHBEARER").step(b"y,a=a=2Cb=3Dc,\1auth=bearer t\1\1")
    assert isinstance(asked, LoginAsked)
    assert asked.name == b"a,b=c"


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\1",
        b"\0alice\0secret",
        b"n,,\1auth=Bearer t\1\1",  # nobody
        b"n,a=,\1auth=Bearer t\1\1",
        b"n,a=al\nice,\1auth=Bearer t\1\1",
        b"n,a=a=2Xb,\1auth=Bearer t\1\1",
        b"p=tls-unique,a=alice,\1auth=Bearer t\1\1",
        b"n,a=alice,\1auth=Bearer t\1",
        b"n,a=alice,\1auth=Bearer t",
        b"n,a=alice,\1auth=Bearer \1\1",
        b"n,a=alice,\1auth=Basic t\1\1",
        b"n,a=alice,\1auth=Bearer a b\1\1",
        b"n,a=alice,\1auth=Bearer t\1auth=Bearer u\1\1",
        b"n,a=alice,\1host=x\1\1",
        b"n,a=alice,\1x\1auth=Bearer t\1\1",
        b"n,a=alice,\1" + b"".join(b"k" + bytes([97 + n]) + b"=v\1" for n in range(17)) + b"auth=Bearer t\1\1",
        b"user=alice\1auth=Bearer \xff\1\1",
        b"user=\1auth=Bearer t\1\1",
        b"user=a\0b\1auth=Bearer t\1\1",
    ],
)
@pytest.mark.parametrize("mechanism", BEARER_MECHANISMS)
def test_what_is_no_message_is_an_error(mechanism, message):
    with pytest.raises(SaslError):
        BearerServer(mechanism).step(message)


def test_there_is_one_message():
    exchange = BearerServer("XOAUTH2")
    exchange.step(b"user=alice\1auth=Bearer t\1\1")
    with pytest.raises(SaslError):
        exchange.step(b"user=alice\1auth=Bearer t\1\1")
