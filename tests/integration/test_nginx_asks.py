"""A real nginx in front of Dovecot and Postfix asks Valetkey: logins, refusals, limits, client certificates, outages."""

import base64
import imaplib
import poplib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from hashlib import sha256

import pytest
from tests.servers import python_clients
from tests.servers.asking_postfix import AskingPostfix, asking_postfix
from tests.servers.certificates import CertificateAuthority, ServerCertificate
from tests.servers.clients import Login, Tls
from tests.servers.dialogue import Dialogue, dialogue, plain
from tests.servers.dovecot import Dovecot, running_dovecot
from tests.servers.dovecot_settings import DovecotOptions
from tests.servers.logs import ServerLog
from tests.servers.maildirs import a_message
from tests.servers.nginx import Nginx, ProxiedPorts, running_nginx
from tests.servers.people import ALICE, BOB, SCANNER
from tests.servers.places import LOCALHOST, free_port, free_ports
from tests.servers.site import MailSite
from tests.servers.valetkey import Valetkey, running_valetkey
from tests.servers.valetkey_keys import AppPasswordOf, scope
from tests.servers.valetkey_settings import Upstream, ValetkeyOptions

from valetkey.core.limits import Limits
from valetkey.core.restriction import NetworkRule
from valetkey.wire.http_requests import HttpReader
from valetkey.wire.nginx_auth import NginxAsks, read_request

pytestmark = [pytest.mark.integration, pytest.mark.needs("nginx-mail", "dovecot", "postfix", "root")]

ELSEWHERE = "127.9.0.5"  # a client whose address is not the server's own; in the network "office"

BEFORE = f'tls = "none"\ntls_before = true\nproxy_peers = ["{LOCALHOST}/32"]\n'


@dataclass
class Provider:
    """nginx, what it asks, and what stands behind it."""

    nginx: Nginx
    valetkey: Valetkey
    dovecot: Dovecot
    postfix: AskingPostfix
    certificate: ServerCertificate  # of SCANNER, for an app password that is named in the configuration

    @property
    def logs(self) -> list[ServerLog]:
        """The logs that a failed test shows."""
        return [self.nginx.log, *self.valetkey.logs]

    def login(self, port: str, key: AppPasswordOf, secret: str | None = None) -> Login:
        tls = Tls.IMPLICIT if port.endswith("s") else Tls.STARTTLS
        said = key.secret if secret is None else secret
        return Login(getattr(self.nginx.ports, port), self.nginx.authority.file, key.person.address, said, tls)


@pytest.fixture(scope="module")
def provider(authority: CertificateAuthority) -> Iterator[Provider]:
    """Run them all. The certificate's app password is made before the configuration can name it."""
    proxied = ProxiedPorts(*free_ports(2))
    door, behind = free_port(), free_port()
    certificate = authority.issue("scanner.example.test")
    with (
        running_dovecot(authority, DovecotOptions(extra=proxied.lines())) as dovecot,
        asking_postfix(authority, dovecot.mail.root, service_throttle_time="1s") as postfix,
        running_nginx(authority, door) as nginx,
    ):
        ca = authority.file
        upstreams = {
            "imap": Upstream(
                dovecot.ports.imap, ca=ca, host=LOCALHOST, server_name="localhost", nginx_port=proxied.imap
            ),
            "pop3": Upstream(
                dovecot.ports.pop3, ca=ca, host=LOCALHOST, server_name="localhost", nginx_port=proxied.pop3
            ),
            "smtp": Upstream(postfix.ports.submission, "none", "xclient", host=LOCALHOST),
        }
        sections = (
            *postfix.sections()[:-1],  # nginx alone sends there
            f'[[door]]\nkind = "http"\nlisten = "{LOCALHOST}:{door}"\npeers = ["nginx"]\n',
            f'[[peer]]\nname = "nginx"\nsecret_file = "{nginx.secret_file}"\nholds = ["sending"]\nnginx = true\ngateway = "{LOCALHOST}"\n',
            f'[[listener]]\nprotocol = "imap"\nlisten = "{LOCALHOST}:{behind}"\n{BEFORE}',
        )
        site = MailSite(authority, dovecot, postfix)
        with running_valetkey(site, ValetkeyOptions(extra=sections, upstreams=upstreams)) as valetkey:
            _bind(valetkey, certificate)
            postfix.start()
            yield Provider(nginx, valetkey, dovecot, postfix, certificate)


