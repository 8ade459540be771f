"""A real Postfix asks Valetkey, with no Dovecot between: logins, senders, recipients, counts, revocation."""

import base64
import os
import signal
import smtplib
import sqlite3
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from tests.servers import clients
from tests.servers.asking_postfix import AskingPostfix, asking_postfix
from tests.servers.certificates import CertificateAuthority
from tests.servers.dialogue import Dialogue, dialogue, plain
from tests.servers.maildirs import a_message
from tests.servers.mailing import send
from tests.servers.people import ALICE, BOB, CAROL
from tests.servers.site import MailSite
from tests.servers.valetkey import Valetkey, running_valetkey
from tests.servers.valetkey_keys import AppPasswordOf, scope
from tests.servers.valetkey_settings import Upstream, ValetkeyOptions

from valetkey.core.limits import Limits
from valetkey.core.restriction import NetworkRule
from valetkey.service import accounts, app_passwords
from valetkey.service.ports import OPERATOR

pytestmark = pytest.mark.integration

SALES = "sales@example.test"


@pytest.fixture(scope="module")
def asked(authority: CertificateAuthority, mail_site: MailSite) -> Iterator[tuple[AskingPostfix, Valetkey]]:
    """Give a Postfix, and the Valetkey that it asks; whose own gateway sends through the same Postfix."""
    with asking_postfix(authority, mail_site.mail.root, service_throttle_time="1s") as postfix:
        upstream = Upstream(postfix.ports.submission, "starttls", "xclient", ca=mail_site.authority.file)
        options = ValetkeyOptions(extra=postfix.sections(), upstreams={"smtp": upstream})
        with running_valetkey(mail_site, options) as running:
            postfix.start()
            yield postfix, running


@pytest.fixture
def postfix(asked: tuple[AskingPostfix, Valetkey]) -> AskingPostfix:
    return asked[0]


@pytest.fixture
def valetkey(asked: tuple[AskingPostfix, Valetkey]) -> Valetkey:
    return asked[1]


@pytest.fixture
def key(valetkey: Valetkey) -> AppPasswordOf:
    return valetkey.keys.issue(ALICE, "send-only")


@contextmanager
def greeted(postfix: AskingPostfix, *, tcp: bool = True) -> Iterator[Dialogue]:
    """Connect, begin TLS and say hello; by the port that asks over TCP, or the one in the chroot."""
    context = postfix.authority.client_context()
    port = postfix.ports.submission if tcp else postfix.ports.submissions
    with dialogue(port, None if tcp else context, seconds=30) as talk:
        talk.until("220 ")
        if tcp:
            talk.smtp("EHLO client.example.test")
            assert talk.smtp("STARTTLS")[-1].startswith("220")
            talk.start_tls(context)
        talk.smtp("EHLO client.example.test")
        yield talk


@contextmanager
def logged_in(postfix: AskingPostfix, key: AppPasswordOf) -> Iterator[Dialogue]:
    with greeted(postfix) as talk:
        assert talk.smtp(f"AUTH PLAIN {plain(key.person.address, key.secret)}")[-1].startswith("235 2.7.0")
        yield talk


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("tcp", [True, False], ids=["tcp", "unix socket in the chroot"])
def test_logins(postfix: AskingPostfix, valetkey: Valetkey, key: AppPasswordOf, tcp: bool):
    with greeted(postfix, tcp=tcp) as talk:
        assert "250-AUTH PLAIN LOGIN" in talk.smtp("EHLO client.example.test")
        wrong = talk.smtp(f"AUTH PLAIN {plain(ALICE.address, 'vkey-' + '-'.join(['abcd'] * 6))}")[-1]
        assert wrong.startswith("535 5.7.8 Error: authentication failed")
        assert talk.smtp("AUTH LOGIN")[-1] == f"334 {b64('Username:')}"
        assert talk.smtp(b64(ALICE.address))[-1] == f"334 {b64('Password:')}"
        assert talk.smtp(b64(key.secret))[-1].startswith("235 2.7.0")
        assert send(talk, BOB.address).startswith("250 2.0.0 Ok: queued")
    (login,) = valetkey.events("login", result="allowed", credential=key.id)[-1:]
    assert (login["door"], login["address"], login["tls"]) == ("sasl", "127.0.0.1", True)


