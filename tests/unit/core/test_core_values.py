"""Names, networks, secrets, scopes, passwords, codes: the values that decisions are made of."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import pytest

from valetkey.core import event as events
from valetkey.core.account import canonical_login_name, canonical_or_nobodys
from valetkey.core.app_password import (
    Secret,
    SecretFormat,
    check_description,
    draw,
    index_of,
    looks_like_app_password,
    read,
    tag_of,
)
from valetkey.core.errors import InvalidInput, PolicyForbids
from valetkey.core.event_sentences import describe as say_event
from valetkey.core.main_password import canonical_password, check_new_password
from valetkey.core.network import NamedNetworks, canonical_address, parse_network, throttle_network
from valetkey.core.policy import Policy
from valetkey.core.restriction import NetworkRule, Restrictions, check_restrictions, default_restrictions, is_within
from valetkey.core.scope import (
    ALL_PERMISSIONS,
    ALL_PROTOCOLS,
    READY_MADE,
    MailProtocol,
    Permission,
    PermissionMode,
    Scope,
    check_scope,
    describe,
    may_open,
    ready_made,
)
from valetkey.core.second_factor import (
    CodeEntry,
    TotpLimits,
    accepted_step,
    canonical_code,
    code_at,
    code_entry,
    draw_recovery_code,
    provisioning_uri,
    recovery_code_hash,
    seed_text,
    step_of,
)
from valetkey.core.sentence import say
from valetkey.core.throttle import ThrottleCounts, ThrottleLimits, is_throttled, minutes_left, secret_key, window_of

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SEED = b"12345678901234567890"  # RFC 6238 appendix B
NAMED = NamedNetworks({"office": (ip_network("203.0.113.0/24"),)})


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
        ("alice@example.org", "alice@example.org"),
        ("  ALICE@EXAMPLE.ORG ", "alice@example.org"),
        ("alice", "alice@default.example"),
        ("ａｌｉｃｅ@example.org", "alice@example.org"),  # full width (RFC 8265 3.3 rule 1)
        ("Bücher@BÜCHER.example", "bücher@xn--bcher-kva.example"),
        ("Bu\u0308cher@bücher.example", "bücher@xn--bcher-kva.example"),
        ("alice@example.org.", "alice@example.org"),
    ],
)
def test_names_have_one_form(typed: str, canonical: str):
    assert canonical_login_name(typed, "default.example") == canonical


@pytest.mark.parametrize(
    "typed",
    ["", "@", "@example.org", "alice@", "a@b@c", "a b@example.org", "a\0@example.org", "a\r\n@example.org", "x" * 321,
     "x" * 65 + "@example.org", "alice@exa mple.org", "alice@-.org", "\udcff@example.org", "a@\udcff.org", "∞@example.org"],
)  # fmt: skip
def test_what_is_no_name_is_refused(typed: str):
    with pytest.raises(InvalidInput):
        canonical_login_name(typed, "default.example")


def test_a_bare_name_needs_a_default_domain():
    with pytest.raises(InvalidInput):
        canonical_login_name("alice")


@pytest.mark.parametrize("text", ["::ffff:192.0.2.1", "192.0.2.1", "::FFFF:c000:201", " 192.0.2.1 "])
def test_a_mapped_address_is_the_ipv4_address(text: str):
    assert canonical_address(text) == ip_address("192.0.2.1")


@pytest.mark.parametrize("text", ["", "192.0.2", "192.0.2.01", "0x7f.1", "fe80::1%eth0", "1.2.3.4/32", "localhost"])
def test_what_is_no_address_is_refused(text: str):
    with pytest.raises(InvalidInput):
        canonical_address(text)


@pytest.mark.parametrize("text", ["0.0.0.0/0", "::/0", "192.0.2.1/24", "office", "fe80::%eth0/64", "::ffff:0:0/96", ""])
def test_what_is_no_network_is_refused(text: str):
    with pytest.raises(InvalidInput):
        parse_network(text)


def test_what_is_nearly_a_network_is_told_what_it_could_be() -> None:
    with pytest.raises(InvalidInput, match=r"the address is 10\.0\.0\.1, the network around it 10\.0\.0\.0/8"):
        parse_network("10.0.0.1/8")
    named = NamedNetworks({"office": (parse_network("192.0.2.0/24"),)})
    with pytest.raises(InvalidInput, match=r"named networks are: office\."):
        named.check_entries(("ofice",))


def test_networks_have_one_form():
    assert str(parse_network("::ffff:192.0.2.0/120")) == "192.0.2.0/24"
    assert str(parse_network("192.0.2.7")) == "192.0.2.7/32"
    assert str(throttle_network(ip_address("192.0.2.77"))) == "192.0.2.0/24"
    assert str(throttle_network(ip_address("2001:db8:1:2ff::1"))) == "2001:db8:1:200::/56"


def test_a_stored_list_that_names_nothing_contains_nobody():
    assert NAMED.resolve(("vanished", "deadbeef")) == ()
    assert NAMED.check_entries(("office", "192.0.2.1")) == ("office", "192.0.2.1/32")


@pytest.mark.parametrize("form", list(SecretFormat))
def test_a_secret_is_shown_so_that_it_can_be_read(form: SecretFormat):
    secret = draw(form, lambda symbols: symbols[-1])
    assert read(secret.shown) == secret
    assert len(secret.shown) == (20 if form is SecretFormat.DEVICE else 34)


def test_a_secret_cannot_be_printed_by_accident():
    secret = Secret("vkey" + "q" * 24, SecretFormat.DEFAULT)
    assert "qqq" not in f"{secret} {secret!r} {[secret]}"


@pytest.mark.parametrize(
    "typed",
    ["", "vkey", "vkey" + "a" * 23, "vkey" + "a" * 25, "vkey" + "ä" * 24, "vkex" + "a" * 24, "vkey" + "1" * 24,
     "A" * 19, "A" * 21, "A" * 19 + "0", "A" * 10 + "-" + "A" * 10, "vkey" + "a" * 24 + "." , "x" * 257,
     "-" * 300 + "vkey" + "a" * 24],
)  # fmt: skip
def test_other_text_is_no_secret(typed: str):
    assert read(typed) is None


def test_only_the_default_format_is_known_by_its_look():
    assert looks_like_app_password(" VKEY-abcd-efgh-ijkl-mnop-qrst-uvwx")
    assert not looks_like_app_password("A" * 20)


def test_index_and_tag_depend_on_everything_that_they_bind():
    one, other = Secret("a" * 28, SecretFormat.DEFAULT), Secret("b" * 28, SecretFormat.DEFAULT)
    assert len({index_of(key, secret) for key in (b"k" * 32, b"l" * 32) for secret in (one, other)}) == 4
    tags = {
        tag_of(key, account, credential, secret)
        for key in (b"k" * 32, b"l" * 32)
        for account in ("ac_1", "ac_2")
        for credential in ("ap_1", "ap_2")
        for secret in (one, other)
    }
    assert len(tags) == 16
    assert tag_of(b"k", "a", "bc", one) != tag_of(b"k", "ab", "c", one)


@pytest.mark.parametrize("text", ["", "  \t ", "x" * 101, "a\0b", "a\u202eb", "a\x1b[2Jb", "a\ud800"])
def test_a_description_can_be_shown(text: str):
    with pytest.raises(InvalidInput):
        check_description(text)
    assert check_description("  My\n  phone ") == "My phone"


@pytest.mark.parametrize(
    ("mode", "listed", "effective"),
    [
        (PermissionMode.INHERIT, {Permission.SEND}, {Permission.READ, Permission.SEND}),
        (PermissionMode.RESTRICT, {Permission.SEND}, {Permission.READ}),
        (PermissionMode.REPLACE, {Permission.SEND, Permission.FILTERS}, {Permission.SEND}),
    ],
)
def test_a_scope_never_exceeds_the_account(mode, listed, effective):
    scope = Scope(mode, frozenset(listed), ALL_PROTOCOLS)
    assert scope.effective(frozenset({Permission.READ, Permission.SEND})) == effective


def test_each_ready_made_choice_can_do_something_in_each_of_its_protocols():
    for choice in READY_MADE:
        assert ready_made(choice.key) is choice
        granted = choice.scope.effective(ALL_PERMISSIONS)
        assert all(may_open(protocol, granted) for protocol in choice.scope.protocols)
        can, cannot = describe(choice.scope, ALL_PERMISSIONS)
        assert len(can) + len(cannot) == len(Permission)
    assert ready_made("nothing") is None
    assert describe(READY_MADE[2].scope, ALL_PERMISSIONS)[0] == (say("send mail"),)


def test_filters_are_off_unless_asked_for():
    with_filters = {
        choice.key for choice in READY_MADE if Permission.FILTERS in choice.scope.effective(ALL_PERMISSIONS)
    }
    assert with_filters == {"filters", "everything"}


@pytest.mark.parametrize(
    "scope",
    [
        Scope(PermissionMode.INHERIT, frozenset(), frozenset()),
        Scope(PermissionMode.REPLACE, frozenset(), ALL_PROTOCOLS),
        Scope(PermissionMode.REPLACE, frozenset({Permission.SEND}), frozenset({MailProtocol.IMAP})),
    ],
)
def test_a_scope_that_could_do_nothing_is_refused(scope: Scope):
    with pytest.raises(InvalidInput):
        check_scope(scope, ALL_PERMISSIONS)


def test_restrictions_are_held_against_the_policy():
    policy = Policy(max_lifetime=timedelta(days=30), max_idle_for=timedelta(days=9))

    def check(**facts):
        wanted = Restrictions(**{"expires_at": NOW + timedelta(days=3), "idle_for": timedelta(days=3), **facts})
        return check_restrictions(wanted, policy, NAMED, created_at=NOW, now=NOW)

    assert check().expires_at == NOW + timedelta(days=3)
    for change in (
        {"expires_at": None},
        {"expires_at": NOW + timedelta(days=31)},
        {"idle_for": None},
        {"idle_for": timedelta(days=10)},
    ):
        with pytest.raises(PolicyForbids):
            check(**change)
    for change in ({"expires_at": NOW}, {"idle_for": timedelta(0)}, {"network_rule": NetworkRule.ALLOWED}):
        with pytest.raises(InvalidInput):
            check(**change)
    assert check(network_rule=NetworkRule.ANYWHERE, allowed_ips=("office",)).allowed_ips == ()
    assert default_restrictions(policy, NOW) == Restrictions(NOW + timedelta(days=30), timedelta(days=9))
    assert default_restrictions(Policy(), NOW) == Restrictions()


DAY = timedelta(days=1)
ALLOWED, PINNED = NetworkRule.ALLOWED, NetworkRule.PINNED
HERE, THERE = ip_network("192.0.2.0/24"), ip_network("198.51.100.0/24")


@pytest.mark.parametrize(
    ("new", "old", "within"),
    [
        ({}, {}, True),
        ({"expires_at": NOW}, {}, True),
        ({}, {"expires_at": NOW}, False),
        ({"expires_at": NOW}, {"expires_at": NOW}, True),
        ({"expires_at": NOW - DAY}, {"expires_at": NOW}, True),
        ({"expires_at": NOW + DAY}, {"expires_at": NOW}, False),
        ({"idle_for": DAY}, {"idle_for": 2 * DAY}, True),
        ({"idle_for": 2 * DAY}, {"idle_for": DAY}, False),
        ({}, {"idle_for": DAY}, False),
        ({"network_rule": PINNED}, {}, True),
        ({}, {"network_rule": PINNED}, False),
        ({"network_rule": PINNED, "pinned_network": HERE}, {"network_rule": PINNED}, True),
        ({"network_rule": PINNED}, {"network_rule": PINNED, "pinned_network": HERE}, False),
        ({"network_rule": PINNED, "pinned_network": THERE}, {"network_rule": PINNED, "pinned_network": HERE}, False),
        ({"network_rule": PINNED}, {"network_rule": ALLOWED, "allowed_ips": ("office",)}, False),
        ({"network_rule": ALLOWED, "allowed_ips": ("office",)}, {"network_rule": PINNED}, False),
    ],
)
def test_only_what_is_surely_narrower_counts_as_narrower(new: dict, old: dict, within: bool):
    assert is_within(Restrictions(**new), Restrictions(**old), NAMED) is within


def test_a_name_that_nobody_can_have_goes_on_as_nobodys():
    assert canonical_or_nobodys("Alice@Example.ORG") == "alice@example.org"
    assert canonical_or_nobodys("alice", "example.org") == "alice@example.org"
    assert [canonical_or_nobodys(name) for name in ("", "alice", "a b@example.org", "a@" + "x" * 400)] == [""] * 4


@pytest.mark.parametrize(
    ("new", "old", "within"),
    [
        (("office",), ("office", "192.0.2.0/24"), True),
        (("office",), ("203.0.113.0/24",), False),  # what a name means may grow later
        (("203.0.113.7/32",), ("office",), True),
        (("192.0.2.0/25",), ("192.0.2.0/24",), True),
        (("192.0.2.0/24",), ("192.0.2.0/25",), False),
        (("192.0.2.0/24", "198.51.100.0/24"), ("192.0.2.0/24",), False),
        (("2001:db8::/32",), ("192.0.2.0/24",), False),
        (("2001:db8:1::/48",), ("192.0.2.0/24", "2001:db8::/32"), True),
    ],
)
def test_a_list_of_networks_is_narrower_if_each_is_within_one(new: tuple, old: tuple, within: bool):
    both = [Restrictions(network_rule=ALLOWED, allowed_ips=entries) for entries in (new, old)]
    assert is_within(*both, NAMED) is within


@pytest.mark.parametrize(
    "password",
    ["short", "password1234", "Password2026!!", "aaaaaaaaaaaa", "alice@example.org", "alicealicealice", "123456789012",
     "abcdefghijklm", "qwertyuiopas", "098765432109", "correct horse battery staple", "x" * 1025, "\ud800" * 12,
     "vkey-abcd-efgh-ijkl-mnop-qrst-uvwx", "administrator"],
)  # fmt: skip
def test_easy_main_passwords_are_refused(password: str):
    with pytest.raises(InvalidInput):
        check_new_password(password, address="alice@example.org", min_length=12)


@pytest.mark.parametrize(
    "password",
    [
        "otter lamp bicycle",
        "пароль-на-все-случаи",
        "🦦🚲💡🌍🎈🎻🧀🪁🪀🎹🥁🎺",
        "x1" * 500 + "yz?!q",
        " otter lamp bicycle ",
    ],
)
def test_long_main_passwords_of_any_kind_are_taken(password: str):
    assert check_new_password(password, address="alice@example.org", min_length=12) == password


def test_passwords_are_the_same_however_letters_are_composed():
    assert canonical_password("Bu\u0308cherwurm") == "Bücherwurm"
    assert canonical_password("Ｆull") == "Ｆull"  # NFC, not NFKC: what was typed counts


@pytest.mark.parametrize(
    ("seconds", "code"), [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")]
)
def test_totp_codes_are_those_of_rfc_6238(seconds: int, code: str):
    assert code_at(SEED, step_of(datetime.fromtimestamp(seconds, UTC))) == code


@pytest.mark.parametrize(
    ("typed", "canonical"), [("123456", "123456"), (" 123 456 ", "123456"), ("123\u00a0456", "123456")]
)
def test_codes_are_canonical_before_anything_is_compared(typed: str, canonical: str):
    assert canonical_code(typed) == canonical


@pytest.mark.parametrize(
    "typed", ["", "12345", "1234567", "１２３４５６", "١٢٣٤٥٦", "12345a", "123456\n\n", "+12345", " " * 40]
)
def test_what_has_not_six_digits_is_no_code(typed: str):
    assert canonical_code(typed) is None
    assert accepted_step(SEED, typed, NOW, -1) is None


def test_a_code_is_taken_one_step_either_side_and_never_again():
    step = step_of(NOW)
    for drift in (-1, 0, 1):
        assert accepted_step(SEED, code_at(SEED, step + drift), NOW, -1) == step + drift
        assert accepted_step(SEED, code_at(SEED, step + drift), NOW, step + drift) is None
    assert accepted_step(SEED, code_at(SEED, step - 2), NOW, -1) is None
    assert accepted_step(SEED, code_at(SEED, step + 2), NOW, -1) is None


def test_wrong_codes_pause_and_then_disable():
    limits = TotpLimits(tries=5, pause_seconds=60, disable_after=50)
    just_now = NOW - timedelta(seconds=59)
    states = [code_entry(wrong, just_now, NOW, limits) for wrong in (0, 4, 5, 6, 10, 49, 50, 51)]
    assert states == [
        CodeEntry.OPEN, CodeEntry.OPEN, CodeEntry.PAUSED, CodeEntry.OPEN, CodeEntry.PAUSED, CodeEntry.OPEN,
        CodeEntry.DISABLED, CodeEntry.DISABLED,
    ]  # fmt: skip
    assert code_entry(5, NOW - timedelta(seconds=60), NOW, limits) is CodeEntry.OPEN
    assert code_entry(5, NOW + timedelta(days=1), NOW, limits) is CodeEntry.OPEN  # the clock was set back


def test_the_provisioning_uri_is_what_apps_read():
    uri = provisioning_uri(SEED, "alice@example.org", "Valet & key")
    assert uri == (
        "otpauth://totp/Valet%20%26%20key%3Aalice%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
        "&issuer=Valet%20%26%20key&digits=6&period=30"
    )
    assert seed_text(SEED).replace(" ", "") == "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


def test_recovery_codes_are_read_as_they_are_written_down():
    code = draw_recovery_code(lambda symbols: symbols[0])
    hashed = recovery_code_hash(b"k" * 32, "ac_1", code)
    assert hashed is not None
    assert recovery_code_hash(b"k" * 32, "ac_1", f" {code.upper().replace('-', ' ')} ") == hashed
    assert recovery_code_hash(b"k" * 32, "ac_2", code) != hashed
    for typed in ("", code[:-1], code + "a", "0" * 15, "x" * 65):
        assert recovery_code_hash(b"k" * 32, "ac_1", typed) is None


def test_the_throttle_is_arithmetic():
    limits = ThrottleLimits(window=timedelta(minutes=10), per_network=3, per_secret=4, overall=5, first_tries=1)
    for counts in (ThrottleCounts(2, 3, 4), ThrottleCounts(0, 0, 5000)):
        assert not is_throttled(counts, limits)
    for counts in (ThrottleCounts(3, 0, 0), ThrottleCounts(0, 4, 0), ThrottleCounts(1, 0, 5)):
        assert is_throttled(counts, limits)
    assert window_of(NOW, limits) + 1 == window_of(NOW + timedelta(minutes=10), limits)
    assert minutes_left(NOW, limits) == 10
    assert minutes_left(NOW + timedelta(minutes=9, seconds=59), limits) == 1
    assert secret_key(b"k", "a", "bc") != secret_key(b"k", "ab", "c")
    assert len(secret_key(b"k", "a", "\udcff")) == 16


EVENTS = [
    events.AccountCreated("a@example.org", "person"),
    events.AccountDisabled(),
    events.AccountEnabled(),
    events.RightsSet(("read", "send")),
    events.RightsSet(()),
    events.AliasAdded("b@example.org"),
    events.AliasRemoved("b@example.org"),
    events.OwnerAdded("o@example.org"),
    events.OwnerRemoved("o@example.org"),
    events.MainPasswordSet(),
    events.UpstreamPasswordSet(),
    events.UpstreamPasswordRemoved(),
    events.SecondFactorAdded("Phone"),
    events.SecondFactorRemoved("Phone"),
    events.SecondFactorRenamed("Phone", "Old phone"),
    events.SecondFactorRenamed("Blue key", "Red key", "passkey"),
    events.SecondFactorReset(),
    events.PasskeyRefused("Laptop", "192.0.2.1"),
    events.CodeEntryDisabled(),
    events.RecoveryCodesDrawn(10),
    events.RecoveryCodeUsed(9),
    events.SignedIn("a code", "192.0.2.1", "Firefox"),
    events.SignInRefused("wrong code", "192.0.2.1"),
    events.SignedOut(1),
    events.SignedOut(2),
    events.AppPasswordIssued("Phone", "inherit", ("imap",), None, ("anywhere",)),
    events.AppPasswordIssued(
        "Phone", "inherit", ("imap",), None, ("anywhere",), {"folders": ["A"], "messages_per_day": 3}
    ),
    events.AppPasswordChanged(("description",), "Phone"),
    events.AppPasswordChanged(("limits",), "Phone", {"senders": ["alice@example.org"]}),
    events.AppPasswordRevoked("Phone", "lost"),
    events.AppPasswordRevoked("Phone", ""),
    events.AppPasswordLapsed("Phone"),
    events.AppPasswordPinned("192.0.2.0/24"),
    events.KeysRotated(2),
    events.SecondFactorAdded("Blue key", "passkey"),
    events.SecondFactorRemoved("Blue key", "passkey"),
    events.AppPasswordRotated("Phone", "ap_2", "2026-03-02T12:00:00+00:00"),
    events.ConnectionClosed("imap", "192.0.2.7"),
    events.NoticeAddressSet("alice@example.net"),
    events.NoticeAddressRemoved("alice@example.net"),
    events.RecoveryBegun("2026-03-04T12:00:00+00:00", "192.0.2.7"),
    events.RecoveryCancelled(),
    events.RecoveryDone(),
    events.Invited("2026-03-04T12:00:00+00:00"),
    events.InvitationUsed(),
    events.RoleSet("admin"),
    events.RoleSet(""),
    events.ApiTokenMade("Backup", ("own:read",), "2026-09-01T12:00:00+00:00", ("192.0.2.0/24",)),
    events.ApiTokenRevoked("Backup"),
    events.ProposalMade("pr_1", "lower-policy", "scanners of the new branch"),
    events.ProposalDecided("pr_1", "lower-policy", "countersigned"),
    events.PolicyChanged({"require_tls": True}, {"require_tls": False}),
    events.NetworksChanged({"office": ["192.0.2.0/24"]}, {"vpn": ["198.51.100.0/24"]}),
    events.Exported("audit log", 12),
]


def test_a_change_says_of_what_and_in_words():
    changed = events.AppPasswordChanged(("description", "scope", "restrictions"), "Phone")
    assert str(say_event(changed)) == (
        "App password “Phone” changed: its name, what it may do and from where and until when"
    )
    first = events.from_facts("AppPasswordChanged", {"fields": ["scope"]})
    assert str(say_event(first)) == "App password changed: what it may do"


def test_every_kind_of_event_is_tried_here():
    assert {type(event) for event in EVENTS} == set(events.Event.__args__)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_is_stored_read_and_said(event):
    assert events.from_facts(type(event).__name__, events.to_facts(event)) == event
    sentence = str(say_event(event))
    assert not sentence[0].islower()
    assert "()" not in sentence


@pytest.mark.parametrize(
    ("kind", "facts"), [("Nothing", {}), ("AliasAdded", {}), ("AliasAdded", {"address": "a", "more": 1})]
)
def test_an_unknown_event_is_an_error(kind: str, facts: dict):
    with pytest.raises(ValueError, match="unknown"):
        events.from_facts(kind, facts)
