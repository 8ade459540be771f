"""Every console verb with the action that it needs, called on somebody else's account."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from tests.verbs.site import HOME, OPERATOR, House, Person

from valetkey.core.account import Account
from valetkey.core.api_token import ApiToken
from valetkey.core.errors import NotAllowed, NotFound, Refused
from valetkey.core.network import NamedNetworks
from valetkey.core.policy import Policy
from valetkey.core.proposal import LASTS, Proposal, ProposalKind
from valetkey.core.role import Action, Role
from valetkey.core.scope import MailProtocol, Permission
from valetkey.service import (
    accounts,
    api_tokens,
    app_passwords,
    calling_off,
    console,
    exporting,
    history,
    invitations,
    live,
    notice_addresses,
    policy,
    portal_sessions,
    proposals,
    servers,
    sign_in_history,
    upstream_passwords,
)
from valetkey.service.ports import Actor, ActorKind, LiveSession, Writer
from valetkey.service.store_parts import AuditFilter, Recovery, RecoveryState


@dataclass
class Stage:
    """A house with somebody to act on, and people of every role."""

    house: House
    alice: Person
    new: Account  # without main password and factor
    shared: Account
    by_role: dict[Role | None, Person] = field(default_factory=dict)
    count: int = 0
    held: int = 0  # app passwords of alice, since all were revoked

    @property
    def ports(self) -> Any:
        return self.house.ports

    async def credential(self) -> str:
        """Make a fresh app password of somebody else, with an open connection."""
        self.count += 1
        issued = await self.house.issue(self.alice, f"No. {self.count}")
        opened = LiveSession(
            f"s{self.count}",
            self.alice.account.id,
            issued.app_password.id,
            MailProtocol.IMAP,
            HOME,
            "",
            self.house.clock.now(),
            "1",
        )
        self.house.live.sessions = [opened]
        self.held += 1
        if self.held == 40:  # an account may have only so many
            self.held = 0
            await app_passwords.revoke_all(self.ports, OPERATOR, self.alice.account.id)
            return await self.credential()
        return issued.app_password.id

    async def connection(self) -> str:
        await self.credential()
        return self.house.live.sessions[0].id

    async def token(self) -> str:
        """Make a fresh API token of somebody else."""
        self.count += 1
        made = a_token(self.alice.account.id, f"at_x{self.count}", frozenset({Action.OWN_READ}), self.house)
        await keep_token(self.house, made)
        return made.id

    async def proposal(self) -> str:
        """Keep a fresh proposal of an administrator who is not on the stage otherwise."""
        self.count += 1
        at = self.house.clock.now()
        wanted = Proposal(
            f"pr_x{self.count}", ProposalKind.EXPORT_EVERYTHING, None, {}, "x", "ac_other", at, at + LASTS
        )
        await self.house.store.write(lambda writer: writer.add_proposal(replace(wanted, proposed_by=self.proposer)))
        return wanted.id

    async def recovering(self) -> str:
        """Have a recovery of somebody else under way."""
        at = self.house.clock.now()
        wanted = Recovery(
            self.ports.entropy.new_id("rc"), self.alice.account.id, RecoveryState.WAITING, at, HOME, at, at, at
        )

        def work(writer: Writer) -> None:
            if writer.open_recovery(wanted.account_id) is None:
                writer.add_recovery(wanted)

        await self.house.store.write(work)
        return wanted.account_id

    proposer: str = ""

    def unique(self) -> str:
        self.count += 1
        return f"x{self.count}@example.org"


def a_token(account_id: str, token_id: str, actions: frozenset[Action], house: House) -> ApiToken:
    at = house.clock.now()
    return ApiToken(token_id, account_id, "Machine", actions, (), at, account_id, HOME, at + timedelta(days=9))


async def keep_token(house: House, token: ApiToken) -> None:
    """Keep a token with whatever actions, past the checks of the verb that makes tokens."""
    index = token.id.encode().ljust(32, b".")

    def work(writer: Writer) -> None:
        writer.add_api_token(token, 1, index)

    await house.store.write(work)


async def a_stage(house: House) -> Stage:
    alice = await house.person()
    new = await accounts.create(house.ports, OPERATOR, "new@example.org")
    stage = Stage(house, alice, new, await house.shared())
    for role in (None, *Role):
        stage.by_role[role] = await house.person(f"{role or 'nobody'}@example.org", role=role)
    stage.proposer = (await house.person("proposer@example.org", role=Role.ADMIN)).account.id
    return stage


def by_token(account: Account, token: ApiToken) -> Actor:
    return Actor(ActorKind.TOKEN, account.id, HOME, token_id=token.id)


async def permitted(asked: Awaitable[object]) -> bool:
    """Tell whether a verb got past the question who may; what it says after that is no matter."""
    try:
        answer = await asked
    except (NotAllowed, NotFound):
        return False
    except Refused:
        return True
    return answer is not False


Verb = Callable[[Stage, Actor], Awaitable[object]]


def _on_alice(verb: Any, *more: Any) -> Verb:
    return lambda stage, actor: verb(stage.ports, actor, stage.alice.account.id, *more)


def _plain(verb: Any, *more: Any) -> Verb:
    return lambda stage, actor: verb(stage.ports, actor, *more)


def _with(make: Callable[[Stage], Awaitable[str]], verb: Any, *more: Any, is_list: bool = False) -> Verb:
    async def call(stage: Stage, actor: Actor) -> object:
        made = await make(stage)
        return await verb(stage.ports, actor, [made] if is_list else made, *more)

    return call


async def _create(stage: Stage, actor: Actor) -> object:
    return await accounts.create(stage.ports, actor, stage.unique())


async def _create_with_role(stage: Stage, actor: Actor) -> object:
    return await accounts.create(stage.ports, actor, stage.unique(), role=Role.AUDITOR)


async def _since(verb: Any, stage: Stage, actor: Actor) -> object:
    return await verb(stage.ports, actor, stage.house.clock.now())


async def _networks(stage: Stage, actor: Actor) -> object:
    return await policy.save_networks(stage.ports, actor, NamedNetworks({}))


def _owner(verb: Any) -> Verb:
    return lambda stage, actor: verb(stage.ports, actor, stage.shared.id, stage.alice.account.id)


async def _detail(stage: Stage, actor: Actor) -> object:
    since = stage.house.clock.now().date()
    return await history.of_app_password(stage.ports, actor, await stage.credential(), since=since)


READ_ONLY = frozenset({Permission.READ})

# module.verb → the action that it needs, and how it is called.
VERBS: dict[str, tuple[Action, Verb]] = {
    "accounts.create": (Action.CREATE_ACCOUNTS, _create),
    "accounts.create with a role": (Action.SET_ROLES, _create_with_role),
    "accounts.find": (Action.SEE_ACCOUNTS, _on_alice(accounts.find)),
    "accounts.details": (Action.SEE_ACCOUNTS, _on_alice(accounts.details)),
    "accounts.listed": (Action.SEE_ACCOUNTS, _plain(accounts.listed)),
    "accounts.disable": (Action.DISABLE_ACCOUNTS, _on_alice(accounts.disable)),
    "accounts.enable": (Action.DISABLE_ACCOUNTS, _on_alice(accounts.enable)),
    "accounts.add_alias": (Action.CHANGE_ACCOUNTS, _on_alice(accounts.add_alias, "alias@example.org")),
    "accounts.remove_alias": (Action.CHANGE_ACCOUNTS, _on_alice(accounts.remove_alias, "alias@example.org")),
    "accounts.add_owner": (Action.CHANGE_ACCOUNTS, _owner(accounts.add_owner)),
    "accounts.remove_owner": (Action.CHANGE_ACCOUNTS, _owner(accounts.remove_owner)),
    "accounts.set_rights": (Action.CHANGE_ACCOUNTS, _on_alice(accounts.set_rights, frozenset(Permission))),
    "accounts.set_role": (Action.SET_ROLES, _on_alice(accounts.set_role, None)),
    "calling_off.cancel": (Action.DISABLE_ACCOUNTS, _with(Stage.recovering, calling_off.cancel)),
    "calling_off.of_account": (Action.SEE_ACCOUNTS, _on_alice(calling_off.of_account)),
    "calling_off.under_way": (Action.SEE_ACCOUNTS, _plain(calling_off.under_way)),
    "invitations.invite": (Action.INVITE, lambda s, a: invitations.invite(s.ports, a, s.new.id)),
    "app_passwords.of_account": (Action.SEE_APP_PASSWORDS, _on_alice(app_passwords.of_account)),
    "app_passwords.get": (Action.SEE_APP_PASSWORDS, _with(Stage.credential, app_passwords.get)),
    "app_passwords.sent_today": (Action.SEE_APP_PASSWORDS, _with(Stage.credential, app_passwords.sent_today)),
    "app_passwords.revoke": (Action.REVOKE_APP_PASSWORDS, _with(Stage.credential, app_passwords.revoke)),
    "app_passwords.revoke_all": (Action.REVOKE_APP_PASSWORDS, _on_alice(app_passwords.revoke_all)),
    "history.of_app_password": (Action.SEE_LOGINS, _detail),
    "history.overview": (Action.SEE_APP_PASSWORDS, _on_alice(history.overview)),
    "console.app_passwords": (Action.SEE_APP_PASSWORDS, _plain(console.app_passwords)),
    "console.app_password_counts": (Action.SEE_APP_PASSWORDS, _plain(console.app_password_counts)),
    "console.what_would_be_revoked": (
        Action.REVOKE_APP_PASSWORDS,
        _with(Stage.credential, console.what_would_be_revoked, is_list=True),
    ),
    "console.revoke_many": (
        Action.REVOKE_APP_PASSWORDS,
        _with(Stage.credential, console.revoke_many, is_list=True),
    ),
    "console.domains": (Action.SEE_ACCOUNTS, _plain(console.domains)),
    "console.adoption": (Action.SEE_ACCOUNTS, _plain(console.adoption)),
    "console.logins": (Action.SEE_LOGINS, lambda s, a: _since(console.logins, s, a)),
    "console.audit": (Action.SEE_AUDIT, _plain(console.audit, AuditFilter())),
    "console.audit_record": (Action.SEE_AUDIT, _plain(console.audit_record, 1)),
    "console.verify_audit": (Action.SEE_AUDIT, _plain(console.verify_audit)),
    "exporting.export_audit": (Action.EXPORT_AUDIT, _plain(exporting.export_audit, AuditFilter())),
    "live.of_account": (Action.SEE_CONNECTIONS, _plain(live.of_account, None)),
    "live.survey": (Action.SEE_CONNECTIONS, _on_alice(live.survey)),
    "live.close": (Action.CLOSE_CONNECTIONS, _with(Stage.connection, live.close)),
    "live.close_all_of": (Action.CLOSE_CONNECTIONS, _with(Stage.credential, live.close_all_of)),
    "policy.show": (Action.SEE_POLICY, _plain(policy.show)),
    "policy.preview": (Action.SEE_POLICY, _plain(policy.preview, Policy(max_app_passwords=49))),
    "policy.preview_networks": (Action.SEE_POLICY, _plain(policy.preview_networks, NamedNetworks({}))),
    "policy.save": (Action.CHANGE_POLICY, _plain(policy.save, Policy(max_app_passwords=49))),
    "policy.save_networks": (Action.CHANGE_POLICY, _networks),
    "proposals.listed": (Action.SEE_POLICY, _plain(proposals.listed)),
    "proposals.find": (Action.SEE_POLICY, _with(Stage.proposal, proposals.find)),
    "proposals.propose_reset": (Action.RESET_SECOND_FACTORS, _on_alice(proposals.propose_reset, "Lost")),
    "proposals.propose_reinvite": (Action.INVITE, _on_alice(proposals.propose_reinvite, "Lost")),
    "proposals.propose_export": (Action.EXPORT_AUDIT, _plain(proposals.propose_export, "Move")),
    "proposals.countersign": (Action.COUNTERSIGN, _with(Stage.proposal, proposals.countersign)),
    "proposals.decline": (Action.COUNTERSIGN, _with(Stage.proposal, proposals.decline)),
    "api_tokens.of_account": (Action.SEE_TOKENS, _on_alice(api_tokens.of_account)),
    "api_tokens.all_of": (Action.SEE_TOKENS, _plain(api_tokens.all_of)),
    "api_tokens.find": (Action.SEE_TOKENS, _with(Stage.token, api_tokens.find)),
    "api_tokens.revoke": (Action.REVOKE_TOKENS, _with(Stage.token, api_tokens.revoke)),
    "servers.connected": (Action.SEE_SERVERS, _plain(servers.connected)),
    "servers.asking": (Action.SEE_SERVERS, _plain(servers.asking)),
}

# Verbs that read what is one's own; a token opens them with the action to read, and no other.
READING: dict[str, Verb] = {
    "history.shared_accounts": _plain(history.shared_accounts),
    "live.of_own": _plain(live.of_own),
    "notice_addresses.show": _plain(notice_addresses.show),
    "portal_sessions.sessions": _plain(portal_sessions.sessions),
    "sign_in_history.history": _plain(sign_in_history.history),
}

# Verbs of these modules that no role opens on what is another's.
NO_ROLE = {
    "accounts.set_main_password",
    "upstream_passwords.set_upstream_password",
    "app_passwords.issue",
    "app_passwords.change",
    "api_tokens.make",
    "exporting.export_everything",  # one's own proposal
    "proposals.withdraw",  # the same
    "history.of_account",  # the audit log besides: tested with the history
    "history.by_main_password",
    "calling_off.call_off",
    "console.overview",  # each part as far as the role permits
    "policy.reset",  # the command line
    "notice_addresses.ask_for",  # one's own, in person
    "notice_addresses.confirm",
    "notice_addresses.pending",
    "notice_addresses.remove",
    "portal_sessions.sign_out_all",
    "portal_sessions.sign_out_one",
    "portal_sessions.sign_out_others",
}

MODULES = (
    accounts,
    api_tokens,
    app_passwords,
    calling_off,
    console,
    exporting,
    history,
    invitations,
    live,
    notice_addresses,
    policy,
    portal_sessions,
    proposals,
    servers,
    sign_in_history,
    upstream_passwords,
)
