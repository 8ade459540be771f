"""Made-up staff for the demo's console: accounts that nobody can sign in to, and a month of logins in the store's counts.

All of it is drawn from a few patterns and is the same in every demo, but for the secrets, which nobody gets to see.
"""

import base64
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from valetkey.core.account import Account, AccountKind
from valetkey.core.app_password import AppPassword
from valetkey.core.login import Reason
from valetkey.core.restriction import Restrictions
from valetkey.core.role import Action
from valetkey.core.scope import MailProtocol, ready_made
from valetkey.core.second_factor import code_at, step_of
from valetkey.demo.layout import DOMAIN
from valetkey.demo.people import People
from valetkey.demo.seeding import EarlierClock
from valetkey.service import accounts, api_tokens, app_passwords, proposals, second_factors
from valetkey.service.app_passwords import Wanted
from valetkey.service.ports import OPERATOR, Actor, ActorKind, LoginEvent, Ports, Writer
from valetkey.service.store_parts import Adoption

_SHOP = f"shop.{DOMAIN}"
_FROM = "198.51.100.40"
# Who, what they use, and whether they have a second factor.
_STAFF = (
    (f"carol@{DOMAIN}", (("Phone", "mail-app"), ("Laptop", "mail-app")), True),
    (f"dan@{DOMAIN}", (("iPad", "mail-app"), ("Old phone", "mail-app")), True),
    (f"erin@{DOMAIN}", (("Thunderbird", "mail-app"),), True),
    (f"frank@{DOMAIN}", (), False),
    (f"grace@{DOMAIN}", (("Everything", "everything"),), True),
    (f"heidi@{_SHOP}", (("Shop tablet", "mail-app-read-only"), ("Newsletter tool", "send-only")), True),
    (f"ivan@{_SHOP}", (), False),
    (f"judy@{_SHOP}", (("Phone", "mail-app"),), True),
)
_FORGOTTEN = frozenset({"Old phone", "Newsletter tool"})  # not used for long
_CLIENTS = {"Phone": "iPhone Mail", "Laptop": "Thunderbird 140", "iPad": "iPad Mail", "Thunderbird": "Thunderbird 140"}
_BEGAN = timedelta(days=150)
_DAYS = 30
_BY_HOUR = (1, 1, 0, 0, 0, 1, 4, 12, 22, 26, 24, 22, 18, 21, 24, 23, 20, 15, 9, 6, 5, 4, 3, 2)
_SATURDAY = 5
_GUESSING_DAY, _GUESSING_HOUR = 3, 14  # days ago, and at which hour: somebody tried many passwords

Staff = tuple[tuple[Account, tuple[AppPassword, ...]], ...]


async def make_staff(ports: Ports) -> Staff:
    """Make the accounts, as if some months ago; gives them with their app passwords."""
    now = ports.clock.now()
    clock = EarlierClock(now - _BEGAN)
    earlier = replace(ports, clock=clock)
    staff = []
    for number, (address, devices, has_factor) in enumerate(_STAFF):
        clock.go_to(now - _BEGAN + timedelta(days=7 * number, hours=number))
        account = await accounts.create(earlier, OPERATOR, address)
        actor = Actor(ActorKind.ACCOUNT, account.id, _FROM, clock.now())
        if has_factor:
            await _enrol(earlier, actor, address)
        made = [await _issue(earlier, replace(actor, proven_at=clock.now()), name, kind) for name, kind in devices]
        staff.append((account, tuple(made)))
    shared = await accounts.create(earlier, OPERATOR, f"orders@{_SHOP}", kind=AccountKind.SHARED)
    await accounts.add_owner(earlier, OPERATOR, shared.id, staff[5][0].id)
    await accounts.disable(earlier, OPERATOR, staff[6][0].id)
    return tuple(staff)


async def _enrol(ports: Ports, actor: Actor, address: str) -> None:
    offer = second_factors.offer_totp(ports, actor, address)
    code = code_at(base64.b32decode(offer.seed_text.replace(" ", "")), step_of(ports.clock.now()))
    await second_factors.confirm_totp(ports, actor, offer.sealed, code, "Phone")


