"""Postfix's sender login maps, asked on real sockets with a real store."""

import re
from dataclasses import replace

import pytest
from tests.doors.door_site import QUICK, door, open_doors, peer, replaced
from tests.doors.gateway_site import Talk
from tests.verbs.site import OPERATOR, House

from valetkey.core.errors import Unavailable
from valetkey.core.limits import Limits
from valetkey.core.policy import Policy
from valetkey.core.scope import MailProtocol, Permission
from valetkey.core.tagged_name import tagged
from valetkey.doors.asked.settings import DoorKind
from valetkey.service import accounts, app_passwords

ALICE = "alice@example.org"


def socketmap():
    return door(DoorKind.SOCKETMAP, peer(secret=""))


async def look_up(talk: Talk, key: str, name: str = "login") -> str:
    request = f"{name} {key}".encode()
    await talk.say(b"%d:%s," % (len(request), request))
    length = int((await talk.reader.readuntil(b":"))[:-1])
    reply = await talk.reader.readexactly(length + 1)
    assert reply.endswith(b",")
    return reply[:-1].decode()


async def test_an_address_has_its_account_and_its_app_passwords(tmp_path):
    async with open_doors(tmp_path, socketmap()) as site:
        person = await site.house.person(ALICE)
        await accounts.add_alias(site.house.ports, OPERATOR, person.account.id, "sales@example.org")
        issued = await site.house.issue(person)
        reading = await site.house.issue(person, "Reader", scope=replaced([Permission.READ], MailProtocol.IMAP))
        gone = await site.house.issue(person, "Gone")
        await app_passwords.revoke(site.house.ports, person.actor, gone.app_password.id)
        talk = await site.connect()
        owners = f"OK {ALICE},{tagged(ALICE, issued.app_password.id)}"
        for key in (ALICE, "Alice@Example.ORG", "sales@example.org"):
            assert await look_up(talk, key) == owners
        assert reading.app_password.id not in owners


@pytest.mark.parametrize(
    "key",
    [
        "nobody@example.org",
        "alice",
        "@example.org",
        "alice@",
        "",
        "a@b@example.org",
        "\xff@example.org",
        "+alice@example.org",
    ],
)
async def test_what_is_nobodys_is_not_found(tmp_path, key):
    """A bare name is not completed: Postfix asks for one of any domain that it calls its own."""
    async with open_doors(tmp_path, socketmap()) as site:
        await site.house.person(ALICE)
        talk = await site.connect()
        assert await look_up(talk, key) == "NOTFOUND "


async def test_a_limit_of_senders_narrows_and_never_widens(tmp_path):
    async with open_doors(tmp_path, socketmap()) as site:
        person = await site.house.person(ALICE)
        await site.house.person("bob@example.org")
        await accounts.add_alias(site.house.ports, OPERATOR, person.account.id, "sales@example.org")
        limits = Limits(senders=("sales@example.org", "bob@example.org"))
        issued = await site.house.issue(person, limits=limits)
        talk = await site.connect()
        assert await look_up(talk, ALICE) == f"OK {ALICE}"
        assert await look_up(talk, "sales@example.org") == f"OK {ALICE},{tagged(ALICE, issued.app_password.id)}"
        assert await look_up(talk, "bob@example.org") == "OK bob@example.org"


async def test_an_extension_is_its_accounts_and_is_held_to_the_limit_as_a_whole(tmp_path):
    async with open_doors(tmp_path, socketmap()) as site:
        person = await site.house.person(ALICE)
        await site.house.person("alice+b@example.org")
        names = {}
        for senders in ((), (ALICE,), ("alice+shop@example.org",)):
            issued = await site.house.issue(person, limits=Limits(senders=senders))
            names[senders] = tagged(ALICE, issued.app_password.id)
        talk = await site.connect()
        owners = (await look_up(talk, "alice+shop@example.org")).removeprefix("OK ").split(",")
        assert set(owners) == {ALICE, names[()], names["alice+shop@example.org",]}
        assert await look_up(talk, "alice+b@example.org") == "OK alice+b@example.org"


async def test_who_owns_a_shared_account_sends_as_it_by_its_own_app_passwords(tmp_path):
    async with open_doors(tmp_path, socketmap()) as site:
        person = await site.house.person(ALICE)
        await site.house.issue(person)
        shared = await site.house.shared("scanner@example.org", person)
        talk = await site.connect()
        assert await look_up(talk, "scanner@example.org") == "OK scanner@example.org"
        assert "scanner" not in await look_up(talk, ALICE)
        assert shared.address == "scanner@example.org"


async def test_an_account_whose_name_would_be_a_list_owns_nothing(tmp_path):
    """Postfix would read two owners, and one of them might be somebody else."""
    async with open_doors(tmp_path, socketmap()) as site:
        await site.house.person("x,alice@example.org")
        talk = await site.connect()
        assert await look_up(talk, "x,alice@example.org") == "NOTFOUND "


async def test_many_app_passwords_fit_into_an_answer(tmp_path):
    """The newest are kept: Postfix takes 100,000 octets."""
    house = House(tmp_path, policy=Policy(max_app_passwords=3000))
    async with open_doors(tmp_path, socketmap(), house=house) as site:
        long = "a" * 60 + "@" + ".".join(["b" * 60] * 3) + ".example.org"
        person = await site.house.person(long)
        for number in range(330):
            await site.house.issue(person, f"No {number}")
        house.clock.move(minutes=1)
        last = await site.house.issue(person, "Last")
        talk = await site.connect()
        said = await look_up(talk, long)
        assert len(said.encode()) < 95_000
        assert len(re.findall("/app:", said)) > 250
        assert last.app_password.id in said


async def test_cannot_tell_is_temporary(tmp_path):
    async with open_doors(tmp_path, socketmap()) as site:
        await site.house.person(ALICE)
        talk = await site.connect()

        async def away(_):
            raise Unavailable("The store is away.")

        site.house.store.read = away
        assert (await look_up(talk, ALICE)).startswith("TEMP ")


async def test_an_unknown_map_is_an_error(tmp_path):
    async with open_doors(tmp_path, socketmap()) as site:
        talk = await site.connect()
        assert (await look_up(talk, ALICE, "virtual")).startswith("PERM ")


@pytest.mark.parametrize("said", ["x", "9999:", "99999:", "05:login", "5:login,", "3:a b;", ":", "-1:"])
async def test_a_server_that_does_not_speak_the_protocol_is_left(tmp_path, said):
    async with open_doors(tmp_path, socketmap()) as site:
        talk = await site.connect()
        await talk.say(said)
        assert await talk.is_closed()


async def test_a_look_up_that_never_ends_is_too_slow(tmp_path):
    async with open_doors(tmp_path, socketmap(), limits=replace(QUICK, request=0.2)) as site:
        talk = await site.connect()
        await talk.say("20:login al")
        assert await talk.is_closed()
