"""App passwords: issue, change, revoke, list, and let expire."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from valetkey.core.account import Account
from valetkey.core.app_password import (
    AppPassword,
    Secret,
    SecretFormat,
    check_description,
    draw,
)
from valetkey.core.errors import Conflict, InvalidInput, PolicyForbids, Unavailable
from valetkey.core.event import AppPasswordChanged, AppPasswordIssued, AppPasswordRevoked
from valetkey.core.limits import Sent, limit_facts
from valetkey.core.network import NamedNetworks
from valetkey.core.notice import NoticeKind
from valetkey.core.restriction import (
    NetworkRule,
    Restrictions,
    check_restrictions,
    default_restrictions,
    is_within,
)
from valetkey.core.role import Action
from valetkey.core.scope import Scope, check_scope
from valetkey.service.authority import (
    acts_on_others,
    require_may_issue,
    require_over,
    require_recent_proof,
    the_account,
    the_app_password,
)
from valetkey.service.closing import Closed, ask, close_what_fails
from valetkey.service.expiry import stamp_lapsed
from valetkey.service.key_moves import proof_of
from valetkey.service.notices import tell
from valetkey.service.ports import Actor, Ports, Reader, Writer
from valetkey.service.sending import Stopped, stopped_in

_BATCH = 500
_MAX_REASON = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an app password is asked for. Without restrictions it gets the policy's defaults."""

    description: str
    scope: Scope
    restrictions: Restrictions | None = None
    format: SecretFormat = SecretFormat.DEFAULT


@dataclass(frozen=True, slots=True)
class Issued:
    """A new app password and its secret, which is never to be had again."""

    app_password: AppPassword
    secret: Secret


