"""Purposes, guides and the lines that programs are set up with: exact, complete, and only for what a password may do."""

import re
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from tests.browser.portal_client import PortalClient, portal_of
from tests.browser.portal_site import ENDPOINTS
from tests.verbs.site import House, Person

from valetkey.core.app_password import SecretFormat
from valetkey.core.policy import Policy
from valetkey.core.restriction import NetworkRule, Restrictions
from valetkey.core.scope import ALL_PERMISSIONS, MailProtocol, Permission, PermissionMode, Scope, ready_made
from valetkey.doors.web import client_lines
from valetkey.doors.web.client_lines import Login
from valetkey.doors.web.guides import ALL_GUIDES, endpoints_of, guides_for
from valetkey.doors.web.language import ENGLISH
from valetkey.doors.web.purposes import PURPOSES, Purpose, guides_like, purpose_of
from valetkey.doors.web.settings import ClientEndpoint, Encryption
from valetkey.doors.web.wishes import first_lifetime
from valetkey.doors.web.words import Words

ALICE = Login("alice@example.org", "vkey-abcd")
ODD = Login('o\'brien\\"x"@example.org', "vkey-abcd")
SMTP = ClientEndpoint(MailProtocol.SMTP, "mail.example.org", 465)
STARTTLS = ClientEndpoint(MailProtocol.SMTP, "mail.example.org", 587, Encryption.STARTTLS)
IMAP = ClientEndpoint(MailProtocol.IMAP, "mail.example.org", 993)
YEAR, MONTH = timedelta(days=365), timedelta(days=30)


def purpose(key: str) -> Purpose:
    found = purpose_of(key, PURPOSES)
    assert found is not None
    return found


@pytest.mark.parametrize("one", PURPOSES, ids=lambda one: one.key)
def test_every_purpose_has_guides_that_fit_it(one: Purpose) -> None:
    endpoints = endpoints_of(one.scope, ALL_PERMISSIONS, ENDPOINTS)
    guides = guides_for(one.guides, endpoints, ALICE)
    assert {guide.key for guide in guides} == set(one.guides)
    assert all(guide.steps or guide.lines or guide.fields for guide in guides)
    assert all(ALICE.secret not in repr(guide) for guide in guides)


def test_only_what_it_may_do_is_explained() -> None:
    scope = purpose("phone").scope
    reading = frozenset({Permission.READ})
    endpoints = endpoints_of(scope, reading, ENDPOINTS)
    assert set(endpoints) == {MailProtocol.IMAP, MailProtocol.POP3}
    assert {one.key for one in guides_for(ALL_GUIDES, endpoints, ALICE)} == {"mbsync", "imapsync"}
    assert guides_for(ALL_GUIDES, {}, ALICE) == ()


def test_the_best_endpoint_of_a_protocol_is_the_first() -> None:
    scope = ready_made("send-only")
    assert scope is not None
    assert endpoints_of(scope.scope, ALL_PERMISSIONS, (SMTP, STARTTLS)) == {MailProtocol.SMTP: SMTP}


def test_after_a_rotation_the_guides_are_those_of_like_purposes() -> None:
    phone, scanner = purpose("phone"), purpose("scanner")
    assert guides_like(scanner.scope, SecretFormat.DEVICE) == scanner.guides
    assert guides_like(scanner.scope, SecretFormat.DEFAULT) == purpose("website").guides
    assert guides_like(phone.scope, SecretFormat.DEFAULT) == ("apple", "android", "outlook", "thunderbird")
    assert guides_like(phone.scope, SecretFormat.DEVICE) == ("apple", "android", "outlook", "thunderbird")
    narrowed = Scope(PermissionMode.REPLACE, frozenset({Permission.READ, Permission.SEND}), phone.scope.protocols)
    assert guides_like(narrowed, SecretFormat.DEFAULT) == ALL_GUIDES