async def _issue(ports: Ports, actor: Actor, name: str, kind: str) -> AppPassword:
    choice = ready_made(kind)
    if choice is None or actor.account_id is None:
        raise AssertionError(kind)
    ends = ports.clock.now() + timedelta(days=365) if name in {"Phone", "Shop tablet"} else None
    wanted = Wanted(name, choice.scope, Restrictions(expires_at=ends))
    return (await app_passwords.issue(ports, actor, actor.account_id, wanted)).app_password


async def make_history(ports: Ports, people: People, staff: Staff) -> None:
    """Fill the store's counts with a month of logins and refusals, and leave something to decide."""
    now = ports.clock.now()
    for day in range(_DAYS, -1, -1):
        await ports.store.add_login_events(tuple(_of_day(staff, now, day)))
    await ports.store.write(lambda writer: _adoption(writer, now))
    alice = await accounts.find(ports, OPERATOR, people["alice"].address)
    chief = await accounts.find(ports, OPERATOR, people["chief"].address)
    await api_tokens.make(
        ports,
        Actor(ActorKind.ACCOUNT, alice.id, _FROM, now),
        alice.id,
        name="Scanner set-up script",
        actions=frozenset({Action.OWN_READ, Action.OWN_MAKE}),
        expires_at=now + timedelta(days=90),
    )
    why = "Sample: the yearly audit asks for it"
    await proposals.propose_export(ports, Actor(ActorKind.ACCOUNT, chief.id, _FROM, now), why)


def _of_day(staff: Staff, now: datetime, ago: int) -> Iterator[LoginEvent]:
    """Give the logins and refusals of one day, hour by hour."""
    midnight = (now - timedelta(days=ago)).replace(hour=0, minute=0, second=0, microsecond=0)
    factor = 1 if midnight.weekday() < _SATURDAY else 4
    users = [(account, one) for account, made in staff for one in made if one.description not in _FORGOTTEN]
    for hour, usual in enumerate(_BY_HOUR):
        at = midnight + timedelta(hours=hour, minutes=17)
        if at > now:
            return
        account, one = users[(hour + ago) % len(users)]
        number = usual // factor + (hour * 7 + ago * 3) % 3
        protocol = MailProtocol.SMTP if "Newsletter" in one.description else MailProtocol.IMAP
        if number:
            yield _login(account, one, protocol, "allowed", at, number)
        if number > 1 and protocol is MailProtocol.IMAP and one.scope.protocols >= {MailProtocol.SMTP}:
            yield _login(account, one, MailProtocol.SMTP, "allowed", at, number // 3 + 1)
        if (hour + 5 * ago) % 23 == 0:
            yield _login(account, one, MailProtocol.IMAP, Reason.NETWORK.value, at, 1 + ago % 3)
        yield from _strangers(at, ago, hour)


def _strangers(at: datetime, ago: int, hour: int) -> Iterator[LoginEvent]:
    """Give what nobody's account is behind: guesses, and programs that still have a main password."""
    guesses = 34 if (ago, hour) == (_GUESSING_DAY, _GUESSING_HOUR) else (hour * ago) % 11 // 8
    if guesses:
        yield LoginEvent(None, None, MailProtocol.IMAP, "192.0.2.0/24", "", Reason.WRONG_SECRET.value, at, at, guesses)
    if ago > 2 and hour % 6 == 1:  # noqa: PLR2004  (fewer and fewer, as people move to app passwords)
        count = max(1, ago // 6)
        yield LoginEvent(
            None, None, MailProtocol.POP3, "203.0.113.0/24", "", Reason.KIND_NOT_ALLOWED.value, at, at, count
        )


def _login(  # noqa: PLR0917  (every fact of a sample)
    account: Account, one: AppPassword, protocol: MailProtocol, result: str, at: datetime, count: int
) -> LoginEvent:
    client = _CLIENTS.get(one.description, "")
    return LoginEvent(account.id, one.id, protocol, _FROM, client, result, at, at, count)


def _adoption(writer: Writer, now: datetime) -> None:
    today = writer.adoption_now(now.date())
    for ago in range(90, 0, -1):
        share = min(today.with_second_factor, max(1, today.with_second_factor * (100 - ago) // 95))
        writer.set_adoption(Adoption((now - timedelta(days=ago)).date(), today.people, share, share // 4))
