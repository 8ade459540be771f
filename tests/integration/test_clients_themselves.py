"""Each real client, as the tests set it up, works with Dovecot and Postfix directly: what fails later is ours."""

import imaplib
import mailbox
import poplib
import smtplib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.servers import clients, python_clients
from tests.servers.clients import Login, Tls
from tests.servers.commands import Command
from tests.servers.maildirs import a_message
from tests.servers.people import ALICE, BOB, CAROL
from tests.servers.site import MailSite

pytestmark = pytest.mark.integration

Sender = Callable[[Path, Login, str], Command]


def login(site: MailSite, port: str, tls: Tls = Tls.IMPLICIT, secret: str = ALICE.password) -> Login:
    servers = {"submission": site.postfix, "submissions": site.postfix}
    return Login(getattr(servers.get(port, site.dovecot).ports, port), site.authority.file, ALICE.address, secret, tls)


def letter(subject: str) -> bytes:
    return a_message(ALICE.address, BOB.address, subject).as_bytes()


def with_curl(home: Path, who: Login, subject: str) -> Command:
    return clients.curl_send(home, who, ALICE.address, [BOB.address], letter(subject))


def with_msmtp(home: Path, who: Login, subject: str) -> Command:
    return clients.msmtp(home, who, ALICE.address, [BOB.address], letter(subject))


def with_swaks(home: Path, who: Login, subject: str) -> Command:
    return clients.swaks(home, who, ALICE.address, BOB.address, subject)


def with_swaks_login(home: Path, who: Login, subject: str) -> Command:
    return clients.swaks(home, who, ALICE.address, BOB.address, subject, mechanism="LOGIN")


def with_neomutt(home: Path, who: Login, subject: str) -> Command:
    return clients.neomutt_send(home, who, ALICE.address, BOB.address, subject)


SENDERS = [
    pytest.param(with_curl, marks=pytest.mark.needs("curl")),
    pytest.param(with_msmtp, marks=pytest.mark.needs("msmtp")),
    pytest.param(with_swaks, marks=pytest.mark.needs("swaks")),
    pytest.param(with_swaks_login, marks=pytest.mark.needs("swaks")),
    pytest.param(with_neomutt, marks=pytest.mark.needs("neomutt")),
]


@pytest.fixture
def mail_in_the_inbox(mail_site: MailSite) -> str:
    mail_site.mail.empty(ALICE)
    mail_site.mail.deliver(ALICE, a_message(CAROL.address, ALICE.address, "to-be-read"))
    return "to-be-read"


@pytest.mark.parametrize("send", SENDERS)
@pytest.mark.parametrize(("port", "tls"), [("submissions", Tls.IMPLICIT), ("submission", Tls.STARTTLS)])
def test_it_sends(mail_site: MailSite, client_home: Path, send: Sender, port: str, tls: Tls):
    subject = f"{send.__name__}-{port}"
    outcome = send(client_home, login(mail_site, port, tls), subject).run()
    assert outcome.code == 0, outcome.output
    mail_site.mail.wait_for(BOB, subject)


@pytest.mark.parametrize("send", SENDERS)
def test_it_says_that_a_wrong_password_did_not_send(mail_site: MailSite, client_home: Path, send: Sender):
    outcome = send(client_home, login(mail_site, "submissions", secret="wrong"), "never").run()
    assert outcome.code != 0, outcome.output
    assert "535" in outcome.output or "denied" in outcome.output.lower() or "failed" in outcome.output, outcome.output


@pytest.mark.needs("curl")
@pytest.mark.parametrize(("port", "tls"), [("imaps", Tls.IMPLICIT), ("imap", Tls.STARTTLS)])
def test_curl_finds_and_reads_by_imap(
    mail_site: MailSite, client_home: Path, mail_in_the_inbox: str, port: str, tls: Tls
):
    who = login(mail_site, port, tls)
    found = clients.curl(client_home, who, "imap", f"INBOX?SUBJECT%20{mail_in_the_inbox}").run()
    read = clients.curl(client_home, who, "imap", "INBOX;MAILINDEX=1").run()
    assert found.code == read.code == 0, found.output + read.output
    assert "* SEARCH 1" in found.output
    assert mail_in_the_inbox in read.output


