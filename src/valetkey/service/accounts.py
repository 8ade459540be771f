"""Accounts: create, disable, names, owners, rights, passwords."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from valetkey.core.account import Account, AccountKind, AccountState, canonical_login_name
from valetkey.core.errors import Conflict, InvalidInput, NotAllowed, NotFound, Unavailable
from valetkey.core.event import (
    AccountCreated,
    AccountDisabled,
    AccountEnabled,
    AliasAdded,
    AliasRemoved,
    Event,
    MainPasswordSet,
    OwnerAdded,
    OwnerRemoved,
    RightsSet,
    RoleSet,
)
from valetkey.core.notice import NoticeKind
from valetkey.core.passkey import Passkey
from valetkey.core.password_strength import Strength
from valetkey.core.role import Action, Role
from valetkey.core.scope import ALL_PERMISSIONS, Permission
from valetkey.core.sentence import say
from valetkey.service.authority import require, require_operator, require_over, require_recent_proof, the_account
from valetkey.service.closing import Closed, ask, ask_main_password, close_what_fails, tell_servers
from valetkey.service.main_passwords import fit
from valetkey.service.notices import tell
from valetkey.service.ports import Actor, Ports, Reader, Totp, Writer
from valetkey.service.store_parts import AccountFilter, LinkPurpose

_log = structlog.get_logger("valetkey.accounts")

ANY_ACCOUNT = AccountFilter()
_NO_ACCOUNT = say("There is no such account.")
_NO_ROLE = say("Only a person can have a role in the console.")


@dataclass(frozen=True, slots=True)
class AccountDetails:
    """An account with everything around it that a page or a command shows."""

    account: Account
    aliases: tuple[str, ...]
    owners: tuple[Account, ...]  # of a shared account
    owned: tuple[Account, ...]  # shared accounts that this person owns
    totps: tuple[Totp, ...] = field(repr=False)
    passkeys: tuple[Passkey, ...] = field(repr=False)
    recovery_codes_left: int
    has_main_password: bool
    has_upstream_password: bool


async def create(
    ports: Ports,
    actor: Actor,
    address: str,
    *,
    kind: AccountKind = AccountKind.PERSON,
    password: str | None = None,
    rights: frozenset[Permission] = ALL_PERMISSIONS,
    role: Role | None = None,
) -> Account:
    """Make an account, by `Action.CREATE_ACCOUNTS`; one with a role by `Action.SET_ROLES` too.

    Only the command line gives it a main password; in the console its person is invited to set one.

    Raises:
        ProveAgain: The last proof of identity is older than five minutes.
        NotAllowed: The role or the token does not permit it.
        PolicyForbids: No second factor yet.
        InvalidInput: No address, an unfit password, or a password or a role for a shared account.
        Conflict: The address is taken.
        Unavailable: The store failed.
    """
    now = ports.clock.now()
    require_recent_proof(actor, now)
    if password is not None:
        require_operator(actor)
    if role is not None and kind is not AccountKind.PERSON:
        raise InvalidInput("role", _NO_ROLE)
    account = Account(
        id=ports.entropy.new_id("ac"),
        address=canonical_login_name(address, ports.default_domain),
        kind=kind,
        state=AccountState.ACTIVE,
        rights=rights,
        has_second_factor=False,
        created_at=now,
        changed=0,
        role=role,
    )
    hashed = None if password is None else (await _hash(ports, account, password))[0]

    def add(writer: Writer) -> Account:
        require(writer, actor, Action.CREATE_ACCOUNTS, now)
        if role is not None:
            require(writer, actor, Action.SET_ROLES, now)
        writer.add_account(account)
        if hashed is not None:
            writer.set_main_password(account.id, hashed)
        created = AccountCreated(account.address, kind.value)
        writer.record(created, actor=actor, at=now, account_id=account.id)
        if role is not None:
            writer.record(RoleSet(role.value), actor=actor, at=now, account_id=account.id)
            _tell_administrators(writer, actor, account, role, now)
        return writer.account(account.id) or account

    return await ports.store.write(add)


async def disable(ports: Ports, actor: Actor, account_id: str) -> Closed:
    """Disable an account: no login, no portal, no token. Give what that closed.

    By `Action.DISABLE_ACCOUNTS`; no proof is asked for, so that it is quickly done.

    Raises:
        NotFound: No such account.
        NotAllowed: The role or the token does not permit it, it is one's own, or has a role that oneself has not.
        Conflict: It is the last administrator's.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def apply(writer: Writer, account: Account) -> Event | None:
        if account.id == actor.account_id:
            raise NotAllowed("You cannot disable your own account.")
        writer.remove_portal_sessions(account.id)
        writer.end_links(account.id, LinkPurpose.INVITATION, now)
        ask(ports, writer, account.id, None, now)
        if account.state is AccountState.DISABLED:
            return None
        _require_another_administrator(writer, account)
        writer.set_account_state(account.id, AccountState.DISABLED)
        tell(writer, account.id, NoticeKind.ACCOUNT_DISABLED, now)
        return AccountDisabled()

    await _change(ports, actor, account_id, Action.DISABLE_ACCOUNTS, apply)
    return await close_what_fails(ports, account_id)


