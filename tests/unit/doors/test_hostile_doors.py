"""Hostile input through every door, while right logins go on beside it: none of them fails, nobody comes in, nothing leaks."""

import asyncio
import base64
import contextlib
import itertools
import json
import logging
import re
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, TypeVar
from urllib.parse import unquote

import pytest
import pytest_asyncio
from structlog.testing import capture_logs
from tests.doors import radius_client
from tests.doors.asking_by_socket import radius_ask
from tests.doors.every_door import AT_ONCE, WAYS, EveryDoor, Line, open_every_door
from tests.doors.expectation import LATER, PASSES, WRONG, expectation
from tests.doors.frames import FRAMES, Frame, changed, sent
from tests.doors.matrix_people import WRONG_SECRET
from tests.doors.ways_in import IMAP, SECRET, SMTP, Asker, Login, Shown, Way
from tests.verbs.site import House

from valetkey.app.doors import _OPENERS
from valetkey.core.errors import InvalidInput
from valetkey.core.scope import MailProtocol
from valetkey.core.throttle import ThrottleLimits
from valetkey.doors.asked.settings import DoorKind
from valetkey.wire.dovecot_auth import unescape

PATIENT = ThrottleLimits(per_network=10**9, per_secret=10**9, overall=10**9)
HURRIED = replace(AT_ONCE, request=0.6, send=0.6, connections=600)
ALICE = "alice@example.org"
BESIDE = 50  # right logins
AT_A_TIME = 16  # hostile connections
FAILED = {"door_failed", "session_failed", "login_check_failed", "login_undecided", "cannot_read"}
UNSEEN = " \t\r\n\v\f\x1c\x1d\x1e\x1f\x85\xa0\xad"
T = TypeVar("T")


@dataclass
class World:
    """All doors, one person, and what came into the logs."""

    doors: EveryDoor
    right: Login
    log: list[Any]
    looked_at: int = 0  # how much of the log

    @property
    def wrong(self) -> Login:
        return replace(self.right, secret=WRONG_SECRET)


class StandardLog(logging.Handler):
    """Keeps what libraries log."""

    def __init__(self, log: list[Any]) -> None:
        super().__init__(logging.DEBUG)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.append({"event": record.name, "said": self.format(record)})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("hostile")
    house = House(folder, throttle=PATIENT)
    issued = await house.issue(await house.person(ALICE))
    right = Login(ALICE, issued.secret.shown, IMAP, app_password=issued.app_password.id)
    with capture_logs() as log:
        handler = StandardLog(log)
        logging.getLogger().addHandler(handler)
        try:
            async with open_every_door(folder, house, kinds=tuple(_OPENERS), limits=HURRIED) as doors:
                yield World(doors, right, log)
        finally:
            logging.getLogger().removeHandler(handler)


OPENING = [way for way in WAYS if way.shown is Shown.SECRET and way.opens]


async def beside(world: World, hostile: Awaitable[T], ways: list[Way] = OPENING) -> T:
    """Await something hostile, while right logins go on one after the other; gives what it gives once all have passed."""
    task = asyncio.ensure_future(hostile)
    turns = itertools.cycle((way, protocol) for way in ways for protocol in way.protocols)
    try:
        for number in itertools.count(1):
            way, protocol = next(turns)
            login = replace(world.right, protocol=protocol)
            heard = (await way.ask(world.doors, Asker.HOLDING, login)).replace(ALICE, "NAME")
            heard = heard.replace(world.right.app_password, "APP")
            assert re.fullmatch(expectation(way.row, protocol, PASSES), heard), f"{way} {protocol.value}: {heard!r}"
            if number >= BESIDE and task.done():
                return task.result()
            await asyncio.sleep(0.002 if number < BESIDE else 0.05)
        raise AssertionError
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def all_of(acts: list[Awaitable[T]]) -> list[T]:
    """Await many, a few at a time."""
    turn = asyncio.Semaphore(AT_A_TIME)

    async def one(act: Awaitable[T]) -> T:
        async with turn:
            return await act

    return await asyncio.gather(*(one(act) for act in acts))


def nothing_failed(world: World) -> bool:
    """Tell whether no door has failed since this was asked before."""
    new, world.looked_at = world.log[world.looked_at :], len(world.log)
    failed = [entry for entry in new if entry["event"] in FAILED or "Traceback" in str(entry.get("said", ""))]
    assert new, "log lines go elsewhere"
    assert failed == []
    return True


