"""Telling Dovecots to close sessions: which ones, and what becomes of answers that are none."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from valetkey.adapters import doveadm as adapter
from valetkey.adapters.doveadm import CommandLine, Doveadm, DovecotServer, Way
from valetkey.adapters.doveadm_http import HttpApi
from valetkey.core.errors import CannotStart, Unavailable
from valetkey.service.closing_parts import OF_MAIN_PASSWORD, Sessions
from valetkey.wire.doveadm import Answer, Command

ALICE = "alice@example.org"
KEY = "the key of doveadm"
HOME, OFFICE = "192.0.2.1", "198.51.100.1"
SESSIONS = Sessions((ALICE,), "ap_1")

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Dovecot:
    """A way to a Dovecot that has some sessions: user, address, app."""

    def __init__(self, *sessions: tuple[str, str, str]) -> None:
        self.sessions = sessions
        self.said: list[tuple[str, Any]] = []

    async def say(self, commands: Sequence[Command]) -> Sequence[Answer]:
        return [self._answer(command) for command in commands]

    def _answer(self, command: Command) -> Answer:
        if command.name != "who":
            self.said.append((command.name, command.parameters.get("mask") or command.parameters["user"]))
            return Answer()
        rows = [{"username": user, "ip": address, "user_app": app} for user, address, app in self.sessions]
        return Answer(tuple(row for row in rows if command.parameters["mask"] == [row["username"]]))


def told(way: Way, *, by_app: bool = False, url: str = "") -> Doveadm:
    return Doveadm([DovecotServer("mx1", url, by_app=by_app)], lambda _: way)


async def test_by_address_where_it_knows_no_more() -> None:
    way = Dovecot((ALICE, HOME, ""), (ALICE, OFFICE, ""), ("bob@example.org", OFFICE, ""))
    closed = await told(way).close("mx1", Sessions((ALICE,), "ap_1", spare=frozenset({HOME})))
    assert closed == 1
    assert way.said == [("authCacheFlush", [ALICE]), ("kick", [ALICE, OFFICE])]


async def test_by_app_password_where_it_knows_it() -> None:
    way = Dovecot((ALICE, HOME, "ap_1"), (ALICE, HOME, "ap_2"), (ALICE, OFFICE, ""))
    closed = await told(way, by_app=True, url="http://x").close(
        "mx1", Sessions((ALICE,), "ap_1", spare=frozenset({OFFICE}))
    )
    assert closed == 1
    assert way.said == [("kick", ["ap_1"])], "no cache is flushed over the API of 2.4, which would kill its server"


async def test_the_main_passwords_sessions_are_found_by_address_in_any_case() -> None:
    way = Dovecot((ALICE, HOME, ""), (ALICE, OFFICE, ""))
    sessions = Sessions((ALICE,), OF_MAIN_PASSWORD, spare=frozenset({OFFICE}))
    assert await told(way, by_app=True).close("mx1", sessions) == 1
    assert ("kick", [ALICE, HOME]) in way.said


async def test_a_whole_account_and_too_many_places_are_one_kick() -> None:
    way = Dovecot(*((ALICE, f"192.0.2.{n}", "") for n in range(1, 41)))
    assert await told(way).close("mx1", Sessions((ALICE, "alice"))) == 40
    assert way.said == [("authCacheFlush", [ALICE]), ("authCacheFlush", ["alice"]), ("kick", [ALICE])]


async def test_a_session_without_an_address_ends_with_all_of_its_name() -> None:
    way = Dovecot((ALICE, "", ""), (ALICE, HOME, ""))
    assert await told(way).close("mx1", SESSIONS) == 2
    assert way.said[-1] == ("kick", [ALICE])


class Generous(Dovecot):
    """One that takes a name for a pattern."""

    def _answer(self, command: Command) -> Answer:
        if command.name == "who":
            return Answer(tuple({"username": user, "ip": address} for user, address, _ in self.sessions))
        return super()._answer(command)


async def test_others_that_a_name_stands_for_are_left_alone() -> None:
    way = Generous((ALICE, HOME, ""))
    assert await told(way).close("mx1", Sessions(("a*@example.org",))) == 0
    assert all(name != "kick" for name, _ in way.said)


async def test_a_name_that_stands_for_others_closes_nothing_of_theirs() -> None:
    everybody = "*@example.org"
    way = Generous((everybody, HOME, "ap_1"), (everybody, HOME, ""), (ALICE, HOME, ""))
    with capture_logs() as log:
        assert await told(way).close("mx1", Sessions((everybody, "else@example.org"))) == 0
    assert [line["names"] for line in log] == [[everybody, "else@example.org"]]
    assert all(name != "kick" for name, _ in way.said)
    # One that fails each time would keep others' sessions from being closed; and what is tagged names nobody else.
    await told(way, by_app=True).close("mx1", Sessions((everybody,), "ap_1"))
    assert [said for said in way.said if said[0] == "kick"] == [("kick", ["ap_1"])]
    # Once nobody else is there it is closed by its name.
    way.sessions = way.sessions[:2]
    assert await told(way).close("mx1", Sessions((everybody,))) == 2
    assert way.said[-1] == ("kick", [everybody, HOME])


@pytest.mark.parametrize("by_app", [False, True])
async def test_nobody_is_asked_when_nobody_is_meant(by_app: bool) -> None:
    way = Dovecot((ALICE, HOME, "ap_1"))
    assert await told(way, by_app=by_app).close("mx1", Sessions((ALICE,), "ap_1", only=frozenset())) == 0
    assert way.said == []


@asynccontextmanager
async def api(serve: Serve) -> AsyncIterator[Doveadm]:
    """Serve an API as a test wants it."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    dovecots = [DovecotServer("mx1", f"http://127.0.0.1:{port}")]
    try:
        yield Doveadm(dovecots, lambda one: HttpApi(one, lambda: KEY))
    finally:
        server.close()
        await server.wait_closed()


