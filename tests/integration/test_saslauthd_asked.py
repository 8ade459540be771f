"""Programs with Cyrus SASL ask Valetkey in the place of saslauthd: testsaslauthd, Postfix, sendmail."""

import smtplib
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.doors.door_site import door, peer
from tests.doors.doors_beside import doors_beside
from tests.servers.certificates import CertificateAuthority
from tests.servers.cyrus_postfix import CyrusPostfix, cyrus_postfix
from tests.servers.dialogue import plain
from tests.servers.maildirs import a_message
from tests.servers.people import ALICE, BOB
from tests.servers.sendmail import SASLAUTHD, Sendmail, running_sendmail
from tests.servers.sink import Sink, running_sink
from tests.servers.site import MailSite
from tests.servers.strangers import strangers
from tests.servers.valetkey import Valetkey, running_valetkey
from tests.servers.valetkey_keys import scope
from tests.servers.valetkey_settings import ValetkeyOptions

from valetkey.core.errors import Unavailable
from valetkey.core.limits import Limits
from valetkey.doors.asked.settings import DoorKind

pytestmark = [pytest.mark.integration, pytest.mark.needs("testsaslauthd", "sendmail", "saslpasswd2")]


@dataclass
class Askers:
    """A Postfix and a sendmail, the next hop of the latter, and the Valetkey that both ask."""

    postfix: CyrusPostfix
    sendmail: Sendmail
    sink: Sink
    valetkey: Valetkey


def sections(postfix: CyrusPostfix, sendmail: Sendmail) -> tuple[str, ...]:
    """Write what Valetkey's configuration says of them, as docs/servers/cyrus.md has it."""
    return (
        '[[peer]]\nname = "postfix"\ntls_only = true\n',
        '[[peer]]\nname = "sendmail"\ntls_only = true\n',
        f'[[door]]\nkind = "saslauthd"\nsocket = "{postfix.mux}"\nsocket_group = "postfix"\npeers = ["postfix"]\n',
        f'[[door]]\nkind = "saslauthd"\nsocket = "{sendmail.mux}"\npeers = ["sendmail"]\n',
    )


@pytest.fixture(scope="module")
def askers(authority: CertificateAuthority, mail_site: MailSite) -> Iterator[Askers]:
    with (
        running_sink() as sink,
        running_sendmail(sink.port, SASLAUTHD) as sendmail,
        cyrus_postfix(authority, mail_site.mail.root) as postfix,
        running_valetkey(mail_site, ValetkeyOptions(extra=sections(postfix, sendmail))) as valetkey,
    ):
        yield Askers(postfix, sendmail, sink, valetkey)


@pytest.fixture
def postfix(askers: Askers) -> CyrusPostfix:
    return askers.postfix


@pytest.fixture
def sendmail(askers: Askers) -> Sendmail:
    return askers.sendmail


@pytest.fixture
def valetkey(askers: Askers) -> Valetkey:
    return askers.valetkey


def ask(mux: Path, name: str, secret: str, *, service: str = "imap", realm: str = "") -> tuple[int, str]:
    """Ask by testsaslauthd and give its exit code and words."""
    command = ["testsaslauthd", "-f", str(mux), "-u", name, "-p", secret, "-s", service]
    done = subprocess.run(
        [*command, *(["-r", realm] if realm else [])], capture_output=True, text=True, timeout=30, check=False
    )
    return done.returncode, (done.stdout + done.stderr).strip()


def login(port: int, name: str, secret: str, tls: CertificateAuthority | None = None) -> str:
    """Log in by SMTP AUTH PLAIN, in TLS if an authority is given, and give the answer; "" if no login is offered."""
    with smtplib.SMTP("localhost", port, timeout=30) as smtp:
        if tls is not None:
            smtp.starttls(context=tls.client_context())
        smtp.ehlo()
        if not smtp.has_extn("auth"):
            return ""
        code, text = smtp.docmd("AUTH", f"PLAIN {plain(name, secret)}")
        return f"{code} {text.decode()}"


def test_testsaslauthd(postfix: CyrusPostfix, valetkey: Valetkey):
    key = valetkey.keys.issue(ALICE)
    assert ask(postfix.mux, ALICE.address, key.secret) == (0, '0: OK "Success."')
    assert ask(postfix.mux, "alice", key.secret, realm="example.test") == (0, '0: OK "Success."')
    assert ask(postfix.mux, ALICE.address, key.secret, service="smtp") == (0, '0: OK "Success."')
    with ThreadPoolExecutor() as at_once:  # a refusal comes after a second
        refused = [
            at_once.submit(ask, postfix.mux, ALICE.address, key.secret, service="http"),
            at_once.submit(ask, postfix.mux, ALICE.address, ALICE.password),
        ]
    assert [each.result() for each in refused] == [(255, '0: NO "authentication failed"')] * 2
    valetkey.keys.revoke(key)
    assert ask(postfix.mux, ALICE.address, key.secret) == (255, '0: NO "authentication failed"')


