"""Who may do what to whom. Every verb asks here, in its own transaction."""

from datetime import datetime, timedelta

from valetkey.core.account import Account, AccountKind, AccountState
from valetkey.core.app_password import AppPassword
from valetkey.core.errors import NotAllowed, NotFound, PolicyForbids, ProveAgain
from valetkey.service.ports import Actor, ActorKind, Reader

PROOF_LASTS = timedelta(minutes=5)

_NO_ACCOUNT = "There is no such account."
_NO_APP_PASSWORD = "There is no such app password."  # noqa: S105  (a sentence)


def require_operator(actor: Actor) -> None:
    """Let only the command line on the server pass.

    Raises:
        NotAllowed: Somebody else.
    """
    if actor.kind is not ActorKind.OPERATOR:
        raise NotAllowed("Only an administrator can do this.")


def require_recent_proof(actor: Actor, now: datetime) -> None:
    """Let pass who proved identity within the last five minutes; the command line need not.

    Raises:
        ProveAgain: The last proof is older, or there is none.
    """
    if actor.kind is ActorKind.OPERATOR:
        return
    # A proof from the future (a clock set back) counts as no proof.
    if actor.proven_at is None or not timedelta(0) <= now - actor.proven_at <= PROOF_LASTS:
        raise ProveAgain("Prove again that it is you.")


def the_account(reader: Reader, actor: Actor, account_id: str) -> Account:
    """Give an account that the actor may act on: its own, a shared one that it owns, or any for the command line.

    Raises:
        NotFound: There is none, or it is not the actor's. The two look alike.
        NotAllowed: The actor's own account is disabled.
    """
    account = reader.account(account_id) if account_id.isascii() else None
    match actor.kind:
        case ActorKind.OPERATOR | ActorKind.SYSTEM:
            permitted = True
        case ActorKind.ACCOUNT:
            permitted = _is_own(reader, actor, account_id)
    if account is None or not permitted:
        raise NotFound(_NO_ACCOUNT)
    return account


def own_account(reader: Reader, actor: Actor) -> Account:
    """Give the account that the actor is signed in to.

    The session is looked for again in each transaction: it may have been ended since the request that acts began.

    Raises:
        NotAllowed: Not a person, the account is disabled, or the session has ended.
    """
    if actor.session is not None and reader.portal_session(actor.session) is None:
        raise NotAllowed("This sign-in has ended. Sign in again.")
    account = reader.account(actor.account_id) if actor.kind is ActorKind.ACCOUNT and actor.account_id else None
    if account is None or account.state is not AccountState.ACTIVE:
        raise NotAllowed("This account cannot do anything now.")
    return account


def the_app_password(reader: Reader, actor: Actor, credential_id: str) -> tuple[AppPassword, Account]:
    """Give an app password of an account that the actor may act on, with that account.

    Raises:
        NotFound: There is none, or it is not the actor's. The two look alike.
        NotAllowed: The actor's own account is disabled.
    """
    app_password = reader.app_password(credential_id) if credential_id.isascii() else None
    if app_password is None:
        raise NotFound(_NO_APP_PASSWORD)
    try:
        return app_password, the_account(reader, actor, app_password.account_id)
    except NotFound:
        raise NotFound(_NO_APP_PASSWORD) from None


def require_may_issue(reader: Reader, actor: Actor, account: Account) -> None:
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
        case ActorKind.OPERATOR:
            if account.kind is not AccountKind.SHARED:
                raise NotAllowed("Only the person can make app passwords for a person's account.")
        case ActorKind.SYSTEM:
            raise NotAllowed("Only a person can make app passwords.")


def _is_own(reader: Reader, actor: Actor, account_id: str) -> bool:
    own = own_account(reader, actor)
    return own.id == account_id or any(shared.id == account_id for shared in reader.owned(own.id))
