"""Whoever may open a unix socket and speaks no protocol: octets of no meaning, and silence."""

import socket
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random

_EACH = 20


@contextmanager
def strangers(path: Path, answers: Collection[bytes]) -> Iterator[None]:
    """Say octets of no meaning on many connections, which get one of the answers or AssertionError; then be silent on many."""
    for seed in range(_EACH):
        with _connected(path) as asking:
            asking.sendall(Random(seed).randbytes(10_000))
            asking.shutdown(socket.SHUT_WR)
            assert asking.recv(100) in answers
    with ExitStack() as silent:
        for _ in range(_EACH):
            silent.enter_context(_connected(path))
        yield


def _connected(path: Path) -> socket.socket:
    asking = socket.socket(socket.AF_UNIX)
    asking.settimeout(10)
    asking.connect(str(path))
    return asking
