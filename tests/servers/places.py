"""Where a test server lives: a short directory of its own, free ports, and waiting for it to listen."""

import os
import random
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOCALHOST = "127.0.0.1"
SERVER_PORTS = (10240, 32768)  # Linux gives connections 32768 and above (ip_local_port_range)
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


def free_ports(count: int) -> list[int]:
    """Choose `count` different TCP ports of 127.0.0.1 on which nothing listens.

    They lie below those that the kernel gives to connections, so that no connection of another test takes one before
    the server that it is chosen for has started.
    """
    ports: list[int] = []
    while len(ports) < count:
        port = random.randrange(*SERVER_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((LOCALHOST, port))
            ports += [port] if port not in ports else []
    return ports


def free_port() -> int:
    """Choose one TCP port of 127.0.0.1 on which nothing listens."""
    return free_ports(1)[0]


def listens(port: int, host: str = LOCALHOST) -> bool:
    """Say whether a TCP connection to the port is accepted."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def wait_until_listening(ports: list[int], seconds: float = 15) -> list[int]:
    """Wait until every port accepts connections; give those that do not when the time is over."""
    return _wait_until(ports, seconds, open_=True)


def wait_until_closed(ports: list[int], seconds: float = 10) -> list[int]:
    """Wait until no port accepts connections; give those that still do when the time is over."""
    return _wait_until(ports, seconds, open_=False)


def _wait_until(ports: list[int], seconds: float, *, open_: bool) -> list[int]:
    end = time.monotonic() + seconds
    waiting = [port for port in ports if listens(port) is not open_]
    while waiting and time.monotonic() < end:
        time.sleep(0.02)  # nothing announces a port: it can only be asked again
        waiting = [port for port in waiting if listens(port) is not open_]
    return waiting


def greeting(port: int, host: str = LOCALHOST, seconds: float = 10) -> bytes:
    """Connect and read the first octets that a server says; empty if it closes without a word."""
    with socket.create_connection((host, port), timeout=seconds) as connection:
        return connection.recv(4096)
