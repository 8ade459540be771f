"""Second factors: the TOTP step and its replay rule, and recovery codes."""

import base64
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from urllib.parse import quote

from pyotp import HOTP

STEP_SECONDS = 30  # RFC 6238 section 4
DIGITS = 6
SEED_OCTETS = 20  # RFC 4226 section 4, R6
_DRIFT_STEPS = 1  # RFC 6238 section 5.2: one step either side
_CODE = re.compile(r"[0-9]{6}", re.ASCII)
_WITH_CODE = re.compile(r"(.+)([0-9]{6})", re.ASCII | re.DOTALL)
_SPACES = re.compile(r"[ \u00a0-]")
_MAX_TYPED_CODE = 32  # no writing of six digits is longer

RECOVERY_CODES = 10
_RECOVERY_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # 31 symbols, none to mistake
_RECOVERY_LENGTH = 15  # 15 × log2(31) = 74 bits (NIST SP 800-63B-4 4.2.1.1: at least 64)
_RECOVERY_GROUP = 5
_MAX_TYPED_RECOVERY_CODE = 64  # no writing of one is longer


@dataclass(frozen=True, slots=True)
class TotpLimits:
    """How many wrong codes disable code entry, and for how long it pauses (NIST SP 800-63B-4 3.2.2)."""

    tries: int = 5  # wrong codes before a pause
    pause_seconds: int = 60
    disable_after: int = 50  # consecutive wrong codes


class CodeEntry(Enum):
    """Whether an authenticator takes codes now."""

    OPEN = "open"
    PAUSED = "paused"  # for a minute
    DISABLED = "disabled"  # until a recovery code is used or an administrator resets it


def code_entry(wrong_codes: int, wrong_at: datetime | None, now: datetime, limits: TotpLimits) -> CodeEntry:
    """Tell whether an authenticator takes a code, after so many consecutive wrong ones.

    Args:
        wrong_codes: Consecutive wrong codes so far.
        wrong_at: When the last of them came.
        now: The time.
        limits: The limits.
    """
    if wrong_codes >= limits.disable_after:
        return CodeEntry.DISABLED
    if wrong_codes == 0 or wrong_codes % limits.tries or wrong_at is None:
        return CodeEntry.OPEN
    pause = timedelta(seconds=limits.pause_seconds)
    # A clock set back must neither prolong the pause for ever nor end it: the pause is measured both ways.
    return CodeEntry.PAUSED if abs(now - wrong_at) < pause else CodeEntry.OPEN


def canonical_code(typed: str) -> str | None:
    """Give the six ASCII digits of a typed code, or None; spaces are dropped before anything is compared."""
    if len(typed) > _MAX_TYPED_CODE:
        return None
    code = _SPACES.sub("", typed)
    return code if _CODE.fullmatch(code) else None


def split_code(typed: str) -> tuple[str, str] | None:
    """Take a text apart that ends in a code: what comes before it, and the six ASCII digits; None if it does not."""
    found = _WITH_CODE.fullmatch(typed)
    return (found[1], found[2]) if found else None


def step_of(now: datetime) -> int:
    """Give the TOTP step that a moment lies in (RFC 6238 section 4.2)."""
    return int(now.timestamp()) // STEP_SECONDS


def code_at(seed: bytes, step: int) -> str:
    """Give the code of a step."""
    return HOTP(base64.b32encode(seed).decode(), digits=DIGITS).at(step)


def accepted_step(seed: bytes, typed: str, now: datetime, last_step: int) -> int | None:
    """Find the step whose code was typed, or None. A step at or before `last_step` was used and is not accepted.

    The caller stores the step by compare-and-set before it believes it.
    """
    code = canonical_code(typed)
    if code is None:
        return None
    current = step_of(now)
    found = None
    for step in range(current - _DRIFT_STEPS, current + _DRIFT_STEPS + 1):
        if hmac.compare_digest(code_at(seed, step), code) and step > last_step:
            found = step
    return found


def provisioning_uri(seed: bytes, address: str, issuer: str) -> str:
    """Give the otpauth URI that an authenticator app reads from the QR code."""
    secret = base64.b32encode(seed).decode().rstrip("=")
    label = quote(f"{issuer}:{address}", safe="")
    return (
        f"otpauth://totp/{label}?secret={secret}&issuer={quote(issuer, safe='')}&digits={DIGITS}&period={STEP_SECONDS}"
    )


def seed_text(seed: bytes) -> str:
    """Give the seed in the groups of four that people type when they cannot scan."""
    text = base64.b32encode(seed).decode().rstrip("=")
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4))


def draw_recovery_code(choose: Callable[[str], str]) -> str:
    """Draw one recovery code, in the form that is shown."""
    symbols = "".join(choose(_RECOVERY_ALPHABET) for _ in range(_RECOVERY_LENGTH))
    return "-".join(symbols[i : i + _RECOVERY_GROUP] for i in range(0, _RECOVERY_LENGTH, _RECOVERY_GROUP))


def recovery_code_hash(key: bytes, account_id: str, typed: str) -> bytes | None:
    """Give the keyed hash under which a recovery code is kept, or None if it has not the shape of one."""
    if len(typed) > _MAX_TYPED_RECOVERY_CODE:
        return None
    code = re.sub(r"[\s-]", "", typed).lower()
    if len(code) != _RECOVERY_LENGTH or not set(code) <= set(_RECOVERY_ALPHABET):
        return None
    return hmac.digest(key, f"valetkey recovery 1\0{account_id}\0{code}".encode(), "sha256")