def test_what_postfix_logs_names_the_app_password(postfix: AskingPostfix, key: AppPasswordOf):
    postfix.log.mark()
    with logged_in(postfix, key) as talk:
        assert send(talk, BOB.address).startswith("250")
    assert f"sasl_username={ALICE.address}/app:{key.id}" in postfix.log.wait_for("sasl_method=PLAIN")


def test_a_proven_but_refused_login_is_told_why(postfix: AskingPostfix, valetkey: Valetkey):
    reading = valetkey.keys.issue(ALICE, "mail-app-read-only")
    elsewhere = valetkey.keys.issue(
        ALICE, "send-only", network_rule=NetworkRule.ALLOWED, allowed_ips=("198.51.100.0/24",)
    )
    with greeted(postfix) as talk:
        said = [talk.smtp(f"AUTH PLAIN {plain(ALICE.address, each.secret)}")[-1] for each in (reading, elsewhere)]
    assert said[0].startswith("535 5.7.8 Error: authentication failed: This app password may not be used for sending")
    assert said[1].startswith("535 5.7.8 Error: authentication failed: This app password may not be used from this")
    assert (valetkey.keys.last_refusal(reading), valetkey.keys.last_refusal(elsewhere)) == ("protocol", "network")


def test_without_tls_nobody_logs_in(postfix: AskingPostfix, valetkey: Valetkey, key: AppPasswordOf):
    with dialogue(postfix.ports.relay, seconds=30) as talk:
        talk.until("220 ")
        talk.smtp("EHLO client.example.test")
        said = talk.smtp(f"AUTH PLAIN {plain(ALICE.address, key.secret)}")[-1]
    assert said.startswith("535 5.7.8 Error: authentication failed: Logins are accepted only over TLS")


@pytest.mark.parametrize("response", ["=", "!!!", "AAAA", "AGE=\tresp=AAAA", "A" * 12000, b64("\0alice\0a\0b"), "x y"])
def test_bad_input_is_a_failed_login(postfix: AskingPostfix, valetkey: Valetkey, key: AppPasswordOf, response: str):
    with greeted(postfix) as talk:
        assert talk.smtp(f"AUTH PLAIN {response}")[-1].startswith("5")
        assert talk.smtp("AUTH LOGIN")[-1].startswith("334")
        assert talk.smtp(response)[-1].startswith("5")
        assert talk.smtp(f"AUTH PLAIN {plain(ALICE.address, key.secret)}")[-1].startswith("235")


def test_a_given_up_exchange_disturbs_none_that_follow(postfix: AskingPostfix, valetkey: Valetkey, key: AppPasswordOf):
    with greeted(postfix) as talk:
        for _ in range(5):
            assert talk.smtp("AUTH LOGIN")[-1].startswith("334")
            assert talk.smtp("*")[-1].startswith("501")
        assert talk.smtp(f"AUTH PLAIN {plain(ALICE.address, key.secret)}")[-1].startswith("235")


def test_one_client_harms_no_other(postfix: AskingPostfix, valetkey: Valetkey, key: AppPasswordOf):
    """Fifty log in while one sends what it likes (CVE-2017-15132, CVE-2025-59028)."""
    over = threading.Event()

    def misbehave() -> None:
        while not over.is_set():
            with greeted(postfix) as talk:
                for junk in (
                    "AUTH PLAIN !!!",
                    "AUTH PLAIN AAAA",
                    f"AUTH PLAIN {'A' * 11_000}",
                    "AUTH PLAIN AGE=\tresp=AAAA",
                ):
                    assert talk.smtp(junk)[-1].startswith("5")
                talk.smtp("AUTH LOGIN")  # and leaves in the middle of it

    def log_in(_: int) -> bool:
        with logged_in(postfix, key):
            return True

    with ThreadPoolExecutor(9) as pool:
        bad = pool.submit(misbehave)
        try:
            assert all(pool.map(log_in, range(50)))
        finally:
            over.set()
        bad.result()


