"""Who may do what to whom. Every verb asks here, in its own transaction."""

from datetime import datetime, timedelta

from valetkey.core.account import Account, AccountKind, AccountState
from valetkey.core.api_token import ApiToken
from valetkey.core.app_password import AppPassword
from valetkey.core.errors import NotAllowed, NotFound, PolicyForbids, ProveAgain
from valetkey.core.role import SEEING, TOKEN_ACTIONS, Action, Role, permits
from valetkey.core.sentence import say
from valetkey.service.ports import Actor, ActorKind, Reader

PROOF_LASTS = timedelta(minutes=5)

_NO_ACCOUNT = say("There is no such account.")
_NO_APP_PASSWORD = say("There is no such app password.")


def require_operator(actor: Actor) -> None:
    """Let only the command line on the server pass.

    Raises:
        NotAllowed: Somebody else.
    """
    if actor.kind is not ActorKind.OPERATOR:
        raise NotAllowed("Only an administrator can do this.")


def require_recent_proof(actor: Actor, now: datetime) -> None:
    """Let pass who proved identity within the last five minutes.

    The command line need not, and a token cannot: what it may do was permitted behind a proof when it was made.

    Raises:
        ProveAgain: The last proof is older, or there is none.
    """
    if actor.kind in {ActorKind.OPERATOR, ActorKind.TOKEN}:
        return
    # A proof from the future (a clock set back) counts as no proof.
    if actor.proven_at is None or not timedelta(0) <= now - actor.proven_at <= PROOF_LASTS:
        raise ProveAgain("Prove again that it is you.")


def require(reader: Reader, actor: Actor, action: Action, now: datetime) -> None:
    """Let pass whom a role permits a console action; the command line may do everything.

    A person needs a second factor besides. An API token needs the action too, and never has more than its account.

    Raises:
        NotAllowed: The role or the token does not permit it.
        PolicyForbids: No second factor yet.
    """
    if actor.kind is ActorKind.OPERATOR:
        return
    own = own_account(reader, actor, now)
    if not permits(own.role, action):
        raise NotAllowed("Your role does not permit this.")
    if not own.has_second_factor:
        raise PolicyForbids("Set up your second factor first.")
    if actor.kind is ActorKind.TOKEN:
        require_token_action(reader, actor, action)


def require_over(reader: Reader, actor: Actor, action: Action, account: Account, now: datetime) -> None:
    """Let pass whom a role permits a console action on this account; only administrators act on who has a role.

    Raises:
        NotAllowed: The role or the token does not permit it, or not on this account.
        PolicyForbids: No second factor yet.
    """
    require(reader, actor, action, now)
    if actor.kind is ActorKind.OPERATOR or account.role is None:
        return
    if own_account(reader, actor, now).role is not Role.ADMIN:
        raise NotAllowed("Only an administrator can do this to somebody who has a role.")


def require_token_action(reader: Reader, actor: Actor, action: Action) -> None:
    """Let pass a token that has the action, and whoever acts without a token.

    Raises:
        NotAllowed: The token has it not.
    """
    if actor.kind is ActorKind.TOKEN and not _token_permits(reader, actor, action):
        raise NotAllowed("This API token does not permit this.")


def _token_permits(reader: Reader, actor: Actor, action: Action) -> bool:
    token = reader.api_token(actor.token_id or "")
    return token is not None and action in token.actions & TOKEN_ACTIONS


def the_account(
    reader: Reader,
    actor: Actor,
    account_id: str,
    *,
    own: Action = Action.OWN_READ,
    others: Action | None = None,
    now: datetime | None = None,
) -> Account:
    """Give an account that the actor may act on: its own, a shared one that it owns, or any for the command line.

    Args:
        reader: The transaction.
        actor: Who acts.
        account_id: The account's id.
        own: What a token needs for its own account and what that owns.
        others: With which console action the actor may act on any account; None: not at all. Unless it is one that only
            sees, people with a role are for administrators alone (`require_over`).
        now: The time; needed where tokens or roles may act.

    Raises:
        NotFound: There is none, or it is not the actor's. The two look alike.
        NotAllowed: The actor's own account is disabled, or the token or the role does not permit it.
    """
    account = reader.account(account_id) if account_id.isascii() else None
    if account is None or not _may_act_on(reader, actor, account, own=own, others=others, now=now):
        raise NotFound(_NO_ACCOUNT)
    return account


