"""Trying the second factor: one-time codes and recovery codes, each with counters of its own.

These run inside the caller's transaction and give an outcome instead of raising, so that what they count is kept.
"""

from datetime import datetime
from enum import Enum

from valetkey.core.errors import Refused
from valetkey.core.event import CodeEntryDisabled, RecoveryCodeUsed, SignInRefused
from valetkey.core.notice import NoticeKind
from valetkey.core.second_factor import (
    CodeEntry,
    TotpLimits,
    accepted_step,
    canonical_code,
    code_entry,
    recovery_code_hash,
)
from valetkey.service.notices import tell
from valetkey.service.ports import SYSTEM, Actor, ActorKind, KeyPurpose, Ports, Totp, Writer
from valetkey.service.throttling import is_over, tally

TOTP_LIMITS = TotpLimits()


class CodeOutcome(Enum):
    """How a try ended."""

    RIGHT = "right"
    WRONG = "wrong code"
    PAUSED = "too many wrong codes"
    DISABLED = "code entry disabled"
    NOTHING = "no authenticator"  # that could take a code


def seal_context(account_id: str, totp_id: str) -> str:
    """Give what a stored seed is bound to."""
    return f"totp\0{account_id}\0{totp_id}"


def try_totp(ports: Ports, writer: Writer, account_id: str, typed: str, now: datetime) -> CodeOutcome:
    """Try a one-time code (RFC 6238) with every authenticator of an account that takes codes now.

    A right code is used up by compare-and-set. A wrong one is counted by each authenticator that it was tried with;
    what has not six digits is no guess and is not counted.
    """
    entries = [
        (totp, code_entry(totp.wrong_codes, totp.wrong_at, now, TOTP_LIMITS)) for totp in writer.totps(account_id)
    ]
    open_now = [totp for totp, entry in entries if entry is CodeEntry.OPEN]
    if not entries:
        return CodeOutcome.NOTHING
    if not open_now:
        return CodeOutcome.PAUSED if any(entry is CodeEntry.PAUSED for _, entry in entries) else CodeOutcome.DISABLED
    if canonical_code(typed) is None:
        return CodeOutcome.WRONG
    for totp in open_now:
        seed = ports.keys.unseal(totp.sealed_seed, seal_context(account_id, totp.id))
        step = accepted_step(seed, typed, now, totp.last_step)
        if step is not None and writer.use_totp_step(totp.id, step, now):
            writer.clear_wrong_codes(account_id)
            return CodeOutcome.RIGHT
    for totp in open_now:
        _count_wrong(writer, totp, now)
    return CodeOutcome.WRONG


def _count_wrong(writer: Writer, totp: Totp, now: datetime) -> None:
    if writer.count_wrong_code(totp.id, now) == TOTP_LIMITS.disable_after:
        writer.record(CodeEntryDisabled(), actor=SYSTEM, at=now, account_id=totp.account_id)
        tell(writer, totp.account_id, NoticeKind.CODE_ENTRY_DISABLED, now)


def try_recovery_code(ports: Ports, writer: Writer, account_id: str, typed: str, now: datetime) -> CodeOutcome:
    """Try a recovery code. A right one is used up, and makes disabled authenticators take codes again."""
    where = tally(ports, network=f"recovery {account_id}", name=account_id, secret=typed)
    if is_over(ports, writer, where):
        return CodeOutcome.PAUSED
    for number in ports.keys.numbers:
        hashed = recovery_code_hash(ports.keys.derive(KeyPurpose.RECOVERY, number), account_id, typed)
        if hashed is not None and writer.use_recovery_code(account_id, hashed, now):
            writer.clear_wrong_codes(account_id)
            left = writer.recovery_codes_left(account_id)
            writer.record(RecoveryCodeUsed(left), actor=SYSTEM, at=now, account_id=account_id)
            tell(writer, account_id, NoticeKind.RECOVERY_CODE_USED, now, left=left)
            return CodeOutcome.RIGHT
    writer.count_failure(where.window, where.network, where.secret_key)
    return CodeOutcome.WRONG


def record_refused(
    writer: Writer, account_id: str, outcome: CodeOutcome, address: str, now: datetime, *, for_mail: bool = False
) -> None:
    """Record a wrong code. While code entry is paused nothing is tried, so nothing is written."""
    if outcome is CodeOutcome.WRONG:
        actor = Actor(ActorKind.ACCOUNT, account_id, address)
        reason = f"{outcome.value} for mail" if for_mail else outcome.value
        writer.record(SignInRefused(reason, address), actor=actor, at=now, account_id=account_id)


def refusal(outcome: CodeOutcome) -> Refused:
    """Say in a sentence why a code was not taken."""
    match outcome:
        case CodeOutcome.PAUSED:
            return Refused("Too many wrong codes. Wait a minute, then try again.")
        case CodeOutcome.DISABLED:
            return Refused(
                "Code entry is disabled after too many wrong codes. Use a recovery code, or ask for a reset."
            )
        case CodeOutcome.NOTHING:
            return Refused("This account has no authenticator app. Use your passkey or a recovery code.")
        case CodeOutcome.WRONG | CodeOutcome.RIGHT:
            return Refused("This code is not right, or it was used already. Wait for the next one.")
