"""Second factors: authenticator apps and recovery codes."""

import base64
import binascii
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from valetkey.core.app_password import check_description
from valetkey.core.errors import Conflict, InvalidInput, NotAllowed, NotFound, PolicyForbids, Unavailable
from valetkey.core.event import (
    RecoveryCodesDrawn,
    SecondFactorAdded,
    SecondFactorRemoved,
    SecondFactorReset,
)
from valetkey.core.second_factor import (
    RECOVERY_CODES,
    SEED_OCTETS,
    accepted_step,
    draw_recovery_code,
    provisioning_uri,
    recovery_code_hash,
    seed_text,
)
from valetkey.core.sentence import say
from valetkey.service.app_passwords import close_what_fails
from valetkey.service.authority import own_account, require_operator, require_recent_proof, the_account
from valetkey.service.codes import seal_context
from valetkey.service.ports import Actor, KeyPurpose, Ports, Totp, Writer

MAX_TOTPS = 5  # per account
_OFFER_LASTS = timedelta(hours=1)
_MAX_SEALED = 512
_TIME_OCTETS = 8
_START_AGAIN = say("This set-up has run out. Start it again.")


@dataclass(frozen=True, slots=True)
class TotpOffer:
    """A new authenticator that is not set up until a code proves it. `sealed` goes through the form."""

    sealed: str = field(repr=False)
    uri: str = field(repr=False)
    seed_text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Confirmed:
    """An authenticator that was set up; recovery codes only with the first one."""

    totp: Totp
    recovery_codes: tuple[str, ...] = field(repr=False)


def offer_totp(ports: Ports, actor: Actor, address: str) -> TotpOffer:
    """Draw the seed of a new authenticator. Nothing is stored yet.

    Args:
        ports: The ports.
        actor: Who sets it up.
        address: The account's address, shown in the app.

    Raises:
        NotAllowed: Not a person who is signed in.
        ProveAgain: The last proof of identity is older than five minutes.
    """
    now = ports.clock.now()
    require_recent_proof(actor, now)
    seed = ports.entropy.octets(SEED_OCTETS)
    payload = int(now.timestamp()).to_bytes(_TIME_OCTETS, "big") + seed + ports.entropy.new_id("tp").encode()
    sealed = ports.keys.seal(payload, _offer_context(actor))
    return _shown(ports, base64.urlsafe_b64encode(sealed).decode(), seed, address)


def same_offer(ports: Ports, actor: Actor, sealed: str, address: str) -> TotpOffer:
    """Show an offer again, after a mistyped code: what was scanned already stays right.

    Raises:
        InvalidInput: The offer is not this account's, or too old.
        NotAllowed: Not a person who is signed in.
    """
    seed, _ = _open_offer(ports, actor, sealed, ports.clock.now())
    return _shown(ports, sealed, seed, address)


async def confirm_totp(ports: Ports, actor: Actor, sealed: str, code: str, name: str) -> Confirmed:
    """Set up an offered authenticator, proven by its code. The first one draws ten recovery codes.

    With the first one the actor's session goes on as one with a second factor, and the account's others end.

    Raises:
        ProveAgain: The last proof of identity is older than five minutes.
        InvalidInput: The code is wrong, the name unfit, or the offer is not this account's or too old.
        Conflict: It is set up already, or there are five.
        NotAllowed: The account is disabled.
        Unavailable: The store failed.
    """
    now = ports.clock.now()
    require_recent_proof(actor, now)
    seed, totp_id = _open_offer(ports, actor, sealed, now)
    step = accepted_step(seed, code, now, last_step=-1)
    if step is None:
        raise InvalidInput(
            "code", "This code is not right. Check that the clock of your device is, and try the next one."
        )
    account_id = actor.account_id or ""
    kept = ports.keys.seal(seed, seal_context(account_id, totp_id))
    totp = Totp(totp_id, account_id, _name(name), kept, step, 0, None, now, now)
    codes = _draw(ports)

    def add(writer: Writer) -> bool:
        account = own_account(writer, actor)
        others = writer.totps(account.id)
        if any(other.id == totp.id for other in others):
            raise Conflict("This authenticator is set up already.")
        if len(others) >= MAX_TOTPS:
            raise Conflict("An account may have {most} authenticators. Remove one first.", most=MAX_TOTPS)
        writer.add_totp(totp)
        writer.record(SecondFactorAdded(totp.name), actor=actor, at=now, account_id=account.id)
        if not others:
            _keep_codes(ports, writer, actor, codes, now)
            _upgrade_session(writer, actor, now)
        return not others

    is_first = await ports.store.write(add)
    if is_first:
        await close_what_fails(ports, account_id)  # mail sessions that the main password opened
    return Confirmed(totp, codes if is_first else ())


