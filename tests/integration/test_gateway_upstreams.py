"""Upstreams that are down, refuse the gateway, are not who they should be, or log in by another way."""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from tests.servers import python_clients
from tests.servers.certificates import CertificateAuthority
from tests.servers.dialogue import Dialogue, dialogue, plain
from tests.servers.maildirs import a_message
from tests.servers.people import ALICE, BOB, CAROL
from tests.servers.site import MailSite, running_site
from tests.servers.valetkey import Valetkey, running_valetkey
from tests.servers.valetkey_keys import EVERYTHING, AppPasswordOf
from tests.servers.valetkey_settings import LISTENERS, Upstream, ValetkeyOptions, usual_upstreams

pytestmark = pytest.mark.integration

TRY_LATER = {
    "imaps": r"a NO \[UNAVAILABLE\]",
    "pop3s": r"-ERR \[SYS/TEMP\]",
    "submissions": r"454 4\.7\.0",
    "sieves": r"NO \(TRYLATER\)",
}
FAST = ('upstream_login = "4 seconds"',)  # for an upstream that never answers


@pytest.fixture(scope="module")
def shaky_site(authority: CertificateAuthority) -> Iterator[MailSite]:
    """Give servers that the tests of this file stop and change, and bring back."""
    with running_site(authority) as site:
        yield site


@pytest.fixture(scope="module")
def shaky(shaky_site: MailSite) -> Iterator[Valetkey]:
    with running_valetkey(shaky_site, ValetkeyOptions(workers=1)) as running:
        yield running


@pytest.fixture
def key(shaky: Valetkey) -> AppPasswordOf:
    return shaky.keys.issue(ALICE, EVERYTHING)


def log_in(valetkey: Valetkey, key: AppPasswordOf, port: str, talk: Dialogue) -> str:
    """Log in by hand on a connection, and give the last line of the answer."""
    name, secret = key.person.address, key.secret
    match port:
        case "imaps":
            return talk.imap("a", f"LOGIN {name} {secret}")[-1]
        case "pop3s":
            talk.ask(f"USER {name}", r"\+OK")
            return talk.ask(f"PASS {secret}", r"\+OK|-ERR")[-1]
        case "submissions":
            talk.smtp("EHLO client.example.test")
            return talk.smtp(f"AUTH PLAIN {plain(name, secret)}")[-1]
        case _:
            return talk.sieve(f'AUTHENTICATE "PLAIN" "{plain(name, secret)}"')[-1]


def answers(valetkey: Valetkey, key: AppPasswordOf, port: str) -> str:
    with dialogue(getattr(valetkey.ports, port), valetkey.site.authority.client_context(), seconds=20) as talk:
        talk.until(r"\* OK|\+OK|220 |OK")
        return log_in(valetkey, key, port, talk)


def assert_try_later_with_alarm(valetkey: Valetkey, key: AppPasswordOf, *ports: str) -> None:
    """On each port at once, as each answers after a second or more."""
    with ThreadPoolExecutor() as at_once:
        list(at_once.map(lambda port: assert_one_tries_later(valetkey, key, port), ports))


def assert_one_tries_later(valetkey: Valetkey, key: AppPasswordOf, port: str) -> None:
    protocol = LISTENERS[port][0]
    before = valetkey.metric("valetkey_upstream_failures_total", protocol=protocol)
    with dialogue(getattr(valetkey.ports, port), valetkey.site.authority.client_context(), seconds=30) as talk:
        talk.until(r"\* OK|\+OK|220 |OK")
        assert_matches(TRY_LATER[port], log_in(valetkey, key, port, talk))
    assert valetkey.metric("valetkey_upstream_failures_total", protocol=protocol) == before + 1
    (alarm,) = valetkey.events("upstream_failed", protocol=protocol)
    assert alarm["level"] == "error" and alarm["why"]
    assert key.secret not in str(alarm) and valetkey.site.dovecot.master_password not in str(alarm)


def assert_matches(pattern: str, line: str) -> None:
    assert re.match(pattern, line), line


def test_a_mail_server_that_is_down_is_no_wrong_password_and_works_again_when_it_is_up(
    shaky: Valetkey, key: AppPasswordOf
):
    shaky.site.dovecot.stop()
    shaky.site.postfix.stop()
    try:
        assert_try_later_with_alarm(shaky, key, *TRY_LATER)
        said = shaky.cli("check", code=1)
        assert all(str(port) in said for port in (shaky.site.dovecot.ports.imap, shaky.site.postfix.ports.submission))
    finally:
        shaky.site.dovecot.start()
        shaky.site.postfix.start()
    for port in TRY_LATER:
        assert_matches(r"a OK|\+OK|235|OK", answers(shaky, key, port))