def _bind(valetkey: Valetkey, certificate: ServerCertificate) -> None:
    """Let a certificate stand for an app password of SCANNER: by an entry of the configuration, so after a restart."""
    key = valetkey.keys.issue(SCANNER, scope("read flag write delete folders send", "imap smtp"))
    valetkey.stop()
    with valetkey.config.open("a") as config:
        config.write(
            f'\n[[client_certificate]]\nsha256 = "{_fingerprint(certificate)}"\n'
            f'account = "{SCANNER.address}"\napp_password = "{key.id}"\n'
        )
    valetkey.start()


def _fingerprint(certificate: ServerCertificate) -> str:
    pem = certificate.certificate.read_text().partition("-----END CERTIFICATE-----")
    return sha256(ssl.PEM_cert_to_DER_cert(pem[0] + pem[1] + "\n")).hexdigest()


def letter(subject: str) -> EmailMessage:
    return a_message(ALICE.address, BOB.address, subject)


@pytest.fixture
def key(provider: Provider) -> AppPasswordOf:
    return provider.valetkey.keys.issue(ALICE)


@contextmanager
def talking(
    provider: Provider, port: str, tls: ssl.SSLContext | None = None, source: str = LOCALHOST
) -> Iterator[Dialogue]:
    """Talk to nginx from an address of this machine, greeting and TLS done."""
    place = (LOCALHOST, getattr(provider.nginx.ports, port))
    connection = socket.create_connection(place, timeout=15, source_address=(source, 0))
    context = tls or provider.nginx.authority.client_context()
    if port.endswith("s"):
        connection = context.wrap_socket(connection, server_hostname="localhost")
    talk = Dialogue(connection, 15)
    try:
        talk.line()
        if port.startswith("submission"):
            talk.smtp("EHLO client.example.test")
        yield talk
    finally:
        talk.socket.close()


# Logins


@pytest.mark.parametrize("port", ["imap", "imaps"])
def test_imap(provider: Provider, key: AppPasswordOf, port: str):
    provider.dovecot.mail.deliver(ALICE, letter(f"by nginx {port}"))
    with python_clients.imap(provider.login(port, key)) as client:
        assert client.select("INBOX")[0] == "OK"
        assert client.search(None, "SUBJECT", f'"by nginx {port}"')[1] != [b""]
    (login,) = provider.valetkey.events("login", credential=key.id)
    assert (login["result"], login["peer"], login["protocol"], login["tls"]) == ("allowed", "nginx", "imap", True)


@pytest.mark.parametrize("port", ["pop3", "pop3s"])
def test_pop3(provider: Provider, key: AppPasswordOf, port: str):
    provider.dovecot.mail.deliver(ALICE, letter("by nginx and POP3"))
    with python_clients.pop3(provider.login(port, key)) as client:
        assert client.stat()[0] >= 1


@pytest.mark.parametrize("port", ["submission", "submissions"])
def test_smtp(provider: Provider, key: AppPasswordOf, port: str):
    subject = f"sent by {port} of nginx"
    with python_clients.smtp(provider.login(port, key)) as client:
        assert client.sendmail(ALICE.address, [BOB.address], letter(subject).as_bytes()) == {}
    provider.dovecot.mail.wait_for(BOB, subject)
    # Postfix knows the app password, so that each message is held to its limits.
    provider.postfix.log.wait_for(f"sasl_username={ALICE.address}/app:{key.id}")


def test_dovecot_learns_where_the_client_is(provider: Provider, key: AppPasswordOf):
    with talking(provider, "imaps", source=ELSEWHERE) as talk:
        assert talk.imap("a", f"LOGIN {ALICE.address} {key.secret}")[-1].startswith("a OK")
    provider.dovecot.log.wait_for(f"rip={ELSEWHERE}")


def test_postfix_learns_where_the_client_is(provider: Provider, key: AppPasswordOf):
    with talking(provider, "submissions", source=ELSEWHERE) as talk:
        assert talk.smtp(f"AUTH PLAIN {plain(ALICE.address, key.secret)}")[-1].startswith("235")
        assert talk.smtp(f"MAIL FROM:<{ALICE.address}>")[-1].startswith("250")
        assert talk.smtp(f"RCPT TO:<{BOB.address}>")[-1].startswith("250")
        provider.postfix.log.wait_for(f"client=unknown[{ELSEWHERE}], sasl_method=XCLIENT")


