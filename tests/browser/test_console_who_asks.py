"""The page of mail servers in a browser: who asks, with names and places as awkward as a configuration permits."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import expect
from tests.browser.axe import violations
from tests.browser.conftest import Visitor
from tests.browser.portal_site import PortalSite

from valetkey.core.role import Role
from valetkey.service.server_parts import MailDoor
from valetkey.service.tallies import NOBODY_KNOWN, Asked, AskedOutcome

pytestmark = pytest.mark.browser

LONG = "/var/spool/postfix/" + "private" * 20 + "/<img src=x onerror=alert(1)>"
DOORS = (
    MailDoor("http", "[2001:db8:1234:5678:9abc:def0:1234:5678]:9080", has_tls=True, peers=("mx1", "m" * 60)),
    MailDoor("policy", LONG, has_tls=False, peers=("mx1",)),
)


async def asked(site: PortalSite) -> Any:
    house = site.house
    now = house.clock.now()
    house.with_ports(mail_doors=DOORS)
    for number, outcome in enumerate(AskedOutcome):
        house.recorder.count(Asked(DOORS[0].name, "mx1", outcome), now - timedelta(minutes=number))
    house.recorder.count(
        Asked(DOORS[0].name, NOBODY_KNOWN, AskedOutcome.TURNED_AWAY), now, "2001:db8:ffff:5678:9abc:def0:1234:5678"
    )
    await house.recorder.flush()
    return await house.person("ada@example.org", role=Role.ADMIN)


def test_who_asks_is_read_wide_and_narrow_light_and_dark(site: PortalSite, scripted: Visitor) -> None:
    ada = site.do(lambda: asked(site))
    state = site.app.state
    state.portal = replace(state.portal, ports=site.house.ports)
    page = scripted.come_in(ada, "/console/servers")
    rows = page.get_by_role("table", name="Who asks").get_by_role("row")
    expect(rows).to_have_count(1 + 4)
    expect(rows.nth(1)).to_contain_text("Asks")
    expect(rows.nth(1)).to_contain_text("Not understood: 1 time")
    expect(rows.nth(2)).to_contain_text("Has not asked yet")
    expect(rows.nth(3)).to_contain_text("none of those listed")
    expect(rows.nth(4)).to_contain_text(LONG)
    for width, colours in ((1180, "light"), (320, "dark")):
        page.emulate_media(color_scheme=colours, reduced_motion="reduce")  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), width
        assert violations(page) == []
