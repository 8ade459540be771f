"""Doors are opened together, on the sockets that were bound for them."""

import asyncio

import pytest
from tests.doors.door_site import door, open_doors

from valetkey.core.errors import CannotStart
from valetkey.doors.asked.settings import DoorKind


async def test_doors_of_tcp_and_of_a_unix_socket_answer(tmp_path):
    async with open_doors(tmp_path, door(DoorKind.HTTP), door(DoorKind.HTTP, path=tmp_path / "http")) as site:
        for number in range(2):
            talk = await site.connect(number)
            await talk.say("POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
            assert (await talk.line()).startswith("HTTP/1.1 404")
            assert site.samples()["valetkey_door_connections"] == number + 1


async def test_a_taken_place_is_told(tmp_path):
    path = tmp_path / "http"
    async with open_doors(tmp_path, door(DoorKind.HTTP, path=path)):
        with pytest.raises(CannotStart, match="in use"):
            async with open_doors(tmp_path, door(DoorKind.HTTP, path=path)):
                await asyncio.sleep(0)
