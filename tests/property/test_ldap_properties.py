"""LDAP's frames, messages, names and filters, under whatever a peer may send."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from tests.doors.ldap_client import bind, equal, every, login, message, search, tlv

from valetkey.doors.ldap.context import Context, NotUnderstood, context_of_filter, context_of_name
from valetkey.wire.ldap import BindAsked, LdapServer, SearchAsked
from valetkey.wire.ldap_frames import MOST_MESSAGE, LdapFrames
from valetkey.wire.ldap_names import InvalidName, read_name, write_name
from valetkey.wire.machine import PeerError

VALUES = st.binary(max_size=60)
WORDS = [
    b"\x30",
    b"\x82\x01\x00",
    b"\x80",
    b"\x60",
    b"\x63",
    b"\x77",
    b"\xa0",
    b"\xa3",
    b"\x04\x01a",
    b"\x02\x01\x01",
    b"\x0a\x01\0",
]
WORDS += [
    message(1, bind("cn=a", "b")),
    message(2, search(every(equal("uid", "a")))),
    b"\x01\x01\xff",
    b"\x30\0",
    b"\xff",
]
STREAMS = st.lists(st.one_of(st.sampled_from(WORDS), st.binary(max_size=9)), max_size=20).map(b"".join)
TREES = st.recursive(
    st.builds(lambda tag, content: (tag, content), st.integers(0, 255), st.binary(max_size=12)),
    lambda inner: st.builds(lambda tag, parts: (tag | 0x20, parts), st.integers(0, 255), st.lists(inner, max_size=4)),
    max_leaves=12,
)
KINDS = st.sampled_from(["uid", "service", "rip", "tls", "session", "ticket", "dc", "ou", "lip", "sess", "mail"])


def written(tree) -> bytes:
    tag, content = tree
    return tlv(tag, *(written(each) for each in content)) if isinstance(content, list) else tlv(tag, content)


def all_of(octets: bytes, size: int) -> list[object]:
    """Give what a machine makes of octets that arrive in pieces: requests, answers of its own, and a last word."""
    machine, found = LdapServer(), []
    try:
        for at in range(0, len(octets), size):
            machine.receive(octets[at : at + size])
            while (asked := machine.next_event()) is not None:
                found.append(asked)
    except PeerError as error:
        found.append(str(error))
    return [*found, machine.take_output()]


@given(STREAMS, st.integers(1, 100))
def test_the_same_is_made_of_octets_however_they_arrive(octets, size):
    assert all_of(octets, size) == all_of(octets, len(octets) or 1)


@given(st.integers(0x60, 0x78), st.lists(TREES, max_size=6))
def test_nothing_well_formed_breaks_it(operation, trees):
    all_of(message(1, tlv(operation, *(written(each) for each in trees))), 10_000)
    for tree in trees:
        all_of(message(1, search(written(tree))), 10_000)
        all_of(message(1, tlv(0x60, tlv(0x02, b"\3"), tlv(0x04, "uid=a"), written(tree))), 10_000)


@given(VALUES, VALUES)
def test_every_bind_is_read(name, password):
    assert all_of(message(1, bind(name, password)), 7) == [BindAsked(1, 3, name, password), b""]


@given(VALUES, st.text(max_size=20), st.text(min_size=1, max_size=20))
def test_every_login_that_is_described_is_read(name, address, service):
    asked, output = all_of(message(1, search(login(name, service, rip=address))), 50)
    assert isinstance(asked, SearchAsked)
    assert context_of_filter(asked.filter) == Context(name, service.encode(), address.encode())
    assert output == b""


@given(STREAMS)
def test_no_more_is_held_than_a_message(octets):
    frames = LdapFrames()
    with contextlib.suppress(PeerError):
        for _ in range(200):
            frames.receive(octets or b"\x30")
            while frames.next_message() is not None:
                pass
        assert frames.has_pending or len(octets) <= MOST_MESSAGE


@given(st.lists(st.tuples(KINDS, VALUES), max_size=10))
def test_names_are_read_as_they_were_written(parts):
    assert list(read_name(write_name(parts))) == parts


@given(st.binary(max_size=200))
def test_what_is_read_as_a_name_means_what_is_written_of_it(text):
    try:
        parts = read_name(text)
    except InvalidName:
        return
    assert read_name(write_name(parts)) == parts


@given(VALUES, VALUES, VALUES, st.one_of(st.none(), VALUES), VALUES)
def test_a_name_says_what_the_filter_said(name, service, address, tls, session):
    context = Context(name, service, address, tls, session)
    named = context_of_name(read_name(write_name((*context.parts(), ("dc", b"a")))))
    assert (named.context, named.base, named.ticket) == (context, (("dc", b"a"),), None)


@given(st.one_of(st.binary(max_size=80), st.lists(st.tuples(KINDS, st.binary(max_size=5)), max_size=4).map(write_name)))
def test_whatever_is_typed_unescaped_changes_nothing_else(typed):
    """Of a server that writes its client's name as it is, its own words are believed or nothing is."""
    try:
        named = context_of_name(read_name(b"uid=" + typed + b",service=imap,rip=192.0.2.7,tls=,session=s,dc=a"))
    except (InvalidName, NotUnderstood):
        return
    context = named.context
    assert (context.service, context.address, context.tls, context.session) == (b"imap", b"192.0.2.7", b"", b"s")
    assert named.ticket is None
