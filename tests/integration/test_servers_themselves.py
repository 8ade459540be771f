"""The real servers do what the gateway counts on, asked directly and without Valetkey."""

import imaplib
import poplib
import smtplib

import pytest
from tests.servers.certificates import CertificateAuthority
from tests.servers.dialogue import Dialogue, dialogue, plain
from tests.servers.dovecot import Dovecot, running_dovecot
from tests.servers.dovecot_settings import DovecotOptions
from tests.servers.maildirs import a_message
from tests.servers.people import ALICE, BOB
from tests.servers.places import listens
from tests.servers.postfix import Postfix
from tests.servers.sink import running_sink
from tests.servers.site import MailSite

pytestmark = pytest.mark.integration

FORWARDED = "ADDR=203.0.113.9 PORT=50123"


def gateway_for_alice(dovecot: Dovecot) -> str:
    return plain(dovecot.master_name, dovecot.master_password, ALICE.address)


def test_alice_reads_her_mail_over_imaps(mail_site: MailSite):
    mail_site.mail.deliver(ALICE, a_message(BOB.address, ALICE.address, "imaps-direct"))
    context = mail_site.authority.client_context()
    with imaplib.IMAP4_SSL("localhost", mail_site.dovecot.ports.imaps, ssl_context=context, timeout=10) as imap:
        imap.login(ALICE.address, ALICE.password)
        imap.select("INBOX", readonly=True)
        _, found = imap.search(None, "SUBJECT", "imaps-direct")
    assert len(found[0].split()) == 1


def test_a_wrong_password_is_refused(mail_site: MailSite):
    context = mail_site.authority.client_context()
    with (
        imaplib.IMAP4_SSL("localhost", mail_site.dovecot.ports.imaps, ssl_context=context, timeout=10) as imap,
        pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"),
    ):
        imap.login(ALICE.address, "wrong")


def test_alice_reads_her_mail_over_pop3s(mail_site: MailSite):
    mail_site.mail.deliver(ALICE, a_message(BOB.address, ALICE.address, "pop3s-direct"))
    context = mail_site.authority.client_context()
    pop3 = poplib.POP3_SSL("localhost", mail_site.dovecot.ports.pop3s, context=context, timeout=10)
    try:
        pop3.user(ALICE.address)
        pop3.pass_(ALICE.password)
        assert pop3.stat()[0] >= 1
    finally:
        pop3.quit()


@pytest.mark.parametrize(
    ("port", "greeting", "before", "starttls", "after"),
    [
        ("imap", r"\* OK", [], ("a STARTTLS", "a OK"), ("b NOOP", "b OK")),
        ("pop3", r"\+OK", [], ("STLS", r"\+OK"), ("NOOP", "-ERR")),
        ("sieve", r"OK", [], ("STARTTLS", "OK"), ("NOOP", "OK")),
        ("submission", r"220 ", [("EHLO x.example.test", "250 ")], ("STARTTLS", "220 "), ("NOOP", "250 ")),
    ],
)
def test_tls_starts_on_each_plain_port(mail_site: MailSite, port, greeting, before, starttls, after):  # noqa: PLR0917 - a table's columns
    with dialogue(getattr(mail_site.dovecot.ports, port)) as talk:
        talk.until(greeting)
        for line, answer in [*before, starttls]:
            talk.ask(line, answer)
        talk.start_tls(mail_site.authority.client_context())
        assert talk.ask(*after)


def test_the_master_user_opens_alices_mailbox_over_imap_and_forwards_the_client(mail_site: MailSite):
    mail_site.dovecot.log.mark()
    with dialogue(mail_site.dovecot.ports.imap) as talk:
        talk.until(r"\* OK")
        facts = '"x-originating-ip" "203.0.113.9" "x-originating-port" "50123" "x-session-id" "gw-imap"'
        talk.imap("a", f"ID ({facts})")
        assert talk.imap("b", f"AUTHENTICATE PLAIN {gateway_for_alice(mail_site.dovecot)}")[-1].startswith("b OK")
    logged = mail_site.dovecot.log.wait_for("session=<gw-imap>")
    assert f"user=<{ALICE.address}>" in logged
    assert "rip=203.0.113.9, real_rip=127.0.0.1" in logged


def test_the_master_user_opens_alices_mailbox_over_pop3_and_forwards_the_client(mail_site: MailSite):
    mail_site.dovecot.log.mark()
    with dialogue(mail_site.dovecot.ports.pop3) as talk:
        assert "[XCLIENT]" in talk.until(r"\+OK")[-1]
        assert talk.ask(f"XCLIENT {FORWARDED} SESSION=gw-pop3", r"[+-]")[-1].startswith("+OK")
        answer = talk.ask(f"AUTH PLAIN {gateway_for_alice(mail_site.dovecot)}", r"[+-](OK|ERR)")
        assert answer[-1].startswith("+OK")
    assert "rip=203.0.113.9" in mail_site.dovecot.log.wait_for("session=<gw-pop3>")


