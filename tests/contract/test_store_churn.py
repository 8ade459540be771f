"""Several processes that write without pause."""

import subprocess
import sys

from tests.contract.values import add_person

from valetkey.adapters.store import open_store

WRITES = 20
# Between two transactions it lets others in for two thousandths of a second.
BUSY = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
while True:
    database.execute("BEGIN IMMEDIATE")
    print(flush=True)
    time.sleep(0.15)
    database.execute("COMMIT")
    time.sleep(0.002)
"""


async def test_a_process_that_writes_without_pause_keeps_no_other_out(path):
    store = open_store(path, busy_timeout=10)
    with subprocess.Popen([sys.executable, "-c", BUSY, str(path)], stdout=subprocess.PIPE) as other:
        try:
            other.stdout.readline()
            for number in range(WRITES):
                await store.write(lambda writer, name=f"p{number}": add_person(writer, name))
        finally:
            other.kill()
    assert await store.read(lambda reader: reader.account_count()) == WRITES
    store.close()
