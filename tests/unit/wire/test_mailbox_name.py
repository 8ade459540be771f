import pytest
from hypothesis import given
from hypothesis import strategies as st

from valetkey.wire.mailbox_name import decode_mailbox, encode_mailbox


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("INBOX", b"INBOX"),
        ("a&b", b"a&-b"),
        ("Entwürfe", b"Entw&APw-rfe"),
        ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),  # RFC 3501 5.1.3
        ("😀", b"&2D3eAA-"),
    ],
)
def test_names_as_the_standard_writes_them(name: str, written: bytes):
    assert encode_mailbox(name) == written
    assert decode_mailbox(written) == name


@pytest.mark.parametrize(
    "written",
    [
        b"&AGE-",  # an "a" that could stand for itself
        b"&Jjo",  # not ended
        b"&Jjo-&Jjo-",  # two runs in the place of one
        b"&",
        b"&2D0-",  # half of a pair
        b"&Jjp-",  # bits left over
        b"caf\xc3\xa9",
        b"a\x00b",
        b"a\r\nb",
        b"a\x7f",
    ],
)
def test_what_is_not_the_one_way_to_write_a_name_is_none(written: bytes):
    assert decode_mailbox(written) is None


@given(st.binary(max_size=40))
def test_whatever_can_be_read_is_written_so(written: bytes):
    name = decode_mailbox(written)
    assert name is None or encode_mailbox(name) == written


@given(st.text(st.characters(codec="utf-16"), max_size=20))
def test_every_name_comes_back(name: str):
    written = encode_mailbox(name)
    assert written.isascii()
    read = decode_mailbox(written)
    # Control characters can be written so; whether they may stand in a name is asked elsewhere.
    assert read == name
