"""A crowd of half-open connections, slow writers, and processes killed at any moment: the others go on."""

import contextlib
import json
import os
import random
import re
import resource
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from typing import IO

import pytest
from tests.servers import python_clients
from tests.servers.dialogue import Dialogue, dialogue
from tests.servers.launching import Launched, start_valetkey
from tests.servers.people import ALICE, BOB
from tests.servers.site import MailSite
from tests.servers.valetkey import Valetkey, running_valetkey
from tests.servers.valetkey_busy import MAIN
from tests.servers.valetkey_keys import EVERYTHING
from tests.servers.valetkey_settings import ValetkeyOptions

pytestmark = pytest.mark.integration

HALF_OPEN = 1000
ROUNDS_OF_KILLS = 3


@pytest.fixture(scope="module")
def own(mail_site: MailSite) -> Iterator[Valetkey]:
    """Give a Valetkey whose processes may be killed, and whose memory is its own from the start."""
    with running_valetkey(mail_site, ValetkeyOptions(workers=2, is_cold=True)) as running:
        yield running


@pytest.fixture
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 8192), hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def timed_login(valetkey: Valetkey, name: str, secret: str) -> float:
    begun = time.monotonic()
    with dialogue(valetkey.ports.imaps, valetkey.site.authority.client_context()) as talk:
        talk.until(r"\* OK")
        assert talk.imap("a", f"LOGIN {name} {secret}")[-1].startswith("a OK")
    return time.monotonic() - begun


def test_a_thousand_half_open_connections_keep_nobody_out(own: Valetkey, many_files: None):
    key = own.keys.issue(ALICE, EVERYTHING)
    timed_login(own, "alice", key.secret)
    before = own.memory()
    held: list[socket.socket] = []
    ports = [own.ports.imaps, own.ports.imap, own.ports.pop3, own.ports.submission, own.ports.sieve]
    try:
        for number in range(HALF_OPEN):
            place = (f"127.1.{number % 50}.{number // 50 + 1}", 0)
            held.append(socket.create_connection(("127.0.0.1", ports[number % len(ports)]), 10, place))
            # Slow writers: an octet each, of a handshake or of a command, and then nothing more.
            held[-1].send(b"\x16" if number % len(ports) == 0 else b"A")
        wait_for_waiting(own, HALF_OPEN)
        for number in range(0, HALF_OPEN, 3):
            with contextlib.suppress(OSError):
                held[number].send(b"B")
        waits = sorted(timed_login(own, "alice", key.secret) for _ in range(10))
        assert waits[5] < 1.0, waits
        grown = [own.memory()[pid] - held_before for pid, held_before in before.items()]
        # Half of them on each worker, at most 64 KiB each.
        assert sum(grown) < HALF_OPEN * 65536, grown
    finally:
        for each in held:
            each.close()
    end = time.monotonic() + 10
    while own.metric("valetkey_waiting_connections") > 0:
        assert time.monotonic() < end, "connections that are gone are still counted"
        time.sleep(0.05)  # a number that falls can only be asked for


def wait_for_waiting(valetkey: Valetkey, count: int) -> None:
    end = time.monotonic() + 15
    while (waiting := valetkey.metric("valetkey_waiting_connections")) < count:
        assert time.monotonic() < end, f"only {waiting} of {count} connections wait"
        time.sleep(0.05)  # a number that grows can only be asked for


def test_one_network_can_not_take_all_the_places(own: Valetkey, many_files: None):
    key = own.keys.issue(ALICE, EVERYTHING)
    limit = 100 * own.options.workers
    turned_away = own.metric("valetkey_closed_before_login_total", reason="too many waiting")
    held = [socket.create_connection(("127.0.0.1", own.ports.imap), 10, ("127.2.0.1", 0)) for _ in range(limit + 50)]
    try:
        end = time.monotonic() + 5
        while own.metric("valetkey_closed_before_login_total", reason="too many waiting") < turned_away + 50:
            assert time.monotonic() < end, "nobody was turned away"
            time.sleep(0.05)  # counted when it was done
        assert own.metric("valetkey_waiting_connections") <= limit
        assert timed_login(own, "alice", key.secret) < 2
    finally:
        for each in held:
            each.close()


