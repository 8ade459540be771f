"""Main password and one-time code in one field, for what asks by RADIUS, PAM or saslauthd (policy `password_with_code`).

A code opens mail once. Because mail programs log in forty times an hour with the text they have stored, the same text
then passes for a while without a new code: from the same network, to read and to send; where no address is known,
through the same mail server. Of it only keyed hashes are kept, and never of the main password, which is compared with its slow hash each time.
"""

import hmac
from dataclasses import dataclass, field
from functools import partial

from valetkey.core.account import Account, AccountKind
from valetkey.core.login import DOORS_WITH_CODE, LoginAttempt, Reason
from valetkey.core.policy import Policy
from valetkey.core.second_factor import split_code
from valetkey.service.codes import CodeOutcome, record_refused, try_totp
from valetkey.service.main_passwords import Outcome, Tried, try_main_password
from valetkey.service.portal_passwords import may_sign_in
from valetkey.service.ports import KeyPurpose, Ports, Reader, Writer
from valetkey.service.throttling import Tally, network_name, network_without_address, tally

_PLACE = "valetkey code at its place 1"
_CODE = "valetkey code of an account 1"
_WRONG = "valetkey wrong code 1"


@dataclass(frozen=True, slots=True)
class TriedWithCode:
    """A try, and the account that the name belongs to, if there is one. Both proven: no `outcome`."""

    outcome: Reason | None
    account: Account | None


@dataclass(frozen=True, slots=True)
class _This:
    """A try, taken apart."""

    attempt: LoginAttempt
    name: str  # canonical
    policy: Policy
    password: str = field(repr=False)
    code: str = field(repr=False)


async def try_password_with_code(
    ports: Ports, attempt: LoginAttempt, name: str, policy: Policy
) -> TriedWithCode | None:
    """Try a main password with six digits behind it.

    Costs the same for every name: a reading, a slow hash and a transaction, unless throttled. A wrong code counts as
    one at sign-in, the same one only once: a program that goes on with an old one must not use up its owner's tries.

    Args:
        ports: The ports.
        attempt: As the door saw it.
        name: The canonical name, or "" if what was typed is none.
        policy: The one that holds.

    Returns:
        How it ended; None if there can be no code: by policy, at this door, in this text or for this account.

    Raises:
        Unavailable: The store or the hasher failed; then nothing was told.
    """
    parts = split_code(attempt.secret)
    if parts is None or not policy.password_with_code or attempt.door not in DOORS_WITH_CODE:
        return None
    this = _This(attempt, name, policy, *parts)
    account, where = await ports.store.read(partial(_look, ports, this=this))
    if policy.main_password_opens_mail and not (account and account.has_second_factor):
        return None  # the digits are the main password's own
    tried = await try_main_password(
        ports,
        name=name,
        password=this.password,
        where=where,
        is_for=lambda account: _has_codes(account) and attempt.may_mean(account, name),
    )
    match tried.outcome:
        case Outcome.THROTTLED:
            return TriedWithCode(Reason.THROTTLED, tried.account)
        case Outcome.WRONG:
            return TriedWithCode(Reason.WRONG_SECRET, tried.account)
        case Outcome.RIGHT:
            return await ports.store.write(partial(_settle, ports, this=this, tried=tried, where=where))


def _has_codes(account: Account) -> bool:
    return account.kind is AccountKind.PERSON and account.has_second_factor


def _look(ports: Ports, reader: Reader, *, this: _This) -> tuple[Account | None, Tally]:
    """Find whose name it is, and under what a failure is counted.

    Whoever knows a code that is remembered for this very place has counters of its own, so that nobody's guesses from
    there keep its owner out.
    """
    account = reader.account_by_address(this.name)
    network = network_name(this.attempt.address)
    if _is_remembered(ports, reader, account.id if account else "", this=this):
        network = f"remembered {_hashes(ports, _CODE, this.name, this.code)[0].hex()}"
    elif this.attempt.address is None:
        network = network_without_address(ports, door=this.attempt.door, name=this.name, account=account)
    return account, tally(ports, network=network, name=this.name, secret=this.attempt.secret)


def _settle(ports: Ports, writer: Writer, *, this: _This, tried: Tried, where: Tally) -> TriedWithCode:
    """Try the code of a right password. Whatever is wrong counts as a wrong password does and is answered like one."""
    account = writer.account(tried.account.id) if tried.account else None
    if account is None or not may_sign_in(account) or not tried.still_holds(writer):
        outcome = Reason.WRONG_SECRET
    elif _is_remembered(ports, writer, account.id, this=this) or _is_right(ports, writer, account.id, this=this):
        return TriedWithCode(None, account)
    else:
        outcome = Reason.WRONG_CODE
    writer.count_failure(where.window, where.network, where.secret_key)
    return TriedWithCode(outcome, account)


def _is_right(ports: Ports, writer: Writer, account_id: str, *, this: _This) -> bool:
    """Use a code up, and remember it at its place; a wrong one is remembered as such. One known already is not tried."""
    codes = _hashes(ports, _CODE, account_id, this.code)
    if any(writer.is_code_known(account_id, code) for code in codes):
        return False
    now = ports.clock.now()
    outcome = try_totp(ports, writer, account_id, this.code, now)
    record_refused(writer, account_id, outcome, str(this.attempt.address or "unknown"), now, for_mail=True)
    if outcome is CodeOutcome.RIGHT:
        writer.remember_code(_places(ports, writer, account_id, this=this)[0], account_id, codes[0], now)
    elif outcome is CodeOutcome.WRONG:
        writer.remember_code(_hashes(ports, _WRONG, account_id, this.code)[0], account_id, codes[0], now)
    return outcome is CodeOutcome.RIGHT


def _is_remembered(ports: Ports, reader: Reader, account_id: str, *, this: _This) -> bool:
    """Tell whether this code was proven at this place, not too long ago; by whichever key it was remembered."""
    proven = [reader.code_proven_at(hashed) for hashed in _places(ports, reader, account_id, this=this)]
    now, lasts = ports.clock.now(), this.policy.password_with_code_for
    return any(at is not None and now - at < lasts for at in proven)


def _places(ports: Ports, reader: Reader, account_id: str, *, this: _This) -> tuple[bytes, ...]:
    """Give the hashes of this code at this place. Another main password or second factor makes them others."""
    factors = [one.id for one in reader.totps(account_id)] + [one.id for one in reader.passkeys(account_id)]
    facts = (reader.main_password(account_id) or "", *sorted(factors))
    attempt = this.attempt
    place = (network_name(attempt.address),) if attempt.address is not None else (attempt.door, attempt.peer)
    return _hashes(ports, _PLACE, account_id, this.code, *place, *facts)


def _hashes(ports: Ports, what: str, *facts: str) -> tuple[bytes, ...]:
    """Hash facts under every key, the current one first."""
    message = "\0".join((what, *facts)).encode()
    return tuple(
        hmac.digest(ports.keys.derive(KeyPurpose.SESSION, number), message, "sha256") for number in ports.keys.numbers
    )