async def enable(ports: Ports, actor: Actor, account_id: str) -> None:
    """Enable a disabled account again, by `Action.DISABLE_ACCOUNTS`.

    Raises:
        ProveAgain: The last proof of identity is older than five minutes.
        NotFound: No such account.
        NotAllowed: The role or the token does not permit it.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def apply(writer: Writer, account: Account) -> Event | None:
        require_recent_proof(actor, now)
        if account.state is AccountState.ACTIVE:
            return None
        writer.set_account_state(account.id, AccountState.ACTIVE)
        return AccountEnabled()

    await _change(ports, actor, account_id, Action.DISABLE_ACCOUNTS, apply)


async def find(ports: Ports, actor: Actor, name_or_id: str) -> Account:
    """Find an account by its id or by any of its addresses: one's own, or any by `Action.SEE_ACCOUNTS`.

    Raises:
        NotFound: No such account, or not the actor's.
        NotAllowed: The role or the token does not permit it.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> Account:
        account = reader.account(name_or_id) if name_or_id.isascii() else None
        if account is None:
            try:
                account = reader.account_by_address(canonical_login_name(name_or_id, ports.default_domain))
            except InvalidInput:
                account = None
        if account is None:
            raise NotFound(_NO_ACCOUNT)
        return the_account(reader, actor, account.id, others=Action.SEE_ACCOUNTS, now=now)

    return await ports.store.read(look)


async def listed(
    ports: Ports, actor: Actor, wanted: AccountFilter = ANY_ACCOUNT, *, after: str = "", limit: int = 50
) -> tuple[Account, ...]:
    """List the accounts that a filter lets pass, by `Action.SEE_ACCOUNTS`, in the order of their addresses.

    Args:
        ports: The ports.
        actor: Who looks.
        wanted: The filter.
        after: The address to go on behind.
        limit: How many at most.

    Raises:
        NotAllowed: The role or the token does not permit it.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> tuple[Account, ...]:
        require(reader, actor, Action.SEE_ACCOUNTS, now)
        return reader.accounts_where(wanted, after=after, limit=limit)

    return await ports.store.read(look)


async def details(ports: Ports, actor: Actor, account_id: str) -> AccountDetails:
    """Give an account with everything around it: one's own, or any by `Action.SEE_ACCOUNTS`.

    Raises:
        NotFound: No such account, or not the actor's.
        NotAllowed: The role or the token does not permit it.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> AccountDetails:
        account = the_account(reader, actor, account_id, others=Action.SEE_ACCOUNTS, now=now)
        return details_in(reader, account)

    return await ports.store.read(look)


def details_in(reader: Reader, account: Account) -> AccountDetails:
    """Give an account with everything around it, in the caller's transaction; who may see it, the caller has asked."""
    return AccountDetails(
        account=account,
        aliases=reader.aliases(account.id),
        owners=reader.owners(account.id),
        owned=reader.owned(account.id),
        totps=reader.totps(account.id),
        passkeys=reader.passkeys(account.id),
        recovery_codes_left=reader.recovery_codes_left(account.id),
        has_main_password=reader.main_password(account.id) is not None,
        has_upstream_password=reader.upstream_password(account.id) is not None,
    )


async def add_alias(ports: Ports, actor: Actor, account_id: str, address: str) -> None:
    """Let an account log in with one more address, by `Action.CHANGE_ACCOUNTS`.

    Raises:
        ProveAgain: The last proof of identity is older than five minutes.
        NotAllowed: The role or the token does not permit it.
        InvalidInput: Not an address.
        NotFound: No such account.
        Conflict: The address is taken.
        Unavailable: The store failed.
    """
    alias = canonical_login_name(address, ports.default_domain)
    now = ports.clock.now()

    def apply(writer: Writer, account: Account) -> Event:
        require_recent_proof(actor, now)
        writer.add_alias(account.id, alias)
        return AliasAdded(alias)

    await _change(ports, actor, account_id, Action.CHANGE_ACCOUNTS, apply)


