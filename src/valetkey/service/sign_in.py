"""Signing in to the portal: main password, then second factor; and proving it again."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum

from valetkey.core.account import Account, AccountKind, AccountState, canonical_or_nobodys
from valetkey.core.app_password import looks_like_app_password
from valetkey.core.errors import InvalidInput, NotAllowed, Refused, Unavailable
from valetkey.core.event import SignedIn as SignedInEvent
from valetkey.core.event import SignedOut, SignInRefused
from valetkey.core.network import canonical_address
from valetkey.core.second_factor import canonical_code
from valetkey.core.sentence import Sentence, counted, say
from valetkey.core.throttle import minutes_left
from valetkey.service.authority import own_account
from valetkey.service.codes import CodeOutcome, refusal, try_recovery_code, try_totp
from valetkey.service.main_passwords import Outcome, Tried, try_main_password
from valetkey.service.ports import Actor, ActorKind, PortalSession, Ports, Reader, Writer
from valetkey.service.throttling import Tally, network_name, tally
from valetkey.service.tokens import find_session, id_hash, new_token

LIFETIME = timedelta(hours=24)  # NIST SP 800-63B-4 2.2.3
IDLE_LIFETIME = timedelta(hours=1)
HALF_LIFETIME = timedelta(minutes=10)  # between the main password and the second factor
_TOUCH_EVERY = timedelta(minutes=1)
_MAX_CLIENT = 200

_NOT_RIGHT = say("The address or the password is not right.")
_NEITHER = say("The password or the code is not right.")
_AGAIN = say("Sign in again.")

_CodeTry = Callable[[Ports, Writer, str, str, datetime], CodeOutcome]


class NextStep(Enum):
    """What a sign-in asks for next."""

    SECOND_FACTOR = "second-factor"
    SET_UP_SECOND_FACTOR = "set-up-second-factor"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Started:
    """A session that has just begun or been renewed, with the token for its cookie."""

    token: str = field(repr=False)
    session: PortalSession
    next: NextStep


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The session of a token. Incomplete: the second factor is still asked for, and nothing else is open."""

    session: PortalSession
    account: Account
    is_complete: bool


async def start(
    ports: Ports, name: str, password: str, *, address: str, client: str, old_token: str | None = None
) -> Started:
    """Begin a sign-in with the main password. The old token of this browser ends.

    An account with a second factor gets a half-finished session; one without may only set it up, look and revoke.
    Unknown and disabled accounts cost as much as a wrong password.

    Args:
        ports: The ports.
        name: Address or bare name, as typed.
        password: As typed.
        address: The client's address, or "" if unknown.
        client: The User-Agent, untrusted.
        old_token: The token that the browser sent.

    Raises:
        Refused: Wrong, throttled, or an app password, said in a sentence.
        Unavailable: The store or the hasher failed.
    """
    if looks_like_app_password(password):
        raise Refused("This is an app password. App passwords open mail only; sign in here with your main password.")
    canonical = canonical_or_nobodys(name, ports.default_domain)
    where = _tally(ports, canonical, password, address)
    account, tried = await _try_password(ports, canonical, password, where, _NOT_RIGHT)
    now = ports.clock.now()
    token = new_token(ports)

    def begin(writer: Writer) -> PortalSession:
        current = _still_active(writer, account.id)
        if not tried.still_holds(writer):
            raise Refused(_NOT_RIGHT)
        _forget(ports, writer, old_token)
        session = PortalSession(
            id_hash=id_hash(ports, token),
            account_id=current.id,
            csrf=new_token(ports),
            created_at=now,
            seen_at=now,
            proven_at=None if current.has_second_factor else now,
            has_second_factor=False,
            address=address,
            client=client[:_MAX_CLIENT],
        )
        writer.add_portal_session(session)
        if session.proven_at is not None:
            _record_signed_in(writer, session, "the main password alone", now)
        return session

    session = await ports.store.write(begin)
    is_half = session.proven_at is None
    return Started(token, session, NextStep.SECOND_FACTOR if is_half else NextStep.SET_UP_SECOND_FACTOR)


async def prove_code(ports: Ports, token: str, code: str, *, address: str) -> Started:
    """Finish a half-finished sign-in with a one-time code. The session gets a new token.

    Raises:
        NotAllowed: There is no half-finished sign-in, or it took too long.
        Refused: The code is wrong, was used, or code entry is paused or disabled.
        Unavailable: The store failed.
    """
    return await _finish(ports, token, code, address=address, attempt=try_totp, factor="an authenticator code")


