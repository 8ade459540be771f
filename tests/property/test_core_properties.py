"""What holds for every value: decisions, scopes, addresses, names and secrets."""

import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_network

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from valetkey.core.account import Account, AccountKind, AccountState, canonical_login_name
from valetkey.core.app_password import AppPassword, LastUse, Secret, SecretFormat, draw, read
from valetkey.core.errors import InvalidInput
from valetkey.core.login import Allowed, Conditions, LoginAttempt, Proven, Reason, Refused, decide
from valetkey.core.network import NamedNetworks, canonical_address, contains, parse_network, throttle_network
from valetkey.core.policy import Policy, is_lower
from valetkey.core.restriction import NetworkRule, Restrictions, is_within
from valetkey.core.scope import ALL_PERMISSIONS, MailProtocol, Permission, PermissionMode, Scope

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NAMED = NamedNetworks({"office": (ip_network("203.0.113.0/24"), ip_network("2001:db8:1::/48"))})

ENTRIES = ("office", "vanished", "203.0.113.0/24", "203.0.113.128/25", "203.0.113.9/32", "198.51.100.0/24",
           "2001:db8::/32", "2001:db8:1::/56")  # fmt: skip
ADDRESSES = st.sampled_from(
    ("203.0.113.9", "203.0.113.200", "198.51.100.1", "192.0.2.1", "2001:db8:1::1", "2001:db8:2::1", "2001:dba::1")
).map(canonical_address)
times = st.timedeltas(timedelta(days=-20), timedelta(days=20)).map(lambda by: NOW + by)
permissions = st.frozensets(st.sampled_from(Permission))
protocols = st.frozensets(st.sampled_from(MailProtocol))
scopes = st.builds(Scope, st.sampled_from(PermissionMode), permissions, protocols)
restrictions = st.builds(
    Restrictions,
    st.none() | times,
    st.none() | st.timedeltas(timedelta(0), timedelta(days=30)),
    st.sampled_from(NetworkRule),
    st.lists(st.sampled_from(ENTRIES), max_size=3, unique=True).map(tuple),
    st.none() | ADDRESSES.map(throttle_network),
)
accounts = st.builds(
    Account,
    id=st.just("ac_1"),
    address=st.just("alice@example.org"),
    kind=st.sampled_from(AccountKind),
    state=st.sampled_from(AccountState),
    rights=permissions,
    has_second_factor=st.booleans(),
    created_at=times,
    changed=st.integers(0, 9),
)
credentials = st.builds(
    AppPassword,
    id=st.just("ap_1"),
    account_id=st.just("ac_1"),
    description=st.just("Phone"),
    format=st.sampled_from(SecretFormat),
    scope=scopes,
    restrictions=restrictions,
    created_at=times,
    created_by=st.just("ac_1"),
    created_from=st.just(""),
    lapsed_at=st.none() | times,
    revoked_at=st.none() | times,
    last_use=st.none() | times.map(lambda at: LastUse(at, "", MailProtocol.IMAP, "")),
)
attempts = st.builds(
    LoginAttempt,
    name=st.text(max_size=9),
    secret=st.text(max_size=9),
    protocol=st.sampled_from(MailProtocol),
    address=st.none() | ADDRESSES,
    tls=st.booleans(),
    door=st.sampled_from(["gateway", "radius", "saslauthd", "http"]),
)
ceilings = st.none() | st.timedeltas(timedelta(microseconds=1), timedelta(days=30))
policies = st.builds(
    Policy,
    main_password_opens_mail=st.booleans(),
    password_with_code=st.booleans(),
    require_tls=st.booleans(),
    max_lifetime=ceilings,
    max_idle_for=ceilings,
)
conditions = st.builds(Conditions, policies, st.just(NAMED), times)


@given(attempts, st.none() | st.builds(Proven, accounts, st.none() | credentials, st.booleans()), conditions)
def test_decide_is_total_and_keeps_what_may_not_be_told(attempt, proven, given_now):
    verdict = decide(attempt, proven, given_now)
    if isinstance(verdict, Allowed):
        assert proven is not None
        assert proven.account.state is AccountState.ACTIVE
        assert verdict.grant.permissions <= proven.account.rights
        assert verdict.grant.permissions
        assert verdict.grant.protocol is attempt.protocol
    else:
        assert isinstance(verdict, Refused)
        silent = {Reason.WRONG_SECRET, Reason.ACCOUNT_DISABLED, Reason.REVOKED, Reason.KIND_NOT_ALLOWED}
        assert verdict.proven is (verdict.reason not in silent)


