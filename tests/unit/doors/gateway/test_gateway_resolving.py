"""Names of upstreams while DNS answers, fails, or says nothing at all."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.doors.gateway_site import listeners, upstream, with_limits

from valetkey.core.scope import MailProtocol
from valetkey.doors.gateway import resolving
from valetkey.doors.gateway.resolving import Resolver
from valetkey.doors.gateway.settings import Domain, Settings
from valetkey.doors.gateway.upstream import UpstreamFailed, Upstreams
from valetkey.doors.serve import Driver

HERE = (socket.AF_INET, "127.0.0.1")
THERE = (socket.AF_INET6, "::1")
NOW = -1.0  # an answer is never kept


class Dns:
    """A resolver that answers as the test wants."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.asked: list[str] = []
        self.answer: list[resolving.Address] | OSError = [HERE]

    def look_up(self, host: str) -> list[resolving.Address]:
        self.asked.append(host)
        self.may_answer.wait(20)
        if isinstance(self.answer, OSError):
            raise self.answer
        return self.answer


@pytest.fixture
def dns() -> Iterator[Dns]:
    dns = Dns()
    yield dns
    dns.may_answer.set()


async def settled(resolver: Resolver) -> None:
    asking = [name.asking for name in resolver._names.values() if name.asking is not None]
    await asyncio.wait_for(asyncio.gather(*asking), 5)


async def test_an_answer_is_kept_and_many_wait_for_one(dns: Dns):
    resolver = Resolver(asyncio.get_running_loop(), dns.look_up)
    found = await asyncio.gather(*(resolver.addresses("mail.example", 5) for _ in range(50)))
    assert found == [[HERE]] * 50
    assert await resolver.addresses("mail.example", 5) == [HERE]
    assert dns.asked == ["mail.example"]


async def test_the_last_good_answer_is_used_while_dns_hangs_and_fails(dns: Dns, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resolving, "_KEPT", NOW)
    monkeypatch.setattr(resolving, "_AGAIN", NOW)
    loop = asyncio.get_running_loop()
    resolver = Resolver(loop, dns.look_up)
    assert await resolver.addresses("mail.example", 5) == [HERE]
    dns.may_answer.clear()
    before = threading.active_count()
    begun = loop.time()
    for _ in range(100):
        assert await resolver.addresses("mail.example", 5) == [HERE]
    assert loop.time() - begun < 60, "nobody waits where an answer is known"
    assert threading.active_count() <= before + 1
    dns.answer = OSError("SERVFAIL")
    dns.may_answer.set()
    await settled(resolver)
    assert await resolver.addresses("mail.example", 5) == [HERE]
    await settled(resolver)
    dns.answer = [THERE]
    await resolver.addresses("mail.example", 5)
    await settled(resolver)
    assert list(await resolver.addresses("mail.example", 5)) == [THERE]


async def test_a_first_answer_that_does_not_come_is_waited_for_no_longer_than_told(dns: Dns):
    dns.may_answer.clear()
    resolver = Resolver(asyncio.get_running_loop(), dns.look_up)
    found = await asyncio.gather(*(resolver.addresses("mail.example", 0.05) for _ in range(20)))
    assert found == [()] * 20
    assert dns.asked == ["mail.example"]
    dns.may_answer.set()
    assert await resolver.addresses("mail.example", 5) == [HERE]


@pytest.mark.parametrize("error", [OSError("NXDOMAIN"), socket.gaierror(-2, "unknown")])
async def test_a_name_that_is_unknown_is_asked_for_again(dns: Dns, monkeypatch: pytest.MonkeyPatch, error: OSError):
    monkeypatch.setattr(resolving, "_AGAIN", NOW)
    resolver = Resolver(asyncio.get_running_loop(), dns.look_up)
    dns.answer = error
    assert await resolver.addresses("mail.example", 5) == ()
    dns.answer = [HERE]
    assert await resolver.addresses("mail.example", 5) == [HERE]


async def test_addresses_are_not_looked_up(dns: Dns):
    resolver = Resolver(asyncio.get_running_loop(), dns.look_up)
    assert await resolver.addresses("127.0.0.1", 5) == [HERE]
    assert await resolver.addresses("::1", 5) == [THERE]
    assert dns.asked == []


async def test_the_systems_resolver():
    assert HERE in await Resolver(asyncio.get_running_loop()).addresses("localhost", 5)
    assert await Resolver(asyncio.get_running_loop()).addresses("a" * 70 + ".example", 5) == ()


async def test_a_login_meanwhile_fails_in_time_and_says_why(dns: Dns, tmp_path: Path):
    dns.may_answer.clear()
    named = replace(upstream(1), host="mail.example")
    domains = (Domain("*", {MailProtocol.SMTP: named}),)
    settings = Settings("mx", listeners(), domains, (), tmp_path, with_limits(upstream_connect=0.05))
    driver = Driver(asyncio.get_running_loop())
    upstreams = Upstreams(settings, driver, Resolver(driver.loop, dns.look_up))
    with pytest.raises(UpstreamFailed, match=r"mail\.example cannot be resolved"):
        await upstreams.look(named, MailProtocol.SMTP)
    driver.close()
