"""Every listener lets an app password in, says truthfully what it can, and passes the client's facts on upstream."""

import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from tests.servers import python_clients
from tests.servers.certificates import CertificateAuthority
from tests.servers.clients import Login
from tests.servers.dialogue import Dialogue, dialogue, plain
from tests.servers.maildirs import a_message
from tests.servers.people import ALICE, BOB
from tests.servers.site import MailSite
from tests.servers.valetkey import Valetkey, running_valetkey
from tests.servers.valetkey_keys import AppPasswordOf
from tests.servers.valetkey_settings import ValetkeyOptions

pytestmark = pytest.mark.integration

Client = Callable[[Login], AbstractContextManager[Any]]
PYTHON_CLIENTS = [
    ("imaps", python_clients.imap),
    ("imap", python_clients.imap),
    ("pop3s", python_clients.pop3),
    ("pop3", python_clients.pop3),
    ("submissions", python_clients.smtp),
    ("submission", python_clients.smtp),
    ("sieve", python_clients.sieve),
]


@pytest.fixture
def key(valetkey: Valetkey) -> AppPasswordOf:
    return valetkey.keys.issue(ALICE, "everything", "Listeners")


@pytest.fixture(scope="module")
def odd_one(mail_site: MailSite, authority: CertificateAuthority) -> Iterator[Valetkey]:
    """Give a Valetkey with a second certificate and a listener without TLS."""
    options = ValetkeyOptions(workers=1, plaintext=True, certificates=(authority.issue("other.example.test"),))
    with running_valetkey(mail_site, options) as running:
        yield running


@pytest.mark.parametrize(("port", "client"), PYTHON_CLIENTS)
def test_an_app_password_opens_the_listener(valetkey: Valetkey, key: AppPasswordOf, port: str, client: Client):
    with client(valetkey.login(key, port)):
        (session,) = valetkey.keys.opened_by(key)
    assert session.address == "127.0.0.1"
    assert session.id.startswith("s"), "an id that began with a hyphen would be an option on the command line"
    valetkey.keys.wait_until_closed(key)


def test_managesieve_speaks_tls_from_the_first_octet_too(valetkey: Valetkey, key: AppPasswordOf):
    with dialogue(valetkey.ports.sieves, valetkey.site.authority.client_context()) as talk:
        talk.until("OK")
        assert talk.sieve(f'AUTHENTICATE "PLAIN" "{plain(ALICE.address, key.secret)}"')[-1].startswith("OK")
        assert talk.sieve("LISTSCRIPTS")[-1].startswith("OK")


@pytest.mark.parametrize(("port", "client"), PYTHON_CLIENTS)
def test_the_password_of_the_mail_server_opens_nothing(valetkey: Valetkey, key: AppPasswordOf, port, client: Client):
    refused = (*python_clients.GONE, PermissionError)
    with pytest.raises(refused), client(valetkey.login(key, port, secret=ALICE.password)):
        pass
    assert not valetkey.keys.opened_by(key)


def test_a_name_without_domain_and_a_secret_typed_carelessly_pass(valetkey: Valetkey, key: AppPasswordOf):
    typed = key.secret.upper().replace("-", " ")
    with python_clients.imap(valetkey.login(key, "imaps", name="Alice", secret=typed)) as client:
        assert client.select("INBOX")[0] == "OK"


@pytest.mark.parametrize(
    ("port", "greeting", "before", "starttls", "after"),
    [
        ("imap", r"\* OK", "a CAPABILITY", "b STARTTLS", "c CAPABILITY"),
        ("pop3", r"\+OK", "CAPA", "STLS", "CAPA"),
        ("submission", "220 ", "EHLO client.example.test", "STARTTLS", "EHLO client.example.test"),
    ],
)
def test_logins_are_announced_only_inside_tls(valetkey: Valetkey, port, greeting, before, starttls, after):  # noqa: PLR0917 - a table's columns
    end = {"imap": r"[abc] ", "pop3": r"\.|-ERR", "submission": r"\d{3} "}[port]
    with dialogue(getattr(valetkey.ports, port)) as talk:
        talk.until(greeting)
        in_the_clear = " ".join(talk.ask(before, end))
        talk.ask(starttls, r"b |\+OK|220 ")
        talk.start_tls(valetkey.site.authority.client_context())
        inside = " ".join(talk.ask(after, end))
    assert "STARTTLS" in in_the_clear or "STLS" in in_the_clear
    assert not re.search(r"AUTH=|SASL PLAIN|AUTH PLAIN|\bUSER\b", in_the_clear)
    assert re.search(r"AUTH=PLAIN|SASL PLAIN|AUTH PLAIN", inside)
    assert "STARTTLS" not in inside and "STLS" not in inside