# From few values, so that one is often just within the other.
days = st.integers(-2, 2).map(lambda by: NOW + timedelta(days=by))
near_restrictions = st.builds(
    Restrictions,
    st.none() | days,
    st.none() | st.integers(1, 3).map(lambda by: timedelta(days=by)),
    st.sampled_from(NetworkRule),
    st.lists(st.sampled_from(ENTRIES[2:5]), max_size=2, unique=True).map(tuple),
)
near_scopes = st.builds(
    Scope,
    st.sampled_from(PermissionMode),
    st.frozensets(st.sampled_from((Permission.READ, Permission.SEND))),
    st.frozensets(st.sampled_from((MailProtocol.IMAP, MailProtocol.SMTP)), min_size=1),
)
old_ones = st.builds(
    lambda one, scope, limits, made: replace(
        one, scope=scope, restrictions=limits, created_at=made, last_use=None, lapsed_at=None, revoked_at=None
    ),
    credentials,
    near_scopes,
    near_restrictions,
    days,
)
moments = st.builds(Conditions, policies, st.just(NAMED), days)


@settings(max_examples=150)
@given(attempts, accounts, old_ones, moments, st.tuples(near_scopes, near_restrictions))
def test_what_counts_as_narrower_never_allows_more(attempt, account, old, given_now, changed):
    scope, limits = changed
    account, attempt = replace(account, state=AccountState.ACTIVE), replace(attempt, tls=True)
    assume(scope.is_within(old.scope) and is_within(limits, old.restrictions, NAMED))
    new = replace(old, scope=scope, restrictions=limits)
    before = decide(attempt, Proven(account, old), given_now)
    after = decide(attempt, Proven(account, new), given_now)
    if isinstance(after, Allowed):
        assert isinstance(before, Allowed)
        assert after.grant.permissions <= before.grant.permissions


@given(attempts, accounts, credentials, conditions, st.data())
def test_adding_one_restriction_or_taking_one_permission_never_allows_more(attempt, account, old, given_now, data):
    narrower = data.draw(st.sampled_from(_narrowed(account, old)))
    before = decide(attempt, Proven(account, old), given_now)
    after = decide(attempt, Proven(*narrower), given_now)
    if isinstance(after, Allowed):
        assert isinstance(before, Allowed)
        assert after.grant.permissions <= before.grant.permissions


def _narrowed(account: Account, old: AppPassword) -> list[tuple[Account, AppPassword]]:
    scope, limits = old.scope, old.restrictions
    scopes_less = [replace(scope, protocols=scope.protocols - {protocol}) for protocol in MailProtocol]
    if scope.mode is PermissionMode.RESTRICT:
        scopes_less += [replace(scope, permissions=scope.permissions | {each}) for each in Permission]
    if scope.mode is PermissionMode.REPLACE:
        scopes_less += [replace(scope, permissions=scope.permissions - {each}) for each in Permission]
    return [
        *((replace(account, rights=account.rights - {each}), old) for each in Permission),
        *((account, replace(old, scope=less)) for less in scopes_less),
        (replace(account, state=AccountState.DISABLED), old),
        (account, replace(old, revoked_at=NOW)),
        (account, replace(old, lapsed_at=NOW)),
        (account, replace(old, restrictions=replace(limits, expires_at=NOW - timedelta(days=30)))),
        (account, replace(old, restrictions=replace(limits, network_rule=NetworkRule.ALLOWED, allowed_ips=()))),
    ]


@given(attempts, accounts, st.none() | credentials, st.tuples(policies, policies), times)
def test_a_policy_that_is_not_lower_never_allows_more(attempt, account, credential, change, now):
    old, new = change
    assume(not is_lower(old, new))
    before = decide(attempt, Proven(account, credential), Conditions(old, NAMED, now))
    after = decide(attempt, Proven(account, credential), Conditions(new, NAMED, now))
    if isinstance(after, Allowed):
        assert isinstance(before, Allowed)
        assert after.grant.permissions == before.grant.permissions
        assert before.grant.expires_at is None or after.grant.expires_at is not None
        if after.grant.expires_at and before.grant.expires_at:
            assert after.grant.expires_at <= before.grant.expires_at


@given(attempts, accounts, credentials, policies, times)
def test_ceilings_hold_for_what_exists(attempt, account, credential, policy, now):
    given_now = Conditions(policy, NAMED, now)
    verdict = decide(attempt, Proven(account, credential), given_now)
    if isinstance(verdict, Allowed):
        last = credential.last_use.at if credential.last_use else credential.created_at
        if policy.max_lifetime is not None:
            assert now < credential.created_at + policy.max_lifetime
            assert verdict.grant.expires_at is not None
            assert verdict.grant.expires_at <= credential.created_at + policy.max_lifetime
        assert policy.max_idle_for is None or now - last <= policy.max_idle_for
        assert credential.restrictions.idle_for is None or now - last <= credential.restrictions.idle_for
    # What is in use is not idle, and everything else holds for it as before.
    over_live = decide(attempt, Proven(account, credential), replace(given_now, in_use=True))
    assert over_live == verdict or (isinstance(verdict, Refused) and verdict.reason is Reason.IDLE)


@given(scopes, permissions, permissions)
def test_effective_permissions_stay_within_the_rights_and_follow_them(scope, rights, fewer):
    assert scope.effective(rights) <= rights
    assert scope.effective(rights & fewer) <= scope.effective(rights)