async def prove_recovery_code(ports: Ports, token: str, code: str, *, address: str) -> Started:
    """Finish a half-finished sign-in with a recovery code, which is used up. The session gets a new token.

    Raises:
        NotAllowed: There is no half-finished sign-in, or it took too long.
        Refused: The code is wrong or was used, or there were too many tries.
        Unavailable: The store failed.
    """
    return await _finish(ports, token, code, address=address, attempt=try_recovery_code, factor="a recovery code")


async def prove_again(ports: Ports, token: str, *, password: str, code: str, address: str) -> Started:
    """Prove identity again, with main password and a one-time or recovery code. The session gets a new token.

    An account without a second factor proves itself with its password. Failures are counted where they come from, which
    need not be where the session began.

    Raises:
        NotAllowed: Not signed in.
        Refused: Password or code is wrong (which one is not told), or there were too many tries.
        Unavailable: The store or the hasher failed.
    """
    signed_in = await current(ports, token)
    if signed_in is None or not signed_in.is_complete:
        raise NotAllowed(_AGAIN)
    account = signed_in.account
    where = _tally(ports, account.address, password, address)
    _, tried = await _try_password(ports, account.address, password, where, _NEITHER)
    now = ports.clock.now()
    fresh = new_token(ports)

    def renew(writer: Writer) -> PortalSession | CodeOutcome:
        session = find_session(ports, writer, token)
        if session is None:
            raise NotAllowed(_AGAIN)
        if not tried.still_holds(writer):
            raise Refused(_NEITHER)
        if _still_active(writer, account.id).has_second_factor:
            attempt = try_totp if canonical_code(code) is not None else try_recovery_code
            outcome = attempt(ports, writer, account.id, code, now)
            if outcome is not CodeOutcome.RIGHT:
                _record_refused(writer, account.id, outcome, address, now)
                return outcome
        return _renew(ports, writer, session, fresh, now)

    result = await ports.store.write(renew)
    if isinstance(result, CodeOutcome):
        raise Refused(_NEITHER) if result is CodeOutcome.WRONG else refusal(result)
    return Started(fresh, result, _next(result))


async def current(ports: Ports, token: str) -> SignedIn | None:
    """Give the session of a token, or None; one that is over, or whose account is disabled, is removed.

    Raises:
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> tuple[PortalSession, Account | None] | None:
        session = find_session(ports, reader, token)
        return None if session is None else (session, reader.account(session.account_id))

    found = await ports.store.read(look)
    if found is None:
        return None
    session, account = found
    if account is None or account.state is not AccountState.ACTIVE or _is_over(session, now):
        await ports.store.write(lambda writer: writer.remove_portal_sessions(session.account_id, only=session.id_hash))
        return None
    if abs(now - session.seen_at) >= _TOUCH_EVERY:
        await _touch(ports, session, now)
        session = replace(session, seen_at=now)
    # A session from before the account had a second factor is not enough once it has one.
    is_complete = session.proven_at is not None and (session.has_second_factor or not account.has_second_factor)
    return SignedIn(session, account, is_complete)


def actor_of(signed_in: SignedIn, address: str) -> Actor:
    """Give the actor of a complete session.

    Raises:
        NotAllowed: The sign-in is half finished.
    """
    if not signed_in.is_complete:
        raise NotAllowed("Finish signing in first.")
    session = signed_in.session
    return Actor(ActorKind.ACCOUNT, signed_in.account.id, address, session.proven_at, session.id_hash)


async def sign_out(ports: Ports, token: str) -> None:
    """End the session of a token, a half-finished one too.

    Raises:
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def end(writer: Writer) -> None:
        session = _forget(ports, writer, token)
        if session is not None and session.proven_at is not None:
            _record_signed_out(writer, session.account_id, session.address, 1, now)

    await ports.store.write(end)