async def remove_alias(ports: Ports, actor: Actor, account_id: str, address: str) -> None:
    """Take an alias from an account, by `Action.CHANGE_ACCOUNTS`. Its primary address stays.

    Raises:
        NotAllowed: The role or the token does not permit it.
        InvalidInput: Not an address.
        NotFound: No such account, or it has no such alias.
        Unavailable: The store failed.
    """
    alias = canonical_login_name(address, ports.default_domain)

    def apply(writer: Writer, account: Account) -> Event:
        if alias not in writer.aliases(account.id) or not writer.remove_alias(account.id, alias):
            raise NotFound("The account has no such alias.")
        return AliasRemoved(alias)

    await _change(ports, actor, account_id, Action.CHANGE_ACCOUNTS, apply)


async def add_owner(ports: Ports, actor: Actor, shared_id: str, person_id: str) -> None:
    """Let a person manage a shared account, by `Action.CHANGE_ACCOUNTS`.

    Raises:
        ProveAgain: The last proof of identity is older than five minutes.
        NotAllowed: The role or the token does not permit it.
        NotFound: No such account.
        InvalidInput: The one is not shared, or the other is not a person.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def apply(writer: Writer, shared: Account) -> Event | None:
        require_recent_proof(actor, now)
        person = _existing(writer, person_id)
        if shared.kind is not AccountKind.SHARED:
            raise InvalidInput("account", "Only a shared account has owners.")
        if person.kind is not AccountKind.PERSON:
            raise InvalidInput("owner", "Only a person can own a shared account.")
        if any(owner.id == person.id for owner in writer.owners(shared.id)):
            return None
        writer.add_owner(shared.id, person.id)
        return OwnerAdded(person.address)

    await _change(ports, actor, shared_id, Action.CHANGE_ACCOUNTS, apply)


async def remove_owner(ports: Ports, actor: Actor, shared_id: str, person_id: str) -> None:
    """Take the management of a shared account from a person, by `Action.CHANGE_ACCOUNTS`. App passwords stay.

    Raises:
        NotAllowed: The role or the token does not permit it.
        NotFound: No such account, or the person does not own it.
        Unavailable: The store failed.
    """

    def apply(writer: Writer, shared: Account) -> Event:
        person = _existing(writer, person_id)
        if not writer.remove_owner(shared.id, person.id):
            raise NotFound("This person does not own the account.")
        return OwnerRemoved(person.address)

    await _change(ports, actor, shared_id, Action.CHANGE_ACCOUNTS, apply)


async def set_rights(ports: Ports, actor: Actor, account_id: str, rights: frozenset[Permission]) -> Closed:
    """Set what an account's credentials may be given at most; give what that closed.

    By `Action.CHANGE_ACCOUNTS`; a proof is asked for unless it only takes away.

    Raises:
        ProveAgain: The last proof of identity is older than five minutes.
        NotAllowed: The role or the token does not permit it.
        NotFound: No such account.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def apply(writer: Writer, account: Account) -> Event | None:
        if not rights <= account.rights:
            require_recent_proof(actor, now)
        if account.rights == rights:
            return None
        writer.set_rights(account.id, rights)
        if not account.rights <= rights:
            _ask_for_what_loses(ports, writer, account, rights, now)
        return RightsSet(tuple(sorted(rights)))

    await _change(ports, actor, account_id, Action.CHANGE_ACCOUNTS, apply)
    return await close_what_fails(ports, account_id)


def _ask_for_what_loses(
    ports: Ports, writer: Writer, account: Account, rights: frozenset[Permission], now: datetime
) -> None:
    """Have mail servers close the sessions that have had more than they may have now."""
    live = writer.app_passwords(account.id, live_only=True)
    ask(ports, writer, account.id, [a.id for a in live if not a.scope.effective(account.rights) <= rights], now)
    ask_main_password(ports, writer, account.id, now)