@given(scopes, scopes, permissions)
def test_a_scope_within_another_gives_no_more_under_any_rights(inner, outer, rights):
    assume(inner.is_within(outer))
    assert inner.effective(rights) <= outer.effective(rights)
    assert inner.protocols <= outer.protocols


@given(st.sampled_from(PermissionMode), protocols)
def test_absent_means_deny(mode, listed):
    nothing = Scope(PermissionMode.REPLACE, frozenset(), listed)
    assert nothing.effective(ALL_PERMISSIONS) == frozenset()
    assert Scope(mode, frozenset(Permission), listed).effective(frozenset()) == frozenset()


def _forms(address: IPv4Address | IPv6Address) -> list[str]:
    if isinstance(address, IPv4Address):
        mapped = IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)
        return [
            str(address),
            f"::ffff:{address}",
            str(mapped),
            mapped.exploded,
            mapped.exploded.upper(),
            f" {address} ",
        ]
    return [str(address), address.exploded, address.exploded.upper(), str(address).upper()]


@given(st.ip_addresses(), st.integers(1, 32))
def test_every_writing_of_an_address_is_one_address_to_every_rule(address, prefix):
    assume(not (isinstance(address, IPv6Address) and (address.ipv4_mapped or address.scope_id)))
    around = ip_network((address, prefix), strict=False)
    for text in _forms(address):
        read_back = canonical_address(text)
        assert read_back == address
        assert contains((around,), read_back)
        assert throttle_network(read_back) == throttle_network(address)


@given(st.ip_addresses(v=4), credentials, accounts, conditions)
def test_a_mapped_address_decides_as_the_address_that_it_is(address, credential, account, given_now):
    mapped = IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)
    plain, other = (LoginAttempt("a", "b", MailProtocol.IMAP, each, True, "gateway") for each in (address, mapped))
    assert plain == other
    assert decide(plain, Proven(account, credential), given_now) == decide(
        other, Proven(account, credential), given_now
    )


@given(st.ip_addresses(v=4), st.integers(1, 32))
def test_every_writing_of_a_network_is_one_network(address, prefix):
    network = IPv4Network((address, prefix), strict=False)
    mapped = f"::ffff:{network.network_address}/{96 + prefix}"
    assert parse_network(mapped) == parse_network(str(network)) == network
    assert parse_network(str(parse_network(mapped))) == network


@given(st.text(max_size=400) | st.text(alphabet=st.characters(), max_size=30).map(lambda local: f"{local}@example.org"))
def test_a_name_has_one_form_or_is_no_name(typed):
    try:
        once = canonical_login_name(typed, "example.org")
    except InvalidInput:
        return
    assert canonical_login_name(once) == once
    assert canonical_login_name(f" {once}\n", "other.example") == once
    assert all(character.isprintable() and character != " " for character in once)


@given(
    st.from_regex(r"[a-zàéîöü]{1,20}(\.[a-z0-9]{1,9})?", fullmatch=True),
    st.sampled_from(["example.org", "bücher.example"]),
)
def test_case_and_composition_of_a_name_do_not_matter(local, domain):
    canonical = canonical_login_name(f"{local}@{domain}")
    for form in ("NFC", "NFD"):
        typed = unicodedata.normalize(form, f"{local}@{domain}")
        assert canonical_login_name(typed) == canonical
        assert canonical_login_name(typed.upper()) == canonical


separators = st.text(
    alphabet=" -_\t\u00a0\u00ad\u2002\u2009\u200b\u2010\u2011\u2012\u2013\u2014\u2015\u202f\u2060\u2212\u3000\ufe58\ufe63\uff0d\ufeff",
    max_size=3,
)


@given(st.text("abcdefghijklmnopqrstuvwxyz", min_size=24, max_size=24), st.data())
def test_a_secret_is_read_however_it_is_typed(letters, data):
    secret = Secret("vkey" + letters, SecretFormat.DEFAULT)
    typed = data.draw(separators)
    for letter in secret.shown:
        typed += (letter.upper() if data.draw(st.booleans()) else letter) + data.draw(separators)
    assume(len(typed) <= 256)
    assert read(typed) == secret
    assert read(secret.shown) == secret


@given(st.randoms(use_true_random=False), st.sampled_from(SecretFormat))
def test_what_is_drawn_is_read_and_another_letter_is_another_secret(chance, form):
    secret = draw(form, chance.choice)
    assert read(secret.shown) == secret
    assert read(f"\n {secret.shown} \t") == secret
    place = chance.randrange(len(secret.text))
    other = secret.text[:place] + chance.choice("abcdefgh") + secret.text[place + 1 :]
    assert read(other) is None or (read(other) == secret) is (other == secret.text)


@given(st.text(max_size=300))
def test_any_other_text_is_no_secret(typed):
    found = read(typed)
    if found is not None:
        bare = "".join(c for c in typed.casefold() if "a" <= c <= "z")
        assert bare == found.text if found.format is SecretFormat.DEFAULT else typed.strip() == found.text