def test_the_master_user_opens_alices_scripts_over_managesieve_and_forwards_the_client(mail_site: MailSite):
    mail_site.dovecot.log.mark()
    with dialogue(mail_site.dovecot.ports.sieve) as talk:
        assert any("XCLIENT" in line for line in talk.until(r"OK"))
        assert talk.sieve(f"XCLIENT {FORWARDED} SESSION=gw-sieve")[-1].startswith("OK")
        login = f'AUTHENTICATE "PLAIN" "{gateway_for_alice(mail_site.dovecot)}"'
        assert talk.sieve(login)[-1].startswith("OK")
        script = "keep;\r\n"
        assert talk.sieve(f'PUTSCRIPT "main" {{{len(script)}+}}\r\n{script}')[-1].startswith("OK")
        assert '"main"' in talk.sieve("LISTSCRIPTS")
    assert "rip=203.0.113.9" in mail_site.dovecot.log.wait_for("session=<gw-sieve>")


def test_the_master_user_submits_as_alice_through_dovecot_and_the_message_arrives(mail_site: MailSite):
    mail_site.dovecot.log.mark()
    with dialogue(mail_site.dovecot.ports.submission) as talk:
        talk.until(r"220 ")
        assert any("XCLIENT" in line for line in talk.smtp("EHLO gateway.example.test"))
        assert talk.smtp(f"XCLIENT {FORWARDED} SESSION=gw-submission")[-1].startswith("220")
        talk.smtp("EHLO gateway.example.test")
        assert talk.smtp(f"AUTH PLAIN {gateway_for_alice(mail_site.dovecot)}")[-1].startswith("235")
        _send(talk, ALICE.address, BOB.address, "submission-by-master")
    assert "rip=203.0.113.9" in mail_site.dovecot.log.wait_for("session=<gw-submission>")
    mail_site.mail.wait_for(BOB, "submission-by-master")


def test_a_wrong_master_password_is_refused_and_a_changed_one_passes(own_dovecot: Dovecot):
    before = gateway_for_alice(own_dovecot)
    own_dovecot.change_master_password("another-secret-of-the-gateway")
    with dialogue(own_dovecot.ports.imap) as talk:
        talk.until(r"\* OK")
        assert talk.imap("a", f"AUTHENTICATE PLAIN {before}")[-1].startswith("a NO [AUTHENTICATIONFAILED]")
        assert talk.imap("b", f"AUTHENTICATE PLAIN {gateway_for_alice(own_dovecot)}")[-1].startswith("b OK")


def test_the_master_user_opens_no_mailbox_that_does_not_exist(mail_site: MailSite):
    nobody = plain(mail_site.dovecot.master_name, mail_site.dovecot.master_password, "nobody@example.test")
    with dialogue(mail_site.dovecot.ports.imap) as talk:
        talk.until(r"\* OK")
        assert " NO " in talk.imap("a", f"AUTHENTICATE PLAIN {nobody}")[-1]


def test_xclient_login_lets_mail_pass_postfix_without_auth(mail_site: MailSite):
    mail_site.postfix.log.mark()
    with dialogue(mail_site.postfix.ports.submission) as talk:
        _greeted(talk)
        vouched = f"XCLIENT {FORWARDED} PROTO=ESMTP HELO=laptop.example.test NAME=[UNAVAILABLE] LOGIN={ALICE.address}"
        assert talk.smtp(vouched)[-1].startswith("220")
        talk.smtp("EHLO gateway.example.test")
        _send(talk, ALICE.address, BOB.address, "sent-by-xclient")
    arrived = mail_site.mail.wait_for(BOB, "sent-by-xclient")
    assert b"203.0.113.9" in arrived
    assert ALICE.address in mail_site.postfix.log.wait_for("sasl_username=")


def test_xclient_over_tls_lets_mail_pass_postfix_without_auth(mail_site: MailSite):
    with dialogue(mail_site.postfix.ports.submissions, mail_site.authority.client_context()) as talk:
        _greeted(talk)
        assert talk.smtp(f"XCLIENT {FORWARDED} LOGIN={ALICE.address}")[-1].startswith("220")
        talk.smtp("EHLO gateway.example.test")
        _send(talk, ALICE.address, BOB.address, "sent-by-xclient-over-tls")
    mail_site.mail.wait_for(BOB, "sent-by-xclient-over-tls")


