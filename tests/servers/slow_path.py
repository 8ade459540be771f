"""A path to a server on which each part of what a client says is late, so that a test can act in the middle of it."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from tests.servers.places import LOCALHOST

_PART = 65536
_PATIENCE = 30.0


@contextmanager
def slow_path(port: int, seconds: float = 0.3) -> Iterator[int]:
    """Listen on a free port and pass octets on to `port`, the client's each time so many seconds late."""
    with ExitStack() as open_, socket.create_server((LOCALHOST, 0)) as listener:
        accepting = threading.Thread(target=_accept, args=(listener, port, seconds, open_), daemon=True)
        accepting.start()
        try:
            yield listener.getsockname()[1]
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            accepting.join(_PATIENCE)


def _accept(listener: socket.socket, port: int, seconds: float, open_: ExitStack) -> None:
    with suppress(OSError):  # it is closed at the end
        while True:
            client, _ = listener.accept()
            server = socket.create_connection((LOCALHOST, port), _PATIENCE)
            for source, target, late in ((client, server, seconds), (server, client, 0.0)):
                source.settimeout(_PATIENCE)
                way = threading.Thread(target=_pass_on, args=(source, target, late), daemon=True)
                way.start()
                open_.callback(way.join, _PATIENCE)
                open_.callback(_hang_up, source)


def _pass_on(source: socket.socket, target: socket.socket, late: float) -> None:
    with suppress(OSError):
        while octets := source.recv(_PART):
            time.sleep(late)  # this is what it is for
            target.sendall(octets)
    for each in (source, target):
        _hang_up(each)


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
