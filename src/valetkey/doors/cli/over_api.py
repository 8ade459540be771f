"""An installation behind its API, on which the command line acts with a token."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from valetkey.client import Client, NotFoundError, NotPermittedError, models
from valetkey.core.account import Account, canonical_login_name
from valetkey.core.api_token import ApiToken
from valetkey.core.app_password import AppPassword
from valetkey.core.errors import Conflict, NotFound, PolicyForbids
from valetkey.core.limits import Sent
from valetkey.core.restriction import Restrictions, default_restrictions
from valetkey.core.scope import Permission
from valetkey.core.sentence import Sentence
from valetkey.doors.cli.administration import (
    AccountWithNames,
    AuditLines,
    Edit,
    Invited,
    NewAccount,
    NewAppPassword,
    Sessions,
    Shown,
    UnderWay,
)
from valetkey.doors.cli.from_api import (
    account_of,
    app_password_of,
    changed_restrictions,
    closed_of,
    line_of,
    policy_of,
    rules_of,
    sent_of,
    session_of,
    token_of,
    wanted_restrictions,
    with_names,
)
from valetkey.service.app_passwords import Changed, RevokedAll
from valetkey.service.closing import Closed
from valetkey.service.policy import ShownRules
from valetkey.service.ports import AuditFault

_PAGE = 200
_ALIASES_LOOKED_AT = 20  # accounts whose aliases are looked through for a name
_REPLAYED = "It was made, but the connection broke before its secret arrived, which is shown only once. Revoke {what} and make another."


class OverApi:
    """Fulfils `Remote` by the API. One command is one run, so nothing else waits while it asks."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def create_account(self, wanted: NewAccount) -> Account:
        """Make an account. Over the API it has no main password yet: its person is invited."""
        if wanted.role is not None:
            raise PolicyForbids("A role is given in the console by an administrator, or on the server itself.")
        return account_of(self._client.create_account(address=wanted.address, kind=wanted.kind.value))

    async def accounts(self, *, search: str, after: str, limit: int) -> tuple[Account, ...]:
        """List accounts in the order of their addresses."""
        found: list[Account] = []
        for one in self._client.each_of_accounts(search=search, limit=min(limit + 1, _PAGE)):
            if one.address > after:
                found.append(account_of(one))
            if len(found) == limit:
                break
        return tuple(found)

    async def details(self, name: str) -> AccountWithNames:
        """Give an account with everything around it."""
        account_id = self._id(name)
        found = self._client.get_account(account_id).value
        return with_names(found, self._client.list_second_factors(account_id))

    async def disable(self, name: str) -> Closed:
        """Stop an account; gives what that closed."""
        return closed_of(self._client.disable_account(self._id(name)))

    async def enable(self, name: str) -> None:
        """Let an account log in again."""
        self._client.enable_account(self._id(name))

    async def set_rights(self, name: str, rights: frozenset[Permission]) -> Closed:
        """Set what its app passwords may do at most; gives what that closed."""
        account_id = self._id(name)
        etag = self._client.get_account(account_id).etag
        wanted: list[models.Permission] = [permission.value for permission in sorted(rights)]
        return closed_of(self._client.set_account_rights(account_id, if_match=etag, rights=wanted))

    async def add_alias(self, name: str, alias: str) -> None:
        """Add an address that it logs in with."""
        self._client.add_alias(self._id(name), address=alias)

    async def remove_alias(self, name: str, alias: str) -> None:
        """Remove one."""
        self._client.remove_alias(self._id(name), alias)

    async def add_owner(self, name: str, owner: str) -> None:
        """Let a person manage a shared account."""
        self._client.add_owner(self._id(name), owner_id=self._id(owner))

    async def remove_owner(self, name: str, owner: str) -> None:
        """Take it away again."""
        self._client.remove_owner(self._id(name), self._id(owner))

    async def invite(self, name: str) -> Invited:
        """Make a one-time link for a person."""
        made = self._client.invite_person(self._id(name))
        if made.link is None:
            raise Conflict(
                "The link was made, but the connection broke before it arrived. Make another: it ends this one."
            )
        return Invited(made.address, made.link, made.expires_at, made.mailed_to)

    async def app_passwords(self, name: str, *, live_only: bool) -> tuple[AppPassword, ...]:
        """List the app passwords of an account."""
        found = self._client.each_of_account_app_passwords(self._id(name), live_only=live_only, limit=_PAGE)
        return tuple(map(app_password_of, found))

    async def app_password(self, credential_id: str) -> tuple[AppPassword, Account]:
        """Give one, and its account."""
        found = self._client.get_app_password(credential_id).value
        return app_password_of(found), account_of(self._client.get_account(found.account_id).value)

    async def revoke(self, credential_id: str, reason: str) -> Changed:
        """Revoke one."""
        return _changed(self._client.revoke_app_password(credential_id, reason=reason))

    async def revoke_all(self, name: str, reason: str) -> RevokedAll:
        """Revoke all of an account."""
        done = self._client.revoke_account_app_passwords(self._id(name), reason=reason)
        return RevokedAll(tuple(map(_changed, done.items)), closed_of(done))

    async def make_app_password(self, name: str, wanted: NewAppPassword) -> Shown:
        """Make one, for the token's own account or a shared one of its person."""
        restrictions = wanted_restrictions(self._restrictions(wanted)) if wanted.is_restricted else None
        made = self._client.make_app_password(
            self._id(name),
            description=wanted.description,
            ready_made=wanted.choice.key,
            restrictions=restrictions,
            format_=wanted.format.value,
        )
        return _shown(made.app_password, made.secret)

    def _restrictions(self, wanted: NewAppPassword) -> Restrictions:
        now = datetime.now(UTC)
        try:
            usual = default_restrictions(policy_of(self._client.get_policy().value), now)
        except NotPermittedError:  # the policy's ceilings hold all the same
            usual = Restrictions()
        return wanted.restrictions(usual, now)

    async def edit(self, credential_id: str, edit: Edit) -> AppPassword:
        """Change one, if nobody else does meanwhile."""
        found = self._client.get_app_password(credential_id)
        restrictions = edit.restrictions(app_password_of(found.value).restrictions)
        changed = self._client.change_app_password(
            credential_id,
            if_match=found.etag,
            description=edit.description,
            restrictions=None if restrictions is None else changed_restrictions(restrictions),
        )
        return app_password_of(changed.value)

    async def sent_today(self, credential_id: str) -> Sent:
        """Give what one has sent today."""
        return sent_of(self._client.get_app_password_sent(credential_id))

    async def rotate(self, credential_id: str, overlap: timedelta) -> Shown:
        """Put a new one in the place of one."""
        done = self._client.rotate_app_password(credential_id, overlap=int(overlap.total_seconds()))
        shown = _shown(done.app_password, done.secret)
        return replace(shown, replaced=app_password_of(done.replaced), closed=closed_of(done))

    async def sessions(self, name: str | None) -> Sessions:
        """List the open mail connections."""
        whose = (
            partial(self._client.list_account_connections, self._id(name)) if name else self._client.list_connections
        )
        pages = [whose(limit=_PAGE)]
        while pages[-1].next is not None:
            pages.append(whose(limit=_PAGE, cursor=pages[-1].next))
        found = tuple(session_of(one) for page in pages for one in page.items)
        is_complete = all(page.is_complete for page in pages)
        return Sessions(found, self._addresses(session.account_id for session in found), is_complete)

    async def close(self, session_id: str) -> bool:
        """Close one; False if there is none."""
        try:
            self._client.close_connection(session_id)
        except NotFoundError:
            return False
        return True

    async def close_all_of(self, credential_id: str) -> int:
        """Close all of an app password; gives how many."""
        return self._client.close_app_password_connections(credential_id).closed

    async def audit(self, name: str | None, *, before: int | None, limit: int) -> AuditLines:
        """List records of the audit log, the newest first."""
        account_id = self._id(name) if name else None
        found = []
        for one in self._client.each_of_audit_records(account_id=account_id, limit=min(limit, _PAGE)):
            if before is None or one.number < before:
                found.append(line_of(one))
            if len(found) == limit:
                break
        return AuditLines(tuple(found), self._addresses(line.account_id for line in found if line.account_id))

    async def verify_audit(self) -> AuditFault | tuple[int, bytes]:
        """Check the chain: the first bad record, or how many there are and the last hash."""
        found = self._client.verify_audit()
        if found.is_whole:
            return found.records or 0, bytes.fromhex(found.last_hash or "")
        return AuditFault(found.bad_record or 0, Sentence(found.what or ""))

    async def recoveries(self) -> tuple[UnderWay, ...]:
        """List the recoveries that are under way."""
        return tuple(
            UnderWay(one.account.address, one.begun_at, one.begun_from, one.opens_at, one.closes_at)
            for one in self._client.each_of_recoveries(limit=_PAGE)
        )

    async def call_off_recovery(self, name: str) -> None:
        """Call off the recovery of an account."""
        self._client.call_off_recovery(self._id(name))

    async def rules(self) -> ShownRules:
        """Give policy and networks as they hold."""
        return rules_of(self._client.get_policy().value, self._client.get_networks().value)

    async def tokens(self, name: str | None, *, live_only: bool) -> tuple[tuple[ApiToken, str], ...]:
        """List API tokens, each with the address of its account; without a name everybody's."""
        if name is None:
            everybodys = self._client.each_of_tokens(live_only=live_only, limit=_PAGE)
            return tuple((token_of(one.token), one.address) for one in everybodys)
        of_one = self._client.each_of_account_tokens(self._id(name), live_only=live_only, limit=_PAGE)
        return tuple((token_of(one), name) for one in of_one)

    async def revoke_token(self, token_id: str) -> ApiToken:
        """Revoke one."""
        return token_of(self._client.revoke_token(token_id))

    async def who(self) -> tuple[str, ApiToken]:
        """Give the address of the account for which the token acts, and the token."""
        me = self._client.get_me()
        return account_of(me.account).address, token_of(me.token)

    def _id(self, name: str) -> str:
        """Find an account by address, alias or id: the token's own, a shared one of its person, or anybody's."""
        if "@" not in name:
            return name
        address = canonical_login_name(name)
        me = self._client.get_me()
        if address == me.account.address:
            return me.account.id
        if "accounts:read" in me.token.actions:
            return self._anybodys(address)
        for shared in self._client.list_shared_accounts().items:
            if shared.account.address == address:
                return shared.account.id
        raise NotFound("There is no such account, or this token may not see it.")

    def _anybodys(self, address: str) -> str:
        found = self._client.list_accounts(search=address, limit=_PAGE).items
        for one in found:
            if one.address == address:
                return one.id
        for one in found[:_ALIASES_LOOKED_AT]:  # the search finds accounts by their aliases as well
            if address in self._client.get_account(one.id).value.aliases:
                return one.id
        raise NotFound("There is no such account.")

    def _addresses(self, account_ids: Iterable[str]) -> dict[str, str]:
        """Give the addresses of accounts by id; the id itself where the token may not see the account."""
        names: dict[str, str] = {}
        for one in sorted(set(account_ids)):
            try:
                names[one] = self._client.get_account(one).value.address
            except (NotFoundError, NotPermittedError):
                names[one] = one
        return names


def _changed(done: models.AppPasswordChanged) -> Changed:
    return Changed(app_password_of(done.app_password), closed_of(done))


def _shown(made: models.AppPassword, secret: str | None) -> Shown:
    if secret is None:
        raise Conflict(_REPLAYED, what=made.id)
    return Shown(app_password_of(made), secret)
