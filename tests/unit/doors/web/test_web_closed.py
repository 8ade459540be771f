"""What portal and console say of connections that were closed, here and at mail servers."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.browser.portal_client import PortalClient
from tests.verbs.site import House, Person
from tests.verbs.told_servers import ToldServers

from valetkey.doors.web.notices import at_servers, see_other_with, sentence
from valetkey.service.closing import AtServer, Closed
from valetkey.service.closing_upkeep import GIVEN_UP_AFTER, tell_due


@pytest.fixture
def servers() -> ToldServers:
    return ToldServers()


@pytest.fixture
async def house(tmp_path: Path, servers: ToldServers) -> AsyncIterator[House]:
    made = House(tmp_path, server_sessions=servers)
    yield made
    made.close()


def carried(closed: Closed) -> str:
    """Give what the cookie of a notice carries."""
    cookie = see_other_with("/", "revoked", closed).headers["set-cookie"]
    return cookie.partition("=")[2].partition(";")[0]


def said(closed: Closed) -> list[str]:
    notice = carried(closed)
    return [str(sentence(notice)), *map(str, at_servers(notice))]


def test_what_was_closed_is_said_with_its_places() -> None:
    closed = Closed(1, (AtServer("mx1", 2), AtServer("mx3", 0)), ("mx2",))
    assert said(closed) == [
        "Revoked. It opens nothing any more. 3 connections closed.",
        "mx2 could not be reached; Valetkey goes on trying.",
        "2 of them were at mx1.",
    ]


def test_nothing_is_said_of_servers_where_there_is_nothing_to_say() -> None:
    assert said(Closed(1)) == ["Revoked. It opens nothing any more. 1 connection closed."]


def test_many_servers_fit_as_far_as_there_is_room() -> None:
    closed = Closed(0, tuple(AtServer(f"mx{number}.example.org", 12) for number in range(30)))
    assert len(carried(closed)) <= 200
    first, *rest = said(closed)
    assert "360 connections" in first
    assert len(rest) > 3
    assert all(one.startswith("12 of them") for one in rest)


@pytest.mark.parametrize("notice", ["revoked.1~<b>:1", "revoked.1~mx1", "revoked.1~mx1:1:2", "revoked.1~mx1:x"])
def test_a_notice_that_is_not_ours_says_nothing_of_servers(notice: str) -> None:
    assert at_servers(notice) == ()


async def test_the_portal_says_it(house: House, alice: Person, visitor: PortalClient, servers: ToldServers) -> None:
    servers.down = {"mx2"}
    await visitor.sign_in(house, alice)
    issued = await house.issue(alice)
    await visitor.get(f"/app-passwords/{issued.app_password.id}/revoke")
    await visitor.post(f"/app-passwords/{issued.app_password.id}/revoke", {"reason": ""})
    page = " ".join((await visitor.get("/")).text.split())
    assert "1 connection closed." in page
    assert "1 of them was at mx1." in page
    assert "mx2 could not be reached; Valetkey goes on trying." in page


async def test_the_console_shows_what_could_not_be_told(
    house: House, alice: Person, admin: Person, visitor: PortalClient, servers: ToldServers
) -> None:
    servers.down = {"mx1", "mx2"}
    issued = await house.issue(alice)
    await visitor.get(f"/console/app-passwords/{issued.app_password.id}/revoke")
    await visitor.post(f"/console/app-passwords/{issued.app_password.id}/revoke", {"reason": ""})
    assert "1 change was not told to it yet" in (await visitor.get("/console/servers")).text
    house.clock.move(seconds=(GIVEN_UP_AFTER + timedelta(hours=1)).total_seconds())
    await tell_due(house.ports)
    await visitor.sign_in(house, admin)
    assert "1 change was never told to it" in (await visitor.get("/console/servers")).text
