"""The RADIUS door when many ask at once, as after an outage."""

import asyncio

from tests.doors.door_site import door, open_doors, peer, person_with
from tests.doors.radius_client import ACCESS_ACCEPT, Ask, connected

from valetkey.core.limits import EVERYTHING_HELD
from valetkey.doors.asked.settings import DoorKind

MX = peer(tls_only=True, holds=EVERYTHING_HELD)
WAVES, IN_A_WAVE = 4, 150
ACCEPTED = "valetkey_door_requests_total radius accepted"


async def test_of_many_logins_at_once_none_is_lost(tmp_path):
    """Reading waits for no decision, so the system, which keeps few datagrams, has to throw none away."""
    async with open_doors(tmp_path, door(DoorKind.RADIUS, MX)) as site:
        _, secret = await person_with(site)
        ask = Ask(password=secret.encode())
        async with connected(site.port()) as client, connected(site.port()) as other:
            for _ in range(WAVES):
                for number in range(IN_A_WAVE):
                    client.send(ask.but(identifier=number).octets)
                await asyncio.sleep(0)  # one turn of the loop, in which the door reads
            assert (await other.ask(ask)).code == ACCESS_ACCEPT
        async with asyncio.timeout(60):
            while site.samples()[ACCEPTED] < WAVES * IN_A_WAVE + 1:
                await asyncio.sleep(0.01)