def test_who_may_send_as_an_address(postfix: AskingPostfix, valetkey: Valetkey, key: AppPasswordOf):
    account = valetkey.keys.account_id(ALICE)
    valetkey.keys.do(lambda ports: accounts.add_alias(ports, OPERATOR, account, SALES))
    narrow = valetkey.keys.issue(ALICE, "send-only", limits=Limits(senders=(SALES,)))
    try:
        with logged_in(postfix, key) as talk:
            assert send(talk, BOB.address, sender=SALES).startswith("250")
            assert send(talk, BOB.address, sender=ALICE.address.upper()).startswith("250")
            for other in (BOB.address, "nobody@example.test", "alice@elsewhere.test"):
                said = send(talk, BOB.address, sender=other)
                assert said.startswith("553 5.7.1") and "not owned by user" in said
        with logged_in(postfix, narrow) as talk:
            assert send(talk, BOB.address, sender=SALES).startswith("250")
            assert send(talk, BOB.address).startswith("553 5.7.1")
            # The empty return path is in no map; the policy service knows the app password's limit.
            assert "may not send mail as this address" in send(talk, BOB.address, sender="")
        shop = f"{ALICE.local_part}+shop@example.test"
        itself = valetkey.keys.issue(ALICE, "send-only", limits=Limits(senders=(shop,)))
        answers = []
        for each in (key, itself, narrow):
            with logged_in(postfix, each) as talk:
                answers.append(send(talk, BOB.address, sender=shop)[:3])
        assert answers == ["250", "250", "553"]
    finally:
        valetkey.keys.do(lambda ports: accounts.remove_alias(ports, OPERATOR, account, SALES))


def test_recipients(postfix: AskingPostfix, valetkey: Valetkey):
    key = valetkey.keys.issue(ALICE, "send-only", limits=Limits(recipients=(BOB.address,)))
    with logged_in(postfix, key) as talk:
        assert send(talk, BOB.address).startswith("250")
        said = send(talk, BOB.address, CAROL.address)
        assert said.startswith("554 5.7.1") and "This app password may not send mail to this address" in said


def test_counts(postfix: AskingPostfix, valetkey: Valetkey):
    key = valetkey.keys.issue(ALICE, "send-only", limits=Limits(messages_per_day=2, recipients_per_message=2))
    with logged_in(postfix, key) as talk:
        said = send(talk, BOB.address, CAROL.address, ALICE.address)
        assert said.startswith("554 5.5.3") and "so many recipients" in said
        assert send(talk, BOB.address, CAROL.address).startswith("250")
        assert send(talk, BOB.address).startswith("250")
        said = send(talk, BOB.address)
        assert said.startswith("554 5.7.1") and "as many messages today" in said
    with logged_in(postfix, key) as talk:
        assert "as many messages today" in send(talk, BOB.address)


def test_the_last_place_is_taken_once(postfix: AskingPostfix, valetkey: Valetkey):
    """Both messages passed at RCPT; one is refused when it is there."""
    key = valetkey.keys.issue(ALICE, "send-only", limits=Limits(messages_per_day=1))
    with logged_in(postfix, key) as one, logged_in(postfix, key) as other:
        for talk in (one, other):
            for line in (f"MAIL FROM:<{ALICE.address}>", f"RCPT TO:<{BOB.address}>", "DATA"):
                assert talk.smtp(line)[-1].startswith(("250", "354"))
        said = [talk.smtp("Subject: x\r\n\r\nx\r\n.")[-1] for talk in (one, other)]
    assert sorted(each[:3] for each in said) == ["250", "554"]
    assert "as many messages today" in "".join(said)


def test_revoked_in_a_live_session(postfix: AskingPostfix, valetkey: Valetkey, key: AppPasswordOf):
    with logged_in(postfix, key) as talk:
        assert send(talk, BOB.address).startswith("250")
        valetkey.keys.revoke(key)
        # Its sender map has it no more; with the map of somebody else the policy service refuses it.
        assert send(talk, BOB.address).startswith("553 5.7.1")


def test_revoked_while_a_message_is_under_way(postfix: AskingPostfix, valetkey: Valetkey, key: AppPasswordOf):
    with logged_in(postfix, key) as talk:
        for line in (f"MAIL FROM:<{ALICE.address}>", f"RCPT TO:<{BOB.address}>", "DATA"):
            talk.smtp(line)
        valetkey.keys.revoke(key)
        said = talk.smtp("Subject: x\r\n\r\nx\r\n.")[-1]
        assert said.startswith("554 5.7.1") and "This app password may no longer be used" in said


def test_narrowed_in_a_live_session(postfix: AskingPostfix, valetkey: Valetkey):
    key = valetkey.keys.issue(ALICE, "everything")
    with logged_in(postfix, key) as talk:
        assert send(talk, BOB.address).startswith("250")
        valetkey.keys.change_scope(key, scope("read flag", "imap"))
        # Its owner may no longer send by it; the sender map has it no more, and the policy service neither.
        assert send(talk, BOB.address).startswith(("553 5.7.1", "554 5.7.1"))


