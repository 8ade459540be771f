"""Every door × mechanism × protocol × scope × state: what is heard is what the table says, and what must not differ does not."""

import re
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from structlog.testing import capture_logs
from tests.doors.asking_by_http import certificate_logins
from tests.doors.every_door import DECIDES_NONE, WAYS, EveryDoor, open_every_door
from tests.doors.expectation import (
    EXPIRED,
    FORBIDDEN,
    IMPOSTOR,
    LATER,
    NO_TLS,
    PASSES,
    STRANGER,
    WRONG,
    Outcome,
    expectation,
)
from tests.doors.matrix_people import SCOPES, STATES, WRONG_SECRET, People, move_in, outcome_of, tries
from tests.doors.ways_in import IMAP, SECRET, Asker, Login, Shown, Way
from tests.verbs.site import OPERATOR, PASSWORD, House

from valetkey.app import http_door
from valetkey.app.doors import _OPENERS
from valetkey.core.policy import Policy
from valetkey.core.scope import MailProtocol
from valetkey.core.throttle import ThrottleLimits
from valetkey.doors.asked.settings import DoorKind
from valetkey.doors.dovecot import app as dovecot
from valetkey.service import accounts, app_passwords
from valetkey.wire.bearer import BEARER_MECHANISMS
from valetkey.wire.sasl import MECHANISMS

PATIENT = ThrottleLimits(per_network=10**9, per_secret=10**9, overall=10**9)
OPEN = tuple(_OPENERS)
IMPOSTORS = "the secret of no peer"
WITH_CODE = {"radius", "saslauthd"}
_ID = re.compile(r"ap_[a-z2-7]{16}")


def plainly(heard: str, login: Login, real_name: str) -> str:
    """Take out of what was heard what differs by person and app password."""
    for name in (real_name, login.name):
        heard = heard.replace(name, "NAME")
    return _ID.sub("APP", heard)


Expected = Callable[[Way], Outcome]


class World:
    """All doors, and the people of the matrix."""

    def __init__(self, doors: EveryDoor, people: People, log: list[Any]) -> None:
        self.doors = doors
        self.people = people
        self.log = log


async def heard_plainly(world: World, way: Way, asker: Asker, login: Login, real_name: str) -> str:
    """Ask, and give what was heard."""
    return plainly(await way.ask(world.doors, asker, login), login, real_name)


