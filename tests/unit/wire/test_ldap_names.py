import pytest

from valetkey.wire.ldap_names import MOST_OCTETS, MOST_PARTS, InvalidName, read_name, write_name


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (b"", ()),
        (b"uid=alice", (("uid", b"alice"),)),
        (b"UID=Alice,DC=Example", (("uid", b"Alice"), ("dc", b"Example"))),
        (b"uid=alice, dc=a,  dc=b", (("uid", b"alice"), ("dc", b"a"), ("dc", b"b"))),
        (b"uid=", (("uid", b""),)),
        (b"uid=,dc=a", (("uid", b""), ("dc", b"a"))),
        (rb"cn=Lu\C4\8Di\C4\87", (("cn", "Lučić".encode()),)),  # RFC 4514 4
        (rb"cn=James \"Jim\" Smith\, III", (("cn", b'James "Jim" Smith, III'),)),
        (rb"cn=Before\0dAfter", (("cn", b"Before\rAfter"),)),
        (rb"cn=\ a\ ,dc=b", (("cn", b" a "), ("dc", b"b"))),
        (rb"cn=\#a=b#c", (("cn", b"#a=b#c"),)),
        (rb"cn=\00\ff", (("cn", b"\0\xff"),)),
        (rb"cn=a\\,dc=b", (("cn", b"a\\"), ("dc", b"b"))),
        (rb"1.3.6.1=a", (("1.3.6.1", b"a"),)),
    ],
)
def test_names_are_read(text, parts):
    assert read_name(text) == parts
    assert read_name(write_name(parts)) == parts


@pytest.mark.parametrize(
    "text",
    [
        *(b"uid", b"=a", b",", b" ", b"uid=a,", b",uid=a", b"uid=a,,dc=b", b"uid=a;dc=b", b"uid=a+cn=b", b"uid =a"),
        *(
            b"uid= a",
            b"uid=a ",
            b"uid=a\\\\ ",
            b'uid="a"',
            b"uid=#0402",
            b"uid=<a>",
            b"uid=a\\",
            b"uid=a\\x",
            b"uid=\\4",
        ),
        *(b"uid=a\0", b"uid=a\0,dc=b", b"\xffid=a", b"u" * 65 + b"=a", b"uid=a\n,"),
        b",".join([b"dc=a"] * (MOST_PARTS + 1)),
        b"uid=" + b"a" * MOST_OCTETS,
    ],
)
def test_what_could_mean_two_things_is_no_name(text):
    with pytest.raises(InvalidName):
        read_name(text)


def test_what_is_written_means_one_thing_to_everybody():
    hostile = b' a,b+c"d\\e<f>g;h#i=j\0k\n\xff '
    assert write_name([("uid", hostile)]) == rb"uid=\20a\2Cb\2Bc\22d\5Ce\3Cf\3Eg\3Bh#i=j\00k\0A\FF\20"
    assert write_name([("uid", b"#")]) == rb"uid=\23"
    assert (
        write_name([("uid", b"alice@example.org"), ("rip", b"2001:db8::1")]) == b"uid=alice@example.org,rip=2001:db8::1"
    )
