"""The passkeys of an account: set up and removed by their owner."""

from dataclasses import dataclass, field

from valetkey.core.errors import Conflict, NotAllowed, NotFound, Refused
from valetkey.core.event import SecondFactorRenamed
from valetkey.core.passkey import MAX_PASSKEYS, Passkey
from valetkey.service import factors
from valetkey.service.authority import own_account, require_recent_proof
from valetkey.service.closing import close_what_fails
from valetkey.service.passkey_ceremonies import Answer, Ceremony, Purpose, offer_new, opened_challenge, spend
from valetkey.service.ports import Actor, Ports, Reader, Writer
from valetkey.service.sign_in_parts import RelyingParty


@dataclass(frozen=True, slots=True)
class Registered:
    """A passkey that was set up; recovery codes only if it is the first second factor."""

    passkey: Passkey
    recovery_codes: tuple[str, ...] = field(repr=False)
    token: str = field(repr=False)  # of the actor's session from now on; "" unless it is the first second factor


async def offer(ports: Ports, actor: Actor, party: RelyingParty, *, binding: str) -> Ceremony:
    """Ask the browser for a new passkey. Nothing is stored yet.

    Raises:
        ProveAgain: The last proof of identity is older than five minutes.
        NotAllowed: Not a person who is signed in.
        Conflict: There are as many as there may be.
        Unavailable: The store failed.
    """
    require_recent_proof(actor, ports.clock.now())

    def look(reader: Reader) -> tuple[str, str, tuple[Passkey, ...]]:
        account = own_account(reader, actor)
        return account.id, account.address, reader.passkeys(account.id)

    account_id, address, known = await ports.store.read(look)
    _require_room(known)
    return offer_new(ports, party, account_id=account_id, address=address, binding=binding, passkeys=known)


async def register(ports: Ports, actor: Actor, answer: Answer, name: str, *, binding: str) -> Registered:
    """Set up the passkey that the browser made. The first second factor draws ten recovery codes.

    With the first one the actor's session goes on under another token, and the account's others end.

    Raises:
        ProveAgain: The last proof of identity is older than five minutes.
        InvalidInput: The name is unfit.
        Refused: The answer does not hold, or came too late.
        Conflict: It is set up already, or there are as many as there may be.
        NotAllowed: The account is disabled.
        Unavailable: The store failed.
    """
    now = ports.clock.now()
    require_recent_proof(actor, now)
    account_id = actor.account_id
    if account_id is None:
        raise NotAllowed("Only a person sets up a passkey.")
    challenge = opened_challenge(ports, answer.sealed, Purpose.REGISTER, account_id, binding)
    made = ports.passkeys.register(answer.text, answer.party, challenge=challenge)
    passkey = Passkey(
        id=ports.entropy.new_id("pk"),
        account_id=account_id,
        name=factors.factor_name(name),
        credential_id=made.credential_id,
        public_key=made.public_key,
        sign_count=made.sign_count,
        transports=made.transports,
        is_synced=made.is_synced,
        created_at=now,
        last_used_at=None,
    )
    first = factors.draw_first(ports)

    def add(writer: Writer) -> bool:
        account = own_account(writer, actor)
        if not spend(writer, challenge, now):
            raise Refused("This form was sent already. Look at your account whether the passkey is there.")
        _require_room(writer.passkeys(account.id))
        writer.add_passkey(passkey)
        return factors.added(ports, writer, actor, account, passkey.name, factor=factors.PASSKEY, first=first, now=now)

    is_first = await ports.store.write(add)
    if is_first:
        await close_what_fails(ports, account_id)  # mail sessions that the main password opened
    return Registered(passkey, first.codes if is_first else (), first.token if is_first else "")


async def remove(ports: Ports, actor: Actor, passkey_id: str) -> None:
    """Remove a passkey; the last second factor stays.

    Raises:
        ProveAgain: The last proof of identity is older than five minutes.
        NotFound: No such passkey of one's own.
        Conflict: It is the last second factor.
        Unavailable: The store failed.
    """
    now = ports.clock.now()
    require_recent_proof(actor, now)

    def apply(writer: Writer) -> None:
        account = own_account(writer, actor)
        found = next((one for one in writer.passkeys(account.id) if one.id == passkey_id), None)
        if found is None:
            raise NotFound("There is no such passkey.")
        factors.removed(writer, actor, account, found.name, factor=factors.PASSKEY, now=now)
        writer.remove_passkey(found.id)

    await ports.store.write(apply)


async def rename(ports: Ports, actor: Actor, passkey_id: str, name: str) -> None:
    """Give one's own passkey another name. No proof is asked for: it opens what it opened before.

    Raises:
        InvalidInput: The name is unfit.
        NotFound: No such passkey of one's own.
        Unavailable: The store failed.
    """
    now = ports.clock.now()
    wanted = factors.factor_name(name)

    def apply(writer: Writer) -> None:
        account = own_account(writer, actor)
        found = next((one for one in writer.passkeys(account.id) if one.id == passkey_id), None)
        if found is None:
            raise NotFound("There is no such passkey.")
        if wanted != found.name:
            writer.rename_passkey(found.id, wanted)
            renamed = SecondFactorRenamed(found.name, wanted, factors.PASSKEY)
            writer.record(renamed, actor=actor, at=now, account_id=account.id)

    await ports.store.write(apply)


def _require_room(known: tuple[Passkey, ...]) -> None:
    if len(known) >= MAX_PASSKEYS:
        raise Conflict("An account may have {most} passkeys. Remove one first.", most=MAX_PASSKEYS)
