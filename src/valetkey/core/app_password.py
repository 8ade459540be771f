"""The app password: its secret, the forms it is written in, and what is kept of it.

A secret is drawn by the server, so it is kept under keyed hashes: an *index* finds it in one look-up, a *tag*
bound to account and credential proves it (docs/decisions/0002).
"""

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from valetkey.core.errors import InvalidInput
from valetkey.core.restriction import Restrictions
from valetkey.core.scope import MailProtocol, Scope

PREFIX = "vkey"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_BASE57 = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"  # without 0 O 1 I l
_DEFAULT_LENGTH = 24  # 24 × log2(26) = 112.8 bits
_DEVICE_LENGTH = 20  # 20 × log2(57) = 116.6 bits
_MAX_TYPED = 256  # no writing of a secret is longer; what is longer is not looked at
_GROUP = 4

# Spaces and hyphens of every kind that keyboards, word processors and phones put between groups.
_SEPARATORS = re.compile("[\\s\u00ad\u180e\u200b-\u200f\u2010-\u2015\u2060\u2212\ufe58\ufe63\uff0d\ufeff\u30fc_-]+")
_DEFAULT_SHAPE = re.compile(f"{PREFIX}[a-z]{{{_DEFAULT_LENGTH}}}")
_DEVICE_SHAPE = re.compile(f"[{_BASE57}]{{{_DEVICE_LENGTH}}}")
MAX_DESCRIPTION = 100


class SecretFormat(StrEnum):
    """How a secret is written."""

    DEFAULT = "default"  # vkey-abcd-efgh-…, typed on phones and read aloud
    DEVICE = "device"  # exactly 20 symbols, case kept, for printers


@dataclass(frozen=True, slots=True)
class Secret:
    """The canonical text of a secret. It cannot be printed by accident."""

    text: str = field(repr=False)
    format: SecretFormat

    def __str__(self) -> str:
        return "<secret>"

    @property
    def shown(self) -> str:
        """The form that the owner sees, once."""
        if self.format is SecretFormat.DEVICE:
            return self.text
        return "-".join(self.text[i : i + _GROUP] for i in range(0, len(self.text), _GROUP))


def draw(form: SecretFormat, choose: Callable[[str], str]) -> Secret:
    """Draw a new secret.

    Args:
        form: How it will be written.
        choose: Picks one symbol of a string by a cryptographic generator, each as likely as the others.
    """
    if form is SecretFormat.DEVICE:
        return Secret("".join(choose(_BASE57) for _ in range(_DEVICE_LENGTH)), form)
    return Secret(PREFIX + "".join(choose(_LETTERS) for _ in range(_DEFAULT_LENGTH)), form)


def read(typed: str) -> Secret | None:
    """Bring what was typed into canonical form, or None if it has not the shape of an app password.

    For the default format case, spaces and hyphens of every kind do not matter. The device format keeps its case;
    only white space around it is dropped.
    """
    if len(typed) > _MAX_TYPED:
        return None
    letters = _SEPARATORS.sub("", typed).lower()
    if _DEFAULT_SHAPE.fullmatch(letters):
        return Secret(letters, SecretFormat.DEFAULT)
    bare = typed.strip()
    if _DEVICE_SHAPE.fullmatch(bare):
        return Secret(bare, SecretFormat.DEVICE)
    return None


def looks_like_app_password(typed: str) -> bool:
    """Tell whether a form field holds an app password of the default format, without asking the store."""
    found = read(typed)
    return found is not None and found.format is SecretFormat.DEFAULT


def index_of(key: bytes, secret: Secret) -> bytes:
    """Give the 16 octets under which a secret is found."""
    return hmac.digest(key, b"valetkey index 1\0" + secret.text.encode(), "sha256")[:16]


def tag_of(key: bytes, account_id: str, credential_id: str, secret: Secret) -> bytes:
    """Give the 32 octets that prove a secret, bound to its account and credential."""
    message = "\0".join(("valetkey tag 1", account_id, credential_id, secret.text))
    return hmac.digest(key, message.encode(), "sha256")


def check_description(text: str) -> str:
    """Give a description as it is stored: 1 to 100 characters, no control characters, no text direction tricks.

    Raises:
        InvalidInput: Empty, too long or unprintable.
    """
    cleaned = " ".join(text.split())
    if not cleaned:
        raise InvalidInput(
            "description", "Give it a name that you will recognise, such as “Phone” or “Office scanner”."
        )
    if len(cleaned) > MAX_DESCRIPTION:
        raise InvalidInput("description", "The name may have {most} characters at most.", most=MAX_DESCRIPTION)
    if not cleaned.isprintable():
        raise InvalidInput("description", "The name holds characters that cannot be shown.")
    return cleaned


@dataclass(frozen=True, slots=True)
class LastUse:
    """When and how a credential was used last."""

    at: datetime
    address: str
    protocol: MailProtocol
    client: str


@dataclass(frozen=True, slots=True)
class LastRefusal:
    """When and why the right secret was refused last."""

    at: datetime
    address: str
    protocol: MailProtocol
    reason: str  # a core.login.Reason


@dataclass(frozen=True, slots=True)
class Proof:
    """What is kept of a secret: its tag and the number of the key it was made under."""

    key_number: int
    tag: bytes = field(repr=False)
    slow_hash: str | None = field(default=None, repr=False)  # Argon2id in strict mode


@dataclass(frozen=True, slots=True)
class AppPassword:
    """One app password, as far as decisions and pages need it."""

    id: str  # public, never reused
    account_id: str
    description: str
    format: SecretFormat
    scope: Scope
    restrictions: Restrictions
    created_at: datetime
    created_by: str  # an actor: an account id, or "cli"
    created_from: str  # an address, or ""
    lapsed_at: datetime | None = None  # when it was first seen expired; a clock set back does not undo it
    revoked_at: datetime | None = None
    revoked_by: str | None = None
    revoked_reason: str | None = None
    last_use: LastUse | None = None
    last_refusal: LastRefusal | None = None
    rotated_from: str | None = None  # the one that it takes the place of

    @property
    def is_live(self) -> bool:
        """Neither revoked nor lapsed."""
        return self.revoked_at is None and self.lapsed_at is None