def test_postfix_refuses_who_is_not_logged_in(mail_site: MailSite):
    with dialogue(mail_site.postfix.ports.submission) as talk:
        _greeted(talk)
        talk.smtp(f"MAIL FROM:<{ALICE.address}>")
        assert talk.smtp(f"RCPT TO:<{BOB.address}>")[-1].startswith("5")


def test_postfix_refuses_a_sender_address_of_somebody_else(mail_site: MailSite):
    with dialogue(mail_site.postfix.ports.submission) as talk:
        _greeted(talk)
        talk.smtp(f"XCLIENT {FORWARDED} LOGIN={ALICE.address}")
        talk.smtp("EHLO gateway.example.test")
        talk.smtp(f"MAIL FROM:<{BOB.address}>")
        assert f"not owned by user {ALICE.address}" in talk.smtp(f"RCPT TO:<{BOB.address}>")[-1]


def test_alice_logs_in_to_postfix_with_her_own_password(mail_site: MailSite):
    postfix: Postfix = mail_site.postfix
    context = mail_site.authority.client_context()
    with smtplib.SMTP_SSL("localhost", postfix.ports.submissions, context=context, timeout=10) as smtp:
        smtp.login(ALICE.address, ALICE.password)
        smtp.send_message(a_message(ALICE.address, BOB.address, "sent-by-auth"))
    mail_site.mail.wait_for(BOB, "sent-by-auth")


def test_dovecot_stops_and_starts_again_on_the_same_ports(own_dovecot: Dovecot):
    own_dovecot.stop()
    assert not listens(own_dovecot.ports.imaps)
    own_dovecot.start()
    assert listens(own_dovecot.ports.imaps)


def test_postfix_stops_and_starts_again_on_the_same_ports(fresh_site: MailSite):
    fresh_site.postfix.stop()
    assert not listens(fresh_site.postfix.ports.submissions)
    fresh_site.postfix.start()
    assert listens(fresh_site.postfix.ports.submissions)


@pytest.mark.needs("dovecot")
@pytest.mark.parametrize("scheme", ["SHA512-CRYPT", "ARGON2ID"])
def test_dovecot_keeps_passwords_under_a_hash_and_reuses_login_processes(authority: CertificateAuthority, scheme: str):
    options = DovecotOptions(scheme=scheme, reuse_login_processes=True)
    with running_dovecot(authority, options, [ALICE]) as dovecot:
        assert f"{{{scheme}}}$" in (dovecot.directory / "users").read_text()
        for _ in range(3):
            with dialogue(dovecot.ports.imaps, authority.client_context()) as talk:
                talk.until(r"\* OK")
                assert talk.imap("a", f"LOGIN {ALICE.address} {ALICE.password}")[-1].startswith("a OK")


@pytest.mark.needs("dovecot")
def test_dovecot_announces_only_the_capabilities_it_was_given(authority: CertificateAuthority):
    options = DovecotOptions(capability="IMAP4rev1 IDLE", trusted=False)
    with running_dovecot(authority, options) as dovecot, dialogue(dovecot.ports.imap) as talk:
        talk.until(r"\* OK")
        assert talk.imap("a", f"LOGIN {ALICE.address} {ALICE.password}")[-1].startswith("a OK")
        assert talk.imap("b", "CAPABILITY")[0] == "* CAPABILITY IMAP4rev1 IDLE"


@pytest.mark.needs("dovecot")
def test_dovecot_submission_relays_to_a_sink(authority: CertificateAuthority):
    with running_sink() as sink, running_dovecot(authority, DovecotOptions(relay_port=sink.port)) as dovecot:
        context = authority.client_context()
        with smtplib.SMTP_SSL("localhost", dovecot.ports.submissions, context=context, timeout=10) as smtp:
            smtp.login(ALICE.address, ALICE.password)
            smtp.send_message(a_message(ALICE.address, BOB.address, "to-the-sink"))
        taken = sink.wait()
    assert b"Subject: to-the-sink\r\n" in taken.octets
    assert any(command.startswith(b"XCLIENT") and b"LOGIN=alice" in command for command in taken.commands)


def _greeted(talk: Dialogue) -> None:
    talk.until(r"220 ")
    assert any("XCLIENT" in line for line in talk.smtp("EHLO gateway.example.test"))


def _send(talk: Dialogue, sender: str, recipient: str, subject: str) -> None:
    assert talk.smtp(f"MAIL FROM:<{sender}>")[-1].startswith("250")
    assert talk.smtp(f"RCPT TO:<{recipient}>")[-1].startswith("250")
    assert talk.smtp("DATA")[-1].startswith("354")
    octets = a_message(sender, recipient, subject).as_bytes().replace(b"\n", b"\r\n")
    assert talk.smtp(octets + b".")[-1].startswith("250")