async def sign_out_others(ports: Ports, actor: Actor, keep_token: str) -> int:
    """End the actor's portal sessions except that of a token; give how many were ended.

    Raises:
        NotAllowed: The account is disabled.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def end(writer: Writer) -> int:
        account = own_account(writer, actor)
        keep = find_session(ports, writer, keep_token)
        ended = writer.remove_portal_sessions(account.id, keep=keep.id_hash if keep else None)
        if ended:
            _record_signed_out(writer, account.id, actor.address, ended, now)
        return ended

    return await ports.store.write(end)


async def sessions(ports: Ports, actor: Actor) -> tuple[PortalSession, ...]:
    """List the actor's portal sessions that are not over.

    Raises:
        NotAllowed: The account is disabled.
        Unavailable: The store failed.
    """
    now = ports.clock.now()
    found = await ports.store.read(lambda reader: reader.portal_sessions(own_account(reader, actor).id))
    return tuple(session for session in found if not _is_over(session, now))


async def _try_password(ports: Ports, name: str, password: str, where: Tally, wrong: Sentence) -> tuple[Account, Tried]:
    tried = await try_main_password(ports, name=name, password=password, where=where, is_for=_may_sign_in)
    if tried.outcome is Outcome.THROTTLED:
        minutes = minutes_left(ports.clock.now(), ports.throttle)
        raise Refused(
            counted(
                "Too many tries from your network. Try again in {number} minute.",
                "Too many tries from your network. Try again in {number} minutes.",
                minutes,
            )
        )
    if tried.outcome is not Outcome.RIGHT or tried.account is None:
        raise Refused(wrong)
    return tried.account, tried


async def _touch(ports: Ports, session: PortalSession, now: datetime) -> None:
    with suppress(Unavailable):  # a store that cannot be written still shows its pages
        await ports.store.write(lambda writer: writer.touch_portal_session(session.id_hash, seen_at=now))


def _may_sign_in(account: Account) -> bool:
    return account.kind is AccountKind.PERSON and account.state is AccountState.ACTIVE


async def _finish(ports: Ports, token: str, code: str, *, address: str, attempt: _CodeTry, factor: str) -> Started:
    now = ports.clock.now()
    fresh = new_token(ports)

    def prove(writer: Writer) -> PortalSession | CodeOutcome:
        session = find_session(ports, writer, token)
        if session is None or session.proven_at is not None or _is_over(session, now):
            raise NotAllowed(_AGAIN)
        account = _still_active(writer, session.account_id)
        outcome = attempt(ports, writer, account.id, code, now)
        if outcome is not CodeOutcome.RIGHT:
            _record_refused(writer, account.id, outcome, address, now)
            return outcome
        renewed = _renew(ports, writer, replace(session, has_second_factor=True, address=address), fresh, now)
        _record_signed_in(writer, renewed, factor, now)
        return renewed

    result = await ports.store.write(prove)
    if isinstance(result, CodeOutcome):
        raise refusal(result)
    return Started(fresh, result, NextStep.DONE)


def _renew(ports: Ports, writer: Writer, old: PortalSession, token: str, now: datetime) -> PortalSession:
    """Put a session under a new token, proven now."""
    renewed = replace(
        old, id_hash=id_hash(ports, token), csrf=new_token(ports), created_at=now, seen_at=now, proven_at=now
    )
    writer.remove_portal_sessions(old.account_id, only=old.id_hash)
    writer.add_portal_session(renewed)
    return renewed


def _next(session: PortalSession) -> NextStep:
    return NextStep.DONE if session.has_second_factor else NextStep.SET_UP_SECOND_FACTOR


def _is_over(session: PortalSession, now: datetime) -> bool:
    lifetime = LIFETIME if session.proven_at is not None else HALF_LIFETIME
    return now - session.created_at >= lifetime or now - session.seen_at >= IDLE_LIFETIME


def _still_active(reader: Reader, account_id: str) -> Account:
    account = reader.account(account_id)
    if account is None or account.state is not AccountState.ACTIVE:
        raise NotAllowed(_AGAIN)
    return account


def _forget(ports: Ports, writer: Writer, token: str | None) -> PortalSession | None:
    session = find_session(ports, writer, token) if token else None
    if session is not None:
        writer.remove_portal_sessions(session.account_id, only=session.id_hash)
    return session


def _tally(ports: Ports, name: str, password: str, address: str) -> Tally:
    try:
        network = network_name(canonical_address(address))
    except InvalidInput:
        network = network_name(None)
    return tally(ports, network=network, name=name, secret=password)


def _record_signed_in(writer: Writer, session: PortalSession, factor: str, now: datetime) -> None:
    actor = Actor(ActorKind.ACCOUNT, session.account_id, session.address)
    event = SignedInEvent(factor, session.address, session.client)
    writer.record(event, actor=actor, at=now, account_id=session.account_id)


def _record_refused(writer: Writer, account_id: str, outcome: CodeOutcome, address: str, now: datetime) -> None:
    if outcome is not CodeOutcome.WRONG:
        return  # while code entry is paused nothing is tried, so nothing is written
    actor = Actor(ActorKind.ACCOUNT, account_id, address)
    writer.record(SignInRefused(outcome.value, address), actor=actor, at=now, account_id=account_id)


def _record_signed_out(writer: Writer, account_id: str, address: str, count: int, now: datetime) -> None:
    actor = Actor(ActorKind.ACCOUNT, account_id, address)
    writer.record(SignedOut(count), actor=actor, at=now, account_id=account_id)
