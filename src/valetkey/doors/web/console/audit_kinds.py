"""The kinds of audit records in a few groups, for a filter."""

from collections.abc import Mapping
from dataclasses import dataclass

from valetkey.core import event as e
from valetkey.core.sentence import Sentence, say


@dataclass(frozen=True, slots=True)
class Group:
    """Kinds of records that one asks for together."""

    name: Sentence
    kinds: tuple[str, ...]


def _group(name: Sentence, *events: type) -> Group:
    return Group(name, tuple(event.__name__ for event in events))


GROUPS: Mapping[str, Group] = {
    "sign-in": _group(
        say("Signing in and out"),
        e.SignedIn, e.SignInRefused, e.SignedOut, e.CodeEntryDisabled, e.RecoveryCodeUsed, e.PasskeyRefused,
    ),
    "factors": _group(
        say("Main passwords and second factors"),
        e.MainPasswordSet, e.SecondFactorAdded, e.SecondFactorRenamed, e.SecondFactorRemoved, e.SecondFactorReset,
        e.RecoveryCodesDrawn,
        e.NoticeAddressSet, e.NoticeAddressRemoved, e.RecoveryBegun, e.RecoveryCancelled, e.RecoveryDone,
    ),
    "app-passwords": _group(
        say("App passwords and connections"),
        e.AppPasswordIssued, e.AppPasswordChanged, e.AppPasswordRevoked, e.AppPasswordLapsed, e.AppPasswordPinned,
        e.AppPasswordRotated, e.ConnectionClosed,
    ),
    "accounts": _group(
        say("Accounts and roles"),
        e.AccountCreated, e.AccountDisabled, e.AccountEnabled, e.RightsSet, e.AliasAdded, e.AliasRemoved, e.OwnerAdded,
        e.OwnerRemoved, e.RoleSet, e.Invited, e.InvitationUsed, e.UpstreamPasswordSet, e.UpstreamPasswordRemoved,
    ),
    "site": _group(
        say("Policy, proposals, tokens, exports"),
        e.PolicyChanged, e.NetworksChanged, e.ProposalMade, e.ProposalDecided, e.ApiTokenMade, e.ApiTokenRevoked,
        e.KeysRotated, e.Exported,
    ),
}  # fmt: skip
