"""What is announced to clients is true of the real servers behind: before the login, and in limited sessions."""

import time
from collections.abc import Callable, Iterator

import pytest
from tests.servers.certificates import CertificateAuthority
from tests.servers.dialogue import Dialogue, dialogue
from tests.servers.dovecot_settings import DovecotOptions
from tests.servers.people import ALICE
from tests.servers.site import MailSite, running_site
from tests.servers.valetkey import Valetkey, running_valetkey
from tests.servers.valetkey_keys import scope
from tests.servers.valetkey_settings import ValetkeyOptions

pytestmark = pytest.mark.integration

PATIENCE = 10.0  # seconds in which every worker has looked at its upstreams
LITERAL_MINUS = DovecotOptions(extra="protocol imap {\n  imap_literal_minus = yes\n}\n")


def talk_to(valetkey: Valetkey, port: str, read: Callable[[Dialogue], list[str]]) -> list[str]:
    with dialogue(getattr(valetkey.ports, port), valetkey.site.authority.client_context()) as talk:
        return read(talk)


def hello(talk: Dialogue) -> list[str]:
    talk.until("220 ")
    return sorted(line[4:] for line in talk.smtp("EHLO client.example.test")[1:])


def capabilities(talk: Dialogue) -> list[str]:
    return talk.until("OK")


def settled(valetkey: Valetkey, port: str, read: Callable[[Dialogue], list[str]], wanted: str) -> list[str]:
    """Read until it is there what is wanted; a worker that has just begun may not have looked yet."""
    until = time.monotonic() + PATIENCE
    while wanted not in (found := talk_to(valetkey, port, read)) and time.monotonic() < until:
        time.sleep(0.05)
    return found


def test_the_size_that_postfix_takes_is_announced(valetkey: Valetkey):
    found = settled(valetkey, "submissions", hello, "SIZE 10240000")
    login = "AUTH PLAIN LOGIN"
    assert found == ["8BITMIME", login, "DSN", "ENHANCEDSTATUSCODES", "PIPELINING", "SIZE 10240000", "SMTPUTF8"]


def test_the_extensions_that_dovecots_sieve_has_are_announced(valetkey: Valetkey):
    with dialogue(valetkey.site.dovecot.ports.sieve) as talk:
        own = {line for line in talk.until("OK") if line.startswith(('"SIEVE"', '"NOTIFY"'))}
    assert len(own) == 2
    (extensions,) = (line for line in own if line.startswith('"SIEVE"'))
    assert own <= set(settled(valetkey, "sieves", capabilities, extensions))


@pytest.fixture(scope="module")
def literal_minus(authority: CertificateAuthority) -> Iterator[MailSite]:
    with running_site(authority, LITERAL_MINUS) as site:
        yield site


@pytest.fixture(scope="module")
def behind_it(literal_minus: MailSite) -> Iterator[Valetkey]:
    with running_valetkey(literal_minus, ValetkeyOptions(workers=1)) as running:
        yield running


@pytest.mark.parametrize("size", [10, 4096, 4097, 300_000])
@pytest.mark.parametrize("plus", ["", "+"])
def test_literals_of_any_kind_where_the_mail_server_takes_only_small_ones_unasked(
    behind_it: Valetkey, size: int, plus: str
):
    limited = behind_it.keys.issue(ALICE, scope("read write flag delete"))
    mail = behind_it.site.mail
    mail.empty(ALICE)
    message = b"Subject: x\r\n\r\n".ljust(size, b"y")[:size]
    with dialogue(behind_it.ports.imaps, behind_it.site.authority.client_context()) as talk:
        talk.until(r"\* OK")
        announced = talk.imap("a", f"LOGIN {{{len(ALICE.address)}+}}\r\n{ALICE.address} {limited.secret}")[-1]
        assert "LITERAL-" in announced and "LITERAL+" not in announced
        talk.send(f"b APPEND INBOX {{{size}{plus}}}")
        if not plus:
            talk.until(r"\+ ")
        talk.send_octets(message + b"\r\n")
        assert talk.until("b ")[-1].startswith("b OK")
        assert talk.imap("c", "SELECT {5+}\r\nINBOX")[-1].startswith("c OK")
        assert talk.imap("d", "SEARCH SUBJECT {1+}\r\nx")[0] == "* SEARCH 1"
        assert f"RFC822.SIZE {size}" in talk.imap("e", "FETCH 1 RFC822.SIZE")[0]
