"""Second factors: authenticator apps and recovery codes."""

from dataclasses import dataclass, field
from datetime import timedelta

from valetkey.core.errors import Conflict, InvalidInput, NotAllowed, NotFound, PolicyForbids
from valetkey.core.event import SecondFactorRenamed, SecondFactorReset
from valetkey.core.notice import NoticeKind
from valetkey.core.second_factor import SEED_OCTETS, accepted_step, provisioning_uri, seed_text
from valetkey.core.sentence import say
from valetkey.service import factors
from valetkey.service.api_tokens import revoke_all_in
from valetkey.service.authority import own_account, require_operator, require_recent_proof, the_account
from valetkey.service.closing import close_what_fails
from valetkey.service.codes import seal_context
from valetkey.service.notices import tell
from valetkey.service.ports import Actor, Ports, Totp, Writer
from valetkey.service.sealed_forms import open_form, seal_form

MAX_TOTPS = 5  # per account
_OFFER_LASTS = timedelta(hours=1)
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
    token: str = field(repr=False)  # of the actor's session from now on; "" unless it is the first second factor


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
    sealed = seal_form(ports, seed + ports.entropy.new_id("tp").encode(), _offer_context(actor))
    return _shown(ports, sealed, seed, address)


def same_offer(ports: Ports, actor: Actor, sealed: str, address: str) -> TotpOffer:
    """Show an offer again, after a mistyped code: what was scanned already stays right.

    Raises:
        InvalidInput: The offer is not this account's, or too old.
        NotAllowed: Not a person who is signed in.
    """
    seed, _ = _open_offer(ports, actor, sealed)
    return _shown(ports, sealed, seed, address)


async def confirm_totp(ports: Ports, actor: Actor, sealed: str, code: str, name: str) -> Confirmed:
    """Set up an offered authenticator, proven by its code. The first one draws ten recovery codes.

    With the first one the actor's session goes on under another token, and the account's others end.

    Raises:
        ProveAgain: The last proof of identity is older than five minutes.
        InvalidInput: The code is wrong, the name unfit, or the offer is not this account's or too old.
        Conflict: It is set up already, or there are five.
        NotAllowed: The account is disabled.
        Unavailable: The store failed.
    """
    now = ports.clock.now()
    require_recent_proof(actor, now)
    seed, totp_id = _open_offer(ports, actor, sealed)
    step = accepted_step(seed, code, now, last_step=-1)
    if step is None:
        raise InvalidInput(
            "code", "This code is not right. Check that the clock of your device is, and try the next one."
        )
    account_id = actor.account_id or ""
    kept = ports.keys.seal(seed, seal_context(account_id, totp_id))
    totp = Totp(totp_id, account_id, factors.factor_name(name), kept, step, 0, None, now, now)
    first = factors.draw_first(ports)

    def add(writer: Writer) -> bool:
        account = own_account(writer, actor)
        others = writer.totps(account.id)
        if any(other.id == totp.id for other in others):
            raise Conflict("This authenticator is set up already.")
        if len(others) >= MAX_TOTPS:
            raise Conflict("An account may have {most} authenticators. Remove one first.", most=MAX_TOTPS)
        writer.add_totp(totp)
        return factors.added(ports, writer, actor, account, totp.name, factor=factors.TOTP, first=first, now=now)

    is_first = await ports.store.write(add)
    if is_first:
        await close_what_fails(ports, account_id)  # mail sessions that the main password opened
    return Confirmed(totp, first.codes if is_first else (), first.token if is_first else "")


async def remove_totp(ports: Ports, actor: Actor, totp_id: str) -> None:
    """Remove an authenticator; the last second factor stays.

    Raises:
        ProveAgain: The last proof of identity is older than five minutes.
        NotFound: No such authenticator of one's own.
        Conflict: It is the last second factor.
        Unavailable: The store failed.
    """
    now = ports.clock.now()
    require_recent_proof(actor, now)

    def remove(writer: Writer) -> None:
        account = own_account(writer, actor)
        totps = {totp.id: totp for totp in writer.totps(account.id)}
        if totp_id not in totps:
            raise NotFound("There is no such authenticator.")
        factors.removed(writer, actor, account, totps[totp_id].name, factor=factors.TOTP, now=now)
        writer.remove_totp(totp_id)

    await ports.store.write(remove)


async def rename_totp(ports: Ports, actor: Actor, totp_id: str, name: str) -> None:
    """Give one's own authenticator another name. No proof is asked for: it opens what it opened before.

    Raises:
        InvalidInput: The name is unfit.
        NotFound: No such authenticator of one's own.
        Unavailable: The store failed.
    """
    now = ports.clock.now()
    wanted = factors.factor_name(name)

    def apply(writer: Writer) -> None:
        account = own_account(writer, actor)
        found = next((one for one in writer.totps(account.id) if one.id == totp_id), None)
        if found is None:
            raise NotFound("There is no such authenticator.")
        if wanted != found.name:
            writer.rename_totp(found.id, wanted)
            renamed = SecondFactorRenamed(found.name, wanted, factors.TOTP)
            writer.record(renamed, actor=actor, at=now, account_id=account.id)

    await ports.store.write(apply)


async def draw_recovery_codes(ports: Ports, actor: Actor) -> tuple[str, ...]:
    """Draw a new set of ten recovery codes; the old set ends.

    Raises:
        ProveAgain: The last proof of identity is older than five minutes.
        PolicyForbids: There is no second factor yet.
        Unavailable: The store failed.
    """
    now = ports.clock.now()
    require_recent_proof(actor, now)
    codes = factors.draw_codes(ports)

    def keep(writer: Writer) -> None:
        account = own_account(writer, actor)
        if not account.has_second_factor:
            raise PolicyForbids("Set up your second factor first.")
        factors.keep_codes(ports, writer, actor, codes, now)
        tell(writer, account.id, NoticeKind.RECOVERY_CODES_MADE, now, address=actor.address)

    await ports.store.write(keep)
    return codes


async def reset(ports: Ports, actor: Actor, account_id: str) -> None:
    """Remove all second factors, recovery codes and API tokens of an account and end its portal sessions.

    Raises:
        NotAllowed: Not the command line.
        NotFound: No such account.
        Unavailable: The store failed.
    """
    require_operator(actor)
    now = ports.clock.now()

    def apply(writer: Writer) -> None:
        account = the_account(writer, actor, account_id)
        factors.take_all_away(writer, account.id, now)
        revoke_all_in(writer, actor, account.id, now)
        writer.record(SecondFactorReset(), actor=actor, at=now, account_id=account.id)
        tell(writer, account.id, NoticeKind.FACTORS_RESET, now)

    await ports.store.write(apply)


def _shown(ports: Ports, sealed: str, seed: bytes, address: str) -> TotpOffer:
    return TotpOffer(sealed, provisioning_uri(seed, address, ports.issuer), seed_text(seed))


def _offer_context(actor: Actor) -> str:
    if actor.account_id is None:
        raise NotAllowed("Only a person sets up a second factor.")
    return f"totp offer\0{actor.account_id}"


def _open_offer(ports: Ports, actor: Actor, sealed: str) -> tuple[bytes, str]:
    payload = open_form(ports, sealed, _offer_context(actor), lasts=_OFFER_LASTS)
    if payload is None:
        raise InvalidInput("sealed", _START_AGAIN)
    return payload[:SEED_OCTETS], payload[SEED_OCTETS:].decode()
