"""What an API token may do, in people's words and in groups."""

from collections.abc import Iterable
from dataclasses import dataclass

from valetkey.core.role import TOKEN_ACTIONS, Action
from valetkey.core.sentence import Sentence, say


@dataclass(frozen=True, slots=True)
class ActionGroup:
    """Actions that belong together, each as (action, what it is called, what that means)."""

    title: Sentence
    actions: tuple[tuple[Action, Sentence, Sentence], ...]


GROUPS = (
    ActionGroup(
        say("This account"),
        (
            (
                Action.OWN_READ,
                say("See the account"),
                say("Its app passwords, connections, sign-ins, history and notice address; no secrets"),
            ),
            (
                Action.OWN_MAKE,
                say("Make app passwords"),
                say("Also change and rotate them. Whoever has the token can open the mail with a new one."),
            ),
            (Action.OWN_REVOKE, say("Revoke app passwords"), say("Also close connections")),
        ),
    ),
    ActionGroup(
        say("Everybody’s accounts"),
        (
            (Action.SEE_ACCOUNTS, say("See accounts"), say("Addresses, owners, who has a second factor")),
            (Action.CREATE_ACCOUNTS, say("Create accounts"), say("For people, and shared ones")),
            (Action.INVITE, say("Invite people"), say("By a one-time link")),
            (Action.CHANGE_ACCOUNTS, say("Change accounts"), say("Aliases, owners, rights")),
            (Action.DISABLE_ACCOUNTS, say("Disable accounts"), say("And enable them again")),
            (
                Action.RESET_SECOND_FACTORS,
                say("Ask for second factors to be reset"),
                say("An administrator countersigns in person"),
            ),
        ),
    ),
    ActionGroup(
        say("Everybody’s use of mail"),
        (
            (Action.SEE_APP_PASSWORDS, say("See all app passwords"), say("No secrets")),
            (Action.REVOKE_APP_PASSWORDS, say("Revoke any app password"), say("Its connections are closed")),
            (Action.SEE_CONNECTIONS, say("See all connections"), say("Who is connected, from where, with what")),
            (Action.CLOSE_CONNECTIONS, say("Close any connection"), say("The program may log in again")),
            (Action.SEE_LOGINS, say("See logins"), say("How many passed or were refused, and why")),
        ),
    ),
    ActionGroup(
        say("The installation"),
        (
            (Action.SEE_POLICY, say("See the policy"), say("And the named networks and open proposals")),
            (Action.CHANGE_POLICY, say("Change the policy"), say("Lowering it takes two administrators")),
            (Action.SEE_AUDIT, say("See the audit log"), say("And verify its chain")),
            (Action.EXPORT_AUDIT, say("Export the audit log"), say("Each export is recorded")),
            (Action.SEE_TOKENS, say("See all API tokens"), say("No secrets")),
            (Action.REVOKE_TOKENS, say("Revoke any API token"), say("Its owner is told")),
            (Action.SEE_SERVERS, say("See the mail servers"), say("And how they stand")),
        ),
    ),
)
_LABELS = {action: label for group in GROUPS for action, label, _ in group.actions}


def groups_for(given: frozenset[Action]) -> tuple[ActionGroup, ...]:
    """Give the groups with only these actions in them, without empty groups."""
    left = (
        ActionGroup(group.title, tuple(one for one in group.actions if one[0] in given & TOKEN_ACTIONS))
        for group in GROUPS
    )
    return tuple(group for group in left if group.actions)


def labels(actions: Iterable[Action]) -> tuple[Sentence, ...]:
    """Say what a token may do, one label for each action, always in the same order."""
    held = set(actions)
    return tuple(label for action, label in _LABELS.items() if action in held)
