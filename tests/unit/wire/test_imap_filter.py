"""wire/imap_filter.py: what the transcripts do not show."""

from time import process_time

import pytest

from valetkey.wire.imap_command import Forward, ImapAnswer, ImapCommand, Refuse
from valetkey.wire.imap_filter import ImapFilter

LIMIT = 1 << 20


def allow(command: ImapCommand) -> ImapAnswer:
    return Refuse("no\r\nway", b"CANNOT") if command.name == "DELETE" else Forward(command)


def filtered(*capabilities: bytes) -> ImapFilter:
    return ImapFilter(allow, capabilities)


def sent(machine: ImapFilter, data: bytes) -> bytes:
    machine.from_client(data)
    return machine.take_to_server()


def test_a_refusal_is_one_line_with_its_code():
    machine = filtered()
    assert sent(machine, b"a DELETE x\r\n") == b""
    assert machine.take_to_client() == b"a NO [CANNOT] no??way\r\n"


@pytest.mark.parametrize(
    "line",
    [
        b"a LOGIN x y",
        b"a AUTHENTICATE PLAIN",
        b"a STARTTLS",
        b"a COMPRESS DEFLATE",
        b"a UNAUTHENTICATE",
        b"a SETACL x y z",
        b"a UID",
        b"a",
        b"a NOOP x",
        b"a APPEND x CATENATE (URL y)",
        b"a APPEND x",
        b"a APPEND x (a) {",
    ],
)
def test_what_is_unknown_is_bad(line):
    machine = filtered()
    assert sent(machine, line + b"\r\n") == b""
    assert machine.take_to_client().startswith(b"a BAD ")
    assert machine.close_reason is None


@pytest.mark.parametrize(
    "line",
    [
        b"a XFOO {9+}\r\n",
        b'a SEARCH "x {9+}\r\n',
        b"a FETCH 1 BODY[ {9+}\r\n",
        b"a APPEND x FOO {9+}\r\n",
        b"a APPEND x (a) (b) {9+}\r\n",
        b"a APPEND (x {9+}\r\n",
        b"a SEARCH ~{9+}\r\n",
        b"a SEARCH {1+}\r\n\0 {9+}\r\n",
        b"a SEARCH x{9+}\r\n",
        b"a XFOO {11+}\r\nb NOOP {8+} {9+}\r\n",
    ],
)
def test_the_literal_of_a_bad_command_is_no_command(line):
    machine = filtered(b"LITERAL+")
    assert sent(machine, line + b"b NOOP\r\n\n" + b"\r\nc NOOP\r\n") == b"c NOOP\r\n"


def test_a_tag_in_use_is_refused():
    machine = filtered()
    assert sent(machine, b"a NOOP\r\na SEARCH TEXT {3}\r\n") == b"a NOOP\r\n"
    assert sent(machine, b"\xff\r\n\r\n") == b""
    assert b"a BAD This tag is in use" in machine.take_to_client()
    machine.from_server(b"a OK\r\n")
    assert sent(machine, b"a NOOP\r\n") == b"a NOOP\r\n"


def test_a_small_literal_may_go_unasked_to_an_upstream_with_literal_minus():
    machine = filtered(b"LITERAL-")
    assert sent(machine, b"a SEARCH TEXT {1+}\r\n\xe4\r\n") == b"a SEARCH TEXT {1+}\r\n\xe4\r\n"
    assert sent(machine, b"b SEARCH TEXT {5000+}\r\n" + b"\xe4" * 5000 + b"\r\n") == b"b SEARCH TEXT {5000}\r\n"
    machine.from_server(b"+ \r\n")
    assert machine.take_to_server() == b"\xe4" * 5000 + b"\r\n"


def test_a_message_sent_unasked_waits_for_an_upstream_that_wants_to_be_asked():
    machine = filtered()
    assert sent(machine, b"a APPEND x {3+}\r\nabc\r\nb NOOP\r\n") == b"a APPEND x {3}\r\n"
    machine.from_server(b"+ \r\n")
    assert machine.take_to_server() == b"abc\r\nb NOOP\r\n"
    assert machine.take_to_client() == b""


def test_a_message_that_the_upstream_refuses_is_swallowed():
    machine = filtered()
    assert sent(machine, b"a APPEND x {9+}\r\nb DELETE ") == b"a APPEND x {9}\r\n"
    machine.from_server(b"a NO [OVERQUOTA] full\r\n")
    assert sent(machine, b"\r\nc NOOP\r\n") == b"c NOOP\r\n"
    assert machine.take_to_client() == b"a NO [OVERQUOTA] full\r\n"


def test_a_large_message_passes_in_slices():
    machine = filtered(b"LITERAL+")
    size, piece = 50_000_000, b"x" * 65536
    assert sent(machine, b"a APPEND x {%d+}\r\n" % size) == b"a APPEND x {50000000+}\r\n"
    left = size
    while left:
        data = piece[:left]
        assert sent(machine, memoryview(data)) == data
        left -= len(data)
    assert sent(machine, b"\r\nb NOOP\r\n") == b"\r\nb NOOP\r\n"


def test_too_much_ahead_of_an_answer_ends_the_session():
    machine = filtered()
    machine.from_client(b"a IDLE\r\n")
    for _ in range(20):
        machine.from_client(b"x" * 65536)
    assert machine.close_reason == "the client sent too much ahead of an answer"


