"""Using passkeys: what browsers are asked, and whether what they answer holds (Web Authentication Level 3, section 7).

A challenge is good for five minutes, for one purpose, one account and one browser, and for one right answer.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, StrEnum

from valetkey.core.errors import Refused
from valetkey.core.event import PasskeyRefused
from valetkey.core.notice import NoticeKind
from valetkey.core.passkey import Passkey, counter_went_back
from valetkey.core.sentence import say
from valetkey.service.notices import tell
from valetkey.service.ports import Actor, ActorKind, Ports, Writer
from valetkey.service.sealed_forms import open_form, seal_form
from valetkey.service.sign_in_parts import Assertion, RelyingParty

CHALLENGE_LASTS = timedelta(minutes=5)
_NONCE_OCTETS = 16

_TOO_LATE = say("This took too long, or it was begun in another browser. Try your passkey again.")
_UNKNOWN = say("This passkey is not known here. It may have been removed; use another way, and add it again.")


class Purpose(StrEnum):
    """What a challenge is for. An answer for one purpose serves no other."""

    REGISTER = "register"
    SIGN_IN = "sign in"  # alone, without a password
    SECOND_FACTOR = "second factor"
    PROVE_AGAIN = "prove again"


@dataclass(frozen=True, slots=True)
class Ceremony:
    """What goes into a page: the options for the browser, and the sealed challenge for the form."""

    options: str = field(repr=False)
    sealed: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back with the form, and from which of the portal's addresses."""

    party: RelyingParty
    sealed: str = field(repr=False)
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Examined:
    """An answer that holds by itself. `settle` has to take it, in the transaction that it serves."""

    passkey: Passkey
    assertion: Assertion
    challenge: bytes = field(repr=False)


class PasskeyOutcome(Enum):
    """How an answer was taken."""

    RIGHT = "right"
    SPENT = "spent"
    GONE = "gone"
    COPIED = "copied"


def offer_sign_in(ports: Ports, party: RelyingParty, *, binding: str) -> Ceremony:
    """Ask for a passkey alone: any that the browser finds, and its user verified by PIN, fingerprint or face.

    Args:
        ports: The ports.
        party: The address that is visited.
        binding: What only this browser has, such as the token of its forms.
    """
    sealed, challenge = _new_challenge(ports, Purpose.SIGN_IN, "", binding)
    options = ports.passkeys.request_options(party, challenge=challenge, allowed=(), needs_user_verified=True)
    return Ceremony(options, sealed)


def offer_use(
    ports: Ports,
    party: RelyingParty,
    purpose: Purpose,
    *,
    account_id: str,
    binding: str,
    passkeys: tuple[Passkey, ...],
) -> Ceremony:
    """Ask for one of an account's passkeys, as second factor or to prove it again; arguments as of `offer_sign_in`."""
    sealed, challenge = _new_challenge(ports, purpose, account_id, binding)
    options = ports.passkeys.request_options(party, challenge=challenge, allowed=passkeys, needs_user_verified=False)
    return Ceremony(options, sealed)


def offer_new(
    ports: Ports,
    party: RelyingParty,
    *,
    account_id: str,
    address: str,
    binding: str,
    passkeys: tuple[Passkey, ...],
) -> Ceremony:
    """Ask for a new passkey, on an authenticator that has none of the account's yet."""
    sealed, challenge = _new_challenge(ports, Purpose.REGISTER, account_id, binding)
    options = ports.passkeys.creation_options(
        party, challenge=challenge, handle=account_id.encode(), address=address, known=passkeys
    )
    return Ceremony(options, sealed)


