"""`kill -9` at any moment loses nothing that was acknowledged, and leaves nothing half done."""

import os
import random
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from valetkey.adapters.store import check_file, open_store

CHILD = Path(__file__).with_name("child.py")
KILLS = 240
KILLS_PER_DATABASE = 24  # a fresh database now and then: its making is killed as well
LONGEST_START = 0.08  # seconds; making or opening a database takes a part of it
LONGEST_WRITE = 0.004  # seconds; one transaction takes a part of it
MOST_WRITES = 8
DEADLINE = 60.0  # seconds for the next line


class Nursery:
    """A process that has all modules loaded and forks a writer when asked."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, CHILD, "nursery", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self.rest = b""

    def line(self):
        while b"\n" not in self.rest:
            assert select.select([self.process.stdout], [], [], DEADLINE)[0], "the nursery says nothing any more"
            octets = os.read(self.process.stdout.fileno(), 65536)
            assert octets, "the nursery has ended"
            self.rest += octets
        line, _, self.rest = self.rest.partition(b"\n")
        return line.decode()

    def kill_one(self, path, label, writes, delay):
        """Kill a writer after so many acknowledged writes and a delay in seconds. Gives what it acknowledged."""
        self.process.stdin.write(f"{path} {label}\n".encode())
        said = []
        child = self.hear("started", said)
        while sum(name.startswith(label) for name in said) < writes:
            said.append(self.line())
            assert not said[-1].startswith("ended"), "the writer has ended by itself"
        time.sleep(delay)
        os.kill(int(child), signal.SIGKILL)
        assert self.hear("ended", said) == str(-signal.SIGKILL)
        return [name for name in said if name.startswith(label)]

    def hear(self, word, said):
        while not (line := self.line()).startswith(word):
            said.append(line)
        return line.split()[1]

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


@pytest.fixture
def nursery():
    made = Nursery()
    yield made
    made.close()


async def stored_names(path):
    """Open the database as the next start does, and hold it to be whole."""
    store = open_store(path)
    accounts = await store.read(lambda reader: reader.accounts(limit=100_000))
    verified = await store.verify_audit()
    usage = await store.read(lambda reader: reader.key_usage())
    store.close()
    assert verified[0] == 2 * len(accounts), "an account without its records, or records without their account"
    assert usage.get(1, 0) == len(accounts), "an account without its app password"
    return {account.id.removeprefix("ac_") for account in accounts}


async def test_nothing_acknowledged_is_lost(nursery, tmp_path):
    """Every third writer is killed while it opens the database, the others in the middle of their writes."""
    chance = random.Random()
    acknowledged = set()
    for kill in range(KILLS):
        path = tmp_path / f"{kill // KILLS_PER_DATABASE}.db"
        if kill % KILLS_PER_DATABASE == 0:
            acknowledged = set()
        writes = 0 if kill % 3 == 0 else chance.randint(1, MOST_WRITES)
        delay = chance.uniform(0, LONGEST_WRITE if writes else LONGEST_START)
        acknowledged |= set(nursery.kill_one(path, f"k{kill}", writes, delay))
        if path.exists():
            assert acknowledged <= await stored_names(path), f"lost after kill {kill}"
    assert check_file(tmp_path / "0.db") == []
