"""API tokens: make, show to the API, revoke, list."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from valetkey.core.account import Account, AccountState
from valetkey.core.api_token import ApiToken, actions_for, check_token, draw_token, token_index
from valetkey.core.errors import Conflict, InvalidInput, NotAllowed, NotFound, PolicyForbids, Unavailable
from valetkey.core.event import ApiTokenMade, ApiTokenRevoked
from valetkey.core.network import Address, contains, unmapped
from valetkey.core.notice import NoticeKind
from valetkey.core.role import Action
from valetkey.core.sentence import say
from valetkey.service.authority import (
    acts_on_others,
    own_account,
    require,
    require_maker,
    require_over,
    require_recent_proof,
    the_account,
)
from valetkey.service.notices import tell
from valetkey.service.ports import Actor, ActorKind, KeyPurpose, Ports, Reader, Writer

MAX_TOKENS = 50  # live ones, per account
MAX_NETWORKS = 100  # entries that limit one token
_NOTED_EVERY = timedelta(minutes=1)

_NO_TOKEN = say("There is no such API token.")
_WRONG = say("This API token does not work.")


@dataclass(frozen=True, slots=True)
class Made:
    """A new token and its secret, which is never to be had again."""

    token: ApiToken
    secret: str = field(repr=False)


async def make(
    ports: Ports,
    actor: Actor,
    account_id: str,
    *,
    name: str,
    actions: frozenset[Action],
    expires_at: datetime,
    allowed_ips: tuple[str, ...] = (),
) -> Made:
    """Make an API token of one's own account or of a shared account that one owns.

    Args:
        ports: The ports.
        actor: A person who has just proven identity with a second factor.
        account_id: Whose token it will be.
        name: 1 to 100 characters.
        actions: What it may do; at most `may_be_given`.
        expires_at: Its end, within a year.
        allowed_ips: Addresses, CIDRs or names of networks that it works from; empty is anywhere.

    Raises:
        ProveAgain: The last proof of identity is older than five minutes.
        NotFound: No such account, or not the actor's.
        NotAllowed: Not a person, more than the account may, or the account is disabled.
        PolicyForbids: No second factor yet, or too many tokens.
        InvalidInput: A value cannot be used.
        Unavailable: The store failed.
    """
    now = ports.clock.now()
    if actor.kind is not ActorKind.ACCOUNT:
        raise NotAllowed("Only a person can make an API token.")
    require_recent_proof(actor, now)
    entries = _checked_networks(ports, allowed_ips)
    secret, number = draw_token(ports.entropy.choose), ports.keys.current
    index = token_index(ports.keys.derive(KeyPurpose.INDEX, number), secret)
    wanted = ApiToken(
        id=ports.entropy.new_id("at"),
        account_id=account_id,
        name=" ".join(name.split()),
        actions=actions,
        allowed_ips=entries,
        created_at=now,
        created_by=actor.name,
        created_from=actor.address,
        expires_at=expires_at,
    )

    def add(writer: Writer) -> ApiToken:
        account = _makeable(writer, actor, account_id, now)
        token = check_token(wanted, account, now)
        writer.add_api_token(token, number, index)
        made = ApiTokenMade(token.name, tuple(sorted(token.actions)), expires_at.isoformat(), entries)
        writer.record(made, actor=actor, at=now, account_id=account.id, credential_id=token.id)
        tell(writer, account.id, NoticeKind.API_TOKEN_MADE, now, name=token.name, address=actor.address)
        return token

    return Made(await ports.store.write(add), secret)


def may_be_given(account: Account) -> frozenset[Action]:
    """Give the actions that a token of this account may be given."""
    return actions_for(account)


async def authenticate(ports: Ports, secret: str, address: Address | None) -> Actor:
    """Tell who shows a token to the API. What is not a token costs the same look-up.

    Args:
        ports: The ports.
        secret: What was shown.
        address: From where; None is unknown, and in no network.

    Raises:
        NotAllowed: Not a token, revoked, expired, from elsewhere than it may be used, its account is disabled, or who
            made it for a shared account no longer manages that.
        Unavailable: The store or the keys cannot be asked.
    """
    now = ports.clock.now()
    place = None if address is None else unmapped(address)
    numbers = ports.keys.numbers
    indexes = [_index(ports, number, secret) for number in numbers]
    networks = ports.networks

    def look(reader: Reader) -> ApiToken:
        token = reader.api_token_by_index(indexes)
        account = reader.account(token.account_id if token else "")
        if token is None or account is None or account.state is not AccountState.ACTIVE:
            raise NotAllowed(_WRONG)
        if not token.is_live(now):
            raise NotAllowed("This API token has expired.")
        require_maker(reader, token)
        if token.allowed_ips and not contains(networks.resolve(token.allowed_ips), place):
            raise NotAllowed("This API token cannot be used from this network.")
        return token

    token = await ports.store.read(look)
    shown = "" if place is None else str(place)
    await _note_use(ports, token, (numbers[0], indexes[0]), shown, now)
    return Actor(ActorKind.TOKEN, token.account_id, shown, token_id=token.id)


async def revoke(ports: Ports, actor: Actor, token_id: str) -> ApiToken:
    """Revoke a token: one's own, one of a shared account that one owns, or anybody's by `Action.REVOKE_TOKENS`.

    Raises:
        NotFound: No such token, or not the actor's.
        NotAllowed: The role or the token that is acted through does not permit it.
        Conflict: It was revoked before.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def apply(writer: Writer) -> ApiToken:
        token = writer.api_token(token_id) if token_id.isascii() else None
        if token is None:
            raise NotFound(_NO_TOKEN)
        try:
            account = the_account(
                writer, actor, token.account_id, own=Action.OWN_REVOKE, others=Action.REVOKE_TOKENS, now=now
            )
        except NotFound:
            raise NotFound(_NO_TOKEN) from None
        is_others = acts_on_others(writer, actor, account, now)
        if is_others:
            require_over(writer, actor, Action.REVOKE_TOKENS, account, now)
        if not revoke_in(writer, actor, token, now):
            raise Conflict("This API token was revoked before.")
        if is_others:
            tell(writer, account.id, NoticeKind.REVOKED_BY_ADMINISTRATOR, now, names=(token.name,))
        return replace(token, revoked_at=now, revoked_by=actor.name)

    return await ports.store.write(apply)


