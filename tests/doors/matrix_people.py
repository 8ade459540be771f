"""The people and app passwords of the matrix: each scope in each state, and what must become of a login with it.

The verdict is worked out here anew, from tables, and not by the code under test.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from tests.doors.expectation import EXPIRED, FORBIDDEN, NO_TLS, PASSES, WRONG, Outcome
from tests.doors.ways_in import IMAP, POP3, SIEVE, SMTP, Asker, Login, Shown, Way
from tests.verbs.site import OPERATOR, House, Person

from valetkey.core.limits import NO_LIMITS, Held, Limits
from valetkey.core.restriction import NetworkRule
from valetkey.core.scope import MailProtocol, ready_made
from valetkey.service import accounts, app_passwords

OFFICE, HOME = "203.0.113.9", "198.51.100.7"
WRONG_SECRET = "vkey-" + "-".join(["abcd"] * 6)
_A_DAY = timedelta(days=1)
_SENDING = {SMTP: {Held.SENDING}}


@dataclass(frozen=True)
class Scope:
    """A choice of what an app password may do, and what the doors have to make of it."""

    key: str  # of the ready-made choice
    opens: frozenset[MailProtocol]
    needs: Mapping[MailProtocol, set[Held]]  # what a session has to be held to
    limits: Limits = NO_LIMITS


SCOPES = {
    "everything": Scope("everything", frozenset({IMAP, POP3, SMTP, SIEVE}), {}),
    "mail-app": Scope("mail-app", frozenset({IMAP, POP3, SMTP}), {}),
    "read-only": Scope(
        "mail-app-read-only", frozenset({IMAP, POP3}), {IMAP: {Held.PERMISSIONS}, POP3: {Held.PERMISSIONS}}
    ),
    "send-only": Scope("send-only", frozenset({SMTP}), {}),
    "filters": Scope("filters", frozenset({SIEVE}), {}),
    "folders": Scope(  # POP3 knows INBOX alone, which is not among them
        "everything", frozenset({IMAP, SMTP, SIEVE}), {IMAP: {Held.FOLDERS}}, Limits(folders=("Archive",))
    ),
    "senders": Scope("everything", frozenset({IMAP, POP3, SMTP, SIEVE}), _SENDING, Limits(senders=("@example.org",))),
    "quota": Scope("everything", frozenset({IMAP, POP3, SMTP, SIEVE}), _SENDING, Limits(messages_per_day=100)),
    "recipients": Scope(
        "everything", frozenset({IMAP, POP3, SMTP, SIEVE}), {SMTP: {Held.RECIPIENTS}}, Limits(recipients_per_message=9)
    ),
}


@dataclass(frozen=True)
class State:
    """Something about an app password, its account or the try that decides before the scope does."""

    fate: Outcome | None  # None: it goes on to the scope
    wanted: Mapping[str, Any] | None = None  # restrictions; None: those of "good", with the same app passwords
    tried: Mapping[str, Any] | None = None  # what is different about the try
    where_address_is_told: Outcome | str | None = "as above"
    in_use: Outcome | str | None = "as above"
    kept_name: Outcome | str | None = "as above"
    needs_secret: bool = False  # it is about the secret's text, and means nothing where none is shown
    finds_nothing: bool = False  # no app password is found, so that no scope can matter


_FROM_OFFICE = {"network_rule": NetworkRule.ALLOWED, "allowed_ips": ("office",)}

STATES: Mapping[str, State] = {
    "good": State(None),
    "wrong secret": State(WRONG, tried={"secret": WRONG_SECRET}, finds_nothing=True, needs_secret=True),
    "no app password at all": State(WRONG, tried={"secret": "not-one"}, finds_nothing=True, needs_secret=True),
    "unknown account": State(WRONG, tried={"name": "nobody@example.org"}, finds_nothing=True),
    "no name": State(WRONG, tried={"name": "no name@@"}, finds_nothing=True),
    "another's name": State(WRONG, tried={"name": "other@example.org"}),
    "alias": State(None, tried={"name": "alias@example.org"}, kept_name=WRONG),
    "unprotected": State(None, tried={"tls": False}),
    "revoked": State(WRONG, {}),
    "expired": State(EXPIRED, {"expires_at": _A_DAY}),
    "idle": State(EXPIRED, {"idle_for": _A_DAY}, in_use=None),
    "disabled account": State(WRONG, {}),
    "from the office": State(FORBIDDEN, _FROM_OFFICE, {"address": OFFICE}, where_address_is_told=None),
    "from elsewhere": State(FORBIDDEN, _FROM_OFFICE, {"address": HOME}),
    "from nobody knows where": State(FORBIDDEN, _FROM_OFFICE, {"address": ""}),
}


def fate_of(state: State, way: Way) -> Outcome | None:
    """Give what a state alone decides of a login that comes this way."""
    for applies, fate in (
        (way.tells_address, state.where_address_is_told),
        (way.is_in_use, state.in_use),
        (way.keeps_name, state.kept_name),
    ):
        if applies and not isinstance(fate, str):
            return fate
    return state.fate


def outcome_of(way: Way, asker: Asker, login: Login, state: State, scope: Scope) -> Outcome:
    """Work out what must become of a login."""
    if not way.opens:
        return WRONG
    fate = fate_of(state, way)
    if fate is not None:
        return fate
    if login.protocol not in scope.opens:
        return FORBIDDEN
    if not way.is_over_tls(asker, login):
        return NO_TLS
    if not scope.needs.get(login.protocol, set()) <= way.held(asker, login.protocol):
        return FORBIDDEN
    return PASSES


@dataclass(frozen=True)
class Issued:
    """An app password, as the tests need it."""

    name: str
    secret: str
    id: str


People = Mapping[tuple[str, str], Issued]  # by state and scope


async def move_in(house: House) -> People:
    """Make an account for each state that needs one, with an app password of each scope; time passes at the end."""
    people: dict[tuple[str, str], Issued] = {}
    persons: dict[str, Person] = {}
    other = await house.person("other@example.org")
    for name, state in STATES.items():
        if state.wanted is None and name != "good":
            continue
        persons[name] = person = await house.person(f"{name.replace(' ', '.')}@example.org")
        for key, scope in SCOPES.items():
            people[name, key] = await _issued(house, person, state, scope)
    await house.issue(other)
    await accounts.add_alias(house.ports, OPERATOR, persons["good"].account.id, "alias@example.org")
    for (name, _), one in people.items():
        if name == "revoked":
            await app_passwords.revoke(house.ports, house.acting(persons[name].account), one.id)
    await accounts.disable(house.ports, OPERATOR, persons["disabled account"].account.id)
    house.clock.move(days=3)
    return people


async def _issued(house: House, person: Person, state: State, scope: Scope) -> Issued:
    wanted = dict(state.wanted or {})
    if "expires_at" in wanted:
        wanted["expires_at"] = house.clock.now() + wanted["expires_at"]
    choice = ready_made(scope.key)
    assert choice is not None
    issued = await house.issue(person, scope=choice.scope, limits=scope.limits, **wanted)
    return Issued(person.account.address, issued.secret.shown, issued.app_password.id)


def tries(people: People, way: Way, asker: Asker, protocol: MailProtocol) -> Iterator[tuple[str, str, Login]]:
    """Give every try of a way: the state's name, the scope's, and the login.

    By an asker that holds nothing only those that could pass: what else it is makes no difference to the others.
    """
    for name, state in STATES.items():
        if way.shown is not Shown.SECRET and state.needs_secret:
            continue
        if asker is Asker.BARE and fate_of(state, way) is not None:
            continue
        for key in ("everything",) if state.finds_nothing else SCOPES:
            one = people[name if (name, key) in people else "good", key]
            login = Login(one.name, one.secret, protocol, app_password=one.id)
            yield name, key, replace(login, **(state.tried or {}))