def test_a_killed_worker_takes_only_its_own_sessions_and_comes_back(own: Valetkey):
    key = own.keys.issue(ALICE, EVERYTHING)
    with contextlib.ExitStack() as stack:
        talks: list[Dialogue] = []
        while len({each.worker for each in own.keys.opened_by(key)}) < 2:
            talk = stack.enter_context(dialogue(own.ports.imaps, own.site.authority.client_context()))
            talk.until(r"\* OK")
            assert talk.imap("a", f"LOGIN alice {key.secret}")[-1].startswith("a OK")
            talks.append(talk)
            assert len(talks) < 100, "one worker takes everything"
        victims = sum(each.worker == "1" for each in own.keys.opened_by(key))
        killed = own.worker_pid(1)
        os.kill(killed, signal.SIGKILL)
        alive = 0
        for talk in talks:
            with contextlib.suppress(OSError, EOFError):
                alive += talk.imap("b", "NOOP")[-1].startswith("b OK")
        assert alive == len(talks) - victims
        assert timed_login(own, "alice", key.secret) < 5
        end = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError):
                if own.worker_pid(1) != killed:
                    break
            assert time.monotonic() < end, "the worker does not come back"
            time.sleep(0.05)  # a process tells nobody that it is there
    own.wait_until_ready()
    left = {each.id for each in own.keys.opened_by(key)}
    assert own.keys.revoke(key) <= len(left)
    assert own.keys.opened_by(key) == ()


def test_what_was_acknowledged_survives_the_death_of_every_process(own: Valetkey):
    """Issue and revoke in a process of its own, kill everything at a random moment, start again, and look."""
    own.cli("account", "create", "robot@example.test", "--shared")
    issued: set[str] = set()
    revoked: set[str] = set()
    draw = random.Random(20261120)
    for _ in range(ROUNDS_OF_KILLS):
        with busy(own) as (process, said):
            lines = [said.readline()]
            time.sleep(draw.uniform(0.05, 0.8))  # the moment is the point
            own.kill()
            process.kill()
            lines += said.readlines()
        own.start()
        # What the kill cut in half was not acknowledged.
        whole = [line.split() for line in lines if re.fullmatch(r"(issued|revoked) \S+\n", line)]
        issued |= {credential for what, credential in whole if what == "issued"}
        revoked |= {credential for what, credential in whole if what == "revoked"}
    assert_as_acknowledged(own, issued, revoked)
    assert issued > revoked
    assert len(revoked) > ROUNDS_OF_KILLS


@contextlib.contextmanager
def busy(own: Valetkey) -> Iterator[tuple[Launched, IO[str]]]:
    """Start a process that issues and revokes without end, beside the running one; what it says can be read."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as said:
        try:
            process = start_valetkey(str(own.config), "robot@example.test", output=writing, program=MAIN)
        finally:
            os.close(writing)
        try:
            yield process, said
        finally:
            process.kill()
            process.wait()


def assert_as_acknowledged(own: Valetkey, issued: set[str], revoked: set[str]) -> None:
    with contextlib.closing(sqlite3.connect(own.directory / "valetkey.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    listed = json.loads(own.cli("app-password", "list", "robot@example.test", "--all", "--json"))
    states = {entry["id"]: entry["state"] for entry in listed}
    assert issued <= set(states), "an app password that was shown is lost"
    assert {states[each] for each in revoked} <= {"revoked"}
    own.cli("audit", "verify")


def test_asked_to_end_it_says_goodbye_and_frees_its_ports(own: Valetkey):
    key = own.keys.issue(BOB, EVERYTHING)
    with dialogue(own.ports.imap) as waiting, python_clients.imap(own.login(key, "imaps")):
        waiting.until(r"\* OK")
        assert own.stop() == 0
        assert waiting.line().startswith("* BYE [UNAVAILABLE]")
    own.start()
    assert timed_login(own, "bob", key.secret) < 5
