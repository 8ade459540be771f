"""An SMTP server that takes every message and keeps it, for places where no Postfix can run."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.servers.places import LOCALHOST

MAX_LINE = 65536
MAX_MESSAGE = 100_000_000


@dataclass(slots=True)
class Taken:
    """One message as it arrived: the commands since the connection began, and the exact octets after DATA."""

    commands: list[bytes]
    octets: bytes


@dataclass(slots=True)
class Sink:
    """A running sink: its port, and what it took. `arrived` is set at each message."""

    port: int = 0
    taken: list[Taken] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)

    def wait(self, seconds: float = 10) -> Taken:
        """Wait for a message and give the last one taken; raises TimeoutError."""
        if not self.arrived.wait(seconds):
            raise TimeoutError(f"the sink took nothing in {seconds} s")
        self.arrived.clear()
        return self.taken[-1]


class _Conversation(socketserver.StreamRequestHandler):
    timeout = 30
    sink: Sink

    def handle(self) -> None:
        commands: list[bytes] = []
        self._say(b"220 sink.example.test ESMTP")
        while line := self.rfile.readline(MAX_LINE):
            commands.append(line.rstrip(b"\r\n"))
            verb = line.split(None, 1)[0].upper() if line.strip() else b""
            if verb == b"QUIT":
                return self._say(b"221 2.0.0 bye")
            if verb == b"DATA":
                self._take(commands)
            else:
                self._answer(verb)
        return None

    def _answer(self, verb: bytes) -> None:
        if verb == b"EHLO":
            self._say(b"250-sink.example.test", b"250-PIPELINING", b"250-SIZE 100000000")
            self._say(b"250-8BITMIME", b"250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN", b"250 ENHANCEDSTATUSCODES")
        elif verb == b"XCLIENT":
            self._say(b"220 sink.example.test ESMTP")
        elif verb in {b"HELO", b"MAIL", b"RCPT", b"RSET", b"NOOP"}:
            self._say(b"250 2.0.0 OK")
        else:
            self._say(b"502 5.5.1 not here")

    def _take(self, commands: list[bytes]) -> None:
        self._say(b"354 go on")
        octets = b""
        while (line := self.rfile.readline(MAX_LINE)) not in {b".\r\n", b""} and len(octets) < MAX_MESSAGE:
            octets += line
        self.sink.taken.append(Taken(list(commands), octets))
        self.sink.arrived.set()
        self._say(b"250 2.0.0 kept")

    def _say(self, *lines: bytes) -> None:
        self.wfile.write(b"".join(line + b"\r\n" for line in lines))


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@contextmanager
def running_sink() -> Iterator[Sink]:
    """Run a sink on a free port of 127.0.0.1."""
    sink = Sink()
    handler = type("Conversation", (_Conversation,), {"sink": sink})
    with _Server((LOCALHOST, 0), handler) as server:
        sink.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield sink
        finally:
            server.shutdown()
            thread.join()
