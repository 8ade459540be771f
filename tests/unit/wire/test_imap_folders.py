from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valetkey.core.limits import Limits, permits_folder
from valetkey.wire.imap_folders import FolderGate
from valetkey.wire.machine import PeerError
from valetkey.wire.mailbox_name import encode_mailbox

PERMITTED = {"Archive", "Archive/2024", "Entwürfe", 'odd "name"'}


def gate(separator: bytes = b'"/"') -> FolderGate:
    made = FolderGate(PERMITTED.__contains__)
    assert made.receive(b"* LIST (\\Noselect) " + separator + b' ""\r\nvaletkey OK Listed\r\n') == b""
    assert made.is_known
    return made


def test_the_question_is_asked_before_anything_and_nobody_hears_its_answer():
    made = FolderGate(PERMITTED.__contains__)
    assert made.question == b'valetkey LIST "" ""\r\n'
    assert not made.permits(b"Archive")
    assert made.receive(b"* 1 EXISTS\r\n* LIST () ") == b"* 1 EXISTS\r\n"
    assert not made.is_known
    assert made.receive(b'"." ""\r\nvaletkey OK x\r\na1 OK y\r\n') == b"a1 OK y\r\n"
    assert made.permits(b"Archive.2024")
    assert not made.permits(b"Archive/2024")


def test_an_upstream_that_does_not_say_has_names_without_levels():
    made = FolderGate(PERMITTED.__contains__)
    made.receive(b"valetkey BAD what?\r\n")
    assert made.permits(b"Archive")
    assert not made.permits(b"Archive/2024")


@pytest.mark.parametrize(
    "response",
    [
        b'* LIST (\\HasNoChildren) "/" Archive\r\n',
        b'* LIST () "/" "Archive/2024"\r\n',
        b'* lsub () "/" {7}\r\nArchive\r\n',
        b'* LIST () "/" {10}\r\nodd "name"\r\n',
        b'* LIST () "/" "odd \\"name\\""\r\n',
        b'* LIST () "/" Entw&APw-rfe\r\n',
        b'* LIST (\\NoSelect) "/" ""\r\n',
        b'* LIST (\\Subscribed) "/" Archive ("CHILDINFO" ("SUBSCRIBED"))\r\n',
        b"* STATUS Archive (MESSAGES 3 UIDNEXT 4)\r\n",
        b'* QUOTAROOT Archive ""\r\n',
        b"* 12 EXISTS\r\n",
        b"* FLAGS (\\Seen)\r\n",
        b"* OK [UIDNEXT 3] Next\r\n",
        b"* SEARCH 1 2 3\r\n",
        b'* 1 FETCH (UID 1 BODY[] {27}\r\n* LIST () "/" Secret\r\n* X\r\n)\r\n',
        b"+ idling\r\n",
        b"a1 OK Done\r\n",
        b"* BYE\r\n",
    ],
)
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_what_is_of_permitted_folders_or_of_none_passes_as_it_is(response: bytes, size: int):
    made = gate()
    assert b"".join(made.receive(response[i : i + size]) for i in range(0, len(response), size)) == response


@pytest.mark.parametrize(
    "response",
    [
        b'* LIST () "/" Secret\r\n',
        b'* LIST () "/" {6}\r\nSecret\r\n',
        b'* LIST () "/" "Archive/2023"\r\n',
        b'* LSUB () "/" Secret\r\n',
        b"* STATUS Secret (MESSAGES 3)\r\n",
        b'* STATUS "Secret" (MESSAGES 3)\r\n',
        b'* QUOTAROOT Secret ""\r\n',
        b'* XLIST () "/" Archive\r\n',
        b"* MYRIGHTS Secret lrs\r\n",
        b'* METADATA "Secret" (/private/comment {5}\r\nhello)\r\n',
        b"* LIST nonsense\r\n",
        b'* LIST () "/" &AGE-rchive\r\n',
        b"* \r\n",
        b"* (\r\n",
    ],
)
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_what_is_of_other_folders_or_not_known_does_not_pass(response: bytes, size: int):
    made = gate()
    assert b"".join(made.receive(response[i : i + size]) for i in range(0, len(response), size)) == b""
    assert made.receive(b"a1 OK\r\n") == b"a1 OK\r\n"


@pytest.mark.parametrize(
    "name", [b"Archive/", b"/Archive", b"Archive//2024", b"Archive/./2024", b"Archive/../Secret", b"", b"Secret"]
)
def test_a_name_is_judged_as_it_would_be_opened(name: bytes):
    assert not gate().permits(name)


def test_what_takes_along_all_that_lies_in_a_folder_needs_all_of_it():
    made = FolderGate(partial(permits_folder, Limits(folders=("Archive", "Projects/*"))))
    made.receive(b'* LIST () "." ""\r\nvaletkey OK Listed\r\n')
    assert made.permits(b"Archive")
    assert not made.permits_whole(b"Archive")
    assert made.permits_whole(b"Projects.One")
    assert not made.permits_whole(b"Projects")
    assert not made.permits_whole(b"Secret")


def test_a_separator_within_a_level_makes_no_other_name():
    made = gate(b'"."')
    assert made.permits(b"Archive.2024")
    assert not made.permits(b"Archive/2024")
    assert gate(b"NIL").permits(b"Archive")


def test_what_has_to_be_read_has_a_bound():
    with pytest.raises(PeerError):
        gate().receive(b'* LIST () "/" {70000}\r\n' + b"x" * 70_000)
    with pytest.raises(PeerError):
        gate().receive(b'* LIST () "/" "' + b"x" * 140_000)
    with pytest.raises(PeerError):
        gate().receive(b"x" * 70_000)


def test_a_long_line_that_only_passes_is_not_held():
    made = gate()
    passed = made.receive(b"* 1 FETCH (BODYSTRUCTURE (" + b"x" * 200_000)
    assert len(passed) > 190_000
    assert made.receive(b"))\r\na OK\r\n").endswith(b"))\r\na OK\r\n")


names = st.sampled_from(["Secret", "Archive/2023", "INBOX", "Geheim ü", *PERMITTED])


@given(st.lists(st.tuples(st.sampled_from(["LIST", "LSUB", "STATUS"]), names), max_size=8), st.integers(1, 40))
def test_no_octet_of_another_folder_comes_through(said: list[tuple[str, str]], size: int):
    made, expected, sent = gate(), b"", b""
    for kind, name in said:
        octets = encode_mailbox(name)
        written = b"{%d}\r\n%s" % (len(octets), octets)
        is_status = kind == "STATUS"
        response = (
            b"* STATUS %s (MESSAGES 1)\r\n" % written
            if is_status
            else b'* %s () "/" %s\r\n'
            % (
                kind.encode(),
                written,
            )
        )
        sent += response
        expected += response if name in PERMITTED else b""
    assert b"".join(made.receive(sent[i : i + size]) for i in range(0, len(sent), size)) == expected
