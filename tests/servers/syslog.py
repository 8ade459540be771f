"""A log socket like /dev/log, for servers that have no other place for what they say."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MOST = 65_536  # octets of one message


@contextmanager
def syslog_into(file: Path, *, listening_on: Path) -> Iterator[None]:
    """Take messages from a datagram socket that anybody may write to, and add each as a line to the file."""
    leaving = threading.Event()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as taken:
        taken.bind(str(listening_on))
        listening_on.chmod(0o666)
        thread = threading.Thread(target=_take, args=(taken, file, leaving), name="syslog", daemon=True)
        thread.start()
        try:
            yield
        finally:
            leaving.set()
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
                own.sendto(b"", str(listening_on))  # wakes the thread
            thread.join(10)


def _take(taken: socket.socket, file: Path, leaving: threading.Event) -> None:
    with file.open("ab", buffering=0) as log:
        while not leaving.is_set():
            log.write(taken.recv(MOST).rstrip(b"\n\0") + b"\n")
