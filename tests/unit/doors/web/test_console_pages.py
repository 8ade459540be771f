"""Long lists of the console come page by page: each page has a way on, and nothing is left out or shown twice."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape

import pytest
from tests.browser.portal_client import PortalClient
from tests.contract.values import an_account
from tests.verbs.site import HOME, House, Person

from valetkey.core.account import Account
from valetkey.core.api_token import ApiToken
from valetkey.core.proposal import LASTS, Proposal, ProposalKind
from valetkey.core.role import Action
from valetkey.service.ports import Writer
from valetkey.service.store_parts import Recovery, RecoveryState

MANY = 61
DAY = timedelta(days=1)


def add_many(writer: Writer, house: House, owner: Account) -> None:
    """Add so many of each list; some at the same moment, which the order has to settle."""
    for number in range(MANY):
        at = house.clock.now() + timedelta(seconds=number // 7)
        one = an_account(f"p{number:02}", address=f"p{number:02}@d{number:02}.example")
        writer.add_account(one)
        facts = (f"T{number:02}x", frozenset({Action.OWN_READ}), (), at, owner.id, HOME, at + 30 * DAY)
        writer.add_api_token(ApiToken(f"at_{number:02}", one.id, *facts), 1, b"%032d" % number)
        waits = (RecoveryState.WAITING, at, HOME, at + DAY, at + 2 * DAY, at)
        writer.add_recovery(Recovery(f"rc_{number:02}", one.id, *waits))
        kind = ProposalKind.RESET_SECOND_FACTORS
        writer.add_proposal(Proposal(f"pr_{number:02}", kind, one.id, {}, f"R{number:02}x", owner.id, at, at + LASTS))


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/console/tokens", r"T\d\dx"),
        ("/console/domains", r"d\d\d\.example(?=</a>)"),
        ("/console/recoveries", r"p\d\d@d\d\d\.example(?=</bdi></a>)"),
        ("/console/proposals", r"R\d\dx"),
        ("/console/proposals?show=all", r"R\d\dx"),
    ],
)
async def test_every_entry_is_on_one_page(
    visitor: PortalClient, house: House, admin: Person, path: str, shown: str
) -> None:
    add: Callable[[Writer], None] = lambda writer: add_many(writer, house, admin.account)  # noqa: E731
    await house.store.write(add)
    found: list[str] = []
    where: str | None = path
    pages = 0
    while where is not None:
        page = await visitor.get(where)
        assert page.status_code == 200
        assert pages == 0 or 'rel="first"' in page.text
        found += dict.fromkeys(re.findall(f">({shown})" if "T" in shown or "R" in shown else shown, page.text))
        onward = re.search(r'href="([^"]+)" rel="next"', page.text)
        where = unescape(onward[1]) if onward else None
        pages += 1
    assert pages > 1
    assert len(found) == len(set(found)) == MANY


async def test_a_token_is_found_by_its_name_and_by_whose_it_is(
    visitor: PortalClient, house: House, admin: Person
) -> None:
    await house.store.write(lambda writer: add_many(writer, house, admin.account))
    for q, number in (("t07", 1), ("p07@", 1), ("D0", 10), ("nothing", 0)):
        page = await visitor.get(f"/console/tokens?q={q}")
        assert len(re.findall(r">T\d\dx<", page.text)) == number, q