def test_a_sender_that_is_not_ones_own_is_refused_by_postfix(provider: Provider, key: AppPasswordOf):
    with talking(provider, "submissions") as talk:
        assert talk.smtp(f"AUTH PLAIN {plain(ALICE.address, key.secret)}")[-1].startswith("235")
        talk.smtp(f"MAIL FROM:<{BOB.address}>")
        assert talk.smtp(f"RCPT TO:<{BOB.address}>")[-1].startswith("553 5.7.1")


# Refusals

WRONG = "Authentication failed. This service needs an app password, see http"


def test_a_wrong_secret_waits_and_the_connection_lives_on(provider: Provider, key: AppPasswordOf):
    with talking(provider, "imaps") as talk:
        for tag in "ab":
            begin = time.monotonic()
            answer = talk.imap(tag, f"LOGIN {ALICE.address} vkey-aaaa-bbbb-cccc-dddd-eeee-ffff")[-1]
            assert answer.startswith(f"{tag} NO [AUTHENTICATIONFAILED] {WRONG}")
            assert time.monotonic() - begin > 0.9
        assert talk.imap("c", f"LOGIN {ALICE.address} {key.secret}")[-1].startswith("c OK")
    with talking(provider, "pop3s") as talk:
        talk.ask(f"USER {ALICE.address}", r"\+OK")
        assert talk.ask("PASS wrong", r"\S")[-1].startswith(f"-ERR [AUTH] {WRONG}")
        talk.ask(f"USER {ALICE.address}", r"\+OK")
        assert talk.ask(f"PASS {key.secret}", r"\S")[-1].startswith("+OK")
    with talking(provider, "submissions") as talk:
        assert talk.smtp(f"AUTH PLAIN {plain(ALICE.address, 'wrong')}")[-1].startswith(f"535 5.7.8 {WRONG}")
        assert talk.smtp(f"AUTH PLAIN {plain(ALICE.address, key.secret)}")[-1].startswith("235")


def refusals(provider: Provider, key: AppPasswordOf) -> tuple[str, str, str]:
    """Try a secret by IMAP, POP3 and SMTP; give the answers."""
    with talking(provider, "imaps") as talk:
        imap = talk.imap("a", f"LOGIN {ALICE.address} {key.secret}")[-1]
    with talking(provider, "pop3s") as talk:
        talk.ask(f"USER {ALICE.address}", r"\+OK")
        pop3 = talk.ask(f"PASS {key.secret}", r"\S")[-1]
    with talking(provider, "submissions") as talk:
        smtp = talk.smtp(f"AUTH PLAIN {plain(ALICE.address, key.secret)}")[-1]
    return imap, pop3, smtp


def test_from_another_network(provider: Provider):
    key = provider.valetkey.keys.issue(ALICE, network_rule=NetworkRule.ALLOWED, allowed_ips=("127.9.0.0/24",))
    text = "This app password may not be used from this network"
    for answer, code in zip(refusals(provider, key), ("a NO [NOPERM]", "-ERR [AUTH]", "535 5.7.8"), strict=True):
        assert answer.startswith(f"{code} {text}")
    with talking(provider, "imaps", source=ELSEWHERE) as talk:
        assert talk.imap("a", f"LOGIN {ALICE.address} {key.secret}")[-1].startswith("a OK")


def test_expired(provider: Provider):
    key = provider.valetkey.keys.issue(ALICE, expires_at=datetime.now(UTC) + timedelta(seconds=1))
    time.sleep(1.1)  # an app password cannot be made expired
    text = "This app password has expired. Please make a new one"
    for answer, code in zip(refusals(provider, key), ("a NO [EXPIRED]", "-ERR [AUTH]", "535 5.7.8"), strict=True):
        assert answer.startswith(f"{code} {text}")


def test_revoked_is_like_wrong(provider: Provider, key: AppPasswordOf):
    provider.valetkey.keys.revoke(key)
    codes = ("a NO [AUTHENTICATIONFAILED]", "-ERR [AUTH]", "535 5.7.8")
    for answer, code in zip(refusals(provider, key), codes, strict=True):
        assert answer.startswith(f"{code} {WRONG}")


def test_without_tls(provider: Provider, key: AppPasswordOf):
    text = "Logins are accepted only over TLS"
    with talking(provider, "imap") as talk:
        answer = talk.imap("a", f"LOGIN {ALICE.address} {key.secret}")[-1]
        assert answer.startswith(f"a NO [PRIVACYREQUIRED] {text}")
        assert talk.imap("b", f"LOGIN {ALICE.address} wrong")[-1].startswith("b NO [AUTHENTICATIONFAILED]")
    with talking(provider, "submission") as talk:
        answer = talk.smtp(f"AUTH PLAIN {plain(ALICE.address, key.secret)}")[-1]
        assert answer.startswith(f"538 5.7.11 {text}")