async def set_role(ports: Ports, actor: Actor, account_id: str, role: Role | None) -> None:
    """Set a person's role in the console, or take it away, by `Action.SET_ROLES`. It holds from the next click on.

    Raises:
        ProveAgain: The last proof of identity is older than five minutes.
        NotFound: No such account.
        NotAllowed: The role does not permit it, it is one's own, or a token asks.
        InvalidInput: A shared account, which has no role.
        Conflict: It is the last administrator's.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def apply(writer: Writer, account: Account) -> Event | None:
        require_recent_proof(actor, now)
        if account.id == actor.account_id:
            raise NotAllowed("You cannot change your own role. Ask another administrator.")
        if account.kind is not AccountKind.PERSON:
            raise InvalidInput("role", _NO_ROLE)
        if account.role is role:
            return None
        _require_another_administrator(writer, account)
        writer.set_role(account.id, role)
        if role is None:
            tell(writer, account.id, NoticeKind.ROLE_TAKEN, now)
        else:
            tell(writer, account.id, NoticeKind.ROLE_GIVEN, now, role=role.value)
            _tell_administrators(writer, actor, account, role, now)
        return RoleSet("" if role is None else role.value)

    await _change(ports, actor, account_id, Action.SET_ROLES, apply)


def _tell_administrators(writer: Writer, actor: Actor, account: Account, role: Role, now: datetime) -> None:
    """Tell the other administrators who has a role now: who gives one alone could give it to a puppet."""
    for other in writer.administrators():
        if other.id not in {actor.account_id, account.id}:
            tell(writer, other.id, NoticeKind.ROLE_GIVEN_TO_ANOTHER, now, role=role.value, other=account.address)


async def set_main_password(ports: Ports, actor: Actor, account_id: str, password: str) -> Strength:
    """Set a person's main password; give how strong it is. Ends the account's other portal sessions and mail by it.

    Raises:
        ProveAgain: The last proof of identity is older than five minutes.
        NotFound: No such account, or not the actor's.
        InvalidInput: Too short, too long, easily guessed, an app password, or a shared account.
        Unavailable: The store or the hasher failed.
    """
    now = ports.clock.now()
    require_recent_proof(actor, now)
    account = await ports.store.read(lambda reader: the_account(reader, actor, account_id))
    hashed, strength = await _hash(ports, account, password)

    def apply(writer: Writer) -> None:
        the_account(writer, actor, account_id)
        writer.set_main_password(account_id, hashed)
        writer.end_links(account_id, LinkPurpose.INVITATION, now)  # or whoever holds one would overwrite this
        writer.remove_portal_sessions(account_id, keep=actor.session if actor.account_id == account_id else None)
        writer.record(MainPasswordSet(), actor=actor, at=now, account_id=account_id)
        tell(writer, account_id, NoticeKind.MAIN_PASSWORD_CHANGED, now, address=actor.address)
        ask_main_password(ports, writer, account_id, now)

    await ports.store.write(apply)
    await close_opened_by_main_password(ports, account_id)
    return strength


async def close_opened_by_main_password(ports: Ports, account_id: str) -> None:
    """Close the mail connections of an account that its main password opened, as far as workers and servers answer."""
    try:
        for session in await ports.live_sessions.list(account_id):
            if session.credential_id is None:
                await ports.live_sessions.close(session.id)
    except (Unavailable, OSError):
        _log.warning("workers_not_reached", account=account_id)
    await tell_servers(ports, account_id)


async def _hash(ports: Ports, account: Account, password: str) -> tuple[str, Strength]:
    if account.kind is not AccountKind.PERSON:
        raise InvalidInput("password", "A shared account has no main password; its owners sign in with their own.")
    canonical, strength = await fit(ports, password, address=account.address)
    return await ports.hasher.hash(canonical), strength


def _existing(reader: Reader, account_id: str) -> Account:
    account = reader.account(account_id) if account_id.isascii() else None
    if account is None:
        raise NotFound(_NO_ACCOUNT)
    return account


def _require_another_administrator(reader: Reader, account: Account) -> None:
    """Refuse to take away the last administrator, for then nobody could make another one in the console."""
    if [each.id for each in reader.administrators()] == [account.id]:
        raise Conflict("This is the last administrator. Make somebody else one first.")


async def _change(
    ports: Ports, actor: Actor, account_id: str, action: Action, apply: Callable[[Writer, Account], Event | None]
) -> None:
    """Run a change of an account by a console action with its record, in one transaction."""
    now = ports.clock.now()

    def work(writer: Writer) -> None:
        require(writer, actor, action, now)
        account = _existing(writer, account_id)
        require_over(writer, actor, action, account, now)
        event = apply(writer, account)
        if event is not None:
            writer.record(event, actor=actor, at=now, account_id=account_id)

    await ports.store.write(work)
