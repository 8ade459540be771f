"""A whole Valetkey without doors: real store, real keys, real Argon2id (made cheap), a clock that tests set."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import event

from valetkey.adapters.entropy import SystemEntropy
from valetkey.adapters.hashing import Argon2Hasher, Settings
from valetkey.adapters.keys import KeyFile
from valetkey.adapters.passkeys import WebAuthn
from valetkey.adapters.password_gauge import ZxcvbnGauge
from valetkey.adapters.rules import StoredRules
from valetkey.adapters.store import SqliteStore, open_store
from valetkey.core.account import Account, AccountKind
from valetkey.core.limits import EVERYTHING_HELD
from valetkey.core.login import LoginAttempt
from valetkey.core.network import NamedNetworks, canonical_address
from valetkey.core.policy import Policy
from valetkey.core.restriction import Restrictions
from valetkey.core.scope import ALL_PROTOCOLS, MailProtocol, PermissionMode, Scope
from valetkey.core.second_factor import code_at, step_of
from valetkey.core.throttle import ThrottleLimits
from valetkey.service import accounts, app_passwords, second_factors, sign_in
from valetkey.service.activity import BatchingRecorder
from valetkey.service.app_passwords import Issued, Wanted
from valetkey.service.ports import Actor, ActorKind, LiveSession, LiveSurvey, Ports

START = datetime(2026, 3, 1, 12, 0, 10, tzinfo=UTC)
PASSWORD = "otter lamp bicycle seven"
HOME = "198.51.100.7"
OPERATOR = Actor(ActorKind.OPERATOR)
EVERYTHING = Scope(PermissionMode.INHERIT, frozenset(), ALL_PROTOCOLS)
CHEAP = Settings(memory=8, passes=1)


class SetClock:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime = START) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time

    def move(self, **by: float) -> None:
        self.time += timedelta(**by)


@dataclass
class OpenSessions:
    """Live mail sessions of a test; asked to decide again, it closes those whose app password is no longer live."""

    sessions: list[LiveSession] = field(default_factory=list)
    fails: Callable[[LiveSession], bool] = lambda _: False
    broken: Exception | None = None
    silent: int = 0  # workers that do not answer

    async def apply_changes(self, account_id: str | None) -> int:
        if self.broken is not None:
            raise self.broken
        gone = [one for one in self.sessions if account_id in {None, one.account_id} and self.fails(one)]
        self.sessions = [one for one in self.sessions if one not in gone]
        return len(gone)

    async def list(self, account_id: str | None) -> tuple[LiveSession, ...]:
        if self.broken is not None:
            raise self.broken
        return tuple(one for one in self.sessions if account_id in {None, one.account_id})

    async def survey(self, account_id: str | None) -> LiveSurvey:
        return LiveSurvey(await self.list(account_id), self.silent)

    async def close(self, session_id: str) -> bool:
        before = len(self.sessions)
        self.sessions = [one for one in self.sessions if one.id != session_id]
        return len(self.sessions) < before


class Counted:
    """Passes calls on and counts them."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if not callable(found):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls[name] += 1
            return found(*args, **kwargs)

        return call


@dataclass
class Person:
    """Somebody with an account, and with what they know."""

    account: Account
    actor: Actor
    seed: bytes | None = None
    recovery_codes: tuple[str, ...] = ()
    password: str = PASSWORD


def _changed(ports: Ports, changes: dict[str, Any]) -> Ports:
    if {"policy", "networks"} & changes.keys():
        rules = StoredRules(ports.store, changes.pop("policy", ports.policy), changes.pop("networks", ports.networks))
        changes["rules"] = rules
    return replace(ports, **changes)