def test_sieve_announces_mechanisms_only_inside_tls(valetkey: Valetkey):
    with dialogue(valetkey.ports.sieve) as talk:
        before = talk.until("OK")
        assert '"SASL" ""' in before and '"STARTTLS"' in before
        assert talk.sieve("STARTTLS")[-1].startswith("OK")
        talk.start_tls(valetkey.site.authority.client_context())
        after = talk.until("OK")
    assert any(re.match(r'"SASL" ".*PLAIN', line) for line in after)
    assert '"STARTTLS"' not in after


@pytest.mark.parametrize(
    ("port", "greeting", "tries", "answer"),
    [
        ("imap", r"\* OK", ["a LOGIN alice {}"], r"a NO \[PRIVACYREQUIRED\]"),
        ("pop3", r"\+OK", ["USER alice"], "-ERR"),
        ("submission", "220 ", ["EHLO c.example.test", "AUTH PLAIN {}"], "530 5.7.0|538 5.7.11"),
        ("sieve", "OK", ['AUTHENTICATE "PLAIN" "{}"'], r"NO \(ENCRYPT-NEEDED\)"),
    ],
)
def test_no_login_without_tls(valetkey: Valetkey, key: AppPasswordOf, port, greeting, tries, answer):  # noqa: PLR0917 - a table's columns
    said = key.secret if port == "imap" else plain(ALICE.address, key.secret)
    with dialogue(getattr(valetkey.ports, port)) as talk:
        talk.until(greeting)
        for line in tries:
            last = talk.ask(line.format(said), r"a |[-+](ERR|OK)|\d{3} |OK|NO")[-1]
    assert re.match(answer, last)


def test_dovecot_hears_the_client_address_and_the_session_id(valetkey: Valetkey, key: AppPasswordOf):
    context = valetkey.site.authority.client_context()
    for port, words in (("imaps", "imap-login: Info: Login"), ("pop3s", "pop3-login: Info: Login")):
        raw = socket.create_connection(("127.0.0.1", getattr(valetkey.ports, port)), 10, ("127.0.7.9", 0))
        talk = Dialogue(context.wrap_socket(raw, server_hostname="localhost"))
        with talk.socket:
            talk.until(r"\* OK|\+OK")
            if port == "imaps":
                talk.imap("a", f"LOGIN alice {key.secret}")
            else:
                talk.ask("USER alice", r"\+OK")
                talk.ask(f"PASS {key.secret}", r"\+OK")
            (session,) = valetkey.keys.opened_by(key)
            line = valetkey.site.dovecot.log.wait_for(words)
        assert "user=<alice@example.test>" in line and "rip=127.0.7.9" in line
        assert session.address == "127.0.7.9"
        if port == "imaps":
            assert f"session=<{session.id}>" in line
        valetkey.keys.wait_until_closed(key)
        valetkey.site.dovecot.log.mark()


def test_postfix_hears_the_client_address_and_the_login(valetkey: Valetkey, key: AppPasswordOf):
    valetkey.site.mail.empty(BOB)
    with python_clients.smtp(valetkey.login(key, "submissions")) as client:
        client.send_message(a_message(ALICE.address, BOB.address, "facts-arrive"))
    octets = valetkey.site.mail.wait_for(BOB, "facts-arrive")
    line = valetkey.site.postfix.log.wait_for("sasl_username=alice@example.test")
    assert "client=unknown[127.0.0.1]" in line or "client=localhost[127.0.0.1]" in line
    assert b"[127.0.0.1]" in octets


