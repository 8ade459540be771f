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
from valetkey.service.authority import own_account
from valetkey.service.ports import Actor, AuditRecord, Ports, Reader
from valetkey.service.store_parts import AuditFilter, RefusedSignIn

_KINDS = tuple(
    kind.__name__ for kind in (SignedIn, SignInRefused, SignedOut, RecoveryCodeUsed, CodeEntryDisabled, PasskeyRefused)
)
_PAGE = 50


@dataclass(frozen=True, slots=True)
class History:
    """A page of it, the newest first."""

    records: tuple[AuditRecord, ...]
    refused: tuple[RefusedSignIn, ...]  # with a wrong main password, per network; on the first page only
    older: int | None  # give it as `before` for the next page; None: there is no more


async def history(ports: Ports, actor: Actor, *, before: int | None = None) -> History:
    """Give how somebody came into the portal or was turned away, behind a record's number.

    Raises:
        NotAllowed: The account is disabled.
        Unavailable: The store failed.
    """

    def look(reader: Reader) -> History:
        account = own_account(reader, actor)
        wanted = AuditFilter(account_id=account.id, kinds=_KINDS)
        records = tuple(reader.audit_where(wanted, before=before, limit=_PAGE + 1))
        older = records[_PAGE - 1].number if len(records) > _PAGE else None
        refused = reader.refused_sign_ins(account.id) if before is None else ()
        return History(records[:_PAGE], refused, older)

    return await ports.store.read(look)
