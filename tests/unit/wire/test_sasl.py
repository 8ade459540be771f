import base64

import pytest

from valetkey.wire.machine import LoginAsked
from valetkey.wire.sasl import MECHANISMS, SaslAborted, SaslError, SaslServer, decode_base64, encode_plain


def test_plain_with_the_response_given_at_once():
    asked = SaslServer("PLAIN").step(b"\0alice\0secret")
    assert asked == LoginAsked("PLAIN", b"alice", b"secret", b"")


def test_plain_asks_with_an_empty_challenge():
    exchange = SaslServer("PLAIN")
    assert exchange.step(None) == b""
    assert exchange.step(b"bob\0alice\0s") == LoginAsked("PLAIN", b"alice", b"s", b"bob")


def test_rfc_4616_examples():
    assert SaslServer("PLAIN").step(b"\0tim\0tanstaaftanstaaf") == LoginAsked("PLAIN", b"tim", b"tanstaaftanstaaf")
    assert SaslServer("PLAIN").step(b"Ursel\0Kurt\0xipj3plmq") == LoginAsked("PLAIN", b"Kurt", b"xipj3plmq", b"Ursel")


def test_login_asks_for_name_and_password():
    exchange = SaslServer("LOGIN")
    assert exchange.step(None) == b"Username:"
    assert exchange.step(b"alice") == b"Password:"
    assert exchange.step(b"secret") == LoginAsked("LOGIN", b"alice", b"secret")


def test_login_takes_the_name_as_initial_response():
    exchange = SaslServer("LOGIN")
    assert exchange.step(b"alice") == b"Password:"
    assert exchange.step(b"secret") == LoginAsked("LOGIN", b"alice", b"secret")


@pytest.mark.parametrize("byte", range(1, 256))
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_every_byte_survives_in_a_password(mechanism, byte):
    secret = b"a" + bytes([byte]) + b"z"
    exchange = SaslServer(mechanism)
    if mechanism == "PLAIN":
        asked = exchange.step(b"\0alice\0" + secret)
    else:
        exchange.step(b"alice")
        asked = exchange.step(secret)
    assert isinstance(asked, LoginAsked)
    assert asked.secret == secret


def test_plain_takes_long_parts():
    asked = SaslServer("PLAIN").step(b"z" * 255 + b"\0" + b"n" * 1024 + b"\0" + b"s" * 4096)
    assert isinstance(asked, LoginAsked)
    assert (len(asked.authorization_id), len(asked.name), len(asked.secret)) == (255, 1024, 4096)


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"alice",
        b"\0alice",
        b"\0\0secret",
        b"\0alice\0",
        b"\0alice\0secret\0",
        b"\0alice\0sec\0ret",
        b"\0al\rice\0secret",
        b"\0al\nice\0secret",
        b"bo\nb\0alice\0secret",
    ],
)
def test_plain_refuses(response):
    with pytest.raises(SaslError):
        SaslServer("PLAIN").step(response)


@pytest.mark.parametrize("name", [b"", b"al\0ice", b"al\rice", b"al\nice"])
def test_login_refuses_names(name):
    with pytest.raises(SaslError):
        SaslServer("LOGIN").step(name)


@pytest.mark.parametrize("secret", [b"", b"sec\0ret"])
def test_login_refuses_secrets(secret):
    exchange = SaslServer("LOGIN")
    exchange.step(b"alice")
    with pytest.raises(SaslError):
        exchange.step(secret)


def test_an_exchange_that_has_ended_takes_nothing_more():
    exchange = SaslServer("PLAIN")
    exchange.step(b"\0alice\0secret")
    with pytest.raises(SaslError):
        exchange.step(b"\0alice\0secret")


def test_unknown_mechanisms_are_a_key_error():
    for mechanism in ("plain", "CRAM-MD5", ""):
        with pytest.raises(KeyError):
            SaslServer(mechanism)


def test_base64_is_strict():
    assert decode_base64(b"YWJj") == b"abc"
    assert decode_base64(b"=") == b""
    assert decode_base64(b"") == b""
    for wrong in (b"YWJ", b"YWJj=", b"YW Jj", b"YW\tJj", b"YQ", b"YR==", b"====", b"-_-_", b"\xff", b"**", b"YQ==YQ=="):
        with pytest.raises(SaslError):
            decode_base64(wrong)


def test_a_star_aborts():
    with pytest.raises(SaslAborted):
        decode_base64(b"*")


def test_messages_show_nothing_of_the_response():
    with pytest.raises(SaslError) as caught:
        SaslServer("PLAIN").step(b"\0alice\0sec\0ret")
    assert "alice" not in str(caught.value)
    with pytest.raises(SaslError) as caught:
        decode_base64(b"c2Vjc!mV0")
    assert "c2V" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_encode_plain_is_what_the_server_reads():
    message = encode_plain("bob", "gateway", "pä ss")
    assert SaslServer("PLAIN").step(base64.b64decode(message)) == LoginAsked(
        "PLAIN", b"gateway", "pä ss".encode(), b"bob"
    )


@pytest.mark.parametrize("parts", [("", "a\0b", "s"), ("", "a", "s\0"), ("\0", "a", "s"), ("", "", "s"), ("", "a", "")])
def test_encode_plain_refuses(parts):
    with pytest.raises(ValueError):
        encode_plain(*parts)