async def examine(ports: Ports, answer: Answer, purpose: Purpose, *, account_id: str, binding: str) -> Examined:
    """Verify an answer but for what has to be looked at in the transaction that it serves.

    Whose passkey it is, is found by its credential id alone; the user handle in the answer only has to agree.

    Args:
        ports: The ports.
        answer: As posted.
        purpose: What it shall serve.
        account_id: Whose passkey it has to be; "" for a passkey alone.
        binding: As of the offer.

    Raises:
        Refused: It does not hold, said with what to do.
        Unavailable: The store failed.
    """
    challenge = opened_challenge(ports, answer.sealed, purpose, account_id, binding)
    claim = ports.passkeys.claim(answer.text)
    passkey = await ports.store.read(lambda reader: reader.passkey_by_credential(claim.credential_id))
    if passkey is None or (account_id and passkey.account_id != account_id):
        raise Refused(_UNKNOWN)
    handle = claim.user_handle
    if handle != passkey.account_id.encode() and (handle is not None or purpose is Purpose.SIGN_IN):
        raise Refused(_UNKNOWN)
    assertion = ports.passkeys.verify(answer.text, answer.party, challenge=challenge, public_key=passkey.public_key)
    return Examined(passkey, assertion, challenge)


def settle(writer: Writer, examined: Examined, *, address: str, now: datetime) -> PasskeyOutcome:
    """Take an answer: once, from a passkey that is still there, and whose counter went on.

    A counter that went back is recorded and told, and the answer not taken. It gives an outcome instead of raising,
    so that this is kept; `refusal` says it.
    """
    passkey = writer.passkey_by_credential(examined.passkey.credential_id)
    if passkey is None or passkey.id != examined.passkey.id:
        return PasskeyOutcome.GONE
    if not spend(writer, examined.challenge, now):
        return PasskeyOutcome.SPENT
    if counter_went_back(passkey.sign_count, examined.assertion.sign_count):
        actor = Actor(ActorKind.ACCOUNT, passkey.account_id, address)
        writer.record(PasskeyRefused(passkey.name, address), actor=actor, at=now, account_id=passkey.account_id)
        tell(writer, passkey.account_id, NoticeKind.PASSKEY_REFUSED, now, name=passkey.name, address=address)
        return PasskeyOutcome.COPIED
    writer.use_passkey(passkey.id, sign_count=examined.assertion.sign_count, at=now)
    return PasskeyOutcome.RIGHT


def spend(writer: Writer, challenge: bytes, now: datetime) -> bool:
    """Use a challenge up; False if it was used before."""
    return writer.spend_challenge(hashlib.sha256(challenge).digest(), now)


def refusal(outcome: PasskeyOutcome) -> Refused:
    """Say why an answer was not taken."""
    match outcome:
        case PasskeyOutcome.COPIED:
            return Refused(
                "This passkey was refused: its counter went back, so there may be a copy of it. "
                "Sign in another way, remove it and add it anew."
            )
        case PasskeyOutcome.GONE:
            return Refused(_UNKNOWN)
        case PasskeyOutcome.SPENT | PasskeyOutcome.RIGHT:
            return Refused(_TOO_LATE)


def opened_challenge(ports: Ports, sealed: str, purpose: Purpose, account_id: str, binding: str) -> bytes:
    """Give the challenge of a form that came back.

    Raises:
        Refused: It is too old, or was for something or somebody else.
    """
    if open_form(ports, sealed, _context(purpose, account_id, binding), lasts=CHALLENGE_LASTS) is None:
        raise Refused(_TOO_LATE)
    return _challenge(sealed)


def _new_challenge(ports: Ports, purpose: Purpose, account_id: str, binding: str) -> tuple[str, bytes]:
    sealed = seal_form(ports, ports.entropy.octets(_NONCE_OCTETS), _context(purpose, account_id, binding))
    return sealed, _challenge(sealed)


def _context(purpose: Purpose, account_id: str, binding: str) -> str:
    return f"passkey\0{purpose.value}\0{account_id}\0{binding}"


def _challenge(sealed: str) -> bytes:
    # Derived, so that one field carries it; nobody can make a sealed text for a challenge of their choice.
    return hashlib.sha256(b"valetkey challenge\0" + sealed.encode()).digest()
