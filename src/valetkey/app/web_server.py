"""Runs the ASGI applications of the portal and of the operator on uvicorn, inside a process that is ours."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import structlog
import uvicorn

from valetkey.app.web_connections import IN_ALL, HurriedProtocol, be_frugal
from valetkey.doors.serve.descriptors import raise_file_limit

_log = structlog.get_logger()

_KEEP_ALIVE = 15  # seconds between two requests of one connection
_GRACEFUL = 4  # seconds for requests that run when the end is asked for
_HEADERS = 32 * 1024
_LOOK_EVERY = 1.0


class WebServer(uvicorn.Server):
    """A uvicorn server that says when it is ready and leaves the signals to the process."""

    def __init__(
        self,
        app: Any,
        certificate: "ReloadingCertificate | None" = None,
        on_stop: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare; nothing is opened yet. `on_stop` ends what would go on for long, so that stopping need not wait."""
        self._on_stop = on_stop
        tls: dict[str, Any] = {}
        if certificate is not None:
            tls = {
                "ssl_certfile": str(certificate.chain),
                "ssl_keyfile": str(certificate.key),
                "ssl_context_factory": lambda _config, _default: certificate.context,
            }
        super().__init__(
            uvicorn.Config(
                app,
                http=HurriedProtocol,
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                proxy_headers=False,  # the portal reads X-Forwarded-For itself, from listed proxies only
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE,
                timeout_graceful_shutdown=_GRACEFUL,
                limit_concurrency=2 * IN_ALL,
                h11_max_incomplete_event_size=_HEADERS,
                **tls,
            )
        )
        self.is_ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone: the process handles them."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self.is_ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop; what goes on for long is told first."""
        self._on_stop()
        await super().shutdown(sockets)


class ReloadingCertificate:
    """A TLS context whose certificate follows its files; a broken new file keeps the old one."""

    def __init__(self, chain: Path, key: Path) -> None:
        """Read the files.

        Raises:
            OSError: They cannot be read, or do not belong together (ssl.SSLError).
        """
        self.chain = chain
        self.key = key
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        self._stamp = self._look()
        self.context.load_cert_chain(chain, key)

    def _look(self) -> tuple[tuple[int, int], ...]:
        return tuple((found.st_mtime_ns, found.st_ino) for found in (self.chain.stat(), self.key.stat()))

    def reload_if_changed(self) -> None:
        """Look at the files, and take what is new in them."""
        try:
            stamp = self._look()
            if stamp != self._stamp:
                self._stamp = stamp
                trial = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                trial.load_cert_chain(self.chain, self.key)
                self.context.load_cert_chain(self.chain, self.key)
                _log.info("certificate_reloaded", door="portal", file=str(self.chain))
        except OSError as error:
            _log.error("certificate_not_reloaded", door="portal", file=str(self.chain), why=str(error))

    async def follow(self) -> None:
        """Look each second until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            self.reload_if_changed()


async def run_servers(
    servers: list[tuple[WebServer, list[socket.socket]]], stop: asyncio.Event, ready: Callable[[], None]
) -> None:
    """Serve until `stop` is set; a server that ends by itself ends the others too."""
    raise_file_limit(IN_ALL * len(servers))
    be_frugal()
    tasks = [asyncio.create_task(server.serve(sockets)) for server, sockets in servers]
    waiting = asyncio.create_task(stop.wait())
    try:
        for (server, _), task in zip(servers, tasks, strict=True):
            is_ready = asyncio.create_task(server.is_ready.wait())
            await asyncio.wait((is_ready, task), return_when=asyncio.FIRST_COMPLETED)
            is_ready.cancel()
        ready()
        await asyncio.wait((*tasks, waiting), return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        for server, _ in servers:
            server.should_exit = True
        await asyncio.gather(*tasks)
