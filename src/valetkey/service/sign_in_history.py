"""The history of sign-ins to the portal, for the one whose account it is."""

from dataclasses import dataclass

from valetkey.core.event import (
    CodeEntryDisabled,
    PasskeyRefused,
    RecoveryCodeUsed,
    SignedIn,
    SignedOut,
    SignInRefused,
)
from valetkey.core.role import Action
from valetkey.service.authority import own_account, require_token_action
from valetkey.service.ports import Actor, AuditRecord, Ports, Reader
from valetkey.service.store_parts import AuditFilter, RefusedSignIn

_KINDS = tuple(
    kind.__name__ for kind in (SignedIn, SignInRefused, SignedOut, RecoveryCodeUsed, CodeEntryDisabled, PasskeyRefused)
)
PAGE = 50


@dataclass(frozen=True, slots=True)
class History:
    """A page of it, the newest first."""

    records: tuple[AuditRecord, ...]
    refused: tuple[RefusedSignIn, ...]  # with a wrong main password, per network; on the first page only
    older: int | None  # give it as `before` for the next page; None: there is no more


async def history(ports: Ports, actor: Actor, *, before: int | None = None, limit: int = PAGE) -> History:
    """Give how somebody came into the portal or was turned away, behind a record's number; `limit` records at most.

    Raises:
        NotAllowed: The account is disabled, or the API token does not permit it.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> History:
        account = own_account(reader, actor, now)
        require_token_action(reader, actor, Action.OWN_READ)
        wanted = AuditFilter(account_id=account.id, kinds=_KINDS)
        records = tuple(reader.audit_where(wanted, before=before, limit=limit + 1))
        older = records[limit - 1].number if len(records) > limit else None
        refused = reader.refused_sign_ins(account.id) if before is None else ()
        return History(records[:limit], refused, older)

    return await ports.store.read(look)