def test_each_socket_is_its_peers(postfix: CyrusPostfix, sendmail: Sendmail, valetkey: Valetkey):
    key = valetkey.keys.issue(ALICE)
    valetkey.log.mark()
    ask(postfix.mux, ALICE.address, key.secret)
    ask(sendmail.mux, ALICE.address, key.secret)
    assert [each["peer"] for each in valetkey.events("login")] == ["postfix", "sendmail"]
    assert (postfix.mux.stat().st_mode & 0o777, sendmail.mux.stat().st_mode & 0o777) == (0o660, 0o600)


def test_postfix_takes_mail_after_a_login_by_app_password(
    postfix: CyrusPostfix, valetkey: Valetkey, mail_site: MailSite
):
    key = valetkey.keys.issue(ALICE, "send-only")
    with smtplib.SMTP("localhost", postfix.ports.submission, timeout=30) as smtp:
        smtp.starttls(context=postfix.authority.client_context())
        with pytest.raises(smtplib.SMTPAuthenticationError, match="535"):
            smtp.login(ALICE.address, ALICE.password)
        smtp.login(ALICE.address, key.secret)
        smtp.send_message(a_message(ALICE.address, BOB.address, "asked-by-cyrus-sasl"))
    mail_site.mail.wait_for(BOB, "asked-by-cyrus-sasl")


def test_postfix_offers_no_login_without_tls(postfix: CyrusPostfix, valetkey: Valetkey):
    """So `tls_only` of its peer is true."""
    key = valetkey.keys.issue(ALICE)
    assert login(postfix.ports.submission, ALICE.address, key.secret) == ""


def test_sendmail_takes_mail_after_a_login_by_app_password(askers: Askers):
    key = askers.valetkey.keys.issue(ALICE, "send-only")
    with smtplib.SMTP("localhost", askers.sendmail.port, timeout=30) as smtp:
        with pytest.raises(smtplib.SMTPAuthenticationError, match="535"):
            smtp.login(ALICE.address, ALICE.password)
        smtp.login(ALICE.address, key.secret)
        smtp.send_message(a_message(ALICE.address, BOB.address, "asked-by-sendmail"))
    assert b"Subject: asked-by-sendmail\r\n" in askers.sink.wait().octets


def test_what_may_not_send_or_has_limits_of_sending_is_refused(
    postfix: CyrusPostfix, sendmail: Sendmail, valetkey: Valetkey
):
    reading = valetkey.keys.issue(ALICE, scope("read flag write delete folders", "imap"))
    limited = valetkey.keys.issue(ALICE, "send-only", limits=Limits(messages_per_day=3))
    valetkey.log.mark()
    for key in (reading, limited):
        assert login(sendmail.port, ALICE.address, key.secret).startswith("535")
        answer = login(postfix.ports.submission, ALICE.address, key.secret, postfix.authority)
        assert answer.startswith("535 5.7.8")
    results = [each["result"] for each in valetkey.events("login")]
    assert results == ["protocol", "protocol", "not-held", "not-held"]


def test_while_nobody_can_tell_postfix_says_come_again_and_sendmail_knows_no_such_word(
    postfix: CyrusPostfix, sendmail: Sendmail, valetkey: Valetkey, tmp_path: Path
):
    """Both are told the same by libsasl; sendmail 8.17 answers like a wrong password, and only its log differs."""
    key = valetkey.keys.issue(ALICE)
    for mux, port, authority, log, code in (
        (postfix.mux, postfix.ports.submission, postfix.authority, postfix.log, "454 4.7.0"),
        (sendmail.mux, sendmail.port, None, sendmail.log, "535 5.7.0"),
    ):
        folder = tmp_path / mux.parent.name
        folder.mkdir()
        away = mux.rename(mux.with_name("away"))
        try:
            broken = door(DoorKind.SASLAUTHD, peer(secret=""), path=mux, group="postfix")
            with doors_beside(folder, broken) as beside:
                beside.site.break_store(Unavailable("The store is away."))
                log.mark()
                assert ask(mux, ALICE.address, key.secret) == (255, "0: size read failed")
                assert login(port, ALICE.address, key.secret, authority).startswith(code)
                assert "generic failure" in log.wait_for("generic failure")
        finally:
            away.rename(mux)


def test_hostile_octets_on_the_socket_harm_nobody(postfix: CyrusPostfix, valetkey: Valetkey):
    key = valetkey.keys.issue(ALICE)
    with strangers(postfix.mux, {b"", b"\0\2NO"}):
        assert ask(postfix.mux, ALICE.address, "x" * 3000)[0] == 255
        assert ask(postfix.mux, ALICE.address, key.secret)[0] == 0


def test_while_valetkey_is_down_nobody_logs_in_and_afterwards_everybody(
    postfix: CyrusPostfix, sendmail: Sendmail, valetkey: Valetkey
):
    key = valetkey.keys.issue(ALICE)
    assert valetkey.stop() == 0
    try:
        assert login(sendmail.port, ALICE.address, key.secret).startswith("535")
    finally:
        valetkey.start()
    assert login(sendmail.port, ALICE.address, key.secret).startswith("235")
    assert login(postfix.ports.submission, ALICE.address, key.secret, postfix.authority).startswith("235")