@pytest.mark.parametrize("frame", FRAMES, ids=str)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_right_login_that_ends_at_any_octet_is_none(world: World, frame: Frame) -> None:
    whole = frame.octets(world.right)
    assert not frame.pass_word or frame.passes(await sent(world.doors, frame, whole))
    answers = await beside(world, all_of([sent(world.doors, frame, whole[:end]) for end in range(len(whole))]))
    assert [end for end, answer in enumerate(answers) if frame.passes(answer)] == []
    assert nothing_failed(world)


@pytest.mark.parametrize("frame", FRAMES, ids=str)
@pytest.mark.asyncio(loop_scope="module")
async def test_changed_frames_let_nobody_in_and_disturb_no_other(world: World, frame: Frame) -> None:
    chance = Random(f"{frame} 1")
    wrong = frame.octets(world.wrong)
    frames = [changed(wrong, chance) for _ in range(700)]
    answers = await beside(world, all_of([sent(world.doors, frame, octets) for octets in frames]))
    assert [octets for octets, answer in zip(frames, answers, strict=True) if frame.passes(answer)] == []
    assert nothing_failed(world)


@pytest.mark.asyncio(loop_scope="module")
async def test_changed_datagrams_are_not_accepted(world: World) -> None:
    """RADIUS has no connections: cut at each octet, changed, and of other servers."""
    chance = Random("radius 1")
    whole = radius_ask(world.right).octets
    datagrams = [whole[:end] for end in range(len(whole))]
    datagrams += [changed(radius_ask(world.wrong).octets, chance) for _ in range(700)]
    datagrams += [radius_ask(replace(world.right, peer_secret="another")).octets for _ in range(50)]

    async def flood() -> list[bytes]:
        port = world.doors.port(DoorKind.RADIUS, Asker.HOLDING)
        async with radius_client.connected(port) as client:
            for number, octets in enumerate(datagrams):
                client.send(octets)
                if number % (len(datagrams) // BESIDE) == 0:
                    async with radius_client.connected(port) as right:
                        assert (await right.ask(radius_ask(world.right))).code == radius_client.ACCESS_ACCEPT
            return [client.arrived.get_nowait() for _ in range(client.arrived.qsize())]

    # What it counts is how the tests' RADIUS client knows of silence, so that it is asked otherwise here.
    replies = await beside(world, flood(), [way for way in OPENING if way.door != "radius"])
    assert [reply for reply in replies if reply[0] == radius_client.ACCESS_ACCEPT] == []
    assert nothing_failed(world)


ONE_OF_EACH_DOOR = list({way.door: way for way in reversed(OPENING)}.values())


@pytest.mark.parametrize("way", ONE_OF_EACH_DOOR, ids=str)
@pytest.mark.asyncio(loop_scope="module")
async def test_any_octet_in_a_name_or_a_password_is_a_wrong_one_and_breaks_no_answer(world: World, way: Way) -> None:
    protocol = way.protocols[0]
    wrong = expectation(way.row, protocol, WRONG).replace("NAME", ".*")
    passes = expectation(way.row, protocol, PASSES).replace("APP", re.escape(world.right.app_password))
    broken: list[str] = []
    passing = set()

    async def attack() -> None:
        for octet in range(256):
            char = bytes([octet]).decode(errors="surrogateescape")
            secret = world.right.secret
            tried = [
                ("name", {"name": f"al{char}ice@example.org"}),
                ("secret", {"secret": f"{secret[:7]}{char}{secret[7:]}"}),
            ]
            if not char.isalnum():
                tried.append(("name", {"name": f"{ALICE}{char}"}))
            for where, changes in tried:
                login = replace(world.right, protocol=protocol, **changes)
                heard = await way.ask(world.doors, Asker.HOLDING, login)
                if any(re.fullmatch(passes, heard.replace(name, "NAME")) for name in (ALICE, login.name)):
                    passing.add((where, octet))
                elif not re.fullmatch(wrong, heard) and not is_misunderstood(heard):
                    broken.append(f"{where} {octet:#04x}: {heard!r}")

    await beside(world, attack(), [way])
    assert broken == []
    # A secret may be written with blanks and hyphens anywhere. Where a name goes on as it was typed it has to be one.
    names = "." if way.keeps_name else f"{UNSEEN}."
    assert {chr(octet) for where, octet in passing if where == "secret"} <= set(f"{UNSEEN}-_.")
    assert {chr(octet) for where, octet in passing if where == "name"} <= set(names)
    assert nothing_failed(world)


def is_misunderstood(heard: str) -> bool:
    """Tell whether the protocol itself was broken by an octet, and said so in its own words, or ended."""
    return (
        re.fullmatch(
            r"|a BAD .*|-ERR [A-Z][^.]*|50[0-9] .*|NO \"[A-Z][A-Za-z ]+\"|FAIL(\t1)?|400 \{.*\}|34 .*|53 .*", heard
        )
        is not None
    )


# Peers that ask for too much, too slowly, or not at all

ENDLESS = (b"x" * 65_536, b"\0" * 65_536, b"x\n" * 32_768, b"\xff" * 65_536, b"0" * 65_536)
SENT_AT_MOST = 24 * 2**20  # octets
HELD_AT_MOST = 12 * 2**20  # octets, by all that is sent to all doors at the same time
STREAMS = list({frame.door: frame for frame in FRAMES}.values())


async def fed(world: World, frame: Frame, octets: bytes) -> int:
    """Send the same octets again and again without reading; gives how many octets went, or the most that are sent."""
    line = await frame.connect(world.doors)
    whole = 0
    try:
        line.reader._transport.pause_reading()  # type: ignore[attr-defined]
        with contextlib.suppress(OSError, TimeoutError):
            while whole < SENT_AT_MOST:
                line.writer.write(octets)
                async with asyncio.timeout(2 * HURRIED.send):
                    await line.writer.drain()
                whole += len(octets)
                await asyncio.sleep(0)
    finally:
        line.close()
    return whole


@pytest.mark.asyncio(loop_scope="module")
async def test_what_never_ends_is_left_and_is_not_kept(world: World) -> None:
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        starts = [(frame, octets) for frame in STREAMS for octets in ENDLESS]
        sizes = await beside(world, all_of([fed(world, frame, octets) for frame, octets in starts]))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [str(frame) for (frame, _), size in zip(starts, sizes, strict=True) if size >= SENT_AT_MOST] == []
    assert most - before < HELD_AT_MOST
    assert nothing_failed(world)


@pytest.mark.parametrize("frame", [frame for frame in FRAMES if frame.pass_word], ids=str)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_name_or_a_password_of_any_length_is_a_wrong_one(world: World, frame: Frame) -> None:
    sizes = (0, 1, 255, 256, 321, 4_096, 65_535, 65_536, 200_000)
    long = [replace(world.right, **{part: "x" * size}) for part in ("name", "secret") for size in sizes]
    octets = []
    for login in long:
        with contextlib.suppress(OverflowError):  # saslauthd counts with two octets
            octets.append(frame.octets(login))
    answers = await beside(world, all_of([sent(world.doors, frame, each) for each in octets]))
    assert [answer for answer in answers if frame.passes(answer)] == []
    assert nothing_failed(world)


# The gateway's deadline is a minute, for people.
OF_SERVERS = [frame for frame in STREAMS if isinstance(frame.door, DoorKind)]


@pytest.mark.parametrize("frame", OF_SERVERS, ids=str)
@pytest.mark.asyncio(loop_scope="module")
async def test_who_sends_octet_by_octet_is_left(world: World, frame: Frame) -> None:
    """One deadline for a whole request, and not one from each octet to the next."""
    begun = asyncio.get_running_loop().time()
    answer = await beside(world, sent(world.doors, frame, b"x" * 500, pause=0.2))
    assert asyncio.get_running_loop().time() - begun < 90  # it would take a hundred to send them all
    assert not frame.passes(answer)
    assert nothing_failed(world)


@pytest.mark.asyncio(loop_scope="module")
async def test_many_connections_that_say_nothing_keep_nobody_out(world: World) -> None:
    """Also such that have said half of something, and such that are gone before they are answered."""
    lines: list[Line] = []

    async def crowd() -> None:
        for frame in STREAMS:
            part = frame.octets(world.wrong).replace(b"198.51.100.7", b"203.0.113.7")  # each network has its share
            for number in range(90):
                line = await frame.connect(world.doors)
                lines.append(line)
                await line.say(part[: number % len(part)] if number % 3 else b"")
                if number % 9 == 0:
                    await line.say(part)
                    line.close()
        await asyncio.sleep(HURRIED.request)

    try:
        await beside(world, crowd())
    finally:
        for line in lines:
            line.close()
    assert nothing_failed(world)


# What must not come out


@pytest.mark.asyncio(loop_scope="module")
async def test_no_secret_came_into_any_log(world: World) -> None:
    """Of all that is above: the right app password, in whatever form it was sent, and the peers' secrets."""
    text = repr(world.log)
    secrets = [world.right.secret, world.right.secret[:15], SECRET, "master secret"]
    forms = [form for each in secrets for form in (each, base64.b64encode(each.encode()).decode().rstrip("=")[:-1])]
    assert [form for form in forms if form in text] == []
    assert len(world.log) > len(FRAMES)


# What a door says of whom it has let in

SEPARATORS = "!\"#$%&'()*,./:;<=>?[\\]^`{|}~+"


@pytest.mark.asyncio(loop_scope="module")
async def test_a_name_that_goes_out_cannot_be_read_as_two(tmp_path: Path) -> None:
    """Each address that an account can have, read as the mail server reads it; or nothing is said, and "try again later"."""
    house = House(tmp_path, throttle=PATIENT)
    people = {}
    for char in (*SEPARATORS, "/app:ap_aaaaaaaaaaaaaaaa", "*valetkey", "ü", "=3d", "+3d"):
        address = f"a{char}b@example.org"
        with contextlib.suppress(InvalidInput):
            issued = await house.issue(await house.person(address))
            people[address] = Login(address, issued.secret.shown, IMAP, app_password=issued.app_password.id)
    assert len(people) > len(SEPARATORS) // 2
    async with open_every_door(tmp_path, house, kinds=tuple(_OPENERS)) as doors:
        for address, login in people.items():
            for way in NAMING:
                for protocol in way.protocols:
                    heard = await way.ask(doors, Asker.HOLDING, replace(login, protocol=protocol))
                    if re.fullmatch(later_or_none(way.row, protocol), heard):
                        continue
                    tag = f"/app:{login.app_password}" if protocol is SMTP else ""
                    assert READ_AS[way.row](heard) in {address, f"{address}{tag}"}, f"{way} {address}: {heard!r}"
            listed = await looked_up(doors, address)
            assert set(listed) <= {address, f"{address}/app:{login.app_password}"}, address


def later_or_none(row: str, protocol: MailProtocol) -> str:
    """Give what is heard where the mail server cannot be told such a name."""
    return "" if row == "authdaemon" else expectation(row, protocol, LATER) if row != "nginx" else NO_WAY


NO_WAY = r"200 auth-status: .*(?:The mail server cannot be reached right now).*"


def of_sasl(heard: str) -> str:
    """Read the answer as Postfix does: TABs between, escapes undone."""
    word, number, user = heard.split("\t")
    assert (word, number) == ("OK", "1")
    return unescape(user.removeprefix("user=").encode()).decode()


def of_authdaemon(heard: str) -> str:
    """Read the lines as Courier does; a mailbox lies where its address says."""
    lines = dict(line.split("=", 1) for line in heard.removesuffix(" .").split(" "))
    local, _, domain = lines["ADDRESS"].rpartition("@")
    assert lines["HOME"] == lines["MAILDIR"] == f"/var/mail/{domain}/{local}"
    assert lines["HOME"].count("/") == 4
    return lines["ADDRESS"]


def of_nginx(heard: str) -> str:
    """Read the name as the mail server behind nginx does: Dovecot at the first "*", Postfix as xtext or as it is."""
    told = dict(part.split(": ", 1) for part in heard.removeprefix("200 ").split("; ") if ": " in part)
    name = told["auth-user"]
    if told["auth-port"] == "25":
        assert unquote(name.replace("+", "%")) == name
        return name
    user, _, master = name.partition("*")
    assert master == "valetkey", name
    return user.encode("latin-1").decode()


def of_lua(heard: str) -> str:
    """Read the fields; Postfix is told a name, and no field has a name with a separator."""
    fields = json.loads(heard.removeprefix("200 "))["fields"]
    assert all(re.fullmatch("[a-z_]+", key) and str(value).isprintable() for key, value in fields.items())
    return str(fields["user"])


# For others Dovecot goes on with the name as it was typed, and is told none.
READ_AS: dict[str, Callable[[str], str]] = {
    "sasl": of_sasl,
    "authdaemon": of_authdaemon,
    "nginx": of_nginx,
    "lua-sasl": of_lua,
}


NAMING = [way for way in OPENING if way.row in READ_AS and way.mechanism != "for others"]


async def looked_up(doors: EveryDoor, address: str) -> list[str]:
    """Ask who may send as an address, and read the answer as Postfix does: commas and white space between names."""
    frame = next(frame for frame in FRAMES if frame.door is DoorKind.SOCKETMAP)
    answer = await sent(doors, frame, frame.octets(Login(address, "", SMTP)))
    status, _, names = answer.partition(b":")[2].removesuffix(b",").decode().partition(" ")
    assert status in {"OK", "NOTFOUND"}
    return re.split(r"[, \t\r\n]+", names) if names else []
