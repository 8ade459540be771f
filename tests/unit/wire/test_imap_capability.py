"""wire/imap_capability.py."""

import pytest

from valetkey.wire.imap_capability import limited_capabilities, may_be_enabled


def test_what_is_read_completely_is_announced_in_the_upstreams_spelling():
    names = (b"IMAP4rev1", b"Idle", b"LITERAL+", b"THREAD=REFS", b"APPENDLIMIT=1000")
    assert limited_capabilities(names) == names


@pytest.mark.parametrize(
    "name",
    [
        *[b"COMPRESS=DEFLATE", b"MULTIAPPEND", b"CATENATE", b"URLAUTH", b"METADATA", b"ACL", b"RIGHTS=texk", b"NOTIFY"],
        *[b"REPLACE", b"UTF8=ACCEPT", b"X-GM-EXT-1", b"AUTH=PLAIN", b"STARTTLS", b"CONTEXT=SEARCH", b"UNAUTHENTICATE"],
        *[b"XLIST", b"MULTISEARCH", b"FILTERS", b"LIST-METADATA", b"INPROGRESS", b"UIDONLY", b"", b"APPENDLIMIT=x"],
    ],
)
def test_everything_else_is_not(name):
    assert limited_capabilities((b"IMAP4rev1", name)) == (b"IMAP4rev1",)


def test_few_things_can_be_enabled():
    assert all(map(may_be_enabled, (b"condstore", b"QRESYNC", b"IMAP4rev2")))
    assert not any(map(may_be_enabled, (b"UTF8=ACCEPT", b"COMPRESS", b"NOTIFY", b"")))