def test_a_disabled_account_in_a_live_session(postfix: AskingPostfix, valetkey: Valetkey):
    key = valetkey.keys.issue(CAROL, "send-only")
    with logged_in(postfix, key) as talk:
        assert send(talk, BOB.address, sender=CAROL.address).startswith("250")
        valetkey.keys.disable(CAROL)
        try:
            assert send(talk, BOB.address, sender=CAROL.address).startswith(("553 5.7.1", "554 5.7.1"))
        finally:
            valetkey.keys.enable(CAROL)


def test_what_the_gateway_sends_is_counted_once_at_most(postfix: AskingPostfix, valetkey: Valetkey):
    """By XCLIENT the Postfix knows a name without an app password: the gateway itself holds it to its limits."""
    key = valetkey.keys.issue(ALICE, "send-only")
    postfix.log.mark()
    with smtplib.SMTP_SSL(
        "localhost", valetkey.ports.submissions, context=valetkey.site.authority.client_context()
    ) as smtp:
        smtp.login(ALICE.address, key.secret)
        smtp.send_message(a_message(ALICE.address, BOB.address, "through the gateway"))
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            smtp.send_message(a_message(BOB.address, CAROL.address, "as somebody else"))
    assert f"sasl_method=XCLIENT, sasl_username={ALICE.address}" in postfix.log.wait_for("sasl_method=XCLIENT")
    assert "/app:" not in postfix.log.since_mark()


def test_a_message_through_the_gateway_has_one_place(postfix: AskingPostfix, valetkey: Valetkey):
    """The gateway counts it; the Postfix that asks about it too does not."""
    key = valetkey.keys.issue(ALICE, "send-only", limits=Limits(messages_per_day=2))
    context = valetkey.site.authority.client_context()
    with smtplib.SMTP_SSL("localhost", valetkey.ports.submissions, context=context) as smtp:
        smtp.login(ALICE.address, key.secret)
        for _ in range(2):
            smtp.send_message(a_message(ALICE.address, BOB.address, "through the gateway"))
        with pytest.raises(smtplib.SMTPException):
            smtp.send_message(a_message(ALICE.address, BOB.address, "one too many"))
    sent = valetkey.keys.do(lambda ports: app_passwords.sent_today(ports, OPERATOR, key.id)).sent
    assert (sent.messages, sent.recipients) == (2, 2)
    with logged_in(postfix, key) as talk:
        assert "as many messages today" in send(talk, BOB.address)


def test_a_proxy_that_names_the_app_password_is_held_to_it(postfix: AskingPostfix, valetkey: Valetkey):
    """As nginx does, by XCLIENT; where its client is counts, and its TLS was judged at the login."""
    rule = {"network_rule": NetworkRule.ALLOWED, "allowed_ips": ("198.51.100.0/24",)}
    key = valetkey.keys.issue(ALICE, "send-only", limits=Limits(messages_per_day=1), **rule)
    said = {}
    for address in ("203.0.113.9", "198.51.100.7", "198.51.100.8"):
        with dialogue(postfix.ports.submission, seconds=30) as talk:
            talk.until("220 ")
            talk.smtp("EHLO proxy.example.test")
            talk.smtp(f"XCLIENT NAME=[UNAVAILABLE] ADDR={address} LOGIN={ALICE.address}/app:{key.id}")
            talk.smtp("EHLO client.example.test")
            said[address] = send(talk, BOB.address)
    assert "may not be used from this network" in said["203.0.113.9"]
    assert said["198.51.100.7"].startswith("250")
    assert "as many messages today" in said["198.51.100.8"]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_swaks(postfix: AskingPostfix, valetkey: Valetkey, key: AppPasswordOf, client_home: Path, mechanism: str):
    valetkey.site.mail.empty(BOB)
    login = clients.Login(postfix.ports.submission, valetkey.ca, ALICE.address, key.secret, clients.Tls.STARTTLS)
    subject = f"swaks by {mechanism}"
    done = clients.swaks(client_home, login, ALICE.address, BOB.address, subject, mechanism=mechanism).run()
    assert done.code == 0, done.output
    valetkey.site.mail.wait_for(BOB, subject)


