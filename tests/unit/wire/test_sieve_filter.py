import pytest

from valetkey.wire.sieve_filter import COMMANDS, SieveFilter


@pytest.mark.parametrize(
    "command",
    [
        b"UNAUTHENTICATE",
        b'AUTHENTICATE "PLAIN" "AGFsaWNlAHNlY3JldA=="',
        b"STARTTLS",
        b"XCLIENT ADDR=1.2.3.4",
        b'XCLIENT "x"',
        b"",
        b'"LOGOUT"',
        b"LOGOUT x",
        b"PUTSCRIPT x y",
        b'HAVESPACE "x" "y"',
        b"GETSCRIPT",
        b"(LOGOUT)",
    ],
)
def test_what_is_no_command_of_a_session_does_not_pass(command):
    session = SieveFilter()
    session.from_client(command + b"\r\n")
    assert session.take_to_server() == b""
    assert session.take_to_client().startswith(b"NO ")


def test_every_command_passes():
    arguments = {
        "HAVESPACE": b' "a" 1',
        "PUTSCRIPT": b' "a" "keep;"',
        "SETACTIVE": b' ""',
        "GETSCRIPT": b' "a"',
        "DELETESCRIPT": b' "a"',
        "RENAMESCRIPT": b' "a" "b"',
        "CHECKSCRIPT": b' "keep;"',
    }
    for name in COMMANDS:
        session = SieveFilter()
        line = name.encode() + arguments.get(name, b"") + b"\r\n"
        session.from_client(line)
        assert session.take_to_server() == line


def test_a_script_is_data():
    session = SieveFilter()
    session.from_client(b'PUTSCRIPT "a" {18+}\r\nUNAUTHENTICATE\r\n\r\n\r\nNOOP\r\n')
    assert session.take_to_server() == b'PUTSCRIPT "a" {18+}\r\nUNAUTHENTICATE\r\n\r\n\r\nNOOP\r\n'


def test_many_bad_commands_end_the_session():
    session = SieveFilter()
    session.from_client(b"BOGUS\r\n" * 20)
    assert session.close_reason == "too many bad commands"
    assert session.take_to_client().count(b"NO ") == 10


def test_pipelining_is_bounded():
    session = SieveFilter()
    session.from_client(b"NOOP\r\n" * 150)
    assert session.take_to_server() == b"NOOP\r\n" * 100
    session.from_server(b"OK\r\n" * 10)
    assert session.take_to_server() == b"NOOP\r\n" * 10


@pytest.mark.parametrize("answer", [b"* OK\r\n", b"x" * 9000, b"{99999999}\r\n"])
def test_an_upstream_that_speaks_something_else(answer):
    session = SieveFilter()
    session.from_client(b"LISTSCRIPTS\r\n")
    session.from_server(answer)
    assert session.close_reason == "the upstream does not speak ManageSieve"
    assert session.take_to_client() == b'BYE "Upstream failed"\r\n'


def test_goodbye_ends_the_session():
    session = SieveFilter()
    session.goodbye("Until then")
    assert (session.take_to_client(), session.close_reason) == (b'BYE "Until then"\r\n', "we end it")
    session.from_client(b"LISTSCRIPTS\r\n")
    assert session.take_to_server() == b""
