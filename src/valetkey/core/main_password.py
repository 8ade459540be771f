"""Main passwords: the rules for what a person may choose (NIST SP 800-63B-4 3.1.1.2)."""

import unicodedata

from valetkey.core.api_token import looks_like_api_token
from valetkey.core.app_password import looks_like_app_password
from valetkey.core.errors import InvalidInput

MAX_LENGTH = 1024  # code points; what is longer is not hashed

# What guessers try first, beside what the checks of _is_easy find. Compared without case and spaces.
_EASY = frozenset(
    {
        "correcthorsebatterystaple",
        "letmeinletmein",
        "passwordpassword",
        "iloveyouiloveyou",
        "qwertyuiopasdfgh",
        "qwertyuiopasdfghjkl",
        "administrator",
        "changemechangeme",
        "welcomewelcome",
        "trustno1trustno1",
        "1q2w3e4r5t6y7u8i",
        "1q2w3e4r5t6y",
        "qazwsxedcrfv",
        "zaq12wsxcde3",
    }
)
_EASY_STARTS = ("password", "passw0rd", "qwerty", "letmein", "welcome", "changeme", "admin", "iloveyou")
_RUNS = ("01234567890123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm")
_FEW_SYMBOLS = 4


def canonical_password(typed: str) -> str:
    """Give the form that is hashed: NFC, otherwise exactly what was typed.

    Raises:
        InvalidInput: Too long, or not text that can be stored.
    """
    if len(typed) > MAX_LENGTH:
        raise InvalidInput("password", "The password may have {most} characters at most.", most=MAX_LENGTH)
    password = unicodedata.normalize("NFC", typed)
    try:
        password.encode()
    except UnicodeEncodeError:
        raise InvalidInput("password", "The password holds something that is not a character.") from None
    return password


def check_new_password(typed: str, *, address: str, min_length: int) -> str:
    """Hold a new main password against the rules and give it in canonical form.

    There are no rules about kinds of characters. Length counts code points.

    Raises:
        InvalidInput: Too short, too long, an app password, or easily guessed.
    """
    password = canonical_password(typed)
    if len(password) < min_length:
        raise InvalidInput(
            "password",
            "Use at least {least} characters; a few words that do not belong together are good.",
            least=min_length,
        )
    if looks_like_app_password(password):
        raise InvalidInput("password", "This is an app password. Choose a password of your own.")
    if looks_like_api_token(password):
        raise InvalidInput("password", "This is an API token. Choose a password of your own.")
    if _is_easy(password, address):
        raise InvalidInput("password", "This password is among the first that a guesser tries. Choose another one.")
    return password


def _is_easy(password: str, address: str) -> bool:
    bare = "".join(password.casefold().split())
    local, _, domain = address.casefold().partition("@")
    return (
        bare in _EASY
        or len(set(bare)) <= _FEW_SYMBOLS
        or bare in {address.casefold(), local, domain, local * 2, local * 3}
        or any(bare.startswith(start) and not bare[len(start) :].strip("0123456789!.?*#-_") for start in _EASY_STARTS)
        or any(bare in run * 2 or bare in run[::-1] * 2 for run in _RUNS)
    )
