"""What the pages cost: how long the server takes to answer each, and what each weighs with all that it loads.

No page is named here. Those without a parameter stand in the application's routing table; the others are found as
people find them, by the links of pages. A new page comes in by itself, and one to which nothing leads is named.
"""

import asyncio
import gzip
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html import unescape
from http.cookies import SimpleCookie
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

from benchmarks.asking import Answer, ask
from benchmarks.findings import Finding, at_most
from benchmarks.settings import Effort
from fastapi import FastAPI
from starlette.routing import Route
from tests.browser.portal_client import PortalClient, portal_of
from tests.browser.portal_site import fill
from tests.verbs.site import House, Person

from valetkey.core.role import Role

TIME, WEIGHT = "pages, time", "pages, weight"
_MOST_MILLISECONDS = 50
_MOST_KB = 60
_LINKS = re.compile(r'<a\b[^>]*\bhref="([^"]+)"')
_LOADED = re.compile(r'<(?:link|script|img|source|use|iframe)\b[^>]*?\b(?:href|src)="([^"]+)"')
_LOADED_BY_STYLE = re.compile(r"""(?:url\(|@import)\s*["']?([^"')\s]+)""")
_ENOUGH_ALIKE = 20  # pages of one kind whose links are looked at

_Kind = tuple[str, tuple[str, ...]]  # a route, and the names of what it is asked with


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody at a browser, by what the browser sends along."""

    name: str
    cookies: SimpleCookie = field(repr=False)


@dataclass(frozen=True, slots=True)
class Page:
    """A page as somebody gets it."""

    route: str
    address: str
    visitor: Visitor

    @property
    def name(self) -> str:
        """Its route, and what it was asked with."""
        query = "&".join(f"{name}=…" for name in _query(self.address))
        return f"{self.route}{'?' + query if query else ''} ({self.visitor.name})"


def measure(effort: Effort, left_out: list[str]) -> list[Finding]:
    """Measure every page; a route that no page was found of is added to what was left out."""
    with tempfile.TemporaryDirectory(prefix="valetkey-bench-", ignore_cleanup_errors=True) as folder:
        return asyncio.run(_measured(Path(folder), effort, left_out))


async def _measured(folder: Path, effort: Effort, left_out: list[str]) -> list[Finding]:
    house = House(folder)
    try:
        alice = await fill(house)
        for number in range(effort.people):
            await house.person(f"person{number:05}@example.org", two_factor=number % 3 > 0)
        app = portal_of(house)
        pages, without = await _found(app, await _visitors(app, house, alice))
        times = [each for page in pages for each in await _time(app, page, effort.page_loads)]
        weights = [each for page in pages for each in await _weight(app, page)]
    finally:
        house.close()
    left_out += without
    return [*times, *weights]


async def _visitors(app: FastAPI, house: House, alice: Person) -> list[Visitor]:
    """Give somebody of each kind; who sees more of a page comes before who sees less."""
    admin = await house.person("admin@example.org", role=Role.ADMIN)
    newcomer = await house.person("newcomer@example.org", two_factor=False)
    signed_in = {"signed in": alice, "administrator": admin, "no second factor yet": newcomer}
    visitors = []
    for name, person in signed_in.items():
        client = PortalClient(app)
        await client.sign_in(house, person)
        visitors.append(_visitor(name, client))
    half = PortalClient(app)
    await half.give_password(alice)
    return [*visitors, Visitor("nobody", SimpleCookie()), _visitor("half signed in", half)]


def _visitor(name: str, client: PortalClient) -> Visitor:
    return Visitor(name, SimpleCookie({each.name: each.value or "" for each in client.http.cookies.jar}))


async def _found(app: FastAPI, visitors: Iterable[Visitor]) -> tuple[list[Page], list[str]]:
    """Give one page of each route and kind of query, and in words the routes of which there is none."""
    routes = _routes(app)
    pages: dict[_Kind, Page] = {}
    other = set[str]()  # routes that answer somebody, but with something that is no page
    statuses = defaultdict[str, set[int]](set)
    for visitor in visitors:
        waiting = [route for route in routes if "{" not in route]
        known, alike = set(waiting), Counter[_Kind]()
        while waiting:
            address = waiting.pop(0)
            try:
                answer = await ask(app, address, visitor.cookies)
            except TimeoutError:  # a stream that has nothing to say yet
                other |= {address} & set(routes)
                continue
            kind = answer.route, _query(address)
            statuses[answer.route].add(answer.status)
            if answer.is_page and alike[kind] < _ENOUGH_ALIKE:
                alike[kind] += 1
                pages.setdefault(kind, Page(answer.route, address, visitor))
                links = _links(address, answer) - known
                known |= links
                waiting += sorted(links)
            elif answer.status == 200 or _leads_on(answer):
                other.add(answer.route)
    seen = {page.route for page in pages.values()} | other
    return sorted(pages.values(), key=lambda page: page.name), [
        f"{route}, of which no page was found (answers: {sorted(statuses[route]) or 'never asked'})"
        for route in routes
        if route not in seen
    ]


def _routes(app: FastAPI) -> list[str]:
    """Give the routes that can be looked at, other than those of the files that pages load."""
    looked_at = {route.path for route in _flat(app.routes) if "GET" in (route.methods or ())}
    return sorted(path for path in looked_at if not path.startswith("/static/"))


def _flat(routes: Iterable[Any]) -> Iterator[Route]:
    # What an application includes or mounts keeps its routes to itself.
    for route in routes:
        if isinstance(route, Route):
            yield route
        else:
            yield from _flat(getattr(getattr(route, "original_router", route), "routes", None) or ())


def _leads_on(answer: Answer) -> bool:
    """Whether it is a redirect for another reason than that the visitor is not signed in far enough."""
    return answer.status in {302, 303, 307} and not answer.location.startswith(("/sign-in", "/prove"))


def _links(address: str, answer: Answer) -> set[str]:
    return _own(address, _LINKS.findall(answer.body.decode()))


def _own(address: str, links: Iterable[str]) -> set[str]:
    """Give those links of a page or style that lead to this server."""
    absolute = (urljoin(address, unescape(link)).partition("#")[0] for link in links)
    return {link for link in absolute if link.startswith("/")}


def _query(address: str) -> tuple[str, ...]:
    return tuple(sorted({name for name, _ in parse_qsl(urlsplit(address).query)}))


async def _time(app: FastAPI, page: Page, loads: int) -> list[Finding]:
    await ask(app, page.address, page.visitor.cookies)  # the first compiles the template
    answers = [await ask(app, page.address, page.visitor.cookies) for _ in range(loads)]
    spent = [answer.seconds * 1000 for answer in answers]
    return [
        Finding(TIME, f"{page.name}, p50 of CPU", median(answer.cpu_seconds * 1000 for answer in answers), "ms"),
        at_most(TIME, f"{page.name}, p50", median(spent), "ms", _MOST_MILLISECONDS),
        at_most(TIME, f"{page.name}, p99", quantiles(spent, n=100)[98], "ms", _MOST_MILLISECONDS),
    ]


async def _weight(app: FastAPI, page: Page) -> list[Finding]:
    """Weigh a page and what it loads, as the server sends it: not compressed. What gzip would make of it stands beside."""
    everything = await _loaded(app, page)
    sent = sum(len(body) for body in everything) / 1000
    compressed = sum(len(gzip.compress(body)) for body in everything) / 1000
    return [
        at_most(WEIGHT, f"{page.name}, as sent", sent, "kB", _MOST_KB),
        Finding(WEIGHT, f"{page.name}, with gzip", compressed, "kB"),
    ]


async def _loaded(app: FastAPI, page: Page) -> list[bytes]:
    bodies: list[bytes] = []
    waiting, asked = [page.address], set[str]()
    while waiting:
        address = waiting.pop()
        asked.add(address)
        answer = await ask(app, address, page.visitor.cookies)
        if answer.status != 200:
            raise RuntimeError(f"{page.name} loads {address}, which answers {answer.status}")
        bodies.append(answer.body)
        pattern = {"text/html": _LOADED, "text/css": _LOADED_BY_STYLE}.get(answer.media_type)
        names = pattern.findall(answer.body.decode()) if pattern else []
        waiting += _own(address, names) - {*asked, *waiting}
    return bodies