def mistaken(way: Way, protocol: MailProtocol, expected: Outcome, heard: str, about: str) -> list[str]:
    """Compare with the table; gives the mistake in words, or nothing."""
    if re.fullmatch(expectation(way.row, protocol, expected), heard, re.DOTALL):
        return []
    return [f"{way}, {protocol.value}, {about}: {heard!r}, and not as {expected.value}"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("matrix")
    house = House(folder, throttle=PATIENT)
    people = await move_in(house)
    certificates = certificate_logins([(one.name, one.id) for one in people.values()])
    with capture_logs() as log:
        async with open_every_door(folder, house, kinds=OPEN, certificate_logins=certificates) as doors:
            yield World(doors, people, log)


DECIDING = [way for way in WAYS if way.shown is not Shown.NAME]


@pytest.mark.parametrize("way", DECIDING, ids=str)
@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_heard_is_what_the_table_says(world: World, way: Way) -> None:
    mistakes: list[str] = []
    refusals: set[str] = set()
    for asker in (Asker.HOLDING, Asker.BARE):
        for protocol in way.protocols:
            for state, scope, login in tries(world.people, way, asker, protocol):
                expected = outcome_of(way, asker, login, STATES[state], SCOPES[scope])
                real = world.people[state if (state, scope) in world.people else "good", scope].name
                heard = await heard_plainly(world, way, asker, login, real)
                mistakes += mistaken(way, protocol, expected, heard, f"{asker.value}, {scope}, {state}")
                if expected is WRONG:
                    refusals.add(f"{protocol.value} {heard}")
    assert mistakes == []
    assert len(refusals) == len(way.protocols), "wrong, unknown, disabled and revoked can be told apart"


@pytest.mark.parametrize("way", [way for way in WAYS if way.is_for_listed], ids=str)
@pytest.mark.asyncio(loop_scope="module")
async def test_who_is_no_peer_hears_nothing_of_a_right_login(world: World, way: Way) -> None:
    mistakes: list[str] = []
    one = world.people["good", "everything"]
    for protocol in way.protocols:
        right = Login(one.name, one.secret, protocol, app_password=one.id)
        wrong = replace(right, secret=WRONG_SECRET, name="nobody@example.org", app_password="ap_" + "a" * 16)
        for login in (right, wrong):
            heard = await heard_plainly(world, way, Asker.STRANGER, login, one.name)
            mistakes += mistaken(way, protocol, STRANGER, heard, "not listed")
            if way.has_peer_secret:
                impostor = replace(login, peer_secret=IMPOSTORS)
                heard = await heard_plainly(world, way, Asker.HOLDING, impostor, one.name)
                mistakes += mistaken(way, protocol, IMPOSTOR, heard, "another secret")
    assert mistakes == []


@pytest.mark.asyncio(loop_scope="module")
async def test_nothing_secret_came_into_the_log(world: World) -> None:
    """Of all that is above: no app password, no peer's secret, and no door that failed."""
    text = repr(world.log)
    shown = {one.secret for one in world.people.values()} | {WRONG_SECRET, IMPOSTORS, SECRET, "master secret"}
    assert [secret for secret in shown if secret in text] == []
    assert [entry for entry in world.log if entry["event"] in {"door_failed", "login_check_failed"}] == []
    assert len(world.log) > len(shown)


# Worlds in which other things decide


async def all_ways(doors: EveryDoor, login: Login, ways: Iterable[Way], expected: Expected) -> list[str]:
    """Try one login in every way there is for it; gives what was not as expected."""
    mistakes: list[str] = []
    for way in ways:
        for protocol in way.protocols:
            heard = plainly(await way.ask(doors, Asker.HOLDING, replace(login, protocol=protocol)), login, login.name)
            outcome = expected(way) if way.opens else WRONG
            mistakes += mistaken(way, protocol, outcome, heard, login.name)
    return mistakes


SECRET_WAYS = [way for way in WAYS if way.shown is Shown.SECRET]


@pytest.mark.parametrize(
    ("policy", "outcomes"),
    [
        (Policy(), {"with": WRONG, "without": WRONG}),
        (Policy(main_password_opens_mail=True), {"with": WRONG, "without": PASSES}),
    ],
    ids=["closed", "open"],
)
async def test_a_main_password_opens_only_by_policy_and_without_a_second_factor(tmp_path, policy, outcomes) -> None:
    house = House(tmp_path, throttle=PATIENT, policy=policy)
    for factor in outcomes:
        await house.person(f"{factor}@example.org", two_factor=factor == "with")
    mistakes = []
    async with open_every_door(tmp_path, house, kinds=OPEN) as doors:
        for factor, outcome in outcomes.items():
            right = Login(f"{factor}@example.org", PASSWORD, MailProtocol.IMAP)
            mistakes += await all_ways(doors, right, SECRET_WAYS, lambda _, told=outcome: told)
            wrong = replace(right, secret="weasel desk tractor nine")
            mistakes += await all_ways(doors, wrong, SECRET_WAYS, lambda _: WRONG)
    assert mistakes == []


async def test_a_main_password_with_a_code_opens_where_no_code_can_be_asked_for(tmp_path) -> None:
    """By policy, and at two doors; the same text passes again there, and nowhere else."""
    house = House(tmp_path, throttle=PATIENT, policy=Policy(password_with_code=True))
    person = await house.person("alice@example.org")
    login = Login(person.account.address, PASSWORD, IMAP)
    readers = [replace(way, protocols=(IMAP,)) for way in SECRET_WAYS if IMAP in way.protocols]
    mistakes: list[str] = []
    async with open_every_door(tmp_path, house, kinds=OPEN) as doors:
        for secret in (PASSWORD, f"{PASSWORD}000000"):
            mistakes += await all_ways(doors, replace(login, secret=secret), SECRET_WAYS, lambda _: WRONG)
        for way in readers:
            house.clock.move(seconds=30)
            right = replace(login, secret=PASSWORD + house.code(person.seed))
            for _ in range(2):
                mistakes += await all_ways(doors, right, [way], lambda way: PASSES if way.door in WITH_CODE else WRONG)
    assert mistakes == []


async def test_a_login_without_tls_passes_where_policy_permits_it(tmp_path) -> None:
    house = House(tmp_path, throttle=PATIENT, policy=Policy(require_tls=False))
    issued = await house.issue(await house.person("alice@example.org"))
    certificates = certificate_logins([("alice@example.org", issued.app_password.id)])
    login = Login("alice@example.org", issued.secret.shown, IMAP, tls=False, app_password=issued.app_password.id)
    async with open_every_door(tmp_path, house, kinds=OPEN, certificate_logins=certificates) as doors:
        assert await all_ways(doors, login, WAYS, lambda _: PASSES) == []


async def test_a_store_that_is_away_is_never_a_wrong_password_and_lets_nobody_in(tmp_path) -> None:
    house = House(tmp_path, throttle=PATIENT)
    issued = await house.issue(await house.person("alice@example.org"))
    right = Login("alice@example.org", issued.secret.shown, IMAP, app_password=issued.app_password.id)
    wrong = replace(right, secret=WRONG_SECRET, name="nobody@example.org")
    certificates = certificate_logins([("alice@example.org", issued.app_password.id)])
    async with open_every_door(tmp_path, house, kinds=OPEN, certificate_logins=certificates) as doors:
        house.store.close()
        mistakes = await all_ways(doors, right, WAYS, lambda _: LATER)
        # Whoever shows a certificate of somebody else is refused without a look.
        asked = [way for way in WAYS if way.mechanism != "external"]
        mistakes += await all_ways(doors, wrong, asked, lambda _: LATER)
    assert mistakes == []


async def test_too_many_failures_are_never_a_wrong_password_and_a_right_one_wins(tmp_path) -> None:
    house = House(tmp_path, throttle=ThrottleLimits(per_network=0))
    person = await house.person("alice@example.org")
    issued, old = await house.issue(person), await house.issue(person)
    await app_passwords.revoke(house.ports, house.acting(person.account), old.app_password.id)
    right = Login("alice@example.org", issued.secret.shown, IMAP)
    async with open_every_door(tmp_path, house, kinds=OPEN) as doors:
        mistakes = await all_ways(doors, right, SECRET_WAYS, lambda _: PASSES)
        for changes in ({"secret": WRONG_SECRET}, {"name": "nobody@example.org"}, {"secret": old.secret.shown}):
            mistakes += await all_ways(doors, replace(right, **changes), SECRET_WAYS, lambda _: LATER)
        names = [way for way in WAYS if way.shown is Shown.NAME]
        mistakes += await all_ways(doors, right, names, lambda _: LATER)
    assert mistakes == []


async def test_before_a_password_is_compared_only_the_account_decides(tmp_path) -> None:
    """Dovecot asks by name (auth_policy); it makes one and the same answer of whatever is not a yes."""
    house = House(tmp_path, throttle=PATIENT)
    await house.person("alice@example.org")
    gone = await house.person("gone@example.org")
    await accounts.disable(house.ports, OPERATOR, gone.account.id)
    names = [way for way in WAYS if way.shown is Shown.NAME]
    tried = {"alice@example.org": PASSES, "gone@example.org": WRONG, "nobody@example.org": WRONG, "no name@@": WRONG}
    async with open_every_door(tmp_path, house, kinds=OPEN) as doors:
        mistakes = []
        for name, outcome in tried.items():
            mistakes += await all_ways(doors, Login(name, "", IMAP), names, lambda _, told=outcome: told)
        plain = Login("alice@example.org", "", IMAP, tls=False)
        mistakes += await all_ways(doors, plain, names, lambda _: NO_TLS)
    assert names
    assert mistakes == []


# No door without its row


def test_every_door_of_the_code_has_its_rows() -> None:
    """A new door, a new path, a new protocol or mechanism has to say here what is heard at it."""
    doors = {way.door for way in WAYS}
    kinds = {name.split(" ")[0] for name in doors}
    assert set(_OPENERS) == set(DoorKind)
    assert kinds | set(DECIDES_NONE) == {kind.value for kind in DoorKind} | {"gateway"}
    assert not kinds & set(DECIDES_NONE)
    paths = {f"/dovecot/{word}" for word in dovecot._ANSWERS} | {
        f"/{word}" for word in http_door._PARTS if word != "dovecot"
    }
    assert {name.removeprefix("http ") for name in doors if name.startswith("http ")} == paths
    assert {name for name in doors if name.startswith("gateway ")} == {f"gateway {each.value}" for each in MailProtocol}


@pytest.mark.parametrize("door", ["sasl", *(f"gateway {each.value}" for each in MailProtocol)])
def test_every_mechanism_has_its_rows(door: str) -> None:
    known = {way.mechanism.split(" ")[-1] for way in WAYS if way.door == door}
    wanted = {*MECHANISMS, *(BEARER_MECHANISMS if door == "sasl" else ())}
    assert wanted <= known


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_every_way_has_an_expectation_of_each_outcome(way: Way) -> None:
    """Also where nothing leads to it today."""
    outcomes = {PASSES, WRONG, EXPIRED, FORBIDDEN, NO_TLS, LATER} if way.row != "introspect" else {WRONG}
    outcomes |= {STRANGER} if way.is_for_listed else set()
    outcomes |= {IMPOSTOR} if way.has_peer_secret else set()
    for protocol in way.protocols:
        for outcome in outcomes:
            re.compile(expectation(way.row, protocol, outcome))