def answering(status: str, body: bytes, headers: str = "") -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{headers}\r\n"
        writer.write(head.encode() + body)
        await writer.drain()

    return serve


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
    while True:
        writer.write(b"[" * 65536)
        await writer.drain()


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


@pytest.mark.parametrize(
    ("serve", "why"),
    [
        (answering("401 Unauthorized", b""), "refuses the key"),
        (answering("500 Oh", b""), "status 500"),
        (answering("302 Found", b"", "Location: http://127.0.0.1:1/\r\n"), "status 302"),
        (answering("200 OK", b"garbage"), "Not JSON"),
        (answering("200 OK", b"[]"), "missing"),
        (answering("200 OK", json.dumps([["error", {"type": "invalidRequest"}, "0"]]).encode()), "doveadm_by_app"),
        (endless, "too much"),
        (silent, "in time"),
    ],
)
async def test_an_api_that_is_none(serve: Serve, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "DEADLINE", 1.0)
    async with api(serve) as dovecots:
        with pytest.raises(Unavailable, match=why) as caught:
            await dovecots.close("mx1", SESSIONS)
        assert KEY not in str(caught.value)


async def test_nobody_listens() -> None:
    dovecots = Doveadm([DovecotServer("mx1", "http://127.0.0.1:1")], lambda one: HttpApi(one, lambda: KEY))
    with pytest.raises(Unavailable, match="mx1"):
        await dovecots.probe("mx1")
    with pytest.raises(Unavailable, match="mx2"):
        await dovecots.probe("mx2")


async def test_a_key_that_cannot_be_read() -> None:
    def missing() -> str:
        raise CannotStart("the key is not there")

    dovecots = Doveadm([DovecotServer("mx1", "http://127.0.0.1:1")], lambda one: HttpApi(one, missing))
    with pytest.raises(Unavailable, match="the key is not there"):
        await dovecots.probe("mx1")


async def test_a_certificate_of_somebody_else(tmp_path: Path) -> None:
    nobody = tmp_path / "ca.pem"
    nobody.write_text("")
    server = DovecotServer("mx1", "https://127.0.0.1:1", nobody)
    with pytest.raises(Unavailable):
        await Doveadm([server], lambda one: HttpApi(one, lambda: KEY)).probe("mx1")


def program(tmp_path: Path, text: str) -> CommandLine:
    path = tmp_path / "doveadm"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return CommandLine([str(path)])


async def test_the_command_says_what_it_is_told_without_a_shell(tmp_path: Path) -> None:
    name = "$(touch hacked);'\"@example.org"
    way = program(tmp_path, f'echo "$@" >> {tmp_path}/said; [ "$1" = -f ] && echo "[]"; exit 0')
    assert await told(way).close("mx1", Sessions((name,))) == 0
    assert (tmp_path / "said").read_text().splitlines() == [
        f"-f json who -1 -- {name}",
        f"auth cache flush -- {name}",
    ]
    assert not os.path.lexists("hacked")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("echo no; exit 0", "Not JSON"),
        ("echo Permission denied >&2; exit 77", "Permission denied"),
        ("exec yes", "too much"),
        ("exec sleep 60", "in time"),
    ],
)
async def test_a_command_that_fails(tmp_path: Path, text: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "DEADLINE", 1.0)
    with pytest.raises(Unavailable, match=why):
        await told(program(tmp_path, text)).close("mx1", SESSIONS)


async def test_no_such_command(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="No such file"):
        await told(CommandLine([str(tmp_path / "none")])).probe("mx1")
