"""The sentence that each audit event is shown as."""

from typing import assert_never

from valetkey.core import event as e
from valetkey.core.event import Event
from valetkey.core.names import EXPORTS, KINDS, ROLES, RULES, named
from valetkey.core.scope import DOES
from valetkey.core.sentence import Sentence, counted, say

_CHANGED = {
    "description": say("its name"),
    "scope": say("what it may do"),
    "restrictions": say("from where and until when"),
    "limits": say("its limits"),
}
_DOES = {right.value: does for right, does in DOES.items()}
_FACTORS = {
    "an authenticator code": say("an authenticator code"),
    "a recovery code": say("a recovery code"),
    "the main password alone": say("the main password alone"),
    "main password and passkey": say("main password and passkey"),
    "a passkey": say("a passkey"),
}
_REFUSALS = {
    "wrong": say("wrong code"),
    "wrong code": say("wrong code"),
    "wrong code for mail": say("wrong code, for mail"),
    "paused": say("too many wrong codes"),
    "disabled": say("code entry is disabled"),
}
_PROPOSALS = {
    "lower-policy": say("lower the policy"),
    "reset-second-factors": say("take second factors away"),
    "reinvite": say("invite again"),
    "export-everything": say("export everything"),
}
_DECISIONS = {
    "countersigned": say("countersigned"),
    "declined": say("declined"),
    "withdrawn": say("withdrawn"),
    "lapsed": say("lapsed"),
}


def describe(event: Event) -> Sentence:
    """Say an event in one sentence."""
    match event:
        case (
            e.AccountCreated() | e.AccountDisabled() | e.AccountEnabled() | e.RightsSet() | e.AliasAdded()
            | e.AliasRemoved() | e.OwnerAdded() | e.OwnerRemoved() | e.MainPasswordSet() | e.UpstreamPasswordSet()
            | e.UpstreamPasswordRemoved() | e.RoleSet() | e.Invited() | e.InvitationUsed()
        ):  # fmt: skip
            return _of_account(event)
        case (
            e.SecondFactorAdded() | e.SecondFactorRemoved() | e.SecondFactorReset() | e.CodeEntryDisabled()
            | e.RecoveryCodesDrawn() | e.RecoveryCodeUsed() | e.SignedIn() | e.SignInRefused() | e.SignedOut()
            | e.NoticeAddressSet() | e.NoticeAddressRemoved() | e.RecoveryBegun() | e.RecoveryCancelled()
            | e.RecoveryDone() | e.PasskeyRefused() | e.SecondFactorRenamed()
        ):  # fmt: skip
            return _of_sign_in(event)
        case (
            e.AppPasswordIssued() | e.AppPasswordChanged() | e.AppPasswordRevoked() | e.AppPasswordLapsed()
            | e.AppPasswordPinned() | e.AppPasswordRotated() | e.ConnectionClosed()
        ):  # fmt: skip
            return _of_app_password(event)
        case (
            e.KeysRotated() | e.ApiTokenMade() | e.ApiTokenRevoked() | e.ProposalMade() | e.ProposalDecided()
            | e.PolicyChanged() | e.NetworksChanged() | e.Exported()
        ):  # fmt: skip
            return _of_site(event)
        case _:
            assert_never(event)


def _of_account(  # noqa: C901, PLR0912  (one flat case per event)
    event: e.AccountCreated | e.AccountDisabled | e.AccountEnabled | e.RightsSet | e.AliasAdded | e.AliasRemoved
    | e.OwnerAdded | e.OwnerRemoved | e.MainPasswordSet | e.UpstreamPasswordSet | e.UpstreamPasswordRemoved | e.RoleSet
    | e.Invited | e.InvitationUsed,
) -> Sentence:  # fmt: skip
    match event:
        case e.AccountCreated(address=address, kind=kind):
            return say("Account {address} created ({kind})", address=address, kind=named(KINDS, kind))
        case e.AccountDisabled():
            return say("Account disabled")
        case e.AccountEnabled():
            return say("Account enabled")
        case e.RightsSet(rights=rights):
            does = tuple(named(_DOES, right) for right in rights)
            return say("Rights set to {rights}", rights=does) if rights else say("Rights set to none")
        case e.AliasAdded(address=address):
            return say("Alias {address} added", address=address)
        case e.AliasRemoved(address=address):
            return say("Alias {address} removed", address=address)
        case e.OwnerAdded(owner=owner):
            return say("Owner {owner} added", owner=owner)
        case e.OwnerRemoved(owner=owner):
            return say("Owner {owner} removed", owner=owner)
        case e.MainPasswordSet():
            return say("Main password set")
        case e.UpstreamPasswordSet():
            return say("Upstream password stored")
        case e.UpstreamPasswordRemoved():
            return say("Upstream password removed")
        case e.RoleSet(role=role):
            if not role:
                return say("Role in the console taken away")
            return say("Role in the console set to {role}", role=named(ROLES, role))
        case e.Invited():
            return say("Invited by a one-time link")
        case e.InvitationUsed():
            return say("Invitation used")
        case _:
            assert_never(event)


