"""Streams of events, through the real web server: what they say, how many there may be, when they end."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI
from tests.browser.portal_client import PortalClient
from tests.verbs.site import House, Person, attempt

from valetkey.app.web_connections import HurriedProtocol
from valetkey.app.web_server import WebServer, run_servers
from valetkey.core.restriction import NetworkRule
from valetkey.doors.web import live
from valetkey.doors.web.streams import Bounds, Streams
from valetkey.service import app_passwords, login

_PATIENCE = 30.0  # seconds; nothing here is about speed, and a machine may stand still for some


@pytest.fixture(autouse=True)
def bounds(portal: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Bounds:
    quick = Bounds(per_account=2, in_all=3, lasts=600, heartbeat=0.1)
    portal.state.portal = replace(portal.state.portal, streams=Streams(quick))
    monkeypatch.setattr("valetkey.doors.web.pages.issued._LOOK_EVERY", 0.05)
    # A stream that did not end when the server stops would be waited for so long: a slow machine is told from it.
    monkeypatch.setattr("valetkey.app.web_server._GRACEFUL", 600)
    return quick


@asynccontextmanager
async def served(portal: FastAPI) -> AsyncIterator[tuple[str, asyncio.Event]]:
    bound = socket.create_server(("127.0.0.1", 0))
    stop, ready = asyncio.Event(), asyncio.Event()
    server = WebServer(portal, on_stop=portal.state.portal.streams.stop)
    running = asyncio.create_task(run_servers([(server, [bound])], stop, ready.set))
    await asyncio.wait_for(ready.wait(), _PATIENCE)
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}", stop
    finally:
        stop.set()
        await asyncio.wait_for(running, _PATIENCE)
        bound.close()


class Listener:
    """A page that listens to a stream, with the cookies of somebody who signed in."""

    def __init__(self, url: str, visitor: PortalClient) -> None:
        cookies = "; ".join(f"{name}={value}" for name, value in visitor.http.cookies.items())
        self.http = httpx.AsyncClient(base_url=url, headers={"Cookie": cookies}, timeout=_PATIENCE)

    @asynccontextmanager
    async def hearing(self, path: str) -> AsyncIterator[tuple[httpx.Response, AsyncIterator[str]]]:
        async with self.http.stream("GET", path) as response:
            yield response, response.aiter_lines()


async def heard(lines: AsyncIterator[str], wanted: str) -> str:
    """Read up to a line that holds a text."""
    async with asyncio.timeout(_PATIENCE):
        async for line in lines:
            if wanted in line:
                return line
    raise AssertionError(f"the stream ended without {wanted}")


async def test_the_first_login_arrives_on_the_page(
    portal: FastAPI, visitor: PortalClient, house: House, alice: Person
) -> None:
    issued = await house.issue(alice)
    await visitor.sign_in(house, alice)
    async with served(portal) as (url, _):
        page = Listener(url, visitor)
        async with page.hearing(f"/app-passwords/{issued.app_password.id}/waiting") as (response, lines):
            assert response.headers["content-type"].startswith("text/event-stream")
            assert response.headers["cache-control"] == "no-store"
            assert response.headers["x-accel-buffering"] == "no"
            assert "Waiting for the first login" in await heard(lines, "data-say")
            trial = attempt("alice@example.org", issued.secret.shown, client="<b>iPhone</b> Mail")
            await login.check(house.ports, trial)
            await house.recorder.flush()
            said = await heard(lines, "signed in from")
            assert "&lt;b&gt;iPhone&lt;/b&gt; Mail signed in from 198.51.100.7 over IMAP" in said
            assert await heard(lines, "event: end")
            assert await heard(lines, "over")
        await page.http.aclose()
    assert portal.state.portal.streams.count == 0


async def test_a_refusal_says_why_and_what_to_do(
    portal: FastAPI, visitor: PortalClient, house: House, alice: Person
) -> None:
    issued = await house.issue(alice, allowed_ips=("203.0.113.0/24",), network_rule=NetworkRule.ALLOWED)
    await visitor.sign_in(house, alice)
    async with served(portal) as (url, _):
        page = Listener(url, visitor)
        async with page.hearing(f"/app-passwords/{issued.app_password.id}/waiting") as (_response, lines):
            await heard(lines, "Waiting")
            await login.check(house.ports, attempt("alice@example.org", issued.secret.shown))
            await house.recorder.flush()
            said = await heard(lines, "Refused")
            assert "wrong network (IMAP from 198.51.100.7)" in said
            assert "make a new one that may be used from there" in said
            assert await heard(lines, "Waiting for the first login")  # it goes on
        await page.http.aclose()


async def test_it_ends_with_the_session(portal: FastAPI, visitor: PortalClient, house: House, alice: Person) -> None:
    issued = await house.issue(alice)
    await visitor.sign_in(house, alice)
    async with served(portal) as (url, _):
        page = Listener(url, visitor)
        async with page.hearing(f"/app-passwords/{issued.app_password.id}/waiting") as (_response, lines):
            await heard(lines, "Waiting")
            await visitor.get("/account")
            await visitor.post("/sign-out", {})
            assert await heard(lines, "event: end")
        await page.http.aclose()


async def test_what_is_revoked_is_not_waited_for(
    portal: FastAPI, visitor: PortalClient, house: House, alice: Person
) -> None:
    issued = await house.issue(alice)
    await visitor.sign_in(house, alice)
    async with served(portal) as (url, _):
        page = Listener(url, visitor)
        async with page.hearing(f"/app-passwords/{issued.app_password.id}/waiting") as (_response, lines):
            await heard(lines, "Waiting")
            await app_passwords.revoke(house.ports, house.acting(alice.account), issued.app_password.id)
            assert await heard(lines, "no longer in use")
            assert await heard(lines, "event: end")
        await page.http.aclose()


async def test_an_account_has_so_many_streams_and_no_more(
    portal: FastAPI, visitor: PortalClient, house: House, alice: Person
) -> None:
    issued = await house.issue(alice)
    path = f"/app-passwords/{issued.app_password.id}/waiting"
    await visitor.sign_in(house, alice)
    streams = portal.state.portal.streams
    async with served(portal) as (url, _):
        page = Listener(url, visitor)
        async with page.hearing(path) as (_first, lines):
            await heard(lines, "Waiting")
            async with page.hearing(path) as (_second, others):
                await heard(others, "Waiting")
                assert streams.count == 2
                full = await page.http.get(path)
                assert (full.status_code, full.headers["retry-after"]) == (429, "60")
            async with asyncio.timeout(_PATIENCE):
                while streams.count > 1:  # the browser has gone away
                    await asyncio.sleep(0.01)
            async with page.hearing(path) as (again, lines_again):
                assert again.status_code == 200
                await heard(lines_again, "Waiting")
        await page.http.aclose()


def test_the_portal_has_so_many_streams_and_no_more() -> None:
    streams = Streams(Bounds(per_account=2, in_all=3))
    with streams.place("a") as first, streams.place("b") as second, streams.place("c") as third:
        assert (first, second, third) == (True, True, True)
        with streams.place("d") as fourth:
            assert not fourth
    with streams.place("d") as later:
        assert later
    assert streams.count == 0


async def test_a_quiet_stream_outlives_the_time_for_an_answer(
    portal: FastAPI, visitor: PortalClient, house: House, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HurriedProtocol, "to_answer", 4.0)
    issued = await house.issue(alice)
    await visitor.sign_in(house, alice)
    async with served(portal) as (url, _):
        page = Listener(url, visitor)
        async with page.hearing(f"/app-passwords/{issued.app_password.id}/waiting") as (_response, lines):
            end = asyncio.get_running_loop().time() + 5.0
            while asyncio.get_running_loop().time() < end:
                await heard(lines, "still here")
        await page.http.aclose()


async def test_a_stream_ends_after_its_time_and_says_so(
    portal: FastAPI, visitor: PortalClient, house: House, alice: Person
) -> None:
    portal.state.portal = replace(portal.state.portal, streams=Streams(Bounds(lasts=0.2, heartbeat=0.1)))
    issued = await house.issue(alice)
    await visitor.sign_in(house, alice)
    async with served(portal) as (url, _):
        page = Listener(url, visitor)
        async with page.hearing(f"/app-passwords/{issued.app_password.id}/waiting") as (_response, lines):
            assert await heard(lines, "data: late")
        await page.http.aclose()


async def test_stopping_does_not_wait_for_streams(
    portal: FastAPI, visitor: PortalClient, house: House, alice: Person
) -> None:
    issued = await house.issue(alice)
    await visitor.sign_in(house, alice)
    async with served(portal) as (url, stop):
        page = Listener(url, visitor)
        async with page.hearing(f"/app-passwords/{issued.app_password.id}/waiting") as (_response, lines):
            await heard(lines, "Waiting")
            stop.set()
            async with asyncio.timeout(_PATIENCE):
                rest = [line async for line in lines]
            assert "event: end" not in rest  # so that the browser comes back to the next one
        await page.http.aclose()


async def test_a_store_that_is_away_ends_nothing(
    portal: FastAPI, visitor: PortalClient, house: House, alice: Person
) -> None:
    issued = await house.issue(alice)
    await visitor.sign_in(house, alice)
    async with served(portal) as (url, _):
        page = Listener(url, visitor)
        async with page.hearing(f"/app-passwords/{issued.app_password.id}/waiting") as (_response, lines):
            await heard(lines, "Waiting")
            house.store.close()
            await heard(lines, "still here")
            await heard(lines, "still here")
        await page.http.aclose()


async def test_nobody_listens_to_what_is_anothers(portal: FastAPI, house: House, alice: Person) -> None:
    issued = await house.issue(alice)
    path = f"/app-passwords/{issued.app_password.id}/waiting"
    bob = await house.person("bob@example.org")
    stranger = PortalClient(portal)
    assert (await stranger.get(path)).headers["location"].startswith("/sign-in")
    await stranger.sign_in(house, bob)
    assert (await stranger.get(path)).status_code == 404


@pytest.mark.parametrize("html", ["<p>one</p>\n<p>two</p>", "a\r\nb\rc", "\u2028x"])
def test_an_event_carries_any_fragment(html: str) -> None:
    event = live._event(html)
    assert event.endswith("\n\n")
    assert all(line.startswith("data: ") for line in event.strip("\n").split("\n"))
    assert "\r" not in event