@pytest.mark.parametrize("endpoint", [SMTP, STARTTLS])
@pytest.mark.needs("msmtp")
def test_msmtp_reads_its_lines(endpoint: ClientEndpoint, tmp_path: Path) -> None:
    """Msmtp says what it understood; an address with quotation marks survives."""
    configuration = tmp_path / "msmtprc"
    configuration.write_text(client_lines.msmtp(endpoint, ODD))
    configuration.chmod(0o600)
    said = subprocess.run(
        ["msmtp", "-C", configuration, "--pretend", "bob@example.org"],
        input="Subject: x\n\nx\n", capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    starts = "off" if endpoint is SMTP else "on"
    for wanted in (f"port = {endpoint.port}", "tls = on", f"tls_starttls = {starts}", f"user = {ODD.address}"):
        assert wanted in said, said


@pytest.mark.parametrize(
    ("encryption", "words"),
    [(Encryption.TLS, "IMAPS"), (Encryption.STARTTLS, "STARTTLS"), (Encryption.NONE, "None")],
)
def test_mbsync_is_told_how_to_encrypt(encryption: Encryption, words: str) -> None:
    lines = client_lines.mbsync(ClientEndpoint(MailProtocol.IMAP, "mail.example.org", 143, encryption), ALICE)
    assert f"SSLType {words}\n" in lines
    assert "Sync Pull" in lines  # nothing is changed on the server


def test_php_reads_back_what_was_meant() -> None:
    for lines in (client_lines.phpmailer(SMTP, ODD), client_lines.wordpress(STARTTLS, ODD)):
        literal = re.search(r"Username = '((?:[^'\\]|\\.)*)';", lines)
        assert literal is not None
        assert re.sub(r"\\(['\\])", r"\1", literal[1]) == ODD.address
    assert "SMTPSecure = 'ssl'" in client_lines.phpmailer(SMTP, ALICE)
    assert "SMTPSecure = 'tls'" in client_lines.wordpress(STARTTLS, ALICE)


def test_the_shell_gets_words_and_no_commands(tmp_path: Path) -> None:
    evil = Login("a'; touch evil; '@example.org", "$(touch evil)`touch evil`'")
    lines = client_lines.imapsync(IMAP, evil).replace("imapsync ", "printf '%s\\n' ")
    said = subprocess.run(
        ["sh", "-ec", lines], cwd=tmp_path, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert evil.address in said.splitlines()
    kept = tmp_path / ".mail-backup-password"
    assert kept.read_text() == f"{evil.secret}\n"
    assert kept.stat().st_mode & 0o077 == 0
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    ("key", "default", "most", "expected"),
    [
        ("phone", None, None, None),
        ("phone", MONTH, None, MONTH),
        ("phone", None, MONTH, MONTH),
        ("website", None, None, YEAR),
        ("website", MONTH, None, MONTH),
        ("website", None, 3 * YEAR, YEAR),
        ("filters", YEAR, None, timedelta(days=90)),
    ],
)
def test_how_long_it_lives_unless_said_otherwise(
    key: str, default: timedelta | None, most: timedelta | None, expected: timedelta | None
) -> None:
    assert first_lifetime(purpose(key), Policy(default_lifetime=default, max_lifetime=most)) == expected


def test_from_where_and_until_when_in_whole_sentences(house: House) -> None:
    words, until = Words(ENGLISH), house.clock.now()
    said = [
        str(words.reach(Restrictions(expires_at=ends, network_rule=rule, allowed_ips=("office", "192.0.2.7/32"))))
        for rule in NetworkRule
        for ends in (None, until)
    ]
    assert len(set(said)) == len(said)
    assert all(one.startswith("It works ") and one.endswith(".") for one in said)
    assert "It works only from office and 192.0.2.7/32, until 1 March 2026." in said


async def test_the_policy_is_said_beside_the_choice(house: House, alice: Person) -> None:
    house.with_ports(policy=Policy(max_lifetime=timedelta(days=60)))
    visitor = PortalClient(portal_of(house))
    await visitor.sign_in(house, alice)
    page = (await visitor.get("/app-passwords/new?purpose=website")).text
    assert "At most 60 days, by your administrator’s rules." in page
    assert "until 30 April 2026" in page


async def test_the_preview_makes_nothing(house: House, alice: Person) -> None:
    visitor = PortalClient(portal_of(house))
    await visitor.sign_in(house, alice)
    number = house.store.change_number()
    fields = await visitor.new_form("phone", permission=["read"], rule="allowed", networks="nonsense", description="")
    for path, extra in (("/app-passwords/new", {"preview": "1"}), ("/app-passwords/new/summary", {})):
        csrf = visitor.hidden("csrf")
        shown = await visitor.post(path, {**fields, **extra, "csrf": csrf})
        assert "nonsense" in shown.text
        good = await visitor.post(path, {**fields, **extra, "csrf": csrf, "networks": "192.0.2.7"})
        assert "It can read mail. It cannot mark messages" in good.text
        assert "It works only from 192.0.2.7" in good.text
        await visitor.get("/app-passwords/new?purpose=phone")
    assert house.store.change_number() == number
    assert not await house.store.read(lambda reader: reader.app_passwords(alice.account.id))