async def of_account(ports: Ports, actor: Actor, account_id: str, *, live_only: bool = True) -> tuple[ApiToken, ...]:
    """List the tokens of an account, newest first: one's own, a shared one's, or anybody's by `Action.SEE_TOKENS`.

    Raises:
        NotFound: No such account, or not the actor's.
        NotAllowed: The role or the token that is acted through does not permit it.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> tuple[ApiToken, ...]:
        account = the_account(reader, actor, account_id, others=Action.SEE_TOKENS, now=now)
        return reader.api_tokens(account.id, live_only=live_only)

    return await ports.store.read(look)


async def all_of(
    ports: Ports,
    actor: Actor,
    *,
    search: str = "",
    live_only: bool = True,
    after: tuple[datetime, str] | None = None,
    limit: int = 50,
) -> tuple[tuple[ApiToken, Account], ...]:
    """List everybody's tokens with their accounts, newest first.

    Args:
        ports: The ports.
        actor: Who looks.
        search: Part of a name or of an address.
        live_only: Whether revoked ones are left out.
        after: created_at and id of the one to go on behind.
        limit: How many at most.

    Raises:
        NotAllowed: The role or the token that is acted through does not permit `Action.SEE_TOKENS`.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> tuple[tuple[ApiToken, Account], ...]:
        require(reader, actor, Action.SEE_TOKENS, now)
        tokens = reader.api_tokens_where(search=search, live_only=live_only, after=after, limit=limit)
        found = ((token, reader.account(token.account_id)) for token in tokens)
        return tuple((token, account) for token, account in found if account is not None)

    return await ports.store.read(look)


async def find(ports: Ports, actor: Actor, token_id: str) -> tuple[ApiToken, Account]:
    """Give anybody's token with its account, by `Action.SEE_TOKENS`.

    Raises:
        NotFound: No such token.
        NotAllowed: The role or the token that is acted through does not permit it.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> tuple[ApiToken, Account]:
        require(reader, actor, Action.SEE_TOKENS, now)
        token = reader.api_token(token_id) if token_id.isascii() else None
        account = reader.account(token.account_id) if token else None
        if token is None or account is None:
            raise NotFound("There is no such API token.")
        return token, account

    return await ports.store.read(look)


def revoke_in(writer: Writer, actor: Actor, token: ApiToken, now: datetime) -> bool:
    """Revoke a token in the caller's transaction, with its record; False if it was revoked before."""
    if not writer.set_api_token_revoked(token.id, at=now, by=actor.name):
        return False
    revoked = ApiTokenRevoked(token.name)
    writer.record(revoked, actor=actor, at=now, account_id=token.account_id, credential_id=token.id)
    return True


def revoke_all_in(writer: Writer, actor: Actor, account_id: str, now: datetime) -> int:
    """Revoke all tokens of an account in the caller's transaction, each with its record; give how many.

    Those that its person made for shared accounts too: whoever got at the person may have made them.
    """
    return sum(revoke_in(writer, actor, token, now) for token in writer.api_tokens_in_reach(account_id))


def _checked_networks(ports: Ports, allowed_ips: tuple[str, ...]) -> tuple[str, ...]:
    if len(allowed_ips) > MAX_NETWORKS:
        raise InvalidInput("allowed_ips", "Name {most} networks at most.", most=MAX_NETWORKS)
    return ports.networks.check_entries(tuple(dict.fromkeys(allowed_ips)))


def _makeable(writer: Writer, actor: Actor, account_id: str, now: datetime) -> Account:
    if not own_account(writer, actor).has_second_factor:
        raise PolicyForbids("Set up your second factor first.")
    account = the_account(writer, actor, account_id)
    if account.state is not AccountState.ACTIVE:
        raise NotAllowed("This account is disabled.")
    live = sum(token.is_live(now) for token in writer.api_tokens(account.id))
    if live >= MAX_TOKENS:
        raise PolicyForbids("An account may have {most} API tokens at most. Revoke one first.", most=MAX_TOKENS)
    return account


def _index(ports: Ports, number: int, secret: str) -> bytes:
    try:
        return token_index(ports.keys.derive(KeyPurpose.INDEX, number), secret)
    except KeyError:
        raise Unavailable("A key is missing.") from None


async def _note_use(ports: Ports, token: ApiToken, current: tuple[int, bytes], address: str, now: datetime) -> None:
    """Keep when and from where it is used, at most once a minute; on the way it moves to the current key."""
    last = token.last_used_at
    if last is not None and timedelta(0) <= now - last < _NOTED_EVERY:
        return

    def note(writer: Writer) -> None:
        writer.use_api_token(token.id, at=now, address=address)
        writer.set_api_token_index(token.id, *current)

    await ports.store.write(note)