def test_too_many_commands_at_once_end_the_session():
    machine = filtered()
    for number in range(5000):
        machine.from_client(b"a%d NOOP\r\n" % number)
    assert machine.close_reason is not None
    assert machine.take_to_server().count(b"NOOP") == 4096


@pytest.mark.parametrize("data", [b"a NOOP" + b" " * 70000, b"a SEARCH" + b" TEXT {60000+}\r\n" + b"x" * 60000 + b"\r"])
def test_a_command_too_long_ends_the_session(data):
    machine = filtered()
    machine.from_client(data + b" " * 70000)
    assert machine.close_reason is not None
    assert machine.take_to_client().startswith(b"* BYE ")
    machine.from_client(b"a NOOP\r\n")
    machine.from_server(b"* 1 EXISTS\r\n")
    assert (machine.take_to_server(), machine.take_to_client()) == (b"", b"")


def test_a_literal_too_large_for_memory_is_not_asked_for():
    machine = filtered()
    assert sent(machine, b"a SEARCH TEXT {65537}\r\nb NOOP\r\n") == b"b NOOP\r\n"
    assert machine.take_to_client() == b"a BAD This literal is not accepted here\r\n"


def test_deep_parentheses_are_refused():
    machine = filtered()
    assert sent(machine, b"a SEARCH " + b"(" * 21 + b"ALL" + b")" * 21 + b"\r\n") == b""
    assert sent(machine, b"b SEARCH " + b"(" * 20 + b"ALL" + b")" * 20 + b"\r\n").startswith(b"b SEARCH ((")


def test_done_waits_until_the_upstream_idles():
    machine = filtered()
    assert sent(machine, b"a IDLE\r\nDONE\r\nb NOOP\r\n") == b"a IDLE\r\n"
    machine.from_server(b"+ idling\r\n")
    assert machine.take_to_server() == b"DONE\r\nb NOOP\r\n"


def test_a_lone_done_is_a_bad_command():
    machine = filtered()
    assert sent(machine, b"DONE\r\n") == b""
    assert machine.take_to_client().startswith(b"DONE BAD")


def test_our_words_never_stand_inside_a_response():
    machine = filtered()
    machine.from_server(b"* 1 FETCH (BODY[] {5}\r\nab")
    machine.from_client(b"a DELETE x\r\nb APPEND y {3}\r\n")
    machine.from_server(b"cde FLAGS")
    assert b"CANNOT" not in machine.take_to_client()
    machine.from_server(b" ())\r\n")
    assert machine.take_to_client() == b" FLAGS ())\r\na NO [CANNOT] no??way\r\n"


def test_an_upstream_that_speaks_something_else_ends_the_session():
    machine = filtered()
    machine.from_server(b"hello\r\n")
    assert machine.close_reason is not None


def test_an_empty_identity_is_nil():
    assert sent(filtered(), b'a ID ("X-Originating-IP" "10.0.0.1")\r\n') == b"a ID NIL\r\n"


def test_a_continuation_nobody_waits_for_ends_the_session():
    machine = filtered()
    machine.from_client(b"a NOOP\r\n")
    machine.from_server(b"+ give me more\r\n")
    assert machine.close_reason is not None


def test_answers_that_wait_for_the_end_of_a_response_are_bounded():
    machine = filtered()
    machine.from_client(b"f FETCH 1 BODY[]\r\n")
    machine.from_server(b"* 1 FETCH (BODY[] {30000000}\r\n")
    rounds = 0
    while not machine.waits_for_server:
        machine.from_server(b"x" * 1000)
        machine.from_client(b"d DELETE x\r\n" * 100)
        rounds += 1
        assert rounds < 100
    machine.take_to_client()
    machine.from_server(b"x" * (30_000_000 - rounds * 1000) + b")\r\n")
    assert machine.take_to_client().endswith(b"d NO [CANNOT] no??way\r\n" * 100)
    assert not machine.waits_for_server


def test_no_end_of_bad_commands_ends_the_session():
    machine = filtered()
    machine.from_client(b"a\r\n" * 999)
    assert machine.close_reason is None
    machine.from_client(b"a\r\n" * 20000)
    assert machine.close_reason == "too many bad commands"
    assert machine.take_to_client().count(b"\r\n") == 1001


def _cost(literals: int) -> float:
    machine = filtered(b"LITERAL+")
    data = b"a SEARCH " + b"TEXT {0+}\r\n " * literals + b"ALL\r\n"
    before = process_time()
    machine.from_client(data)
    cost = process_time() - before
    assert machine.take_to_server() != b""
    return cost


def test_many_literals_of_one_command_cost_each_the_same():
    few, many = (min(_cost(count) for _ in range(3)) for count in (2000, 16000))
    assert many < 24 * few, "eight times as many cost about eight times as much, not sixty-four"


def test_goodbye_is_said_between_two_responses_only():
    machine = filtered()
    machine.goodbye("Until then")
    assert (machine.take_to_client(), machine.close_reason) == (b"* BYE Until then\r\n", "we end it")
    machine.goodbye("Again")
    machine.from_client(b"a NOOP\r\n")
    assert (machine.take_to_client(), machine.take_to_server()) == (b"", b"")
    machine = filtered()
    machine.from_server(b"* 1 FETCH (BODY[] {9}\r\nhalf")
    machine.take_to_client()
    machine.goodbye("Until then")
    assert machine.take_to_client() == b""
