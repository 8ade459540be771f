"""Where a test server lives: a short directory of its own, free ports, and waiting for it to listen."""

import atexit
import os
import random
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCALHOST = "127.0.0.1"
# Linux gives connections 32768 and above (ip_local_port_range): below it none takes a port before its server starts.
SERVER_PORTS = (10240, 32768)
BLOCK = 256  # ports that one process of tests has to itself
KEEP = "VALETKEY_TEST_KEEP"  # set: what the servers wrote is left in place


@contextmanager
def own_directory(name: str) -> Iterator[Path]:
    """Give an empty directory that the servers' unprivileged users may pass through; remove it at the end.

    pytest's own temporary directories serve neither need: they are closed to other users, and their names grow
    past the 107 octets that a Unix socket's path may have.
    """
    path = Path(tempfile.mkdtemp(prefix=f"valetkey-{name}-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        if not os.environ.get(KEEP):
            shutil.rmtree(path, ignore_errors=True)


class PortBlock:
    """Ports that no other process of tests chooses, though several run at once.

    Whoever holds a block has bound its first port, and keeps it until the process ends. The others are handed out in
    turns, so that a port which a server has just left rests as long as can be.
    """

    def __init__(self) -> None:
        firsts = list(range(*SERVER_PORTS, BLOCK))
        random.shuffle(firsts)
        held = next((held for first in firsts if (held := _bound(first))), None)
        if held is None:
            raise RuntimeError("every block of ports for test servers is taken")
        self._held = held
        self._first = held.getsockname()[1]
        self._next = 1
        atexit.register(self.close)

    def run_of(self, count: int) -> int:
        """Give the first of `count` ports in a row on which nothing listens."""
        for _ in range(BLOCK):
            if self._next + count > BLOCK:
                self._next = 1
            start, self._next = self._first + self._next, self._next + count
            if all(_is_free(port) for port in range(start, start + count)):
                return start
        raise RuntimeError(f"no {count} ports in a row are free from {self._first} on")

    def close(self) -> None:
        """Leave the block to others."""
        self._held.close()


def free_run(count: int) -> int:
    """Choose `count` TCP ports of 127.0.0.1 in a row on which nothing listens; give the first."""
    if not _own_block:
        _own_block.append(PortBlock())
    return _own_block[0].run_of(count)


def free_ports(count: int) -> list[int]:
    """Choose `count` different TCP ports of 127.0.0.1 on which nothing listens."""
    ports: list[int] = []
    while len(ports) < count:
        port = free_run(1)
        ports += [port] if port not in ports else []
    return ports


def free_port() -> int:
    """Choose one TCP port of 127.0.0.1 on which nothing listens."""
    return free_run(1)


_own_block: list[PortBlock] = []  # made when the first port is asked for


def _bound(port: int) -> socket.socket | None:
    sock = socket.socket()
    try:
        sock.bind((LOCALHOST, port))
    except OSError:
        sock.close()
        return None
    return sock


def _is_free(port: int) -> bool:
    probe = _bound(port)
    if probe is not None:
        probe.close()
    return probe is not None


def wait_until_free(ports: list[int], seconds: float = 30) -> None:
    """Wait until nothing listens on the ports; raises TimeoutError.

    Who waits for a server that was killed has waited for its first process; the others may end a moment later.
    """
    end = time.monotonic() + seconds
    while taken := [port for port in ports if listens(port)]:
        if time.monotonic() > end:
            raise TimeoutError(f"something still listens on {taken}")
        time.sleep(0.01)  # a port tells nobody that it was left


def listens(port: int, host: str = LOCALHOST) -> bool:
    """Say whether a TCP connection to the port is accepted."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def wait_until_listening(ports: list[int], seconds: float = 60) -> list[int]:
    """Wait until every port accepts connections; give those that do not when the time is over."""
    return _wait_until(ports, seconds, open_=True)


def wait_until_closed(ports: list[int], seconds: float = 30) -> list[int]:
    """Wait until no port accepts connections; give those that still do when the time is over."""
    return _wait_until(ports, seconds, open_=False)


def _wait_until(ports: list[int], seconds: float, *, open_: bool) -> list[int]:
    end = time.monotonic() + seconds
    waiting = [port for port in ports if listens(port) is not open_]
    while waiting and time.monotonic() < end:
        time.sleep(0.02)  # nothing announces a port: it can only be asked again
        waiting = [port for port in waiting if listens(port) is not open_]
    return waiting


def greeting(port: int, host: str = LOCALHOST, seconds: float = 30) -> bytes:
    """Connect and read the first octets that a server says; empty if it closes without a word."""
    with socket.create_connection((host, port), timeout=seconds) as connection:
        return connection.recv(4096)
