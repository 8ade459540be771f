"""HTTP to mail servers: kept connections, deadlines, bounds; whoever is not listed is not heard."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_network

import pytest
from tests.doors.door_site import LOCALHOST, door, peer
from tests.doors.gateway_site import Talk
from tests.servers.certificates import CertificateAuthority

from valetkey.doors.asked.http import BadRequest, Reply
from valetkey.doors.asked.http_talk import HttpTalk
from valetkey.doors.asked.listening import ALPN, Listening, bind_door
from valetkey.doors.asked.settings import DoorKind, Limits
from valetkey.doors.serve import CertificateFiles, Driver, ServerCertificates
from valetkey.doors.serve.metrics import Metrics

busy: list[None] = []  # one for each request that took its time
GET = b"GET /echo HTTP/1.1\r\nHost: vk\r\n\r\n"


async def echo(request, sender):
    """Answer with what was asked; some paths misbehave."""
    match request.path:
        case "/wait":
            await asyncio.sleep(30)
        case "/busy":
            busy.append(time.sleep(0.002))
        case "/bug":
            raise RuntimeError("the peer's secret")
        case "/bad":
            raise BadRequest(400, "a word")
    said = {"method": request.method, "path": request.path, "body": request.body.decode(), "place": sender.place}
    return Reply(200, json.dumps(said).encode(), ((b"x-more", b"yes"),))


@dataclass
class Served:
    port: int
    metrics: Metrics
    listening: Listening
    talk: HttpTalk

    async def connect(self, **more) -> Talk:
        return Talk(*await asyncio.open_connection(LOCALHOST, self.port, **more))


@asynccontextmanager
async def served(*, one=None, certificates=None, **limits) -> AsyncIterator[Served]:
    one = one or door(DoorKind.HTTP)
    driver, metrics = Driver(asyncio.get_running_loop()), Metrics()
    given = Limits(**limits)
    talk = HttpTalk(driver, one, given, metrics, echo)
    sock = bind_door(one)
    listening = Listening(driver, one, given, talk, certificates)
    listening.start(sock)
    try:
        yield Served(0 if one.path else sock.getsockname()[1], metrics, listening, talk)
    finally:
        talk.end()
        await listening.end()
        driver.close()


async def answer(talk: Talk) -> tuple[int, dict[str, str], bytes]:
    """Read one answer."""
    status = int((await talk.line()).split()[1])
    headers = {}
    while (line := await talk.line()) != "\r\n":
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return status, headers, await talk.reader.readexactly(int(headers.get("content-length", "0")))


async def closes(talk: Talk) -> bool:
    try:
        return await asyncio.wait_for(talk.reader.read(), 30) == b""
    finally:
        talk.writer.close()


async def test_a_connection_is_kept_and_asked_again():
    async with served() as site:
        talk = await site.connect()
        for _ in range(3):
            await talk.say(b"POST /a%20b?c=d HTTP/1.1\r\nHost: vk\r\nContent-Length: 2\r\n\r\nhi")
            status, headers, body = await answer(talk)
            assert status == 200
            assert headers["x-more"] == "yes"
            assert headers["cache-control"] == "no-store"
            assert "date" in headers
            assert "connection" not in headers
            said = json.loads(body)
            assert (said["method"], said["path"], said["body"]) == ("POST", "/a b", "hi")
            assert said["place"] == LOCALHOST
        talk.writer.close()
    assert [sample.value for sample in site.metrics.samples()] == [3.0]


async def test_requests_sent_ahead_are_answered_in_turn():
    async with served() as site:
        talk = await site.connect()
        await talk.say(b"".join(b"GET /%d HTTP/1.1\r\nHost: vk\r\n\r\n" % number for number in range(50)))
        paths = [json.loads((await answer(talk))[2])["path"] for _ in range(50)]
        assert paths == [f"/{number}" for number in range(50)]
        talk.writer.close()


async def test_whoever_asks_a_thousand_things_at_once_keeps_nobody_waiting():
    async with served() as site:
        greedy, other = await site.connect(), await site.connect()
        busy.clear()
        await greedy.say(b"GET /busy HTTP/1.1\r\nHost: vk\r\n\r\n" * 1000)
        await other.say(GET)
        assert (await answer(other))[0] == 200
        assert len(busy) < 900, "it was not kept waiting for all the thousand"
        assert (await answer(greedy))[0] == 200
        greedy.writer.transport.abort()
        other.writer.close()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", "close"),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive"),
        (b"GET / HTTP/1.1\r\nHost: vk\r\nConnection: close\r\n\r\n", "close"),
    ],
)
async def test_who_closes_is_told(asked, told):
    async with served() as site:
        talk = await site.connect()
        await talk.say(asked)
        status, headers, _ = await answer(talk)
        assert (status, headers["connection"]) == (200, told)
        if told == "close":
            assert await closes(talk)
        talk.writer.close()


async def test_the_body_is_asked_for():
    async with served() as site:
        talk = await site.connect()
        await talk.say(b"POST / HTTP/1.1\r\nHost: vk\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert await talk.line() == "HTTP/1.1 100 Continue\r\n"
        assert await talk.line() == "\r\n"
        await talk.say(b"hi")
        assert json.loads((await answer(talk))[2])["body"] == "hi"
        talk.writer.close()


async def test_a_head_has_no_body():
    async with served() as site:
        talk = await site.connect()
        await talk.say(b"HEAD / HTTP/1.1\r\nHost: vk\r\n\r\n" + GET)
        assert (await talk.line()).startswith("HTTP/1.1 200")
        await talk.until("\r\n")
        assert (await talk.line()).startswith("HTTP/1.1 200")
        talk.writer.close()


async def test_errors_are_told_and_harm_nobody_else():
    async with served() as site:
        talk = await site.connect()
        await talk.say(b"GET /bad HTTP/1.1\r\nHost: vk\r\n\r\n")
        assert (await answer(talk))[::2] == (400, b'{"error":"a word"}')
        await talk.say(b"GET /bug HTTP/1.1\r\nHost: vk\r\n\r\n")
        status, _, body = await answer(talk)
        assert status == 500
        assert b"secret" not in body
        await talk.say(GET)
        assert (await answer(talk))[0] == 200
        await talk.say(b"NONSENSE\r\n\r\n")
        status, headers, _ = await answer(talk)
        assert (status, headers["allow"]) == (405, "GET, POST")
        assert await closes(talk)


async def test_every_wait_has_its_end():
    async with served(request=0.15, answer=0.15, idle=0.15) as site:
        silent = await site.connect()
        assert await closes(silent)
        begun = await site.connect()
        await begun.say(b"GET / HT")
        assert (await begun.line()).startswith("HTTP/1.1 408")
        waiting = await site.connect()
        await waiting.say(b"GET /wait HTTP/1.1\r\nHost: vk\r\n\r\n")
        assert (await waiting.line()).startswith("HTTP/1.1 503")
        idle = await site.connect()
        await idle.say(GET)
        assert (await answer(idle))[0] == 200
        assert await closes(idle)
        begun.writer.close()
        waiting.writer.close()


async def test_single_octets_do_not_buy_time():
    async with served(request=0.3) as site:
        talk = await site.connect()
        heard = asyncio.create_task(talk.line())
        for octet in GET[:-1]:
            with contextlib.suppress(ConnectionError):
                await talk.say(bytes([octet]))
            await asyncio.sleep(0.02)
        assert (await heard).startswith("HTTP/1.1 408")
        talk.writer.close()


async def test_a_peer_that_takes_nothing_is_cut_off():
    async with served(send=0.2) as site:
        talk = await site.connect(limit=1)
        body = b"x" * 60_000
        ask = b"POST / HTTP/1.1\r\nHost: vk\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        talk.writer.transport.pause_reading()
        for _ in range(200):
            talk.writer.write(ask)
        async with asyncio.timeout(30):
            while site.listening.connections:
                await asyncio.sleep(0.02)
        talk.writer.transport.abort()


async def test_whoever_is_not_listed_is_turned_away_unheard():
    async with served(one=door(DoorKind.HTTP, peer(networks=(ip_network("192.0.2.0/24"),)))) as site:
        assert await closes(await site.connect())
        assert list(site.metrics.samples()) == []


async def test_a_peer_with_too_many_connections_keeps_no_other_out():
    greedy, other = peer("greedy"), peer("other", networks=(ip_network("127.0.0.2/32"),))
    async with served(one=door(DoorKind.HTTP, greedy, other), connections=6) as site:
        held = [await site.connect() for _ in range(3)]
        await held[-1].say(GET)
        assert (await answer(held[-1]))[0] == 200
        assert await closes(await site.connect())
        second = await site.connect(local_addr=("127.0.0.2", 0))
        await second.say(GET)
        assert (await answer(second))[0] == 200
        held.pop().writer.close()
        async with asyncio.timeout(30):
            while site.listening.connections > 3:
                await asyncio.sleep(0.01)
        again = await site.connect()
        await again.say(GET)
        assert (await answer(again))[0] == 200
        for talk in (*held, second, again):
            talk.writer.close()


async def test_over_a_unix_socket_there_is_no_address(tmp_path):
    path = tmp_path / "http"
    async with served(one=door(DoorKind.HTTP, path=path)):
        talk = Talk(*await asyncio.open_unix_connection(path))
        await talk.say(GET)
        assert json.loads((await answer(talk))[2])["place"] == ""
        talk.writer.close()


async def test_tls_with_a_certificate_that_is_read_again(tmp_path):
    authority = CertificateAuthority(tmp_path)
    issued = authority.issue()
    files = ServerCertificates([CertificateFiles(issued.certificate, issued.key)], {"", *ALPN.values()})
    async with served(one=door(DoorKind.HTTP, tls=True), certificates=files, request=0.5) as site:
        for offered in ([], ["h2", "http/1.1"]):
            context = authority.client_context()
            if offered:
                context.set_alpn_protocols(offered)
            talk = await site.connect(ssl=context, server_hostname="localhost")
            shown = talk.writer.get_extra_info("ssl_object")
            assert shown.selected_alpn_protocol() in {None, "http/1.1"}
            await talk.say(GET)
            assert (await answer(talk))[0] == 200
            talk.writer.close()
        alien = authority.client_context()
        alien.set_alpn_protocols(["imap"])
        assert await closes(await site.connect(ssl=alien, server_hostname="localhost"))
        plain = await site.connect()
        await plain.say(GET)
        assert b"HTTP" not in await plain.reader.read()
        plain.writer.close()
        before = shown.getpeercert()["serialNumber"]
        renewed = authority.issue()
        issued.key.write_bytes(renewed.key.read_bytes())
        issued.certificate.write_bytes(renewed.certificate.read_bytes())
        files.reload()
        talk = await site.connect(ssl=authority.client_context(), server_hostname="localhost")
        assert talk.writer.get_extra_info("ssl_object").getpeercert()["serialNumber"] != before
        talk.writer.close()


async def test_at_the_end_answers_that_are_due_are_given_and_idle_connections_are_closed(monkeypatch):
    monkeypatch.setattr("valetkey.doors.asked.listening._END_WITHIN", 300)
    async with served() as site:
        idle, asking = await site.connect(), await site.connect()
        await idle.say(GET)
        await answer(idle)
        await asking.say(GET)
        await asyncio.sleep(0.05)
        site.talk.end()
        started = asyncio.get_running_loop().time()
        await site.listening.end()
        assert asyncio.get_running_loop().time() - started < 100
        assert (await answer(asking))[0] == 200
        assert await closes(idle)
        assert await closes(asking)
