"""Makes the sample accounts by the same verbs that everybody uses, some weeks ago by a clock of its own."""

import base64
from dataclasses import replace
from datetime import datetime, timedelta

from valetkey.core.account import AccountKind
from valetkey.core.restriction import NetworkRule, Restrictions
from valetkey.core.scope import MailProtocol, ready_made
from valetkey.core.second_factor import code_at, step_of
from valetkey.demo.people import People, Person, SampleAppPassword
from valetkey.service import accounts, app_passwords, portal_sessions, second_factors, sign_in, upstream_passwords
from valetkey.service.app_passwords import Wanted
from valetkey.service.ports import OPERATOR, Actor, LoginEvent, Ports

_PHONE = "203.0.113.24"
_HOME = "198.51.100.7"


class EarlierClock:
    """A clock that stands where it is put, and never goes back."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        """Give where it stands."""
        return self._at

    def go_to(self, at: datetime) -> None:
        """Put it to a time, or a second further if it stands behind that already."""
        self._at = max(at, self._at + timedelta(seconds=1))


async def seed(ports: Ports, people: People) -> People:
    """Make accounts, second factors, app passwords and their history; gives the people with what was drawn."""
    now = ports.clock.now()
    clock = EarlierClock(now - timedelta(days=41))
    earlier = replace(ports, clock=clock)
    await _accounts(earlier, people)
    clock.go_to(now - timedelta(days=40))
    alice, actor, token = await _second_factor(earlier, people["alice"])
    made: list[SampleAppPassword] = []
    for days, kind, description in ((40, "mail-app", "Thunderbird"), (31, "mail-app-read-only", "Archive script")):
        clock.go_to(now - timedelta(days=days))
        made.append(await _issue(earlier, _proven(actor, clock), alice.address, kind, description))
    clock.go_to(now - timedelta(days=20))
    made.append(
        await _issue(earlier, _proven(actor, clock), "scanner@example.test", "send-only", "Second-floor scanner")
    )
    clock.go_to(now - timedelta(days=5))
    made.append(await _issue(earlier, _proven(actor, clock), alice.address, "everything", "Filters and all"))
    await _history(earlier, _proven(actor, clock), alice.address, made[0].id, now)
    await portal_sessions.sign_out(earlier, token)
    people = people.with_person(alice)
    for name in ("admin", "chief", "helpdesk", "auditor"):
        clock.go_to(now - timedelta(days=4))
        person, _, token = await _second_factor(earlier, people[name])
        await portal_sessions.sign_out(earlier, token)
        people = people.with_person(person)
    return replace(people, app_passwords=tuple(made))


async def _accounts(ports: Ports, people: People) -> None:
    for person in people.persons:
        kind = AccountKind.SHARED if person.owner else AccountKind.PERSON
        account = await accounts.create(
            ports, OPERATOR, person.address, kind=kind, password=person.main_password, role=person.role
        )
        await upstream_passwords.set_upstream_password(ports, OPERATOR, account.id, person.upstream_password)
        if person.owner:
            owner = await accounts.find(ports, OPERATOR, person.owner)
            await accounts.add_owner(ports, OPERATOR, account.id, owner.id)


async def _second_factor(ports: Ports, person: Person) -> tuple[Person, Actor, str]:
    """Sign in and set up an authenticator; gives the actor and the token of the session that acts for it."""
    client = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    started = await sign_in.start(ports, person.address, person.main_password or "", address=_HOME, client=client)
    actor = await _acting(ports, started.token)
    offer = second_factors.offer_totp(ports, actor, person.address)
    text = offer.seed_text.replace(" ", "")
    code = code_at(base64.b32decode(text), step_of(ports.clock.now()))
    confirmed = await second_factors.confirm_totp(ports, actor, offer.sealed, code, "Phone")
    actor = await _acting(ports, confirmed.token)  # the session goes on under another token
    return replace(person, totp_secret=text, recovery_codes=confirmed.recovery_codes), actor, confirmed.token


async def _acting(ports: Ports, token: str) -> Actor:
    signed_in = await sign_in.current(ports, token)
    if signed_in is None:
        raise AssertionError("a session that has just begun is there")
    return sign_in.actor_of(signed_in, _HOME)


def _proven(actor: Actor, clock: EarlierClock) -> Actor:
    return replace(actor, proven_at=clock.now())


async def _issue(  # noqa: PLR0917  (every fact of a sample)
    ports: Ports, actor: Actor, address: str, kind: str, description: str, restrictions: Restrictions | None = None
) -> SampleAppPassword:
    account = await accounts.find(ports, OPERATOR, address)
    choice = ready_made(kind)
    if choice is None:
        raise AssertionError(kind)
    issued = await app_passwords.issue(ports, actor, account.id, Wanted(description, choice.scope, restrictions))
    return SampleAppPassword(address, description, kind, issued.secret.shown, issued.app_password.id)


async def _history(ports: Ports, actor: Actor, address: str, thunderbird: str, now: datetime) -> None:
    """Give alice a phone that is in use, a tablet that is gone, and refusals that say why."""
    account = await accounts.find(ports, OPERATOR, address)
    phone = await _issue(ports, actor, address, "mail-app", "Phone")
    tablet = await _issue(ports, actor, address, "mail-app", "Old tablet")
    at_work = Restrictions(network_rule=NetworkRule.ALLOWED, allowed_ips=("office",))
    office = await _issue(ports, actor, address, "mail-app", "Office computer", at_work)
    await app_passwords.revoke(ports, actor, tablet.id, "Left on a train")
    events = (
        _login(account.id, phone.id, _PHONE, "iPhone Mail", "allowed", now - timedelta(minutes=18), 211),
        _login(account.id, thunderbird, _HOME, "Thunderbird 140", "allowed", now - timedelta(hours=9), 64),
        _login(account.id, office.id, "192.0.2.50", "Outlook", "allowed", now - timedelta(days=1, hours=2), 12),
        _login(account.id, office.id, _HOME, "Outlook", "network", now - timedelta(hours=20), 3),
    )
    await ports.store.add_login_events(events)


def _login(  # noqa: PLR0917  (every fact of a sample)
    account_id: str, credential_id: str, network: str, client: str, result: str, at: datetime, count: int
) -> LoginEvent:
    first = at - timedelta(days=4)
    return LoginEvent(account_id, credential_id, MailProtocol.IMAP, network, client, result, first, at, count)
