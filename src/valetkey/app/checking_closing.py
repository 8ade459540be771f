"""The check of mail servers that are told to close sessions: whether they can be, and what they were not told."""

import asyncio
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from valetkey.app.closing import server_sessions_of
from valetkey.app.findings import good, problem, warning
from valetkey.app.join import opened
from valetkey.config.sections import Config
from valetkey.core.errors import CannotStart, Unavailable
from valetkey.doors.cli.front import Finding
from valetkey.service.closing_parts import ServerClosings
from valetkey.service.closing_upkeep import late_servers
from valetkey.service.ports import OPERATOR

_WHAT = "closing sessions"


def closing_findings(config: Config, *, has_store: bool) -> Iterator[Finding]:
    """Ask each server for the sessions of nobody, and look up what it was not told."""
    servers = server_sessions_of(config)
    for peer in config.peer:
        if peer.name not in servers.servers:
            continue
        if _is_in_the_clear(peer.doveadm_url):
            mend = "Use https, or a private link such as a tunnel to this machine."
            yield warning(_WHAT, f"the key of {peer.name} is sent unencrypted to {peer.doveadm_url}", mend)
        try:
            asyncio.run(servers.probe(peer.name))
        except Unavailable as error:
            mend = "Look at its doveadm settings under [[peer]], and at docs/revocation.md."
            yield problem(_WHAT, str(error), mend)
        else:
            yield good(_WHAT, f"{peer.name} can be told")
    if servers.servers and has_store:
        yield from _late(config)


def _is_in_the_clear(url: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname == "localhost":
        return False
    try:
        return not ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return True


def _late(config: Config) -> Iterator[Finding]:
    try:
        found = asyncio.run(_late_servers(config))
    except (CannotStart, Unavailable) as error:
        yield problem(_WHAT, str(error))
        return
    for each in found:
        if each.waiting:
            since = f"{each.since:%Y-%m-%d %H:%M} UTC" if each.since else "a while"
            what = f"{each.server} was not told of {_changes(each.waiting)} since {since}"
            yield problem(_WHAT, what, "Valetkey goes on trying for a day, once the server can be told.")
        if each.given_up:
            what = f"{each.server} was never told of {_changes(each.given_up)}; sessions may be open there"
            yield problem(_WHAT, what, "Restart its mail service, or close them there with: doveadm kick")


def _changes(count: int) -> str:
    return f"{count} change{'' if count == 1 else 's'}"


async def _late_servers(config: Config) -> tuple[ServerClosings, ...]:
    async with opened(config) as ports:
        return await late_servers(ports, OPERATOR)
