"""Commands for doveadm and its answers, as Dovecot 2.3 and 2.4 give them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valetkey.wire import doveadm
from valetkey.wire.doveadm import Answer, Connection
from valetkey.wire.machine import PeerError

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.sampled_from(["doveadmResponse", "error", "0"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=20,
)


def test_commands_as_the_api_and_the_command_line_take_them() -> None:
    commands = [
        doveadm.who("alice@example.org"),
        doveadm.kick("alice@example.org", "192.0.2.1", shared=True),
        doveadm.kick_app("ap_1"),
        doveadm.flush("alice@example.org"),
    ]
    assert json.loads(doveadm.encode(commands)) == [
        ["who", {"mask": ["alice@example.org"], "separateConnections": True}, "0"],
        ["kick", {"mask": ["alice@example.org", "192.0.2.1"], "force": True}, "1"],
        ["kick", {"passdbField": "user_app", "mask": ["ap_1"]}, "2"],
        ["authCacheFlush", {"user": ["alice@example.org"]}, "3"],
    ]
    assert commands[1].arguments == ("kick", "-f", "--", "alice@example.org", "192.0.2.1")


def test_a_name_that_looks_like_an_option_is_none() -> None:
    assert doveadm.who("-A@example.org").arguments[-2:] == ("--", "-A@example.org")


def test_answers_of_2_3() -> None:
    body = (
        b'[["doveadmResponse",[{"entries":"0"}],"0"],["error",{"type":"exitCode", "exitCode":68},"1"],'
        b'["error",{"type":"invalidRequest", "exitCode":0},"2"]]'
    )
    flushed, nobody, wrong = doveadm.decode(body, 3)
    assert flushed.rows == ({"entries": "0"},)
    assert (nobody.is_good, nobody.exit_code) == (True, doveadm.NOTHING_FOUND)
    assert (wrong.is_good, wrong.error) == (False, "invalidRequest")


def test_connections_of_2_4_with_their_app() -> None:
    body = (
        b'[["doveadmResponse",[{"username":"alice@example.test","service":"imap","pid":"1","ip":"127.0.0.2",'
        b'"dest_ip":"","user_app":"ap_2"},{"username":"bob@example.test","service":"imap","pid":"2","ip":""}],"0"]]'
    )
    (answer,) = doveadm.decode(body, 1)
    assert doveadm.connections(answer) == (
        Connection("alice@example.test", "127.0.0.2", "ap_2"),
        Connection("bob@example.test", "", ""),
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"garbage",
        b"\xff\xfe",
        b"[[]]",
        b'[["doveadmResponse",[],"1"]]',
        b'[["doveadmResponse",[1],"0"]]',
        b'[["doveadmResponse",[{"username":7}],"0"]]',
        b'[["doveadmResponse",[{"a":"' + b"x" * 501 + b'"}],"0"]]',
        b"[" * 100_000,
        b'[["doveadmResponse",[' + b"{}," * 10_000 + b'{}],"0"]]',
    ],
)
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(PeerError):
        doveadm.decode(body, 1)


def test_a_connection_of_nobody() -> None:
    with pytest.raises(PeerError):
        doveadm.connections(Answer(({"ip": "127.0.0.1"},)))


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_answer_is_read_or_refused(body: bytes) -> None:
    for read in (lambda: doveadm.decode(body, 1), lambda: doveadm.connections(doveadm.decode_output(body))):
        try:
            read()
        except PeerError as error:
            assert len(str(error)) < 100  # noqa: PT017  (most bodies are refused, some are not)