@pytest.mark.needs("curl")
@pytest.mark.parametrize(("port", "tls"), [("pop3s", Tls.IMPLICIT), ("pop3", Tls.STARTTLS)])
def test_curl_reads_by_pop3(mail_site: MailSite, client_home: Path, mail_in_the_inbox: str, port: str, tls: Tls):
    outcome = clients.curl(client_home, login(mail_site, port, tls), "pop3", "1").run()
    assert outcome.code == 0, outcome.output
    assert mail_in_the_inbox in outcome.output


@pytest.mark.needs("curl")
def test_curl_ends_with_67_when_its_login_is_denied(mail_site: MailSite, client_home: Path):
    assert clients.curl(client_home, login(mail_site, "imaps", secret="wrong"), "imap").run().code == 67


@pytest.mark.needs("mbsync")
@pytest.mark.parametrize(("port", "tls"), [("imaps", Tls.IMPLICIT), ("imap", Tls.STARTTLS)])
def test_mbsync_syncs_both_ways(mail_site: MailSite, client_home: Path, mail_in_the_inbox: str, port: str, tls: Tls):
    command = clients.mbsync(client_home, login(mail_site, port, tls))
    first = command.run()
    assert first.code == 0, first.output
    inbox = mailbox.Maildir(client_home / "mail" / "INBOX", create=False)
    assert [message["Subject"] for message in inbox] == [mail_in_the_inbox]
    inbox.add(letter("put-here-by-mbsync"))
    second = command.run()
    assert second.code == 0, second.output
    mail_site.mail.wait_for(ALICE, "put-here-by-mbsync")


@pytest.mark.needs("mbsync")
def test_mbsync_says_that_a_wrong_password_failed(mail_site: MailSite, client_home: Path):
    outcome = clients.mbsync(client_home, login(mail_site, "imaps", secret="wrong")).run()
    assert outcome.code != 0
    assert "AUTHENTICATIONFAILED" in outcome.output


@pytest.mark.needs("fetchmail")
@pytest.mark.parametrize(
    ("port", "tls", "protocol"),
    [
        ("imaps", Tls.IMPLICIT, "IMAP"),
        ("imap", Tls.STARTTLS, "IMAP"),
        ("pop3s", Tls.IMPLICIT, "POP3"),
        ("pop3", Tls.STARTTLS, "POP3"),
    ],
)
def test_fetchmail_fetches(mail_site: MailSite, client_home: Path, mail_in_the_inbox: str, port, tls, protocol):  # noqa: PLR0917 - a table's columns
    outcome = clients.fetchmail(client_home, login(mail_site, port, tls), protocol).run()
    assert outcome.code == 0, outcome.output
    assert mail_in_the_inbox in (client_home / "fetched").read_text()


@pytest.mark.needs("fetchmail")
def test_fetchmail_waits_in_idle_and_takes_what_arrives(mail_site: MailSite, client_home: Path, mail_in_the_inbox: str):
    with clients.fetchmail(client_home, login(mail_site, "imaps"), idle=True).start() as running:
        running.wait_for("+ idling")
        mail_site.mail.deliver(ALICE, a_message(CAROL.address, ALICE.address, "came-while-idle"))
        running.wait_for("localhost:2 of 2")
        running.wait_for("+ idling")
    assert "came-while-idle" in (client_home / "fetched").read_text()


@pytest.mark.needs("fetchmail")
@pytest.mark.parametrize(("port", "protocol"), [("imaps", "IMAP"), ("pop3s", "POP3")])
def test_fetchmail_ends_with_3_when_its_login_is_refused(mail_site: MailSite, client_home: Path, port, protocol):
    outcome = clients.fetchmail(client_home, login(mail_site, port, secret="wrong"), protocol).run()
    assert outcome.code == 3, outcome.output


@pytest.mark.needs("getmail")
@pytest.mark.parametrize(("port", "protocol"), [("imaps", "IMAP"), ("pop3s", "POP3")])
def test_getmail_fetches(mail_site: MailSite, client_home: Path, mail_in_the_inbox: str, port: str, protocol: str):
    outcome = clients.getmail(client_home, login(mail_site, port), protocol).run()
    assert outcome.code == 0, outcome.output
    assert mail_in_the_inbox in (client_home / "got").read_text()