# Limits


def test_a_session_with_limits_goes_through_our_gateway(provider: Provider):
    key = provider.valetkey.keys.issue(ALICE, scope("read", "imap pop3"))
    provider.dovecot.mail.deliver(ALICE, letter("not to be deleted"))
    with talking(provider, "imaps", source=ELSEWHERE) as talk:
        assert talk.imap("a", f"LOGIN {ALICE.address} {key.secret}")[-1].startswith("a OK")
        assert "[READ-ONLY]" in talk.imap("b", "SELECT INBOX")[-1]
        assert talk.imap("c", r"STORE 1 +FLAGS (\Deleted)")[-1].startswith("c NO")
        (session,) = provider.valetkey.keys.opened_by(key)
        assert session.address == ELSEWHERE
        # What the gateway carries ends at once.
        provider.valetkey.keys.revoke(key)
        assert talk.closed()


def test_where_nobody_holds_the_limits_there_is_no_session(provider: Provider):
    key = provider.valetkey.keys.issue(ALICE, scope("read", "imap pop3"))
    with (
        pytest.raises(poplib.error_proto, match="cannot hold this app password to its limits"),
        python_clients.pop3(provider.login("pop3s", key)),
    ):
        pass


def test_limits_of_sending_are_held_by_postfix_which_asks_us(provider: Provider):
    key = provider.valetkey.keys.issue(ALICE, "send-only", limits=Limits(recipients=(BOB.address,)))
    with talking(provider, "submissions") as talk:
        assert talk.smtp(f"AUTH PLAIN {plain(ALICE.address, key.secret)}")[-1].startswith("235")
        talk.smtp(f"MAIL FROM:<{ALICE.address}>")
        assert talk.smtp(f"RCPT TO:<{BOB.address}>")[-1].startswith("250")
        assert talk.smtp(f"RCPT TO:<{SCANNER.address}>")[-1].startswith("5")
        provider.valetkey.keys.revoke(key)
        assert talk.smtp(f"RCPT TO:<{BOB.address}>")[-1].startswith(("4", "5"))


# Client certificates


def showing(provider: Provider, certificate: ServerCertificate | None) -> ssl.SSLContext:
    context = provider.nginx.authority.client_context()
    if certificate is not None:
        context.load_cert_chain(certificate.certificate, certificate.key)
    return context


def test_a_client_certificate_logs_in(provider: Provider):
    with talking(provider, "imaps", showing(provider, provider.certificate)) as talk:
        talk.ask("a AUTHENTICATE EXTERNAL", r"\+")
        assert talk.ask("=", "a ")[-1].startswith("a OK")
        assert talk.imap("b", "SELECT INBOX")[-1].startswith("b OK")
    (login,) = provider.valetkey.events("login", result="allowed")
    assert login["name"] == SCANNER.address
    with talking(provider, "submissions", showing(provider, provider.certificate)) as talk:
        assert talk.smtp("AUTH EXTERNAL =")[-1].startswith("235")
        assert talk.smtp(f"MAIL FROM:<{SCANNER.address}>")[-1].startswith("250")


def test_no_certificate_and_another_one_do_not(provider: Provider):
    for certificate in (None, provider.nginx.authority.issue("other.example.test")):
        with talking(provider, "imaps", showing(provider, certificate)) as talk:
            talk.ask("a AUTHENTICATE EXTERNAL", r"\+")
            assert talk.ask("=", "a ")[-1].startswith("a NO [AUTHENTICATIONFAILED]")


def test_a_certificate_names_nobody_else(provider: Provider):
    with talking(provider, "imaps", showing(provider, provider.certificate)) as talk:
        talk.ask("a AUTHENTICATE EXTERNAL", r"\+")
        name = base64.b64encode(ALICE.address.encode()).decode()
        assert talk.ask(name, "a ")[-1].startswith("a NO [AUTHENTICATIONFAILED]")


def test_a_certificates_app_password_has_its_limits(provider: Provider):
    with talking(provider, "pop3s", showing(provider, provider.certificate)) as talk:
        talk.ask("AUTH EXTERNAL", r"\+")
        assert talk.ask("=", r"[+-]")[-1].startswith("-ERR [AUTH] This app password may not be used for POP3")


# When somebody is not there