def _of_sign_in(  # noqa: C901, PLR0912  (one flat case per event)
    event: e.SecondFactorAdded | e.SecondFactorRemoved | e.SecondFactorReset | e.CodeEntryDisabled | e.RecoveryCodesDrawn
    | e.RecoveryCodeUsed | e.SignedIn | e.SignInRefused | e.SignedOut | e.NoticeAddressSet | e.NoticeAddressRemoved
    | e.RecoveryBegun | e.RecoveryCancelled | e.RecoveryDone | e.PasskeyRefused | e.SecondFactorRenamed,
) -> Sentence:  # fmt: skip
    match event:
        case e.SecondFactorAdded(name=name, factor="passkey"):
            return say("Passkey “{name}” added", name=name)
        case e.SecondFactorAdded(name=name):
            return say("Authenticator “{name}” added", name=name)
        case e.SecondFactorRemoved(name=name, factor="passkey"):
            return say("Passkey “{name}” removed", name=name)
        case e.SecondFactorRemoved(name=name):
            return say("Authenticator “{name}” removed", name=name)
        case e.SecondFactorRenamed(before=before, name=name, factor="passkey"):
            return say("Passkey “{before}” is now called “{name}”", before=before, name=name)
        case e.SecondFactorRenamed(before=before, name=name):
            return say("Authenticator “{before}” is now called “{name}”", before=before, name=name)
        case e.SecondFactorReset():
            return say("Second factors reset by an administrator")
        case e.CodeEntryDisabled():
            return say("Code entry disabled after too many wrong codes")
        case e.PasskeyRefused(name=name, address=address):
            return say(
                "Passkey “{name}” refused from {address}: its counter went back, so there may be a copy of it",
                name=name,
                address=address,
            )
        case e.RecoveryCodesDrawn(count=count):
            return counted("{number} recovery code made", "{number} recovery codes made", count)
        case e.RecoveryCodeUsed(left=left):
            return say("Recovery code used, {left} left", left=left)
        case e.SignedIn(factor=factor, address=address):
            return say("Signed in with {factor} from {address}", factor=_FACTORS.get(factor, factor), address=address)
        case e.SignInRefused(reason=reason, address=address):
            return say(
                "Sign-in from {address} refused: {reason}", reason=_REFUSALS.get(reason, reason), address=address
            )
        case e.SignedOut(sessions=sessions):
            return counted("Signed out of {number} session", "Signed out of {number} sessions", sessions)
        case e.NoticeAddressSet(address=address):
            return say("Notices also go to {address}", address=address)
        case e.NoticeAddressRemoved(address=address):
            return say("Notices no longer go to {address}", address=address)
        case e.RecoveryBegun(address=address):
            return say("Recovery of the second factor begun from {address}", address=address)
        case e.RecoveryCancelled():
            return say("Recovery of the second factor called off")
        case e.RecoveryDone():
            return say("Second factors taken away by recovery")
        case _:
            assert_never(event)


def _of_app_password(
    event: e.AppPasswordIssued | e.AppPasswordChanged | e.AppPasswordRevoked | e.AppPasswordLapsed | e.AppPasswordPinned
    | e.AppPasswordRotated | e.ConnectionClosed,
) -> Sentence:  # fmt: skip
    match event:
        case e.AppPasswordIssued(description=description):
            return say("App password “{description}” made", description=description)
        case e.AppPasswordChanged(description=description, fields=fields):
            what = tuple(_CHANGED.get(field, field) for field in fields)
            if description:
                return say("App password “{description}” changed: {what}", description=description, what=what)
            return say("App password changed: {what}", what=what)
        case e.AppPasswordRevoked(description=description, reason=reason):
            if reason:
                return say(
                    "App password “{description}” revoked ({reason})", description=description, reason=Sentence(reason)
                )
            return say("App password “{description}” revoked", description=description)
        case e.AppPasswordLapsed(description=description):
            return say("App password “{description}” expired", description=description)
        case e.AppPasswordPinned(network=network):
            return say("App password bound to {network}", network=network)
        case e.AppPasswordRotated(description=description):
            return say("App password “{description}” rotated", description=description)
        case e.ConnectionClosed(protocol=protocol, address=address):
            return say("Connection closed: {protocol} from {address}", protocol=protocol, address=address)
        case _:
            assert_never(event)


def _of_site(
    event: e.KeysRotated | e.ApiTokenMade | e.ApiTokenRevoked | e.ProposalMade | e.ProposalDecided | e.PolicyChanged
    | e.NetworksChanged | e.Exported,
) -> Sentence:  # fmt: skip
    match event:
        case e.KeysRotated(key_number=number):
            return say("Key {number} made", number=str(number))
        case e.ApiTokenMade(name=name):
            return say("API token “{name}” made", name=name)
        case e.ApiTokenRevoked(name=name):
            return say("API token “{name}” revoked", name=name)
        case e.ProposalMade(kind=kind):
            return say("Proposed to {what}", what=_PROPOSALS.get(kind, kind))
        case e.ProposalDecided(kind=kind, state=state):
            return say(
                "Proposal to {what}: {state}", what=_PROPOSALS.get(kind, kind), state=_DECISIONS.get(state, state)
            )
        case e.PolicyChanged(after=after):
            return say("Policy changed: {fields}", fields=tuple(named(RULES, rule) for rule in sorted(after)))
        case e.NetworksChanged(before=before, after=after):
            return say("Named networks changed: {names}", names=tuple(sorted(before.keys() | after.keys())))
        case e.Exported(what=what, records=records):
            return counted(
                "Exported: {what}, {number} record",
                "Exported: {what}, {number} records",
                records,
                what=named(EXPORTS, what),
            )
        case _:
            assert_never(event)
