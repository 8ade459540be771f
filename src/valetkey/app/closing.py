"""Joins what tells mail servers to close sessions: the peers of the configuration, and the ways to them."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from valetkey.adapters.doveadm import CommandLine, Doveadm, DovecotServer, Way
from valetkey.app.repeating import again_and_again
from valetkey.app.settings import read_secret
from valetkey.config.sections import Config
from valetkey.late import late
from valetkey.service.closing_parts import NoServers, ServerSessions
from valetkey.service.closing_upkeep import look_through, tell_server
from valetkey.service.ports import Ports

_SECONDS = 1.0

_http_api: Callable[[DovecotServer, Callable[[], str]], Way] = late("valetkey.adapters.doveadm_http:HttpApi")


def server_sessions_of(config: Config) -> ServerSessions:
    """Give the mail servers of the configuration that are told. Nothing is connected or read yet."""
    told = {peer.name: peer for peer in config.peer if peer.doveadm or peer.doveadm_url}
    if not told:
        return NoServers()
    servers = [
        DovecotServer(peer.name, peer.doveadm_url, peer.doveadm_ca_file, peer.doveadm_by_app) for peer in told.values()
    ]

    def way_to(server: DovecotServer) -> Way:
        if not server.url:
            return CommandLine()
        path, what = told[server.name].doveadm_key_file, f"[[peer]] {server.name} doveadm_key_file"
        return _http_api(server, lambda: _key(path, what))

    return Doveadm(servers, way_to)


def _key(path: Path | None, what: str) -> str:
    return read_secret(path, what) if path else ""


async def keep_telling(ports: Ports) -> None:
    """Tell mail servers what is due, every second, until cancelled. In one process of an installation only."""
    if ports.server_sessions.servers:
        steps: list[Callable[[Ports], Awaitable[int]]] = [look_through]
        steps += [partial(tell_server, server=server) for server in ports.server_sessions.servers]
        repeated = (again_and_again(partial(step, ports), _SECONDS, "mail_servers_not_told") for step in steps)
        await asyncio.gather(*repeated)