def test_when_the_mail_server_goes_away_its_sessions_end(shaky: Valetkey, key: AppPasswordOf):
    with dialogue(shaky.ports.imaps, shaky.site.authority.client_context()) as talk:
        talk.until(r"\* OK")
        assert log_in(shaky, key, "imaps", talk).startswith("a OK")
        shaky.site.dovecot.stop()
        try:
            assert talk.closed()
        finally:
            shaky.site.dovecot.start()
    shaky.keys.wait_until_closed(key)


def test_a_wrong_master_password_is_the_operators_trouble_and_not_the_clients(shaky: Valetkey, key: AppPasswordOf):
    right = shaky.site.dovecot.master_password
    shaky.site.dovecot.change_master_password("another one")
    try:
        assert_try_later_with_alarm(shaky, key, "imaps", "pop3s", "sieves")
    finally:
        shaky.site.dovecot.change_master_password(right)
    assert answers(shaky, key, "imaps").startswith("a OK")


def test_a_mailbox_that_the_mail_server_does_not_know_is_the_operators_trouble(shaky: Valetkey):
    carols = shaky.keys.issue(CAROL, EVERYTHING)
    shaky.site.dovecot.remove(CAROL)
    time.sleep(1.1)  # Dovecot looks at its file of users once a second
    assert_try_later_with_alarm(shaky, carols, "imaps", "sieves")
    shaky.log.mark()


def test_an_upstream_that_is_not_trusted_or_never_answers_gets_no_password(shaky_site: MailSite, other_ca: Path):
    upstreams = {protocol: replace(each, ca=other_ca) for protocol, each in usual_upstreams(shaky_site).items()}
    # A TLS port where words in the clear are expected: each waits for the other.
    upstreams["pop3"] = Upstream(shaky_site.dovecot.ports.pop3s, ca=shaky_site.authority.file)
    with running_valetkey(shaky_site, ValetkeyOptions(workers=1, gateway=FAST, upstreams=upstreams)) as own:
        bobs = own.keys.issue(BOB, EVERYTHING)
        assert_try_later_with_alarm(own, bobs, *TRY_LATER)  # before a dialogue ends that nobody answers
        why = {alarm["protocol"]: alarm["why"] for alarm in own.events("upstream_failed")}
    assert all("certificate is not good" in why[protocol] for protocol in ("imap", "smtp", "sieve")), why
    assert "too slow" in why["pop3"]
    assert "Login:" not in shaky_site.dovecot.log.since_mark()


def test_a_certificate_of_another_name_gets_no_password(shaky_site: MailSite):
    upstreams = {
        protocol: replace(each, server_name="mail.example.test")
        for protocol, each in usual_upstreams(shaky_site).items()
    }
    with running_valetkey(shaky_site, ValetkeyOptions(workers=1, upstreams=upstreams)) as own:
        shaky_site.dovecot.log.mark()
        assert_try_later_with_alarm(own, own.keys.issue(BOB, EVERYTHING), *TRY_LATER)
        alarms = own.events("upstream_failed")
        assert {alarm["protocol"] for alarm in alarms} == {"imap", "pop3", "smtp", "sieve"}
        assert all("not valid for 'mail.example.test'" in alarm["why"] for alarm in alarms), alarms
    assert "Login:" not in shaky_site.dovecot.log.since_mark()


def test_stored_passwords_and_dovecot_submission(shaky_site: MailSite):
    ports, ca = shaky_site.dovecot.ports, shaky_site.authority.file
    upstreams = {
        "imap": Upstream(ports.imaps, "implicit", "stored-password", ca),
        "pop3": Upstream(ports.pop3, "starttls", "stored-password", ca),
        "smtp": Upstream(ports.submissions, "implicit", "master-user", ca),
        "sieve": Upstream(ports.sieve, "starttls", "stored-password", ca),
    }
    with running_valetkey(shaky_site, ValetkeyOptions(workers=1, upstreams=upstreams)) as own:
        alices, bobs = own.keys.issue(ALICE, EVERYTHING), own.keys.issue(BOB, EVERYTHING)
        assert_matches(TRY_LATER["imaps"], answers(own, alices, "imaps"))  # none is stored yet
        own.cli("account", "upstream-password", ALICE.address, "--password-stdin", stdin=ALICE.password + "\n")
        own.cli("account", "upstream-password", BOB.address, "--password-stdin", stdin="wrong\n")
        ports = ("imaps", "pop3s", "sieves")
        with ThreadPoolExecutor() as at_once:  # what fails is answered after a second
            refused = [at_once.submit(answers, own, bobs, port) for port in ports]
            for port, answer in zip(ports, refused, strict=True):
                assert_matches(r"a OK|\+OK|OK", answers(own, alices, port))
                assert_matches(TRY_LATER[port], answer.result())
        assert ALICE.password.encode() not in (own.directory / "valetkey.db").read_bytes()
        own.site.mail.empty(BOB)
        with python_clients.smtp(own.login(alices, "submissions")) as client:
            client.send_message(a_message(ALICE.address, BOB.address, "by-dovecot-submission"))
        own.site.mail.wait_for(BOB, "by-dovecot-submission")
