"""The gates of `decide`, one by one, and the order in which they answer."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import pytest

from valetkey.core.account import Account, AccountKind, AccountState
from valetkey.core.app_password import AppPassword, LastUse, SecretFormat
from valetkey.core.limits import EVERYTHING_HELD
from valetkey.core.login import Allowed, Conditions, LoginAttempt, Proven, Reason, Refused, decide
from valetkey.core.network import NamedNetworks
from valetkey.core.policy import Policy
from valetkey.core.restriction import NetworkRule, Restrictions
from valetkey.core.scope import ALL_PERMISSIONS, ALL_PROTOCOLS, MailProtocol, Permission, PermissionMode, Scope

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ACCOUNT = Account(
    "ac_1", "alice@example.org", AccountKind.PERSON, AccountState.ACTIVE, ALL_PERMISSIONS, True, NOW, changed=7
)
CREDENTIAL = AppPassword(
    id="ap_1",
    account_id="ac_1",
    description="Phone",
    format=SecretFormat.DEFAULT,
    scope=Scope(PermissionMode.INHERIT, frozenset(), ALL_PROTOCOLS),
    restrictions=Restrictions(),
    created_at=NOW - timedelta(days=10),
    created_by="ac_1",
    created_from="",
)
ATTEMPT = LoginAttempt(
    "alice", "…", MailProtocol.IMAP, ip_address("192.0.2.1"), tls=True, door="gateway", holds=EVERYTHING_HELD
)
GIVEN = Conditions(Policy(), NamedNetworks({"office": (ip_network("192.0.2.0/24"),)}), NOW)


def answer(attempt=ATTEMPT, account=ACCOUNT, credential=CREDENTIAL, given=GIVEN):
    return decide(attempt, Proven(account, credential), given)


def restricted(**facts) -> AppPassword:
    return replace(CREDENTIAL, restrictions=Restrictions(**facts))


def test_the_grant_says_what_holds():
    verdict = answer()
    assert isinstance(verdict, Allowed)
    assert verdict.grant.account_id == "ac_1"
    assert verdict.grant.address == "alice@example.org"
    assert verdict.grant.credential_id == "ap_1"
    assert verdict.grant.permissions == ALL_PERMISSIONS
    assert verdict.grant.changed == 7


def test_nobodys_secret_is_wrong_and_nothing_is_told():
    assert decide(ATTEMPT, None, GIVEN) == Refused(Reason.WRONG_SECRET, proven=False, credential_id=None)


# In the order of the gates: each case has every later fault as well, and the first one answers.
FAULTS = (
    (Reason.ACCOUNT_DISABLED, "account", {"state": AccountState.DISABLED}),
    (Reason.REVOKED, "credential", {"revoked_at": NOW}),
    (Reason.EXPIRED, "restrictions", {"expires_at": NOW}),
    (Reason.IDLE, "restrictions", {"idle_for": timedelta(days=9)}),
    (Reason.NETWORK, "restrictions", {"network_rule": NetworkRule.ALLOWED, "allowed_ips": ("198.51.100.0/24",)}),
    (Reason.PROTOCOL, "scope", {"protocols": frozenset({MailProtocol.SMTP})}),
    (Reason.PERMISSION, "account", {"rights": frozenset({Permission.SEND})}),
    (Reason.TLS_NEEDED, "attempt", {"tls": False}),
)


@pytest.mark.parametrize("first", range(len(FAULTS)))
def test_the_gates_answer_in_their_order(first: int):
    parts = {
        "attempt": ATTEMPT,
        "account": ACCOUNT,
        "credential": CREDENTIAL,
        "scope": CREDENTIAL.scope,
        "restrictions": CREDENTIAL.restrictions,
    }
    for _, part, change in FAULTS[first:]:
        parts[part] = replace(parts[part], **change)
    credential = replace(parts["credential"], scope=parts["scope"], restrictions=parts["restrictions"])
    verdict = answer(parts["attempt"], parts["account"], credential)
    told = FAULTS[first][0] not in {Reason.ACCOUNT_DISABLED, Reason.REVOKED}
    assert verdict == Refused(FAULTS[first][0], proven=told, credential_id="ap_1")


def test_expiry_is_the_moment_itself():
    assert isinstance(answer(credential=restricted(expires_at=NOW + timedelta(microseconds=1))), Allowed)
    assert answer(credential=restricted(expires_at=NOW)).reason is Reason.EXPIRED
    assert answer(credential=replace(CREDENTIAL, lapsed_at=NOW + timedelta(days=9))).reason is Reason.EXPIRED


def test_idle_counts_from_the_last_use_or_from_the_beginning():
    unused = restricted(idle_for=timedelta(days=10))
    assert isinstance(answer(credential=unused), Allowed)
    assert answer(credential=restricted(idle_for=timedelta(days=10, microseconds=-1))).reason is Reason.IDLE
    used = replace(
        restricted(idle_for=timedelta(days=2)), last_use=LastUse(NOW - timedelta(days=1), "", MailProtocol.IMAP, "")
    )
    assert isinstance(answer(credential=used), Allowed)


@pytest.mark.parametrize("rule", [NetworkRule.ALLOWED, NetworkRule.PINNED])
def test_an_unknown_address_fails_every_network_rule(rule: NetworkRule):
    unknown = replace(ATTEMPT, address=None)
    assert answer(unknown, credential=restricted(network_rule=rule, allowed_ips=("office",))).reason is Reason.NETWORK
    assert isinstance(answer(unknown), Allowed)


def test_named_networks_mean_what_they_mean_now():
    office = restricted(network_rule=NetworkRule.ALLOWED, allowed_ips=("office",))
    assert isinstance(answer(credential=office), Allowed)
    moved = replace(GIVEN, networks=NamedNetworks({"office": (ip_network("198.51.100.0/24"),)}))
    assert answer(credential=office, given=moved).reason is Reason.NETWORK
    gone = replace(GIVEN, networks=NamedNetworks({}))
    assert answer(credential=office, given=gone).reason is Reason.NETWORK


def test_a_pinned_one_passes_anywhere_once_and_then_only_there():
    assert isinstance(answer(credential=restricted(network_rule=NetworkRule.PINNED)), Allowed)
    here = restricted(network_rule=NetworkRule.PINNED, pinned_network=ip_network("192.0.2.0/24"))
    assert isinstance(answer(credential=here), Allowed)
    there = restricted(network_rule=NetworkRule.PINNED, pinned_network=ip_network("198.51.100.0/24"))
    assert answer(credential=there).reason is Reason.NETWORK


@pytest.mark.parametrize(
    ("has_second_factor", "by_policy", "passes"), [(False, True, True), (True, True, False), (False, False, False)]
)
def test_the_main_password_passes_only_by_policy_and_without_a_second_factor(has_second_factor, by_policy, passes):
    account = replace(ACCOUNT, has_second_factor=has_second_factor)
    verdict = answer(
        account=account, credential=None, given=replace(GIVEN, policy=Policy(main_password_opens_mail=by_policy))
    )
    assert isinstance(verdict, Allowed) is passes
    assert passes or verdict == Refused(Reason.KIND_NOT_ALLOWED)


PERMITTED = replace(GIVEN, policy=Policy(password_with_code=True))


@pytest.mark.parametrize("door", ["radius", "saslauthd"])
def test_the_main_password_with_a_code_passes_by_policy_at_its_doors(door):
    attempt = replace(ATTEMPT, door=door)
    verdict = decide(attempt, Proven(ACCOUNT, None, with_code=True), PERMITTED)
    assert isinstance(verdict, Allowed)
    assert verdict.grant.with_code
    refused = Refused(Reason.KIND_NOT_ALLOWED)
    assert decide(attempt, Proven(ACCOUNT, None, with_code=True), GIVEN) == refused
    assert decide(attempt, Proven(ACCOUNT, None), PERMITTED) == refused
    for change in ({"has_second_factor": False}, {"kind": AccountKind.SHARED}):
        assert decide(attempt, Proven(replace(ACCOUNT, **change), None, with_code=True), PERMITTED) == refused
    off = decide(attempt, Proven(replace(ACCOUNT, state=AccountState.DISABLED), None, with_code=True), PERMITTED)
    assert off == Refused(Reason.ACCOUNT_DISABLED)
    assert decide(replace(attempt, tls=False), Proven(ACCOUNT, None, with_code=True), PERMITTED) == Refused(
        Reason.TLS_NEEDED, proven=True
    )


@pytest.mark.parametrize("door", ["gateway", "http", "sasl", "policy", "ldap", "authdaemon", "socketmap", "", "RADIUS"])
def test_the_main_password_with_a_code_passes_at_no_other_door(door):
    everything = replace(GIVEN, policy=Policy(password_with_code=True, main_password_opens_mail=True))
    verdict = decide(replace(ATTEMPT, door=door), Proven(ACCOUNT, None, with_code=True), everything)
    assert verdict == Refused(Reason.KIND_NOT_ALLOWED)


def test_without_tls_only_where_policy_says_so():
    plain = replace(ATTEMPT, tls=False)
    assert answer(plain).reason is Reason.TLS_NEEDED
    assert isinstance(answer(plain, given=replace(GIVEN, policy=Policy(require_tls=False))), Allowed)


def test_absent_means_deny():
    nothing = replace(CREDENTIAL, scope=Scope(PermissionMode.REPLACE, frozenset(), ALL_PROTOCOLS))
    assert answer(credential=nothing).reason is Reason.PERMISSION
    nowhere = replace(CREDENTIAL, scope=Scope(PermissionMode.INHERIT, frozenset(), frozenset()))
    assert answer(credential=nowhere).reason is Reason.PROTOCOL


def test_no_secret_in_a_repr():
    assert "hunter2" not in repr(replace(ATTEMPT, secret="hunter2"))
