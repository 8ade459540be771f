"""Going through a portal by its own links, as somebody who opens everything would: every page that links lead to."""

import re
from collections import Counter, deque
from collections.abc import Iterator

from fastapi.routing import APIRoute
from playwright.sync_api import Page
from tests.browser.conftest import Visitor
from tests.verbs.endpoints import routes_of

_NO_PAGES = re.compile(
    r"/static/|.*/live$|.*/waiting$|.*/history\.|/mail/|/auto|/\.well-known|/components", re.IGNORECASE
)
LINKS = "[...document.querySelectorAll('a[href], main form[method=get]')].map((one) => one.getAttribute('href') ?? '')"


class Crawl:
    """Opens pages, a few of each route, and remembers which routes it has seen."""

    def __init__(self, visitor: Visitor, app: object, *, of_each: int) -> None:
        self._visitor = visitor
        self._of_each = of_each
        looks = [route for route in routes_of(app) if "GET" in route.methods and not _NO_PAGES.match(route.path)]
        self._routes: list[APIRoute] = looks
        self.seen: Counter[str] = Counter()

    def pages(self, *starts: str) -> Iterator[tuple[str, Page]]:
        """Open what links lead to from these pages on; gives each path and its page."""
        waiting, known = deque(starts), set(starts)
        while waiting:
            path = waiting.popleft()
            route = self._route(path)
            if route is None or self.seen[route] >= self._of_each:
                continue
            page = self._visitor.go(path)
            self.seen[route] += 1
            yield path, page
            for found in page.evaluate(LINKS):
                if found.startswith("/") and found not in known:
                    known.add(found)
                    waiting.append(found)

    def not_seen(self) -> set[str]:
        """Give the pages that no link led to."""
        return {route.path for route in self._routes} - self.seen.keys()

    def _route(self, path: str) -> str | None:
        name = path.partition("?")[0]
        return next((route.path for route in self._routes if route.path_regex.match(name)), None)
