import pytest

from valetkey.doors.ldap.context import MOST_NAME, Context, NotUnderstood, context_of_filter, context_of_name
from valetkey.wire.ldap import All, AnyOf, Equal, Filter, OtherFilter, Present
from valetkey.wire.ldap_names import read_name

UID, SERVICE = Equal("uid", b"alice"), Equal("service", b"imap")


@pytest.mark.parametrize(
    ("parts", "context"),
    [
        ((UID, SERVICE), Context(b"alice", b"imap")),
        ((SERVICE, UID), Context(b"alice", b"imap")),
        ((Equal("mail", b"a@b"), SERVICE), Context(b"a@b", b"imap")),
        ((UID, SERVICE, Equal("rip", b"::1"), Equal("lip", b"::2")), Context(b"alice", b"imap", b"::1")),
        ((UID, SERVICE, Equal("tls", b"TLS")), Context(b"alice", b"imap", tls=b"TLS")),
        ((UID, SERVICE, Equal("tls", b"")), Context(b"alice", b"imap", tls=b"")),
        ((UID, SERVICE, Equal("sess", b"x")), Context(b"alice", b"imap", session=b"x")),
        ((UID, SERVICE, Equal("session", b"x")), Context(b"alice", b"imap", session=b"x")),
        ((UID, SERVICE, Present("objectclass"), Equal("objectclass", b"person")), Context(b"alice", b"imap")),
        ((All((UID, All((SERVICE,)))),), Context(b"alice", b"imap")),
        ((AnyOf((UID, Equal("mail", b"alice"))), SERVICE), Context(b"alice", b"imap")),
        ((UID, UID, SERVICE), Context(b"alice", b"imap")),
        ((Equal("uid", b""), SERVICE), Context(b"", b"imap")),
    ],
)
def test_filters_that_describe_a_login(parts, context):
    assert context_of_filter(All(parts)) == context


@pytest.mark.parametrize(
    "wanted",
    [
        UID,  # as a map of Postfix asks
        All((UID,)),
        All((SERVICE,)),
        All(()),
        All((UID, Equal("service", b""))),
        All((UID, SERVICE, Equal("mail", b"bob"))),
        All((UID, SERVICE, Equal("service", b"smtp"))),
        All((UID, SERVICE, Equal("sess", b"x"), Equal("session", b"y"))),
        All((UID, SERVICE, Equal("shoesize", b"4"))),
        All((UID, SERVICE, Present("uid"))),
        All((UID, SERVICE, Equal("ticket", b"x"))),
        All((UID, SERVICE, OtherFilter())),
        All((UID, SERVICE, Equal("session", b"x" * 257))),
        AnyOf((UID, SERVICE)),
        All((AnyOf((UID, Equal("mail", b"bob"))), SERVICE)),
        All((AnyOf(()), UID, SERVICE)),
        OtherFilter(),
        Present("objectclass"),
    ],
)
def test_filters_that_do_not(wanted: Filter):
    with pytest.raises(NotUnderstood):
        context_of_filter(wanted)


def test_names_that_describe_a_login():
    named = context_of_name(read_name(b"uid=al\\,ice,service=imap,rip=::1,tls=TLS,sess=x,lip=::2,ou=a,dc=b"))
    assert named.context == Context(b"al,ice", b"imap", b"::1", b"TLS", b"x")
    assert named.base == (("ou", b"a"), ("dc", b"b"))
    assert named.ticket is None
    assert context_of_name(read_name(b"uid=a,service=imap,rip=")).context == Context(b"a", b"imap")
    assert context_of_name(read_name(b"uid=a,service=imap,rip=,ticket=x,dc=b")).ticket == b"x"


@pytest.mark.parametrize(
    "name",
    [
        *(b"", b"dc=b", b"uid=a", b"uid=a,dc=b", b"uid=a,service=imap", b"uid=a,rip=::1,service=imap"),
        *(b"service=imap,uid=a,rip=::1", b"mail=a,service=imap,rip=::1", b"dc=b,uid=a,service=imap,rip=::1"),
    ],
)
def test_names_that_do_not(name):
    with pytest.raises(NotUnderstood):
        context_of_name(read_name(name))


@pytest.mark.parametrize(
    "typed",
    [
        b"alice,service=imap,rip=192.0.2.1,tls=TLS",
        b"alice,service=imap,rip=192.0.2.1,tls=TLS,dc=x",
        b"alice,service=imap,rip=192.0.2.1,ticket=x",
        b"alice,dc=x",
        b"alice,tls=TLS",
        b"alice,ou=x,dc=y",
        b"alice,uid=bob",
        b"alice,session=x",
    ],
)
def test_what_a_client_types_changes_nothing_where_the_server_writes_it_as_it_is(typed):
    with pytest.raises(NotUnderstood):
        context_of_name(read_name(b"uid=" + typed + b",service=smtp,rip=198.51.100.7,tls=,session=s,dc=b"))


@pytest.mark.parametrize(
    ("name", "is_name"),
    [
        *((b"alice", True), ("älice@bücher.example".encode(), True), (b"\xe4", True), (b"a" * MOST_NAME, True)),
        *((b"", False), (b" ", False), (b"a\0", False), (b"a\nb", False), (b"a" * (MOST_NAME + 1), False)),
    ],
)
def test_what_could_be_a_name(name, is_name):
    assert Context(name, b"imap").is_name is is_name


@pytest.mark.parametrize(
    ("tls", "address", "otherwise", "is_over_tls"),
    [
        (b"TLS", b"192.0.2.7", False, True),
        (b"tls", b"", False, True),
        (b"", b"192.0.2.7", True, False),
        (None, b"192.0.2.7", True, True),
        (None, b"127.0.0.1", False, False),
        (b"secured", b"127.0.0.1", False, True),
        (b"secured", b"192.0.2.7", True, False),
        (b"secured", b"", True, False),
        (b"secured", b"nonsense", True, False),
        (b"yes", b"192.0.2.7", True, False),
    ],
)
def test_what_is_said_of_tls(tls, address, otherwise, is_over_tls):
    assert Context(b"alice", b"imap", address, tls).is_over_tls(otherwise=otherwise) is is_over_tls
