"""Limits of app passwords: made, kept, changed, recorded, carried over, taken away, and refused where nobody holds them."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.verbs.site import EVERYTHING, OPERATOR, House, Person, attempt

from valetkey.core.app_password import AppPassword
from valetkey.core.errors import InvalidInput, NotFound, ProveAgain
from valetkey.core.event import AppPasswordChanged, AppPasswordIssued, Event
from valetkey.core.limits import NO_LIMITS, Held, Limits, Sent
from valetkey.core.login import Allowed, Reason, Refused
from valetkey.core.role import Role
from valetkey.core.scope import MailProtocol
from valetkey.service import activity, app_passwords, login, rotation
from valetkey.service.exporting import _account_facts

WIDE = Limits(
    folders=("Archive", "Archive/*"),
    senders=("alice@example.org",),
    recipients=("@example.net",),
    messages_per_day=20,
    recipients_per_day=50,
    recipients_per_message=5,
)


async def made(house: House, person: Person, limits: Limits = WIDE) -> tuple[AppPassword, str]:
    issued = await house.issue(person, limits=limits)
    return issued.app_password, issued.secret.text


async def newest(house: House, person: Person) -> Event:
    return (await activity.audit(house.ports, OPERATOR, account_id=person.account.id, limit=1))[0].event


async def test_limits_are_stored_and_the_record_names_them(house: House) -> None:
    alice = await house.person()
    one, _ = await made(house, alice, replace(WIDE, senders=("Alice@EXAMPLE.org",)))
    stored = await app_passwords.get(house.ports, alice.actor, one.id)
    assert stored.restrictions.limits == WIDE
    event = await newest(house, alice)
    assert isinstance(event, AppPasswordIssued)
    assert event.limits == {
        "folders": ["Archive", "Archive/*"],
        "senders": ["alice@example.org"],
        "recipients": ["@example.net"],
        "messages_per_day": 20,
        "recipients_per_day": 50,
        "recipients_per_message": 5,
    }


async def test_a_limit_that_cannot_be_makes_nothing(house: House) -> None:
    alice = await house.person()
    with pytest.raises(InvalidInput):
        await house.issue(alice, limits=Limits(recipients=("nobody",)))
    assert not await app_passwords.of_account(house.ports, alice.actor, alice.account.id)


async def test_narrowing_needs_no_proof_and_widening_does(house: House) -> None:
    alice = await house.person()
    one, _ = await made(house, alice)
    house.clock.move(minutes=6)
    narrower = replace(one.restrictions, limits=replace(WIDE, messages_per_day=3, folders=("Archive/2026",)))
    changed = await app_passwords.change(house.ports, alice.actor, one.id, restrictions=narrower)
    assert changed.app_password.restrictions == narrower
    event = await newest(house, alice)
    assert event == AppPasswordChanged(
        ("limits",),
        "Phone",
        {
            "folders": ["Archive/2026"],
            "senders": ["alice@example.org"],
            "recipients": ["@example.net"],
            "messages_per_day": 3,
            "recipients_per_day": 50,
            "recipients_per_message": 5,
        },
    )
    for wider in (WIDE, NO_LIMITS):
        with pytest.raises(ProveAgain):
            await app_passwords.change(house.ports, alice.actor, one.id, restrictions=replace(narrower, limits=wider))
    fresh = house.acting(alice.account)
    lifted = await app_passwords.change(house.ports, fresh, one.id, restrictions=replace(narrower, limits=NO_LIMITS))
    assert lifted.app_password.restrictions.limits == NO_LIMITS
    assert await newest(house, alice) == AppPasswordChanged(("limits",), "Phone", {})


async def test_a_change_of_other_things_names_no_limits(house: House) -> None:
    alice = await house.person()
    one, _ = await made(house, alice)
    sooner = replace(one.restrictions, expires_at=house.clock.now() + timedelta(days=2))
    await app_passwords.change(house.ports, alice.actor, one.id, restrictions=sooner)
    assert await newest(house, alice) == AppPasswordChanged(("restrictions",), "Phone")


async def test_who_takes_its_place_has_the_same_limits(house: House) -> None:
    alice = await house.person()
    one, _ = await made(house, alice)
    rotated = await rotation.rotate(house.ports, alice.actor, one.id, timedelta(days=1))
    for each in (rotated.app_password, rotated.replaced):
        stored = await app_passwords.get(house.ports, alice.actor, each.id)
        assert stored.restrictions.limits == WIDE


@pytest.mark.parametrize(
    ("protocol", "needs"),
    [(MailProtocol.IMAP, Held.FOLDERS), (MailProtocol.SMTP, Held.SENDING), (MailProtocol.SIEVE, None)],
)
async def test_whoever_cannot_hold_it_to_its_limits_gets_a_refusal(
    house: House, protocol: MailProtocol, needs: Held | None
) -> None:
    alice = await house.person()
    one, secret = await made(house, alice)
    trying = attempt("alice", secret, protocol=protocol)
    verdict = await login.check(house.ports, trying)
    assert isinstance(verdict, Allowed)
    assert verdict.grant.limits == WIDE
    assert verdict.grant.must_hold == ({needs} if needs else set())
    held_less = replace(trying, holds=trying.holds - {needs})
    verdict = await login.check(house.ports, held_less)
    if needs is None:
        assert isinstance(verdict, Allowed)
    else:
        assert verdict == Refused(Reason.NOT_HELD, proven=True, credential_id=one.id)


async def test_what_was_sent_today_is_told_to_its_owner_alone(house: House) -> None:
    alice, mallory = await house.person(), await house.person("mallory@example.org")
    auditor = await house.person("auditor@example.org", role=Role.AUDITOR)
    one, _ = await made(house, alice)
    day = house.clock.now().date()
    for sent_on, recipients in ((day, 3), (day, 4), (day - timedelta(days=1), 30)):
        await house.ports.store.write(
            lambda writer, on=sent_on, to=recipients: writer.count_sent(one.id, on, to)  # type: ignore[misc]
        )
    for actor in (alice.actor, OPERATOR, house.acting(auditor.account)):
        found = await app_passwords.sent_today(house.ports, actor, one.id)
        assert (found.day, found.sent) == (day, Sent(2, 7))
    with pytest.raises(NotFound):
        await app_passwords.sent_today(house.ports, mallory.actor, one.id)
    house.clock.move(days=1)
    assert (await app_passwords.sent_today(house.ports, OPERATOR, one.id)).sent == Sent()


async def test_the_export_of_everything_has_the_limits(house: House) -> None:
    alice = await house.person()
    await made(house, alice)
    issued = await house.issue(alice, "Unlimited", scope=EVERYTHING)
    facts = await house.ports.store.read(lambda reader: _account_facts(reader, alice.account))
    limits = {each["id"]: each["limits"] for each in facts["app_passwords"]}
    assert limits.pop(issued.app_password.id) == {}
    (found,) = limits.values()
    assert found["folders"] == ["Archive", "Archive/*"]
    json.dumps(found)
