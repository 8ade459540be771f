"""`kill -9` at any moment loses nothing that was acknowledged, and leaves nothing half done."""

import os
import random
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
LONGEST_LIFE = 0.12  # seconds; making a database and the first write take about a third of it


class Nursery:
    """A process that has all modules loaded and forks a writer when asked."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, CHILD, "nursery", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self.rest = b""

    def line(self):
        while b"\n" not in self.rest:
            octets = os.read(self.process.stdout.fileno(), 65536)
            assert octets, "the nursery has ended"
            self.rest += octets
        line, _, self.rest = self.rest.partition(b"\n")
        return line.decode()

    def kill_one(self, path, label, life):
        """Let a writer live for so long. Gives what it acknowledged."""
        self.process.stdin.write(f"{path} {label}\n".encode())
        said = [self.line()]
        while not said[-1].startswith("started"):
            said.append(self.line())
        time.sleep(life)
        os.kill(int(said[-1].split()[1]), signal.SIGKILL)
        while not said[-1].startswith("ended"):
            said.append(self.line())
        assert said[-1] == f"ended {-signal.SIGKILL}"
        return [name for name in said if name.startswith(label)]

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
    chance = random.Random()
    seen_before_writing = total = 0
    acknowledged = set()
    for kill in range(KILLS):
        path = tmp_path / f"{kill // KILLS_PER_DATABASE}.db"
        if kill % KILLS_PER_DATABASE == 0:
            acknowledged = set()
        new = nursery.kill_one(path, f"k{kill}", chance.uniform(0, LONGEST_LIFE))
        acknowledged |= set(new)
        total += len(new)
        seen_before_writing += not new
        if path.exists():
            assert acknowledged <= await stored_names(path), f"lost after kill {kill}"
    assert total > KILLS, "hardly anything was written; this shows nothing"
    assert seen_before_writing > 5, "no writer was killed early; this shows too little"
    assert check_file(tmp_path / "0.db") == []
