"""What authenticators and passkeys have in common: the first one brings recovery codes, the last one stays."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from valetkey.core.account import Account
from valetkey.core.app_password import check_description
from valetkey.core.errors import Conflict, InvalidInput
from valetkey.core.event import RecoveryCodesDrawn, SecondFactorAdded, SecondFactorRemoved
from valetkey.core.notice import NoticeKind
from valetkey.core.second_factor import RECOVERY_CODES, draw_recovery_code, recovery_code_hash
from valetkey.service import portal_sessions
from valetkey.service.calling_off import call_off_in
from valetkey.service.closing import ask_main_password
from valetkey.service.notices import tell
from valetkey.service.ports import SYSTEM, Actor, KeyPurpose, Ports, Reader, Writer
from valetkey.service.tokens import new_token

TOTP = "totp"
PASSKEY = "passkey"


def factor_name(typed: str) -> str:
    """Give the name of a second factor in the form that is kept.

    Raises:
        InvalidInput: It is unfit.
    """
    try:
        return check_description(typed)
    except InvalidInput as fault:
        raise InvalidInput("name", fault.sentence) from None


@dataclass(frozen=True, slots=True)
class First:
    """What the first second factor brings."""

    codes: tuple[str, ...] = field(repr=False)  # for recovery
    token: str = field(repr=False)  # under which the session goes on that has now become one with a second factor


def draw_first(ports: Ports) -> First:
    """Draw what the first second factor brings. Nothing is stored yet."""
    return First(draw_codes(ports), new_token(ports))


def draw_codes(ports: Ports) -> tuple[str, ...]:
    """Draw a set of recovery codes. Nothing is stored yet."""
    return tuple(draw_recovery_code(ports.entropy.choose) for _ in range(RECOVERY_CODES))


def keep_codes(ports: Ports, writer: Writer, actor: Actor, codes: tuple[str, ...], now: datetime) -> None:
    """Put a new set of the actor's recovery codes in the place of the old one."""
    account_id = actor.account_id or ""
    key = ports.keys.derive(KeyPurpose.RECOVERY, ports.keys.current)
    hashes = [hashed for code in codes if (hashed := recovery_code_hash(key, account_id, code)) is not None]
    writer.set_recovery_codes(account_id, hashes, now)
    writer.record(RecoveryCodesDrawn(len(hashes)), actor=actor, at=now, account_id=account_id)


def added(
    ports: Ports,
    writer: Writer,
    actor: Actor,
    account: Account,
    name: str,
    *,
    factor: str,
    first: First,
    now: datetime,
) -> bool:
    """Record and tell that a second factor was added; tell whether it was the first.

    With the first one the codes are kept, the actor's session goes on under another token as one with a second factor,
    and the account's others end. The caller then has mail sessions that the main password opened closed.

    Args:
        ports: The ports.
        writer: The verb's transaction.
        actor: Who added it.
        account: Whose it is, as it was before.
        name: What it is called.
        factor: TOTP or PASSKEY.
        first: Used only if it is the first.
        now: The time.
    """
    writer.record(SecondFactorAdded(name, factor), actor=actor, at=now, account_id=account.id)
    tell(writer, account.id, NoticeKind.FACTOR_ADDED, now, name=name, address=actor.address)
    call_off_in(writer, account.id, actor, now)  # who can add one has lost none
    if account.has_second_factor:
        return False
    keep_codes(ports, writer, actor, first.codes, now)
    _upgrade_session(ports, writer, actor, first.token, now)
    ask_main_password(ports, writer, account.id, now)
    return True


def removed(writer: Writer, actor: Actor, account: Account, name: str, *, factor: str, now: datetime) -> None:
    """Record and tell that a second factor is removed.

    Raises:
        Conflict: It is the last one; only recovery and two administrators take that away.
    """
    if count(writer, account.id) <= 1:
        raise Conflict("This is your only second factor. Add another one before you remove it.")
    writer.record(SecondFactorRemoved(name, factor), actor=actor, at=now, account_id=account.id)
    tell(writer, account.id, NoticeKind.FACTOR_REMOVED, now, name=name, address=actor.address)


def count(reader: Reader, account_id: str) -> int:
    """Count the authenticators and passkeys of an account."""
    return len(reader.totps(account_id)) + len(reader.passkeys(account_id))


def take_all_away(writer: Writer, account_id: str, now: datetime) -> None:
    """Remove every second factor and all recovery codes of an account, and end its portal sessions.

    What asks for it records and tells it.
    """
    for totp in writer.totps(account_id):
        writer.remove_totp(totp.id)
    for passkey in writer.passkeys(account_id):
        writer.remove_passkey(passkey.id)
    writer.set_recovery_codes(account_id, (), now)
    writer.remove_portal_sessions(account_id)
    call_off_in(writer, account_id, SYSTEM, now)  # or it would take away what is set up next


def _upgrade_session(ports: Ports, writer: Writer, actor: Actor, token: str, now: datetime) -> None:
    session = writer.portal_session(actor.session) if actor.session else None
    writer.remove_portal_sessions(actor.account_id or "")
    if session is not None and session.account_id == actor.account_id:
        portal_sessions.renew(ports, writer, replace(session, has_second_factor=True), token, now)