@dataclass(frozen=True, slots=True)
class SentToday:
    """What an app password has sent on the day that it is now, and what its limits stopped in the last 30."""

    day: date  # in UTC
    sent: Sent
    stopped: tuple[Stopped, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """An app password after it was revoked or changed, and what that closed."""

    app_password: AppPassword
    closed: Closed


@dataclass(frozen=True, slots=True)
class RevokedAll:
    """The app passwords of an account that were revoked, each with its connections here, and all that this closed."""

    app_passwords: tuple[Changed, ...]
    closed: Closed


async def issue(ports: Ports, actor: Actor, account_id: str, wanted: Wanted) -> Issued:
    """Make an app password. The audit record is durable before the secret is returned.

    Raises:
        ProveAgain: The last proof of identity is older than five minutes.
        NotFound: No such account, or not the actor's.
        NotAllowed: Nobody makes one for another person, or the account is disabled.
        PolicyForbids: No second factor yet, too many app passwords, or more than the policy permits.
        InvalidInput: A value cannot be used.
        Unavailable: The store failed.
    """
    now = ports.clock.now()
    require_recent_proof(actor, now)
    account = await ports.store.read(lambda reader: _issuable(ports, reader, actor, account_id, now))
    secret = draw(wanted.format, ports.entropy.choose)
    new = _new(ports, actor, account, wanted, now)
    index, proof = await proof_of(ports, account.id, new.id, secret)

    def add(writer: Writer) -> None:
        check_scope(new.scope, _issuable(ports, writer, actor, account_id, now).rights)
        writer.add_app_password(new, index, proof)
        writer.record(issued_event(new), actor=actor, at=now, account_id=account.id, credential_id=new.id)
        facts = {"description": new.description, "address": actor.address}
        tell(writer, account.id, NoticeKind.APP_PASSWORD_MADE, now, **facts)

    await ports.store.write(add)
    return Issued(new, secret)


async def change(
    ports: Ports,
    actor: Actor,
    credential_id: str,
    *,
    description: str | None = None,
    scope: Scope | None = None,
    restrictions: Restrictions | Callable[[Restrictions], Restrictions] | None = None,
) -> Changed:
    """Rename an app password or change what it may do; None leaves a part as it is.

    `restrictions` are the new ones, or make them of those that hold.

    Its live sessions that no longer pass are closed. A pinned network stays pinned. Whatever is not surely narrower
    counts as widening and needs what issuing needs.

    Raises:
        ProveAgain: Widening, and the last proof of identity is older than five minutes.
        NotFound: No such app password, or not the actor's.
        Conflict: It is revoked or has expired.
        NotAllowed: Widening by somebody who may not issue.
        PolicyForbids: More than the policy permits, or widening without a second factor.
        InvalidInput: A value cannot be used.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def apply(writer: Writer) -> tuple[AppPassword, bool]:
        old, account = usable(writer, actor, credential_id, now)
        new = _changed(ports, old, account, now, description=description, scope=scope, restrictions=restrictions)
        event = _changed_event(old, new)
        if event is None:
            return old, False
        if not (new.scope.is_within(old.scope) and is_within(new.restrictions, old.restrictions, ports.networks)):
            require_recent_proof(actor, now)
            require_may_issue(writer, actor, account, now)
        writer.set_app_password(old.id, description=new.description, scope=new.scope, restrictions=new.restrictions)
        writer.record(event, actor=actor, at=now, account_id=account.id, credential_id=old.id)
        if _takes_away(old, new, ports.networks):
            ask(ports, writer, account.id, [old.id], now)
        return new, True

    app_password, has_changed = await ports.store.write(apply)
    return Changed(app_password, await close_what_fails(ports, app_password.account_id) if has_changed else Closed())


async def revoke(ports: Ports, actor: Actor, credential_id: str, reason: str = "") -> Changed:
    """Revoke an app password and close its connections. Needs no fresh proof of identity.

    When this returns, no login with it is allowed any more.

    Raises:
        NotFound: No such app password, or not the actor's.
        NotAllowed: The role or the API token does not permit it.
        Conflict: It was revoked before.
        Unavailable: The store failed; then it is not revoked.
    """
    now = ports.clock.now()

    def apply(writer: Writer) -> AppPassword:
        app_password, account = the_app_password(
            writer, actor, credential_id, own=Action.OWN_REVOKE, others=Action.REVOKE_APP_PASSWORDS, now=now
        )
        is_others = _is_others(writer, actor, account, now)
        revoked = revoke_in(writer, actor, app_password, reason, now)
        ask(ports, writer, account.id, [revoked.id], now)
        if is_others:
            tell_revoked(writer, account.id, (revoked,), now)
        return revoked

    app_password = await ports.store.write(apply)
    return Changed(app_password, await close_what_fails(ports, app_password.account_id))


async def revoke_all(ports: Ports, actor: Actor, account_id: str, reason: str = "") -> RevokedAll:
    """Revoke every app password of an account that is not revoked yet, in one transaction.

    Raises:
        NotFound: No such account, or not the actor's.
        Unavailable: The store failed; then none is revoked.
    """
    now = ports.clock.now()

    def apply(writer: Writer) -> tuple[AppPassword, ...]:
        account = the_account(
            writer, actor, account_id, own=Action.OWN_REVOKE, others=Action.REVOKE_APP_PASSWORDS, now=now
        )
        is_others = _is_others(writer, actor, account, now)
        theirs = [one for one in writer.app_passwords(account.id) if one.revoked_at is None]
        revoked = tuple(revoke_in(writer, actor, one, reason, now) for one in theirs)
        ask(ports, writer, account.id, [one.id for one in revoked], now)
        if is_others and revoked:
            tell_revoked(writer, account.id, revoked, now)
        return revoked

    open_before = await _open_sessions(ports, account_id)
    revoked = await ports.store.write(apply)
    closed = await close_what_fails(ports, account_id)
    return RevokedAll(tuple(Changed(one, Closed(open_before.count(one.id))) for one in revoked), closed)


async def of_account(
    ports: Ports, actor: Actor, account_id: str, *, live_only: bool = False
) -> tuple[AppPassword, ...]:
    """List the app passwords of an account; revoked and expired ones too unless `live_only`.

    Raises:
        NotFound: No such account, or not the actor's.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> tuple[AppPassword, ...]:
        account = the_account(reader, actor, account_id, others=Action.SEE_APP_PASSWORDS, now=now)
        return reader.app_passwords(account.id, live_only=live_only)

    return await ports.store.read(look)


async def get(ports: Ports, actor: Actor, credential_id: str) -> AppPassword:
    """Give one app password.

    Raises:
        NotFound: No such app password, or not the actor's.
        Unavailable: The store failed.
    """
    now = ports.clock.now()
    others = Action.SEE_APP_PASSWORDS
    return await ports.store.read(
        lambda reader: the_app_password(reader, actor, credential_id, others=others, now=now)[0]
    )


async def sent_today(ports: Ports, actor: Actor, credential_id: str) -> SentToday:
    """Give what an app password has sent today, as far as it was counted: through what holds sessions to its limits.

    With it stands what these limits stopped lately, seconds late.

    Raises:
        NotFound: No such app password, or not the actor's.
        Unavailable: The store failed.
    """
    now = ports.clock.now()
    others = Action.SEE_APP_PASSWORDS

    def look(reader: Reader) -> SentToday:
        one, _ = the_app_password(reader, actor, credential_id, others=others, now=now)
        return SentToday(now.date(), reader.sent_on(one.id, now.date()), stopped_in(reader, one.id, now))

    return await ports.store.read(look)


async def lapse_expired(ports: Ports) -> int:
    """Stamp what has expired since the last time, and close the connections that it opened; run every minute.

    Returns:
        How many were stamped.

    Raises:
        Unavailable: The store failed.
    """
    now = ports.clock.now()
    total = 0

    def stamp(writer: Writer) -> tuple[AppPassword, ...]:
        lapsed = writer.to_lapse(now, _BATCH)
        for one in lapsed:
            stamp_lapsed(ports, writer, one, now)
        return lapsed

    while lapsed := await ports.store.write(stamp):
        total += len(lapsed)
        for account_id in {one.account_id for one in lapsed}:
            await close_what_fails(ports, account_id)
    return total


def usable(reader: Reader, actor: Actor, credential_id: str, now: datetime) -> tuple[AppPassword, Account]:
    """Give an app password of the actor's own that can be changed, with its account, within the caller's transaction.

    Raises:
        NotFound: No such app password, or not the actor's; no role changes another person's.
        Conflict: It is revoked or has expired.
    """
    found, account = the_app_password(reader, actor, credential_id, own=Action.OWN_MAKE, now=now)
    expires_at = found.restrictions.expires_at
    if not found.is_live or (expires_at is not None and expires_at <= now):
        raise Conflict("This app password is no longer in use; make a new one.")
    return found, account


def require_room(ports: Ports, reader: Reader, account: Account) -> None:
    """Let pass an account that may have one more app password.

    Raises:
        PolicyForbids: It has as many as the policy permits.
    """
    most = ports.policy.max_app_passwords
    if reader.live_app_password_count(account.id) >= most:
        raise PolicyForbids("An account may have {most} app passwords at most. Revoke one that is not used.", most=most)


def issued_event(new: AppPassword) -> AppPasswordIssued:
    """Give the audit event of a new app password."""
    expires_at, rule = new.restrictions.expires_at, new.restrictions.network_rule
    listed = ", ".join(sorted(new.scope.permissions))
    return AppPasswordIssued(
        description=new.description,
        permissions=f"{new.scope.mode.value}: {listed}" if listed else new.scope.mode.value,
        protocols=tuple(sorted(new.scope.protocols)),
        expires_at=expires_at.isoformat() if expires_at else None,
        from_networks=new.restrictions.allowed_ips if rule is NetworkRule.ALLOWED else (rule.value,),
        limits=limit_facts(new.restrictions.limits),
    )


def _changed_event(old: AppPassword, new: AppPassword) -> AppPasswordChanged | None:
    limits = new.restrictions.limits
    has_other = {
        "description": old.description != new.description,
        "scope": old.scope != new.scope,
        "restrictions": replace(old.restrictions, limits=limits) != new.restrictions,
        "limits": old.restrictions.limits != limits,
    }
    fields = tuple(field for field, is_other in has_other.items() if is_other)
    if not fields:
        return None
    return AppPasswordChanged(fields, old.description, limit_facts(limits) if has_other["limits"] else {})


def _issuable(ports: Ports, reader: Reader, actor: Actor, account_id: str, now: datetime) -> Account:
    account = the_account(reader, actor, account_id, own=Action.OWN_MAKE, now=now)
    require_may_issue(reader, actor, account, now)
    require_room(ports, reader, account)
    return account


def tell_revoked(writer: Writer, account_id: str, revoked: Sequence[AppPassword], now: datetime) -> None:
    """Have an owner told what an administrator has revoked, within the caller's transaction."""
    names = tuple(one.description for one in revoked)
    tell(writer, account_id, NoticeKind.REVOKED_BY_ADMINISTRATOR, now, names=names)


def _is_others(reader: Reader, actor: Actor, account: Account, now: datetime) -> bool:
    """Tell whether an administrator acts; refuse whoever may not act on somebody with a role."""
    if not acts_on_others(reader, actor, account, now):
        return False
    require_over(reader, actor, Action.REVOKE_APP_PASSWORDS, account, now)
    return True


def _new(ports: Ports, actor: Actor, account: Account, wanted: Wanted, now: datetime) -> AppPassword:
    restrictions = wanted.restrictions or default_restrictions(ports.policy, now)
    return AppPassword(
        id=ports.entropy.new_id("ap"),
        account_id=account.id,
        description=check_description(wanted.description),
        format=wanted.format,
        scope=check_scope(wanted.scope, account.rights),
        restrictions=check_restrictions(
            replace(restrictions, pinned_network=None), ports.policy, ports.networks, created_at=now, now=now
        ),
        created_at=now,
        created_by=actor.name,
        created_from=actor.address,
    )


def _takes_away(old: AppPassword, new: AppPassword, networks: NamedNetworks) -> bool:
    """Tell whether a change takes away what an open session may have. Its end is not here yet."""
    before, after = (replace(one.restrictions, expires_at=None, idle_for=None) for one in (old, new))
    return not (old.scope.is_within(new.scope) and is_within(before, after, networks))


def _changed(
    ports: Ports,
    old: AppPassword,
    account: Account,
    now: datetime,
    *,
    description: str | None,
    scope: Scope | None,
    restrictions: Restrictions | Callable[[Restrictions], Restrictions] | None,
) -> AppPassword:
    """Give the app password as it would be stored; what is not changed is not held against the policy again."""
    new = old
    if description is not None:
        new = replace(new, description=check_description(description))
    if scope is not None and scope != old.scope:
        new = replace(new, scope=check_scope(scope, account.rights))
    if callable(restrictions):
        restrictions = restrictions(old.restrictions)
    if restrictions is not None:
        stays = NetworkRule.PINNED in {restrictions.network_rule} & {old.restrictions.network_rule}
        wanted = replace(restrictions, pinned_network=old.restrictions.pinned_network if stays else None)
        if wanted != old.restrictions:
            checked = check_restrictions(wanted, ports.policy, ports.networks, created_at=old.created_at, now=now)
            new = replace(new, restrictions=checked)
    return new


def revoke_in(writer: Writer, actor: Actor, app_password: AppPassword, reason: str, now: datetime) -> AppPassword:
    """Revoke an app password and record it within the caller's transaction; who may, the caller has asked.

    Raises:
        Conflict: It was revoked before.
        InvalidInput: The reason is too long or cannot be shown.
    """
    why = _reason(reason)
    if not writer.set_revoked(app_password.id, at=now, by=actor.name, reason=why):
        raise Conflict("This app password was revoked before.")
    writer.record(
        AppPasswordRevoked(app_password.description, why),
        actor=actor,
        at=now,
        account_id=app_password.account_id,
        credential_id=app_password.id,
    )
    return replace(app_password, revoked_at=now, revoked_by=actor.name, revoked_reason=why)


def _reason(typed: str) -> str:
    reason = " ".join(typed.split())
    if len(reason) > _MAX_REASON or not reason.isprintable():
        raise InvalidInput(
            "reason", "Give a reason of {most} characters at most, in letters that can be shown.", most=_MAX_REASON
        )
    return reason


async def _open_sessions(ports: Ports, account_id: str) -> list[str | None]:
    try:
        return [session.credential_id for session in await ports.live_sessions.list(account_id)]
    except (Unavailable, OSError):
        return []