async def remove_totp(ports: Ports, actor: Actor, totp_id: str) -> None:
    """Remove an authenticator; the last one stays, for only an administrator takes a second factor away.

    Raises:
        ProveAgain: The last proof of identity is older than five minutes.
        NotFound: No such authenticator of one's own.
        Conflict: It is the last one.
        Unavailable: The store failed.
    """
    now = ports.clock.now()
    require_recent_proof(actor, now)

    def remove(writer: Writer) -> None:
        account = own_account(writer, actor)
        totps = {totp.id: totp for totp in writer.totps(account.id)}
        if totp_id not in totps:
            raise NotFound("There is no such authenticator.")
        if len(totps) == 1:
            raise Conflict("This is your only authenticator. Add another one before you remove it.")
        writer.remove_totp(totp_id)
        writer.record(SecondFactorRemoved(totps[totp_id].name), actor=actor, at=now, account_id=account.id)

    await ports.store.write(remove)


async def draw_recovery_codes(ports: Ports, actor: Actor) -> tuple[str, ...]:
    """Draw a new set of ten recovery codes; the old set ends.

    Raises:
        ProveAgain: The last proof of identity is older than five minutes.
        PolicyForbids: There is no second factor yet.
        Unavailable: The store failed.
    """
    now = ports.clock.now()
    require_recent_proof(actor, now)
    codes = _draw(ports)

    def keep(writer: Writer) -> None:
        if not own_account(writer, actor).has_second_factor:
            raise PolicyForbids("Set up your second factor first.")
        _keep_codes(ports, writer, actor, codes, now)

    await ports.store.write(keep)
    return codes


async def reset(ports: Ports, actor: Actor, account_id: str) -> None:
    """Remove all second factors and recovery codes of an account and end its portal sessions.

    Raises:
        NotAllowed: Not the command line.
        NotFound: No such account.
        Unavailable: The store failed.
    """
    require_operator(actor)
    now = ports.clock.now()

    def apply(writer: Writer) -> None:
        account = the_account(writer, actor, account_id)
        for totp in writer.totps(account.id):
            writer.remove_totp(totp.id)
        writer.set_recovery_codes(account.id, (), now)
        writer.remove_portal_sessions(account.id)
        writer.record(SecondFactorReset(), actor=actor, at=now, account_id=account.id)

    await ports.store.write(apply)


def _shown(ports: Ports, sealed: str, seed: bytes, address: str) -> TotpOffer:
    return TotpOffer(sealed, provisioning_uri(seed, address, ports.issuer), seed_text(seed))


def _offer_context(actor: Actor) -> str:
    if actor.account_id is None:
        raise NotAllowed("Only a person sets up a second factor.")
    return f"totp offer\0{actor.account_id}"


def _open_offer(ports: Ports, actor: Actor, sealed: str, now: datetime) -> tuple[bytes, str]:
    if len(sealed) > _MAX_SEALED:
        raise InvalidInput("sealed", _START_AGAIN)
    try:
        octets = base64.b64decode(sealed.encode("ascii"), altchars=b"-_", validate=True)
        payload = ports.keys.unseal(octets, _offer_context(actor))
    except (UnicodeError, binascii.Error, Unavailable):
        raise InvalidInput("sealed", _START_AGAIN) from None
    made = int.from_bytes(payload[:_TIME_OCTETS], "big")
    if not 0 <= now.timestamp() - made + 1 <= _OFFER_LASTS.total_seconds():
        raise InvalidInput("sealed", _START_AGAIN)
    return payload[_TIME_OCTETS : _TIME_OCTETS + SEED_OCTETS], payload[_TIME_OCTETS + SEED_OCTETS :].decode()


def _name(typed: str) -> str:
    try:
        return check_description(typed)
    except InvalidInput as fault:
        raise InvalidInput("name", str(fault)) from None


def _draw(ports: Ports) -> tuple[str, ...]:
    return tuple(draw_recovery_code(ports.entropy.choose) for _ in range(RECOVERY_CODES))


def _keep_codes(ports: Ports, writer: Writer, actor: Actor, codes: tuple[str, ...], now: datetime) -> None:
    account_id = actor.account_id or ""
    key = ports.keys.derive(KeyPurpose.RECOVERY, ports.keys.current)
    hashes = [hashed for code in codes if (hashed := recovery_code_hash(key, account_id, code)) is not None]
    writer.set_recovery_codes(account_id, hashes, now)
    writer.record(RecoveryCodesDrawn(len(hashes)), actor=actor, at=now, account_id=account_id)


def _upgrade_session(writer: Writer, actor: Actor, now: datetime) -> None:
    session = writer.portal_session(actor.session) if actor.session else None
    writer.remove_portal_sessions(actor.account_id or "")
    if session is not None and session.account_id == actor.account_id:
        writer.add_portal_session(replace(session, has_second_factor=True, proven_at=now, seen_at=now))
