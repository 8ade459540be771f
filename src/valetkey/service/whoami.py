"""Who an API token acts for."""

from dataclasses import dataclass

from valetkey.core.account import Account
from valetkey.core.api_token import ApiToken
from valetkey.core.errors import NotAllowed
from valetkey.service.authority import own_account
from valetkey.service.ports import Actor, Ports, Reader


@dataclass(frozen=True, slots=True)
class Who:
    """A token that acts, and the account that it acts for."""

    token: ApiToken
    account: Account


async def who(ports: Ports, actor: Actor) -> Who:
    """Tell which token acts, and for whom.

    Raises:
        NotAllowed: No token acts, it has ended, or its account is disabled.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> Who:
        account = own_account(reader, actor, now)
        token = reader.api_token(actor.token_id or "")
        if token is None:
            raise NotAllowed("No API token acts here.")
        return Who(token, account)

    return await ports.store.read(look)