def test_while_valetkey_is_away_it_is_nobodys_password(provider: Provider, key: AppPasswordOf):
    provider.valetkey.stop()
    try:
        imap, pop3, smtp = refusals_or_end(provider, key)
    finally:
        provider.valetkey.start()
    assert "AUTHENTICATIONFAILED" not in imap
    assert "[AUTH]" not in pop3
    assert smtp.startswith("4")
    with python_clients.imap(provider.login("imaps", key)) as client:
        assert client.select("INBOX")[0] == "OK"


def refusals_or_end(provider: Provider, key: AppPasswordOf) -> tuple[str, str, str]:
    """Try a secret by IMAP, POP3 and SMTP where nginx may say goodbye without an answer to the command."""
    answers = []
    for port, line in (
        ("imaps", f"a LOGIN {ALICE.address} {key.secret}"),
        ("pop3s", f"PASS {key.secret}"),
        ("submissions", f"AUTH PLAIN {plain(ALICE.address, key.secret)}"),
    ):
        with talking(provider, port) as talk:
            if port == "pop3s":
                talk.ask(f"USER {ALICE.address}", r"\+OK")
            answers.append(talk.ask(line, r"\S")[-1])
    return answers[0], answers[1], answers[2]


def test_with_a_wrong_secret_of_its_own_nginx_is_told_nothing(provider: Provider, key: AppPasswordOf):
    provider.nginx.stop()
    right, provider.nginx.secret = provider.nginx.secret, "not the peer's secret"
    try:
        provider.nginx.start()
        imap, pop3, smtp = refusals_or_end(provider, key)
    finally:
        provider.nginx.stop()
        provider.nginx.secret = right
        provider.nginx.start()
    assert "AUTHENTICATIONFAILED" not in imap
    assert "[AUTH]" not in pop3
    assert smtp.startswith("4")
    assert provider.valetkey.events("login", credential=key.id) == []


def test_while_dovecot_is_away(provider: Provider, key: AppPasswordOf):
    provider.dovecot.stop()
    try:
        with talking(provider, "imaps") as talk:
            assert "AUTHENTICATIONFAILED" not in talk.ask(f"a LOGIN {ALICE.address} {key.secret}", r"\S")[-1]
    finally:
        provider.dovecot.start()
    with python_clients.imap(provider.login("imaps", key)) as client:
        assert client.noop()[0] == "OK"


def test_no_secret_is_in_a_log(provider: Provider, key: AppPasswordOf):
    with python_clients.imap(provider.login("imaps", key)):
        pass
    with pytest.raises(imaplib.IMAP4.error), python_clients.imap(provider.login("imaps", key, "typed by mistake")):
        pass
    written = provider.valetkey.log.text()
    for secret in (key.secret, "typed by mistake", provider.nginx.secret, provider.dovecot.master_password):
        assert secret not in written


# What nginx sends of a name and a password


class Overheard:
    """What stands in Valetkey's place once, and keeps what nginx asks."""

    def __init__(self) -> None:
        self._listening = socket.create_server((LOCALHOST, 0))
        self.port: int = self._listening.getsockname()[1]
        self.asked: list[NginxAsks] = []
        self._thread = threading.Thread(target=self._answer, daemon=True)
        self._thread.start()

    def _answer(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection:
                reader = HttpReader()
                while (request := reader.next_request()) is None:
                    reader.receive(connection.recv(65536))
                self.asked.append(read_request(request.headers))
                connection.sendall(b"HTTP/1.0 200 OK\r\nAuth-Status: no\r\nAuth-Wait: 1\r\n\r\n")

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(5)


def test_every_octet_of_a_name_and_a_password_arrives(authority: CertificateAuthority):
    overheard = Overheard()
    octets = bytes(range(1, 256))
    with running_nginx(authority, overheard.port) as nginx:
        for name, secret in (
            (octets[:128], octets[127:]),
            (b"alice@example.test", octets),
            (b"+%20 =&?#", b"%00%0D%0A"),
        ):
            said = base64.b64encode(b"\0" + name + b"\0" + secret).decode()
            with dialogue(nginx.ports.imap, seconds=15) as talk:
                talk.line()
                talk.ask("a AUTHENTICATE PLAIN", r"\+")
                assert talk.ask(said, "a ")[-1].startswith("a NO no")
            asked = overheard.asked[-1]
            assert (asked.name, asked.secret, asked.method, asked.protocol) == (name, secret, "plain", "imap")
            assert asked.address == LOCALHOST
    overheard.close()
