"""What the console calls things: roles, kinds and states of accounts, kinds of audit records, values of the policy."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from valetkey.core.account import AccountKind, AccountState
from valetkey.core.names import KINDS as KIND_NAMES
from valetkey.core.names import ROLES as ROLE_NAMES
from valetkey.core.names import RULES
from valetkey.core.proposal import ProposalKind, ProposalState
from valetkey.core.role import Role
from valetkey.core.sentence import Sentence, counted, say
from valetkey.doors.web.language import Language
from valetkey.service.store_parts import AppPasswordFilter, SecondFactorFilter

ROLES: Mapping[Role, tuple[Sentence, Sentence]] = {
    Role.ADMIN: (ROLE_NAMES["admin"], say("Everything that the console can do")),
    Role.HELPDESK: (
        ROLE_NAMES["helpdesk"],
        say("Sees accounts, revokes, closes connections, invites, disables; changes no policy and no role"),
    ),
    Role.AUDITOR: (ROLE_NAMES["auditor"], say("Sees and exports everything, changes nothing")),
}
KINDS: Mapping[AccountKind, Sentence] = {kind: KIND_NAMES[kind.value] for kind in AccountKind}
STATES: Mapping[AccountState, Sentence] = {
    AccountState.ACTIVE: say("Active"),
    AccountState.DISABLED: say("Disabled"),
}
SECOND_FACTORS: Mapping[SecondFactorFilter, Sentence] = {
    SecondFactorFilter.WITH: say("With a second factor"),
    SecondFactorFilter.WITHOUT: say("Without a second factor"),
}
APP_PASSWORDS: Mapping[AppPasswordFilter, Sentence] = {
    AppPasswordFilter.LIVE: say("All that work"),
    AppPasswordFilter.NEVER_USED: say("Never used"),
    AppPasswordFilter.UNUSED_90_DAYS: say("Unused for 90 days"),
    AppPasswordFilter.NO_EXPIRY: say("Without an end"),
    AppPasswordFilter.BROAD_SCOPE: say("May do everything, or change filters"),
    AppPasswordFilter.REFUSED: say("Refused last time"),
    AppPasswordFilter.REVOKED: say("Revoked"),
    AppPasswordFilter.EXPIRED: say("Expired"),
}
PROPOSALS: Mapping[ProposalKind, Sentence] = {
    ProposalKind.LOWER_POLICY: say("Lower the policy"),
    ProposalKind.RESET_SECOND_FACTORS: say("Take away somebody’s second factors"),
    ProposalKind.REINVITE: say("Invite somebody again who is set up already"),
    ProposalKind.EXPORT_EVERYTHING: say("Export everything"),
}
DECISIONS: Mapping[ProposalState, tuple[str, Sentence]] = {
    ProposalState.OPEN: ("warn", say("Waits for a second administrator")),
    ProposalState.COUNTERSIGNED: ("good", say("Countersigned")),
    ProposalState.DECLINED: ("past", say("Declined")),
    ProposalState.WITHDRAWN: ("past", say("Withdrawn")),
    ProposalState.LAPSED: ("past", say("Lapsed")),
}
POLICY: Mapping[str, tuple[Sentence, Sentence]] = {
    "max_app_passwords": (RULES["max_app_passwords"], say("How many of an account may work at once.")),
    "default_lifetime": (
        RULES["default_lifetime"],
        say("What is offered first when an app password is made. Empty: no end."),
    ),
    "max_lifetime": (
        RULES["max_lifetime"],
        say("Holds for those that exist already, too. Empty: no limit."),
    ),
    "default_idle_for": (
        RULES["default_idle_for"],
        say("What is offered first: after so long unused, an app password stops. Empty: never."),
    ),
    "max_idle_for": (
        RULES["max_idle_for"],
        say("Holds for those that exist already, too. Empty: no limit."),
    ),
    "main_password_opens_mail": (
        RULES["main_password_opens_mail"],
        say("Only until a person has a second factor. Meant for the time of moving to app passwords."),
    ),
    "require_tls": (RULES["require_tls"], say("Logins over connections without TLS are refused.")),
    "strict_hash": (
        RULES["strict_hash"],
        say("New app passwords are kept under Argon2id as well. Logins cost more."),
    ),
    "min_password_length": (RULES["min_password_length"], say("Holds for the next change.")),
    "recovery_wait": (
        RULES["recovery_wait"],
        say("Between both proofs and the end of lost second factors; its owner is told all the while."),
    ),
    "password_with_code": (
        RULES["password_with_code"],
        say(
            "For programs that can take no app password. Only through mail servers that ask by RADIUS, PAM or "
            "saslauthd: the code is typed right behind the password."
        ),
    ),
    "password_with_code_for": (
        RULES["password_with_code_for"],
        say("So long the same text passes again, from the same network."),
    ),
}
_DAYS = frozenset({"default_lifetime", "max_lifetime", "default_idle_for", "max_idle_for"})
_HOURS = frozenset({"recovery_wait", "password_with_code_for"})


class ConsoleWords:
    """The names of this module in one language; templates of the console know it as `named`."""

    APP_PASSWORDS = APP_PASSWORDS
    DECISIONS = DECISIONS
    KINDS = KINDS
    POLICY = POLICY
    PROPOSALS = PROPOSALS
    ROLES = ROLES
    SECOND_FACTORS = SECOND_FACTORS
    STATES = STATES

    def __init__(self, language: Language) -> None:
        self._language = language

    def role(self, role: Role | None) -> Sentence:
        """Name a role, or that there is none."""
        return ROLES[role][0] if role else say("No role")

    def policy_value(self, name: str, value: Any) -> str:
        """Say a value of the policy; durations as they are, or in seconds as records hold them."""
        return self._language.shown(_value(name, value))


def _value(name: str, value: Any) -> Sentence | int | str:
    if value is None:
        return say("No limit") if name.startswith("max") else say("None")
    if isinstance(value, bool):
        return say("Yes") if value else say("No")
    if name in _DAYS:
        return counted("{number} day", "{number} days", _whole(value, timedelta(days=1)))
    if name in _HOURS:
        return counted("{number} hour", "{number} hours", _whole(value, timedelta(hours=1)))
    return value if isinstance(value, int) else str(value)


def _whole(value: Any, unit: timedelta) -> int:
    lasting = value if isinstance(value, timedelta) else timedelta(seconds=value)
    return max(1, lasting // unit)