def test_msmtp(postfix: AskingPostfix, valetkey: Valetkey, key: AppPasswordOf, client_home: Path):
    valetkey.site.mail.empty(BOB)
    login = clients.Login(postfix.ports.submissions, valetkey.ca, ALICE.address, key.secret)
    message = a_message(ALICE.address, BOB.address, "msmtp by a chroot").as_bytes()
    done = clients.msmtp(client_home, login, ALICE.address, [BOB.address], message).run()
    assert done.code == 0, done.output
    valetkey.site.mail.wait_for(BOB, "msmtp by a chroot")


def test_odd_octets_in_names_and_passwords(postfix: AskingPostfix, valetkey: Valetkey):
    odd = b'a\x01\t\r\n "\\\x7f\x80\xc3\xff%z'
    with greeted(postfix) as talk:
        for name, secret in ((b"a\x01\t@example.test", b"x"), (ALICE.address.encode(), odd), (b"\xff\xc3", odd)):
            response = base64.b64encode(b"\0" + name + b"\0" + secret).decode()
            assert talk.smtp(f"AUTH PLAIN {response}")[-1].startswith("535 5.7.8")


def test_clients_find_out_nothing_from_certificates(postfix: AskingPostfix):
    """The port in the chroot speaks TLS from the first octet."""
    with pytest.raises(ssl.SSLError), dialogue(postfix.ports.submissions, ssl.create_default_context()):
        pass


def test_a_store_that_takes_nothing_is_no_wrong_password(postfix: AskingPostfix, valetkey: Valetkey):
    """Failures and messages cannot be counted: the client is told to try again, and what needs no count passes."""
    limited = valetkey.keys.issue(ALICE, "send-only", limits=Limits(messages_per_day=5))
    free = valetkey.keys.issue(ALICE, "send-only")
    with closing(sqlite3.connect(valetkey.directory / "valetkey.db")) as other, logged_in(postfix, limited) as talk:
        other.execute("BEGIN IMMEDIATE")
        with greeted(postfix) as trying:
            assert trying.smtp(f"AUTH PLAIN {plain(ALICE.address, 'vkey' + 'x' * 24)}")[-1].startswith("454 4.7.0")
            assert trying.smtp(f"AUTH PLAIN {plain(ALICE.address, free.secret)}")[-1].startswith("235")
            assert send(trying, BOB.address).startswith("250")
        said = send(talk, BOB.address)
        assert said.startswith("450 4.3.0") and "cannot be checked right now" in said
        other.rollback()
        assert send(talk, BOB.address).startswith("250")


def test_an_outage_is_told_as_one_and_ends(postfix: AskingPostfix, valetkey: Valetkey, key: AppPasswordOf):
    """Who is logged in cannot send, who is connected cannot log in, nobody is told of a wrong password."""
    with greeted(postfix) as waiting, logged_in(postfix, key) as sending:
        valetkey.stop()
        try:
            assert waiting.smtp(f"AUTH PLAIN {plain(ALICE.address, key.secret)}")[-1].startswith("454 4.7.0")
            assert send(sending, BOB.address).startswith("451 4.3.")
        finally:
            valetkey.start()
        assert waiting.smtp(f"AUTH PLAIN {plain(ALICE.address, key.secret)}")[-1].startswith("235")
        assert send(sending, BOB.address).startswith("250")


@pytest.mark.parametrize("tcp", [True, False], ids=["tcp", "unix socket"])
def test_a_worker_that_dies_costs_no_login(postfix: AskingPostfix, valetkey: Valetkey, key: AppPasswordOf, tcp: bool):
    """Postfix keeps its connections to it, and goes on with another one."""
    with greeted(postfix, tcp=tcp) as one:
        for number in range(1, valetkey.options.workers + 1):
            os.kill(valetkey.worker_pid(number), signal.SIGKILL)
        valetkey.wait_until_ready()
        assert one.smtp(f"AUTH PLAIN {plain(ALICE.address, key.secret)}")[-1].startswith("235")


@pytest.mark.parametrize("tcp", [True, False], ids=["tcp", "unix socket"])
def test_a_restart_costs_no_login(postfix: AskingPostfix, valetkey: Valetkey, key: AppPasswordOf, tcp: bool):
    with greeted(postfix, tcp=tcp) as one:
        valetkey.stop()
        valetkey.start()
        assert one.smtp(f"AUTH PLAIN {plain(ALICE.address, key.secret)}")[-1].startswith("235")
