"""Looking on: what a page that follows something asks again and again, without counting as use of the session."""

from valetkey.core.account import AccountState
from valetkey.core.errors import NotAllowed
from valetkey.service.ports import Actor, Ports, Reader


async def require_session(ports: Ports, actor: Actor) -> None:
    """Refuse if the portal session that is acted through has ended, or its account is disabled.

    Raises:
        NotAllowed: It is over.
        Unavailable: The store failed.
    """

    def stands(reader: Reader) -> bool:
        if actor.session is None or reader.portal_session(actor.session) is None:
            return False
        account = reader.account(actor.account_id or "")
        return account is not None and account.state is AccountState.ACTIVE

    if not await ports.store.read(stands):
        raise NotAllowed("You are signed out.")
