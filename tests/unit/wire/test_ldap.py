import pytest
from tests.doors.ldap_client import (
    CRITICAL,
    DISCONNECTED,
    DONE,
    PROTOCOL_ERROR,
    UNWILLING,
    begins,
    bind,
    control,
    either,
    equal,
    every,
    extended,
    message,
    none_of,
    present,
    reply_of,
    search,
    tlv,
)

from valetkey.wire.ldap import (
    All,
    AnyOf,
    BindAsked,
    Equal,
    ExtendedAsked,
    Filter,
    LdapServer,
    OtherFilter,
    Present,
    Result,
    SearchAsked,
    UnbindAsked,
)
from valetkey.wire.machine import PeerError


def server(*messages: bytes) -> LdapServer:
    found = LdapServer()
    found.receive(b"".join(messages))
    return found


def filter_of(wanted: bytes) -> Filter:
    asked = server(message(1, search(wanted))).next_event()
    assert isinstance(asked, SearchAsked)
    return asked.filter


def test_a_bind_is_read_and_its_secret_not_shown():
    asked = server(message(7, bind("cn=mx1,dc=example", "the secret"))).next_event()
    assert asked == BindAsked(7, 3, b"cn=mx1,dc=example", b"the secret")
    assert "secret" not in repr(asked)


def test_a_bind_by_sasl_has_no_password():
    sasl = tlv(0x60, tlv(0x02, b"\3"), tlv(0x04, ""), tlv(0xA3, tlv(0x04, "PLAIN"), tlv(0x04, b"\0a\0b")))
    assert server(message(1, sasl)).next_event() == BindAsked(1, 3, b"", None)


def test_a_search_is_read():
    asked = server(message(2, search(present("objectClass"), "UID", "1.1", base="dc=a", types_only=True))).next_event()
    assert asked == SearchAsked(2, b"dc=a", False, Present("objectclass"), ("uid", "1.1"), True)
    assert asked.wants("uid")
    assert not asked.wants("mail")
    asked = server(message(2, search(present("objectClass"), base="", scope=0))).next_event()
    assert isinstance(asked, SearchAsked)
    assert asked.is_of_base_alone
    assert asked.wants("mail")


@pytest.mark.parametrize(
    ("octets", "wanted"),
    [
        (equal("UID", b"a*()\\\0\xff"), Equal("uid", b"a*()\\\0\xff")),
        (present("mail"), Present("mail")),
        (every(equal("a", "1"), equal("b", "")), All((Equal("a", b"1"), Equal("b", b"")))),
        (either(equal("a", "1"), every(present("b"))), AnyOf((Equal("a", b"1"), All((Present("b"),))))),
        (every(), All(())),
        (none_of(equal("a", "1")), OtherFilter()),
        (begins("uid", "a"), OtherFilter()),
        (tlv(0xA5, tlv(0x04, "uid"), tlv(0x04, "a")), OtherFilter()),
        (tlv(0xA8, tlv(0x04, "uid"), tlv(0x04, "a")), OtherFilter()),
    ],
)
def test_filters(octets, wanted):
    assert filter_of(octets) == wanted


def test_other_requests():
    machine = server(
        message(1, extended("1.3.6.1.4.1.4203.1.11.3")), message(2, tlv(0x50, b"\1")), message(3, tlv(0x42))
    )
    assert machine.next_event() == ExtendedAsked(1, "1.3.6.1.4.1.4203.1.11.3")
    assert machine.next_event() == UnbindAsked()
    assert machine.take_output() == b""


@pytest.mark.parametrize(
    ("operation", "answer"), [(0x66, 0x67), (0x68, 0x69), (0x4A, 0x6B), (0x6C, 0x6D), (0x6E, 0x6F)]
)
def test_what_would_change_or_compare_entries_is_refused_unread(operation, answer):
    machine = server(message(9, tlv(operation, tlv(0x04, "whatever"))))
    assert machine.next_event() is None
    reply = reply_of(machine.take_output())
    assert (reply.number, reply.operation, reply.code) == (9, answer, UNWILLING)


@pytest.mark.parametrize("operation", [bind("", ""), search(present("a")), extended("1.2")])
def test_a_critical_control_is_refused_and_another_is_not(operation):
    machine = server(message(1, operation, control(critical=True)), message(2, operation, control(critical=False)))
    asked = machine.next_event()
    assert asked is not None
    assert asked.number == 2  # type: ignore[union-attr]
    reply = reply_of(machine.take_output())
    assert (reply.number, reply.code) == (1, CRITICAL)


@pytest.mark.parametrize(
    "operation",
    [
        tlv(0x60),
        tlv(0x60, tlv(0x02, b"\3"), tlv(0x04, "")),
        tlv(0x63, tlv(0x04, "")),
        tlv(0x77),
        tlv(0x60, tlv(0x02, b"\x7f" * 5_000), tlv(0x04, ""), tlv(0x80, "")),
        search(every(every(every(every(equal("a", "b")))))),
    ],
)
def test_what_cannot_be_read_is_answered_and_the_next_is_read(operation):
    machine = server(message(5, operation), message(6, bind("", "")))
    assert machine.next_event() == BindAsked(6, 3, b"", b"")
    reply = reply_of(machine.take_output())
    assert (reply.number, reply.code) == (5, PROTOCOL_ERROR)


@pytest.mark.parametrize("operation", [tlv(0x61, "x"), tlv(0x78), tlv(0x30), tlv(0x04), tlv(0x42 + 0x20)])
def test_what_is_no_request_ends_the_connection(operation):
    machine = server(message(1, operation))
    with pytest.raises(PeerError):
        machine.next_event()
    machine.disconnect("why")
    reply = reply_of(machine.take_output())
    assert (reply.number, reply.operation, reply.code, reply.text) == (0, DISCONNECTED, PROTOCOL_ERROR, "why")
    assert (0x8A, b"1.3.6.1.4.1.1466.20036") in reply.parts


def test_entries_and_answers_are_written():
    machine = server()
    asked = SearchAsked(3, b"", False, Present("a"), (), False)
    machine.give(asked, b"uid=a,dc=b", {"uid": (b"a",), "x": (b"1", b"\xff")})
    entry = reply_of(machine.take_output())
    assert (entry.number, entry.name, entry.attributes) == (3, "uid=a,dc=b", {"uid": [b"a"], "x": [b"1", b"\xff"]})
    machine.give(SearchAsked(3, b"", False, Present("a"), (), True), b"uid=a", {"uid": (b"a",)})
    assert reply_of(machine.take_output()).attributes == {"uid": []}
    machine.give(asked, b"uid=a", {})
    assert reply_of(machine.take_output()).attributes == {}
    machine.answer(asked, Result.UNAVAILABLE, "é")
    done = reply_of(machine.take_output())
    assert (done.operation, done.code, done.text) == (DONE, 52, "é")
    machine.answer_who(ExtendedAsked(4, ""), b"uid=a")
    assert reply_of(machine.take_output()).parts[-1] == (0x8B, b"dn:uid=a")
    machine.answer_who(ExtendedAsked(4, ""), b"")
    assert reply_of(machine.take_output()).parts[-1] == (0x8B, b"")
