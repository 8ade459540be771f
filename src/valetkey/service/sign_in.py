"""Signing in to the portal: main password, then second factor; or a passkey alone."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum

from valetkey.core.account import Account, AccountState, canonical_or_nobodys
from valetkey.core.app_password import looks_like_app_password
from valetkey.core.errors import NotAllowed, Refused, Unavailable
from valetkey.core.event import SignedIn as SignedInEvent
from valetkey.core.passkey import Passkey
from valetkey.core.sentence import say
from valetkey.service import passkey_ceremonies, portal_sessions
from valetkey.service.codes import CodeOutcome, record_refused, refusal, try_recovery_code, try_totp
from valetkey.service.passkey_ceremonies import Answer, PasskeyOutcome, Purpose
from valetkey.service.portal_passwords import may_sign_in, right_password
from valetkey.service.portal_sessions import AGAIN, is_over, still_active
from valetkey.service.ports import Actor, ActorKind, PortalSession, Ports, Reader, Writer
from valetkey.service.store_parts import Recovery
from valetkey.service.tokens import find_session, new_token

_TOUCH_EVERY = timedelta(minutes=1)
_NOT_RIGHT = say("The address or the password is not right.")

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
    passkeys: tuple[Passkey, ...] = ()  # that may finish it, or prove it again
    has_authenticator: bool = False  # that takes codes
    recovery: Recovery | None = None  # under way: whoever is signed in can call it off


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
    account, tried = await right_password(ports, canonical, password, address=address, wrong=_NOT_RIGHT)
    now = ports.clock.now()
    token = new_token(ports)

    def begin(writer: Writer) -> PortalSession:
        current = still_active(writer, account.id)
        if not tried.still_holds(writer):
            raise Refused(_NOT_RIGHT)
        portal_sessions.forget(ports, writer, old_token)
        new = portal_sessions.NewSession(current.id, address, client, is_proven=not current.has_second_factor)
        session = portal_sessions.begin(ports, writer, new, token, now)
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


async def prove_passkey(ports: Ports, token: str, answer: Answer, *, address: str) -> Started:
    """Finish a half-finished sign-in with a passkey of the account. The session gets a new token.

    Raises:
        NotAllowed: There is no half-finished sign-in, or it took too long.
        Refused: The answer does not hold, said with what to do.
        Unavailable: The store failed.
    """
    now = ports.clock.now()
    fresh = new_token(ports)
    half = await ports.store.read(lambda reader: _half_session(ports, reader, token, now))
    examined = await passkey_ceremonies.examine(
        ports, answer, Purpose.SECOND_FACTOR, account_id=half.account_id, binding=half.csrf
    )

    def prove(writer: Writer) -> PortalSession | PasskeyOutcome:
        session = _half_session(ports, writer, token, now)
        still_active(writer, session.account_id)
        outcome = passkey_ceremonies.settle(writer, examined, address=address, now=now)
        if outcome is not PasskeyOutcome.RIGHT:
            return outcome
        return _completed(ports, writer, session, fresh, "main password and passkey", address=address, now=now)

    result = await ports.store.write(prove)
    if isinstance(result, PasskeyOutcome):
        raise passkey_ceremonies.refusal(result)
    return Started(fresh, result, NextStep.DONE)


async def start_with_passkey(
    ports: Ports, answer: Answer, *, binding: str, address: str, client: str, old_token: str | None = None
) -> Started:
    """Sign in with a passkey alone. The old token of this browser ends.

    Only a passkey that has verified its user counts as two factors: the thing that one has, and the PIN, finger or face.

    Args:
        ports: The ports.
        answer: As posted.
        binding: As of `passkey_ceremonies.offer_sign_in`.
        address: The client's address, or "" if unknown.
        client: The User-Agent, untrusted.
        old_token: The token that the browser sent.

    Raises:
        Refused: The answer does not hold, or the passkey did not verify its user; said with what to do.
        Unavailable: The store failed.
    """
    examined = await passkey_ceremonies.examine(ports, answer, Purpose.SIGN_IN, account_id="", binding=binding)
    if not examined.assertion.is_user_verified:
        raise Refused(
            "This passkey did not check that it is you, by PIN, fingerprint or face. Sign in with your main password; "
            "then it counts as second factor."
        )
    now = ports.clock.now()
    token = new_token(ports)

    def begin(writer: Writer) -> PortalSession | PasskeyOutcome:
        account = writer.account(examined.passkey.account_id)
        if account is None or not may_sign_in(account):
            return PasskeyOutcome.GONE
        outcome = passkey_ceremonies.settle(writer, examined, address=address, now=now)
        if outcome is not PasskeyOutcome.RIGHT:
            return outcome
        portal_sessions.forget(ports, writer, old_token)
        new = portal_sessions.NewSession(account.id, address, client, is_proven=True, has_second_factor=True)
        session = portal_sessions.begin(ports, writer, new, token, now)
        _record_signed_in(writer, session, "a passkey", now)
        return session

    result = await ports.store.write(begin)
    if isinstance(result, PasskeyOutcome):
        raise passkey_ceremonies.refusal(result)
    return Started(token, result, NextStep.DONE)


async def current(ports: Ports, token: str) -> SignedIn | None:
    """Give the session of a token, or None; one that is over, or whose account is disabled, is removed.

    Raises:
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> tuple[PortalSession, SignedIn | None] | None:
        session = find_session(ports, reader, token)
        account = reader.account(session.account_id) if session is not None else None
        if session is None or account is None:
            return None if session is None else (session, None)
        return session, SignedIn(
            session,
            account,
            _is_complete(session, account),
            reader.passkeys(account.id),
            bool(reader.totps(account.id)),
            reader.open_recovery(account.id),
        )

    found = await ports.store.read(look)
    if found is None:
        return None
    session, signed_in = found
    if signed_in is None or signed_in.account.state is not AccountState.ACTIVE or is_over(session, now):
        await ports.store.write(lambda writer: writer.remove_portal_sessions(session.account_id, only=session.id_hash))
        return None
    if abs(now - session.seen_at) >= _TOUCH_EVERY:
        await _touch(ports, session, now)
        return replace(signed_in, session=replace(session, seen_at=now))
    return signed_in


