"""The people of a test Valetkey and their app passwords: the service's own verbs, on the store of a running one."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self, TypeVar

import pyotp
from tests.servers.people import Person

from valetkey.app.join import opened
from valetkey.config.reading import load
from valetkey.core.account import Account
from valetkey.core.limits import Limits
from valetkey.core.restriction import Restrictions
from valetkey.core.scope import ALL_PROTOCOLS, MailProtocol, Permission, PermissionMode, Scope, ready_made
from valetkey.service import accounts, app_passwords, live, second_factors, upstream_passwords
from valetkey.service.app_passwords import Wanted
from valetkey.service.ports import Actor, ActorKind, LiveSession, Ports

T = TypeVar("T")
OPERATOR = Actor(ActorKind.OPERATOR)
_PATIENCE = 60.0  # seconds for one verb
_FROM = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class AppPasswordOf:
    """A person's app password, with its secret."""

    person: Person
    id: str
    secret: str = field(repr=False)


def scope(permissions: str, protocols: str = "imap pop3 smtp sieve") -> Scope:
    """Make a scope of words."""
    return Scope(
        PermissionMode.REPLACE,
        frozenset(Permission(word) for word in permissions.split()),
        frozenset(MailProtocol(word) for word in protocols.split()),
    )


EVERYTHING = Scope(PermissionMode.INHERIT, frozenset(), ALL_PROTOCOLS)


class Keyring:
    """Calls verbs in this process, on a loop in a thread of its own: a second process beside the running one."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._accounts: dict[Person, Account] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._stack = AsyncExitStack()
        self._ports: Ports | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._ports = self._run(self._stack.enter_async_context(opened(load(self._config))))
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._run(self._stack.aclose())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_PATIENCE)
            self._loop.close()

    def do(self, verb: Callable[[Ports], Awaitable[T]]) -> T:
        """Call a verb and give its answer."""
        assert self._ports is not None
        return self._run(verb(self._ports))

    def make(self, person: Person) -> None:
        """Make a person's account, with an authenticator."""
        account = self.do(lambda ports: accounts.create(ports, OPERATOR, person.address, password=person.password))
        self._accounts[person] = account
        self.do(lambda ports: _set_up_authenticator(ports, _acting(ports, account), person.address))

    def find(self, person: Person) -> None:
        """Take a person's account that is there."""
        self._accounts[person] = self.do(lambda ports: accounts.find(ports, OPERATOR, person.address))

    def account_id(self, person: Person) -> str:
        """Give the id of a person's account."""
        return self._accounts[person].id

    def issue(
        self, person: Person, choice: str | Scope = "mail-app", description: str = "A device", **restrictions: Any
    ) -> AppPasswordOf:
        """Make an app password, by the key of a ready-made choice or of any scope."""
        wanted = Wanted(description, _scope_of(choice), Restrictions(**restrictions) if restrictions else None)
        account = self._accounts[person]
        issued = self.do(lambda ports: app_passwords.issue(ports, _acting(ports, account), account.id, wanted))
        return AppPasswordOf(person, issued.app_password.id, issued.secret.shown)

    def revoke(self, key: AppPasswordOf) -> int:
        """Revoke an app password and give how many connections that closed."""
        return self.do(lambda ports: app_passwords.revoke(ports, OPERATOR, key.id, "a test")).closed.total

    def change_scope(self, key: AppPasswordOf, choice: str | Scope) -> int:
        """Let its owner give an app password another scope, and give how many connections that closed."""
        new, account = _scope_of(choice), self._accounts[key.person]
        return self.do(
            lambda ports: app_passwords.change(ports, _acting(ports, account), key.id, scope=new)
        ).closed.total

    def change_limits(self, key: AppPasswordOf, limits: Limits) -> int:
        """Let its owner give an app password other limits, and give how many connections that closed."""
        account = self._accounts[key.person]
        found = self.do(lambda ports: app_passwords.get(ports, OPERATOR, key.id))
        new = replace(found.restrictions, limits=limits)
        changed = self.do(lambda ports: app_passwords.change(ports, _acting(ports, account), key.id, restrictions=new))
        return changed.closed.total

    def disable(self, person: Person) -> int:
        """Disable an account and give how many connections that closed."""
        return self.do(lambda ports: accounts.disable(ports, OPERATOR, self.account_id(person))).total

    def enable(self, person: Person) -> None:
        """Enable an account again."""
        self.do(lambda ports: accounts.enable(ports, OPERATOR, self.account_id(person)))

    def store_upstream_password(self, person: Person, password: str) -> None:
        """Store the password with which the gateway logs in upstream."""
        account = self.account_id(person)
        self.do(
            lambda ports: upstream_passwords.set_upstream_password(ports, _acting_as(ports, account), account, password)
        )

    def sessions(self, person: Person) -> tuple[LiveSession, ...]:
        """List a person's live sessions on all workers."""
        return self.do(lambda ports: live.of_account(ports, OPERATOR, self.account_id(person)))

    def opened_by(self, key: AppPasswordOf) -> tuple[LiveSession, ...]:
        """List the live sessions that an app password opened."""
        return tuple(each for each in self.sessions(key.person) if each.credential_id == key.id)

    def wait_until_closed(self, key: AppPasswordOf, seconds: float = 30) -> None:
        """Wait until no session of an app password is open; raises TimeoutError."""
        _wait_until_none(lambda: self.opened_by(key), seconds)

    def wait_until_none(self, person: Person, seconds: float = 30) -> None:
        """Wait until a person has no session; raises TimeoutError."""
        _wait_until_none(lambda: self.sessions(person), seconds)

    def last_refusal(self, key: AppPasswordOf, seconds: float = 30) -> str:
        """Give the reason of an app password's last refusal, as its owner sees it a moment later; raises TimeoutError."""
        end = time.monotonic() + seconds
        while (refusal := self.do(lambda ports: app_passwords.get(ports, OPERATOR, key.id)).last_refusal) is None:
            if time.monotonic() > end:
                raise TimeoutError(f"no refusal is recorded in {seconds} s")
            time.sleep(0.05)  # use is written down once a second
        return refusal.reason

    def _run(self, work: Awaitable[T]) -> T:
        async def waited() -> T:
            return await work

        return asyncio.run_coroutine_threadsafe(waited(), self._loop).result(_PATIENCE)


def _scope_of(choice: str | Scope) -> Scope:
    if isinstance(choice, Scope):
        return choice
    ready = ready_made(choice)
    assert ready is not None, choice
    return ready.scope


def _acting(ports: Ports, account: Account) -> Actor:
    return _acting_as(ports, account.id)


def _acting_as(ports: Ports, account_id: str) -> Actor:
    return Actor(ActorKind.ACCOUNT, account_id, _FROM, ports.clock.now())


async def _set_up_authenticator(ports: Ports, actor: Actor, address: str) -> None:
    offer = second_factors.offer_totp(ports, actor, address)
    code = pyotp.parse_uri(offer.uri).now()  # type: ignore[union-attr]
    await second_factors.confirm_totp(ports, actor, offer.sealed, code, "Phone")


def _wait_until_none(look: Callable[[], tuple[LiveSession, ...]], seconds: float) -> None:
    end = time.monotonic() + seconds
    while opened := look():
        if time.monotonic() > end:
            raise TimeoutError(f"still open after {seconds} s: {opened}")
        time.sleep(0.02)  # a session's end can only be asked for