def test_a_proxy_says_where_the_client_is(valetkey: Valetkey, key: AppPasswordOf):
    context = valetkey.site.authority.client_context()
    with socket.create_connection(("127.0.0.1", valetkey.ports.imap_proxied), 10) as raw:
        raw.sendall(b"PROXY TCP4 203.0.113.77 198.51.100.1 41000 993\r\n")
        talk = Dialogue(context.wrap_socket(raw, server_hostname="localhost"))
        with talk.socket:
            talk.until(r"\* OK")
            assert talk.imap("a", f"LOGIN alice {key.secret}")[-1].startswith("a OK")
            (session,) = valetkey.keys.opened_by(key)
            line = valetkey.site.dovecot.log.wait_for("imap-login: Info: Login")
    assert session.address == "203.0.113.77"
    assert "rip=203.0.113.77" in line


def test_a_listener_behind_a_proxy_takes_nobody_without_its_header(valetkey: Valetkey):
    context = valetkey.site.authority.client_context()
    with pytest.raises((OSError, EOFError)), dialogue(valetkey.ports.imap_proxied, context) as talk:
        talk.until(r"\* OK")


def test_the_certificate_is_chosen_by_name(odd_one: Valetkey):
    assert names_shown(odd_one, "other.example.test") == {"other.example.test"}
    assert "localhost" in names_shown(odd_one, "localhost")


def test_a_certificate_is_reloaded_when_its_files_change(odd_one: Valetkey, authority: CertificateAuthority):
    fresh = authority.issue("localhost", "renewed.example.test")
    odd_one.certificate.key.write_bytes(fresh.key.read_bytes())
    odd_one.certificate.certificate.write_bytes(fresh.certificate.read_bytes())
    end = time.monotonic() + 5
    while "renewed.example.test" not in names_shown(odd_one, "localhost"):
        assert time.monotonic() < end, "the new certificate is not used"
        time.sleep(0.1)  # that it is reloaded is seen only by connecting again


def names_shown(own: Valetkey, asked: str) -> set[str]:
    """Give the names of the certificate that is shown to who asks for a name."""
    context = ssl.create_default_context(cafile=str(own.ca))
    with (
        socket.create_connection(("127.0.0.1", own.ports.imaps), 10) as raw,
        context.wrap_socket(raw, server_hostname=asked) as tls,
    ):
        certificate = tls.getpeercert() or {}
    return {str(value) for _, value in certificate.get("subjectAltName", ())}


def test_health_readiness_and_metrics(valetkey: Valetkey, key: AppPasswordOf):
    before = valetkey.metric("valetkey_logins_total", protocol="imap", result="allowed")
    with python_clients.imap(valetkey.login(key, "imaps")):
        assert valetkey.metric("valetkey_live_sessions") >= 1
    assert valetkey.metric("valetkey_logins_total", protocol="imap", result="allowed") == before + 1
    assert valetkey.get("/healthz")[0] == valetkey.get("/readyz")[0] == 200


def test_the_log_names_the_login_and_never_its_secret(valetkey: Valetkey, key: AppPasswordOf):
    with python_clients.imap(valetkey.login(key, "imaps")):
        pass
    with pytest.raises(python_clients.GONE), python_clients.imap(valetkey.login(key, "imaps", secret="hunter2-wrong")):
        pass
    (allowed,) = valetkey.events("login", result="allowed", credential=key.id)
    assert allowed["protocol"] == "imap" and allowed["address"] == "127.0.0.1"
    whole = valetkey.log.path.read_text()
    assert key.secret not in whole and key.secret.replace("-", "") not in whole
    assert "hunter2-wrong" not in whole


def test_plaintext_logins_pass_only_where_the_listener_permits_them(odd_one: Valetkey):
    key = odd_one.keys.issue(ALICE)
    with dialogue(odd_one.ports.imap_plain) as talk:
        talk.until(r"\* OK")
        assert talk.imap("a", f"LOGIN alice {key.secret}")[-1].startswith("a OK")
    with dialogue(odd_one.ports.imap) as talk:
        talk.until(r"\* OK")
        assert talk.imap("a", f"LOGIN alice {key.secret}")[-1].startswith("a NO [PRIVACYREQUIRED]")
