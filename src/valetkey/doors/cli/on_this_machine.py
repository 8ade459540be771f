"""The installation on this machine, on which the command line acts as its operator."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from valetkey.core.account import Account, AccountKind
from valetkey.core.api_token import ApiToken
from valetkey.core.app_password import AppPassword
from valetkey.core.errors import NotFound, PolicyForbids
from valetkey.core.event import to_facts
from valetkey.core.event_sentences import describe
from valetkey.core.limits import Sent
from valetkey.core.restriction import default_restrictions
from valetkey.core.scope import Permission
from valetkey.doors.cli.administration import (
    AccountWithNames,
    AuditLine,
    AuditLines,
    Edit,
    Factor,
    Invited,
    NewAccount,
    NewAppPassword,
    Sessions,
    Shown,
    UnderWay,
)
from valetkey.service import (
    accounts,
    activity,
    api_tokens,
    app_passwords,
    calling_off,
    invitations,
    live,
    policy,
    rotation,
)
from valetkey.service.accounts import AccountDetails
from valetkey.service.app_passwords import Changed, Issued, RevokedAll, Wanted
from valetkey.service.closing import Closed
from valetkey.service.policy import ShownRules
from valetkey.service.ports import OPERATOR, Actor, AuditFault, AuditRecord, Ports
from valetkey.service.store_parts import AccountFilter


class OnThisMachine:
    """Fulfils `Administration` by the verbs.

    Args:
        ports: What the verbs need.
        portal_url: Gives the address that people open.
        actor: Who acts, where a person's own yes is needed; elsewhere it is the operator.
    """

    def __init__(self, ports: Ports, portal_url: Callable[[], str], actor: Actor = OPERATOR) -> None:
        self._ports = ports
        self._portal_url = portal_url
        self._actor = actor

    async def create_account(self, wanted: NewAccount) -> Account:
        """Make an account."""
        return await accounts.create(
            self._ports, OPERATOR, wanted.address, kind=wanted.kind, password=wanted.password, role=wanted.role
        )

    async def accounts(self, *, search: str, after: str, limit: int) -> tuple[Account, ...]:
        """List accounts in the order of their addresses."""
        return await accounts.listed(self._ports, OPERATOR, AccountFilter(search=search), after=after, limit=limit)

    async def details(self, name: str) -> AccountWithNames:
        """Give an account with everything around it."""
        return _with_names(await accounts.details(self._ports, OPERATOR, await self._id(name)))

    async def disable(self, name: str) -> Closed:
        """Stop an account; gives what that closed."""
        return await accounts.disable(self._ports, OPERATOR, await self._id(name))

    async def enable(self, name: str) -> None:
        """Let an account log in again."""
        await accounts.enable(self._ports, OPERATOR, await self._id(name))

    async def set_rights(self, name: str, rights: frozenset[Permission]) -> Closed:
        """Set what its app passwords may do at most; gives what that closed."""
        return await accounts.set_rights(self._ports, OPERATOR, await self._id(name), rights)

    async def add_alias(self, name: str, alias: str) -> None:
        """Add an address that it logs in with."""
        await accounts.add_alias(self._ports, OPERATOR, await self._id(name), alias)

    async def remove_alias(self, name: str, alias: str) -> None:
        """Remove one."""
        await accounts.remove_alias(self._ports, OPERATOR, await self._id(name), alias)

    async def add_owner(self, name: str, owner: str) -> None:
        """Let a person manage a shared account."""
        await accounts.add_owner(self._ports, OPERATOR, await self._id(name), await self._id(owner))

    async def remove_owner(self, name: str, owner: str) -> None:
        """Take it away again."""
        await accounts.remove_owner(self._ports, OPERATOR, await self._id(name), await self._id(owner))

    async def invite(self, name: str) -> Invited:
        """Make a one-time link for a person."""
        portal = self._portal_url()
        made = await invitations.invite(self._ports, OPERATOR, await self._id(name))
        return Invited(made.address, portal + invitations.PATH + made.token, made.expires_at, made.mailed_to)

    async def app_passwords(self, name: str, *, live_only: bool) -> tuple[AppPassword, ...]:
        """List the app passwords of an account."""
        return await app_passwords.of_account(self._ports, OPERATOR, await self._id(name), live_only=live_only)

    async def app_password(self, credential_id: str) -> tuple[AppPassword, Account]:
        """Give one, and its account."""
        found = await app_passwords.get(self._ports, OPERATOR, credential_id)
        return found, await accounts.find(self._ports, OPERATOR, found.account_id)

    async def revoke(self, credential_id: str, reason: str) -> Changed:
        """Revoke one."""
        return await app_passwords.revoke(self._ports, OPERATOR, credential_id, reason)

    async def revoke_all(self, name: str, reason: str) -> RevokedAll:
        """Revoke all of an account."""
        return await app_passwords.revoke_all(self._ports, OPERATOR, await self._id(name), reason)

    async def make_app_password(self, name: str, wanted: NewAppPassword) -> Shown:
        """Make one, for an account that the actor may make it for."""
        account = await accounts.find(self._ports, OPERATOR, name)
        self._must_be_theirs(account)
        now = self._ports.clock.now()
        restrictions = wanted.restrictions(default_restrictions(self._ports.policy, now), now)
        asked = Wanted(wanted.description, wanted.choice.scope, restrictions, wanted.format)
        issued: Issued = await app_passwords.issue(self._ports, self._actor, account.id, asked)
        return Shown(issued.app_password, issued.secret.shown)

    async def edit(self, credential_id: str, edit: Edit) -> AppPassword:
        """Change one, for an account that the actor may make one for."""
        found, account = await self.app_password(credential_id)
        self._must_be_theirs(account)
        changed = await app_passwords.change(
            self._ports,
            self._actor,
            credential_id,
            description=edit.description,
            restrictions=edit.restrictions(found.restrictions),
        )
        return changed.app_password

    async def sent_today(self, credential_id: str) -> Sent:
        """Give what one has sent today."""
        return (await app_passwords.sent_today(self._ports, OPERATOR, credential_id)).sent

    async def rotate(self, credential_id: str, overlap: timedelta) -> Shown:
        """Put a new one in the place of one."""
        _, account = await self.app_password(credential_id)
        self._must_be_theirs(account)
        done = await rotation.rotate(self._ports, self._actor, credential_id, overlap)
        return Shown(done.app_password, done.secret.shown, done.replaced, done.closed)

    def _must_be_theirs(self, account: Account) -> None:
        if self._actor is OPERATOR and account.kind is AccountKind.PERSON:
            raise PolicyForbids(
                "{address} is a person's account: only that person can make an app password for it, "
                "in the portal or here with --as {address}.",
                address=account.address,
            )

    async def sessions(self, name: str | None) -> Sessions:
        """List the open mail connections."""
        account_id = await self._id(name) if name else None
        found = await live.survey(self._ports, OPERATOR, account_id)
        names = await self._addresses(session.account_id for session in found.sessions)
        return Sessions(found.sessions, names, is_complete=not found.silent)

    async def close(self, session_id: str) -> bool:
        """Close one; False if there is none."""
        return await live.close(self._ports, OPERATOR, session_id)

    async def close_all_of(self, credential_id: str) -> int:
        """Close all of an app password; gives how many."""
        return await live.close_all_of(self._ports, OPERATOR, credential_id)

    async def audit(self, name: str | None, *, before: int | None, limit: int) -> AuditLines:
        """List records of the audit log, the newest first."""
        account_id = await self._id(name) if name else None
        found = await activity.audit(self._ports, OPERATOR, account_id=account_id, before=before, limit=limit)
        names = await self._addresses(record.account_id for record in found if record.account_id)
        return AuditLines(tuple(_line(record) for record in found), names)

    async def verify_audit(self) -> AuditFault | tuple[int, bytes]:
        """Check the chain: the first bad record, or how many there are and the last hash."""
        return await activity.verify_audit(self._ports)

    async def recoveries(self) -> tuple[UnderWay, ...]:
        """List the recoveries that are under way."""
        found: list[UnderWay] = []
        after: tuple[datetime, str] | None = None
        while part := await calling_off.under_way(self._ports, OPERATOR, after=after):
            found += (
                UnderWay(address, one.begun_at, one.begun_from, one.opens_at, one.closes_at) for one, address in part
            )
            after = (part[-1][0].opens_at, part[-1][0].id)
        return tuple(found)

    async def call_off_recovery(self, name: str) -> None:
        """Call off the recovery of an account."""
        await calling_off.cancel(self._ports, OPERATOR, await self._id(name))

    async def rules(self) -> ShownRules:
        """Give policy and networks as they hold."""
        return await policy.show(self._ports, OPERATOR)

    async def tokens(self, name: str | None, *, live_only: bool) -> tuple[tuple[ApiToken, str], ...]:
        """List API tokens, each with the address of its account; without a name everybody's."""
        if name is None:
            found: list[tuple[ApiToken, str]] = []
            after: tuple[datetime, str] | None = None
            while part := await api_tokens.all_of(self._ports, OPERATOR, live_only=live_only, after=after):
                found += ((token, account.address) for token, account in part)
                after = (part[-1][0].created_at, part[-1][0].id)
            return tuple(found)
        account = await accounts.find(self._ports, OPERATOR, name)
        of_one = await api_tokens.of_account(self._ports, OPERATOR, account.id, live_only=live_only)
        return tuple((token, account.address) for token in of_one)

    async def revoke_token(self, token_id: str) -> ApiToken:
        """Revoke one."""
        return await api_tokens.revoke(self._ports, OPERATOR, token_id)

    async def _id(self, name: str) -> str:
        return (await accounts.find(self._ports, OPERATOR, name)).id

    async def _addresses(self, account_ids: Iterable[str]) -> dict[str, str]:
        found = {}
        for one in set(account_ids):
            try:
                found[one] = (await accounts.find(self._ports, OPERATOR, one)).address
            except NotFound:
                found[one] = one
        return found


def _with_names(details: AccountDetails) -> AccountWithNames:
    factors = [("passkey", each) for each in details.passkeys], [("authenticator", each) for each in details.totps]
    return AccountWithNames(
        details.account,
        details.aliases,
        tuple(owner.address for owner in details.owners),
        tuple(owned.address for owned in details.owned),
        tuple(
            Factor(one.id, kind, one.name, one.created_at, one.last_used_at) for each in factors for kind, one in each
        ),
        details.recovery_codes_left,
        details.has_main_password,
        details.has_upstream_password,
    )


def _line(record: AuditRecord) -> AuditLine:
    return AuditLine(
        record.number,
        record.at,
        record.actor,
        record.actor_address,
        record.account_id,
        record.credential_id,
        record.kind,
        to_facts(record.event),
        str(describe(record.event)),
        record.hash,
    )
