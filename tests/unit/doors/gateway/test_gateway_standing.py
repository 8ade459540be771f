"""What the console learns of a running gateway: how its mail servers stand; and how a change of policy bites there."""

import asyncio
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.doors.fake_upstreams import FakeUpstream, running_upstream
from tests.doors.gateway_site import DOMAIN, LOCALHOST, GatewaySite, Talk, person_with, running_gateway, upstream
from tests.verbs.site import HOME, OPERATOR, Person

from valetkey.core.errors import NotAllowed, Unavailable
from valetkey.core.policy import Policy
from valetkey.core.role import Role
from valetkey.core.scope import MailProtocol
from valetkey.service import policy, servers
from valetkey.service.server_parts import MailServer

ALICE = f"alice@{DOMAIN}"


async def logged_in(site: GatewaySite, secret: str) -> Talk:
    talk = await site.connect(MailProtocol.IMAP)
    await talk.until("* OK")
    await talk.ask(f"a LOGIN {ALICE} {secret}", "a OK")
    return talk


async def standing(site: GatewaySite, protocol: MailProtocol) -> MailServer:
    found = await servers.connected(site.house.ports, OPERATOR)
    return next(each for each in found if each.protocol is protocol)


async def test_a_mail_server_that_lets_the_gateway_in_is_told_as_reached(
    site: GatewaySite, fakes: dict[MailProtocol, FakeUpstream]
) -> None:
    before = await standing(site, MailProtocol.IMAP)
    assert (before.reached_at, before.failed_at, before.connections) == (None, None, 0)
    _, secret = await person_with(site)
    begin = datetime.now(UTC) - timedelta(seconds=1)
    await logged_in(site, secret)
    seen = await standing(site, MailProtocol.IMAP)
    assert seen.reached_at is not None
    assert begin < seen.reached_at < datetime.now(UTC) + timedelta(seconds=1)
    assert (seen.host, seen.port, seen.tls) == (LOCALHOST, fakes[MailProtocol.IMAP].port, "none")
    assert (seen.domains, seen.connections, seen.failed_at, seen.is_failing) == ((DOMAIN,), 1, None, False)


async def test_a_mail_server_that_is_down_is_told_with_the_reason(tmp_path: Path) -> None:
    with socket.create_server((LOCALHOST, 0)) as taken:
        port = taken.getsockname()[1]
    async with (
        running_upstream(MailProtocol.IMAP) as fake,
        running_gateway(tmp_path, {MailProtocol.SMTP: upstream(port), MailProtocol.IMAP: upstream(fake.port)}) as site,
    ):
        async with asyncio.timeout(30):
            while not (seen := await standing(site, MailProtocol.SMTP)).is_failing:
                await asyncio.sleep(0.01)
        assert seen.why
        assert seen.reached_at is None
        # One that refuses the gateway is failing too, and then is well again.
        fake.refuses = True
        _, secret = await person_with(site)
        talk = await site.connect(MailProtocol.IMAP)
        await talk.until("* OK")
        await talk.ask(f"a LOGIN {ALICE} {secret}", "a NO [UNAVAILABLE]")
        assert (await standing(site, MailProtocol.IMAP)).is_failing
        fake.refuses = False
        await logged_in(site, secret)
        assert not (await standing(site, MailProtocol.IMAP)).is_failing


async def test_who_may_see_the_mail_servers(site: GatewaySite) -> None:
    alice = await site.house.person("alice@example.org")
    auditor = await site.house.person("audit@example.org", role=Role.AUDITOR)
    assert await servers.connected(site.house.ports, auditor.actor)
    with pytest.raises(NotAllowed):
        await servers.connected(site.house.ports, alice.actor)


async def test_without_a_worker_it_cannot_be_told(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, {}) as site:
        ports = site.house.ports
        site.stop.set()
        async with asyncio.timeout(30):
            while list(site.settings.run_directory.glob("*.sock")):
                await asyncio.sleep(0.01)
        with pytest.raises(Unavailable):
            await servers.connected(ports, OPERATOR)


async def test_a_lower_ceiling_closes_connections_at_once(site: GatewaySite) -> None:
    house = site.house
    old, secret = await person_with(site)
    talk = await logged_in(site, secret)
    house.clock.move(days=2)
    await house.issue(Person(old.account, old.actor), "New")
    admin = await house.person("root@example.org", role=Role.ADMIN)
    saved = await policy.save(house.ports, house.acting(admin.account), Policy(max_lifetime=timedelta(days=1)))
    assert saved.closed.total == 1
    assert await talk.is_closed()
    assert HOME not in {session.address for session in await site.control.list(None)}


async def test_a_ceiling_ends_an_open_connection_when_its_time_comes(site: GatewaySite) -> None:
    _, secret = await person_with(site)
    await policy.save(site.house.ports, OPERATOR, Policy(max_lifetime=timedelta(hours=1)))
    talk = await logged_in(site, secret)
    site.house.clock.move(hours=1)
    assert await talk.is_closed()