def _may_act_on(
    reader: Reader, actor: Actor, account: Account, *, own: Action, others: Action | None, now: datetime | None
) -> bool:
    if actor.kind in {ActorKind.OPERATOR, ActorKind.SYSTEM}:
        return True
    is_own = _is_own(reader, actor, account.id, now)
    if is_own and (actor.kind is not ActorKind.TOKEN or _token_permits(reader, actor, own)):
        return True
    if others is not None and now is not None and own_account(reader, actor, now).role is not None:
        if others in SEEING:
            require(reader, actor, others, now)
        else:
            require_over(reader, actor, others, account, now)
        return True
    if is_own:
        require_token_action(reader, actor, own)
    return False


def acts_on_others(reader: Reader, actor: Actor, account: Account, now: datetime) -> bool:
    """Tell whether somebody acts on what is another's, as an administrator: its owner is then told."""
    if actor.kind is ActorKind.OPERATOR:
        return True
    return actor.kind is not ActorKind.SYSTEM and not _is_own(reader, actor, account.id, now)


def own_account(reader: Reader, actor: Actor, now: datetime | None = None) -> Account:
    """Give the account that the actor is signed in to, or whose API token it shows.

    Session and token are looked for again in each transaction: they may have ended since the request that acts began.

    Raises:
        NotAllowed: Neither a person nor a token, the account is disabled, or the session or the token has ended.
    """
    if actor.kind is ActorKind.TOKEN:
        token = reader.api_token(actor.token_id or "")
        if token is None or token.account_id != actor.account_id or now is None or not token.is_live(now):
            raise NotAllowed("This API token has ended.")
        require_maker(reader, token)
    elif actor.session is not None and reader.portal_session(actor.session) is None:
        raise NotAllowed("This sign-in has ended. Sign in again.")
    acts = actor.kind in {ActorKind.ACCOUNT, ActorKind.TOKEN}
    account = reader.account(actor.account_id) if acts and actor.account_id else None
    if account is None or account.state is not AccountState.ACTIVE:
        raise NotAllowed("This account cannot do anything now.")
    return account


def require_maker(reader: Reader, token: ApiToken) -> None:
    """Let pass a token whose maker may still act for its account: a shared account's token ends with its maker's right.

    Raises:
        NotAllowed: Its maker no longer owns the shared account, is disabled, or has no second factor any more.
    """
    if token.created_by == token.account_id:
        return
    maker = reader.account(token.created_by)
    stands = maker is not None and maker.state is AccountState.ACTIVE and maker.has_second_factor
    if not stands or all(owner.id != token.created_by for owner in reader.owners(token.account_id)):
        raise NotAllowed("Whoever made this API token no longer manages this account.")


def the_app_password(
    reader: Reader,
    actor: Actor,
    credential_id: str,
    *,
    own: Action = Action.OWN_READ,
    others: Action | None = None,
    now: datetime | None = None,
) -> tuple[AppPassword, Account]:
    """Give an app password of an account that the actor may act on, with that account; arguments as of `the_account`.

    Raises:
        NotFound: There is none, or it is not the actor's. The two look alike.
        NotAllowed: The actor's own account is disabled.
    """
    app_password = reader.app_password(credential_id) if credential_id.isascii() else None
    if app_password is None:
        raise NotFound(_NO_APP_PASSWORD)
    try:
        return app_password, the_account(reader, actor, app_password.account_id, own=own, others=others, now=now)
    except NotFound:
        raise NotFound(_NO_APP_PASSWORD) from None


def require_may_issue(reader: Reader, actor: Actor, account: Account, now: datetime | None = None) -> None:
    """Let pass who may make or widen app passwords of an account.

    Nobody makes one for another person, the command line neither; a person needs a second factor first.

    Raises:
        NotAllowed: Another person's account, or it is disabled.
        PolicyForbids: No second factor yet.
    """
    if account.state is not AccountState.ACTIVE:
        raise NotAllowed("This account is disabled.")
    match actor.kind:
        case ActorKind.ACCOUNT:
            if not own_account(reader, actor).has_second_factor:
                raise PolicyForbids("Set up your second factor first.")
        case ActorKind.TOKEN:
            own = own_account(reader, actor, now)
            require_token_action(reader, actor, Action.OWN_MAKE)
            if own.kind is AccountKind.PERSON and not own.has_second_factor:
                raise PolicyForbids("Set up your second factor first.")
        case ActorKind.OPERATOR:
            if account.kind is not AccountKind.SHARED:
                raise NotAllowed("Only the person can make app passwords for a person's account.")
        case ActorKind.SYSTEM:
            raise NotAllowed("Only a person can make app passwords.")


def _is_own(reader: Reader, actor: Actor, account_id: str, now: datetime | None) -> bool:
    own = own_account(reader, actor, now)
    return own.id == account_id or any(shared.id == account_id for shared in reader.owned(own.id))