@pytest.mark.needs("getmail")
def test_getmail_says_that_a_wrong_password_failed(mail_site: MailSite, client_home: Path):
    outcome = clients.getmail(client_home, login(mail_site, "imaps", secret="wrong")).run()
    assert "credential" in outcome.output.lower() or "AUTHENTICATIONFAILED" in outcome.output, outcome.output


@pytest.mark.parametrize(("port", "tls"), [("imaps", Tls.IMPLICIT), ("imap", Tls.STARTTLS)])
def test_imaplib_searches(mail_site: MailSite, mail_in_the_inbox: str, port: str, tls: Tls):
    with python_clients.imap(login(mail_site, port, tls)) as imap:
        imap.select("INBOX", readonly=True)
        assert imap.search(None, "SUBJECT", mail_in_the_inbox) == ("OK", [b"1"])


@pytest.mark.parametrize(("port", "tls"), [("pop3s", Tls.IMPLICIT), ("pop3", Tls.STARTTLS)])
def test_poplib_counts(mail_site: MailSite, mail_in_the_inbox: str, port: str, tls: Tls):
    with python_clients.pop3(login(mail_site, port, tls)) as pop3:
        assert pop3.stat()[0] == 1


@pytest.mark.parametrize(("port", "tls"), [("submissions", Tls.IMPLICIT), ("submission", Tls.STARTTLS)])
def test_smtplib_sends(mail_site: MailSite, port: str, tls: Tls):
    with python_clients.smtp(login(mail_site, port, tls)) as smtp:
        smtp.send_message(a_message(ALICE.address, BOB.address, f"smtplib-{port}"))
    mail_site.mail.wait_for(BOB, f"smtplib-{port}")


def test_managesieve_lists_scripts(mail_site: MailSite):
    with python_clients.sieve(login(mail_site, "sieve", Tls.STARTTLS)) as sieve:
        assert sieve.sieve("LISTSCRIPTS")[-1].startswith("OK")


def test_python_clients_say_that_a_wrong_password_failed(mail_site: MailSite):
    with (
        pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"),
        python_clients.imap(login(mail_site, "imaps", secret="wrong")),
    ):
        pass
    with (
        pytest.raises(poplib.error_proto, match="AUTH"),
        python_clients.pop3(login(mail_site, "pop3s", secret="wrong")),
    ):
        pass
    with (
        pytest.raises(smtplib.SMTPAuthenticationError, match="535"),
        python_clients.smtp(login(mail_site, "submissions", secret="wrong")),
    ):
        pass
    wrong = login(mail_site, "sieve", Tls.STARTTLS, secret="wrong")
    with pytest.raises(PermissionError, match="NO"), python_clients.sieve(wrong):
        pass


@pytest.mark.needs("neomutt")
@pytest.mark.parametrize(("port", "tls"), [("imaps", Tls.IMPLICIT), ("imap", Tls.STARTTLS)])
def test_neomutt_opens_a_folder_and_copies_it(
    mail_site: MailSite, client_home: Path, mail_in_the_inbox: str, port: str, tls: Tls
):
    outcome = clients.neomutt_copy(client_home, login(mail_site, port, tls)).run()
    assert outcome.code == 0, outcome.output
    assert mail_in_the_inbox in (client_home / "copied").read_text()


@pytest.mark.needs("neomutt")
def test_neomutt_stays_in_a_folder_until_it_is_told_to_leave(
    mail_site: MailSite, client_home: Path, mail_in_the_inbox: str
):
    with clients.neomutt_open(client_home, login(mail_site, "imaps")).start() as running:
        running.wait_for(mail_in_the_inbox)
        running.type("x")
        assert running.wait().code == 0


@pytest.mark.needs("curl", "mbsync", "fetchmail", "msmtp", "swaks")
def test_no_client_trusts_a_certificate_of_somebody_else(mail_site: MailSite, client_home: Path, other_ca: Path):
    who = replace(login(mail_site, "imaps"), ca=other_ca)
    assert clients.curl(client_home, who, "imap").run().code == 60
    assert clients.mbsync(client_home, who).run().code != 0
    assert clients.fetchmail(client_home, who).run().code == 2
    sending = replace(login(mail_site, "submissions"), ca=other_ca)
    assert with_msmtp(client_home, sending, "never").run().code != 0
    assert with_swaks(client_home, sending, "never").run().code != 0