def _is_complete(session: PortalSession, account: Account) -> bool:
    # A session from before the account had a second factor is not enough once it has one.
    return session.proven_at is not None and (session.has_second_factor or not account.has_second_factor)


def actor_of(signed_in: SignedIn, address: str) -> Actor:
    """Give the actor of a complete session.

    Raises:
        NotAllowed: The sign-in is half finished.
    """
    if not signed_in.is_complete:
        raise NotAllowed("Finish signing in first.")
    session = signed_in.session
    return Actor(ActorKind.ACCOUNT, signed_in.account.id, address, session.proven_at, session.id_hash)


async def _touch(ports: Ports, session: PortalSession, now: datetime) -> None:
    with suppress(Unavailable):  # a store that cannot be written still shows its pages
        await ports.store.write(lambda writer: writer.touch_portal_session(session.id_hash, seen_at=now))


async def _finish(ports: Ports, token: str, code: str, *, address: str, attempt: _CodeTry, factor: str) -> Started:
    now = ports.clock.now()
    fresh = new_token(ports)

    def prove(writer: Writer) -> PortalSession | CodeOutcome:
        session = _half_session(ports, writer, token, now)
        account = still_active(writer, session.account_id)
        outcome = attempt(ports, writer, account.id, code, now)
        if outcome is not CodeOutcome.RIGHT:
            record_refused(writer, account.id, outcome, address, now)
            return outcome
        return _completed(ports, writer, session, fresh, factor, address=address, now=now)

    result = await ports.store.write(prove)
    if isinstance(result, CodeOutcome):
        raise refusal(result)
    return Started(fresh, result, NextStep.DONE)


def _half_session(ports: Ports, reader: Reader, token: str, now: datetime) -> PortalSession:
    session = find_session(ports, reader, token)
    if session is None or session.proven_at is not None or is_over(session, now):
        raise NotAllowed(AGAIN)
    return session


def _completed(
    ports: Ports, writer: Writer, half: PortalSession, token: str, factor: str, *, address: str, now: datetime
) -> PortalSession:
    whole = replace(half, has_second_factor=True, address=address)
    renewed = portal_sessions.renew(ports, writer, whole, token, now)
    _record_signed_in(writer, renewed, factor, now)
    return renewed


def _record_signed_in(writer: Writer, session: PortalSession, factor: str, now: datetime) -> None:
    actor = Actor(ActorKind.ACCOUNT, session.account_id, session.address)
    event = SignedInEvent(factor, session.address, session.client)
    writer.record(event, actor=actor, at=now, account_id=session.account_id)
