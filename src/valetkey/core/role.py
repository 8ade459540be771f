"""Roles of the console, the actions that each permits, and the actions that an API token may be given."""

from enum import StrEnum


class Role(StrEnum):
    """What somebody is in the console. Most people are nothing there."""

    ADMIN = "admin"  # everything
    HELPDESK = "helpdesk"  # helps people: sees, revokes, invites; changes no policy and no role
    AUDITOR = "auditor"  # sees and exports, changes nothing


class Action(StrEnum):
    """One thing that a role or an API token may permit. What is not listed is not permitted."""

    OWN_READ = "own:read"  # one's own account and the shared ones that one owns
    OWN_MAKE = "own:make"  # make, change and rotate app passwords of these
    OWN_REVOKE = "own:revoke"  # revoke app passwords and close connections of these

    SEE_ACCOUNTS = "accounts:read"
    CREATE_ACCOUNTS = "accounts:create"
    INVITE = "accounts:invite"
    DISABLE_ACCOUNTS = "accounts:disable"  # and enable them again
    CHANGE_ACCOUNTS = "accounts:change"  # aliases, owners, rights
    SET_ROLES = "roles:set"
    SEE_APP_PASSWORDS = "app-passwords:read"
    REVOKE_APP_PASSWORDS = "app-passwords:revoke"
    SEE_CONNECTIONS = "connections:read"
    CLOSE_CONNECTIONS = "connections:close"
    SEE_LOGINS = "logins:read"
    SEE_POLICY = "policy:read"  # and the named networks
    CHANGE_POLICY = "policy:change"
    SEE_AUDIT = "audit:read"  # and verify its chain
    EXPORT_AUDIT = "audit:export"
    SEE_TOKENS = "tokens:read"
    REVOKE_TOKENS = "tokens:revoke"
    SEE_SERVERS = "servers:read"
    RESET_SECOND_FACTORS = "second-factors:reset"  # propose it; somebody else countersigns
    COUNTERSIGN = "proposals:countersign"


OWN_ACTIONS = frozenset({Action.OWN_READ, Action.OWN_MAKE, Action.OWN_REVOKE})
CONSOLE_ACTIONS = frozenset(Action) - OWN_ACTIONS
SEEING = frozenset(action for action in Action if action.value.endswith(":read"))  # change nothing
# What needs a person who has just proven identity is never done by a token.
TOKEN_ACTIONS = frozenset(Action) - {Action.COUNTERSIGN, Action.SET_ROLES}

PERMITS: dict[Role, frozenset[Action]] = {
    Role.ADMIN: CONSOLE_ACTIONS,
    Role.HELPDESK: frozenset(
        {
            Action.SEE_ACCOUNTS,
            Action.INVITE,
            Action.DISABLE_ACCOUNTS,
            Action.SEE_APP_PASSWORDS,
            Action.REVOKE_APP_PASSWORDS,
            Action.SEE_CONNECTIONS,
            Action.CLOSE_CONNECTIONS,
            Action.SEE_LOGINS,
            Action.SEE_POLICY,
            Action.SEE_SERVERS,
            Action.RESET_SECOND_FACTORS,
        }
    ),
    Role.AUDITOR: frozenset(
        {
            Action.SEE_ACCOUNTS,
            Action.SEE_APP_PASSWORDS,
            Action.SEE_CONNECTIONS,
            Action.SEE_LOGINS,
            Action.SEE_POLICY,
            Action.SEE_AUDIT,
            Action.EXPORT_AUDIT,
            Action.SEE_TOKENS,
            Action.SEE_SERVERS,
        }
    ),
}


def permits(role: Role | None, action: Action) -> bool:
    """Tell whether a role permits a console action. No role permits nothing."""
    return role is not None and action in PERMITS[role]