@cache
def _empty() -> bytes:
    """Give a database file in which nothing is yet. Making one costs more than most tests of it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "valetkey.db"
        open_store(path).close()
        return path.read_bytes()


def quick_store(path: Path) -> SqliteStore:
    """Open a store, made if need be, that does not wait for the disk: nobody cuts the power of a test."""
    if not path.exists():
        path.touch(0o600)
        path.write_bytes(_empty())
    store = open_store(path)
    event.listen(store._writing, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))
    return store


class House:
    """The ports of a test, and short words for what tests do often."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        key_path = folder / "keys.toml"
        self.keys = KeyFile.load(key_path) if key_path.exists() else KeyFile.create(key_path)
        self.store = quick_store(folder / "valetkey.db")
        self.hasher = Argon2Hasher(CHEAP)
        self.gauge = ZxcvbnGauge()
        self.clock = SetClock()
        self.live = OpenSessions()
        self.recorder = BatchingRecorder(self.store)
        ports = Ports(
            store=self.store,
            clock=self.clock,
            entropy=SystemEntropy(),
            hasher=self.hasher,
            keys=self.keys,
            live_sessions=self.live,
            recorder=self.recorder,
            rules=StoredRules(self.store, Policy(), NamedNetworks({"office": (ip_network("203.0.113.0/24"),)})),
            throttle=ThrottleLimits(),
            passkeys=WebAuthn(),
            gauge=self.gauge,
            default_domain="example.org",
        )
        self.ports = _changed(ports, changes)

    def close(self) -> None:
        self.store.close()
        self.hasher.close()
        self.gauge.close()

    def with_ports(self, **changes: Any) -> Ports:
        """Change some ports for what follows; `policy` and `networks` are those that hold from now on."""
        self.ports = _changed(self.ports, changes)
        return self.ports

    def count_calls(self) -> tuple[Counter[str], Counter[str]]:
        """Count the calls of store and hasher from here on."""
        store, hasher = Counted(self.store), Counted(self.hasher)
        self.with_ports(store=store, hasher=hasher)
        return store.calls, hasher.calls

    async def person(self, address: str = "alice@example.org", *, two_factor: bool = True, **wanted: Any) -> Person:
        """Make a person with a main password and, unless said otherwise, an authenticator."""
        account = await accounts.create(self.ports, OPERATOR, address, password=PASSWORD, **wanted)
        person = Person(account, self.acting(account))
        if two_factor:
            await self.set_up_authenticator(person)
        return person

    async def shared(self, address: str = "scanner@example.org", owner: Person | None = None) -> Account:
        account = await accounts.create(self.ports, OPERATOR, address, kind=AccountKind.SHARED)
        if owner is not None:
            await accounts.add_owner(self.ports, OPERATOR, account.id, owner.account.id)
        return account

    async def set_up_authenticator(self, person: Person) -> None:
        offer = second_factors.offer_totp(self.ports, self.acting(person.account), person.account.address)
        seed, _ = second_factors._open_offer(self.ports, person.actor, offer.sealed)
        confirmed = await second_factors.confirm_totp(
            self.ports, self.acting(person.account), offer.sealed, self.code(seed), "Phone"
        )
        person.seed, person.recovery_codes = seed, confirmed.recovery_codes
        self.clock.move(seconds=30)  # the code of the set-up is used
        person.account = await accounts.find(self.ports, OPERATOR, person.account.id)
        person.actor = self.acting(person.account)

    def acting(self, account: Account) -> Actor:
        """Give the actor of somebody who has just proven identity."""
        return Actor(ActorKind.ACCOUNT, account.id, HOME, self.clock.now())

    def code(self, seed: bytes | None, *, steps: int = 0) -> str:
        assert seed is not None
        return code_at(seed, step_of(self.clock.now()) + steps)

    async def issue(self, person: Person, description: str = "Phone", **wanted: Any) -> Issued:
        scope = wanted.pop("scope", EVERYTHING)
        form = {"format": wanted.pop("format")} if "format" in wanted else {}
        restrictions = Restrictions(**wanted) if wanted else None
        return await app_passwords.issue(
            self.ports, self.acting(person.account), person.account.id, Wanted(description, scope, restrictions, **form)
        )

    async def signed_in(self, person: Person) -> sign_in.Started:
        """Sign a person in completely."""
        started = await sign_in.start(
            self.ports, person.account.address, person.password, address=HOME, client="Firefox"
        )
        if started.next is not sign_in.NextStep.SECOND_FACTOR:
            return started
        self.clock.move(seconds=30)
        return await sign_in.prove_code(self.ports, started.token, self.code(person.seed), address=HOME)


def attempt(
    name: str,
    secret: str,
    *,
    protocol: MailProtocol = MailProtocol.IMAP,
    address: str | None = HOME,
    tls: bool = True,
    client: str = "Thunderbird",
) -> LoginAttempt:
    """Give a login attempt as the gateway makes it."""
    place = None if address is None else canonical_address(address)
    return LoginAttempt(name, secret, protocol, place, tls, "gateway", client, EVERYTHING_HELD)
