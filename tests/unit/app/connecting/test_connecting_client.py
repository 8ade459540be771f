"""The login of a trial, against servers that do not behave."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from valetkey.app.connecting.client import USUAL_PORTS, End, Outcome, Port, listens, log_in
from valetkey.app.local_ca import LocalCertificate, ensure_local_certificate

SECRET = "vkey-abcd-abcd-abcd-abcd-abcd-abcd"
Talk = Callable[[socket.socket], None]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> LocalCertificate:
    return ensure_local_certificate(tmp_path_factory.mktemp("tls"), "localhost", datetime.now(UTC))


@contextmanager
def serving(talk: Talk, files: LocalCertificate | None) -> Iterator[int]:
    """Serve one caller, inside TLS if there is a certificate."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(30)

        def serve() -> None:
            caller, _ = listening.accept()
            caller.settimeout(30)
            with caller:
                try:
                    if files is None:
                        talk(caller)
                        return
                    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                    context.load_cert_chain(files.chain, files.key)
                    with context.wrap_socket(caller, server_side=True) as secure:
                        talk(secure)
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(30)


def tried(name: str, talk: Talk, files: LocalCertificate | None, trust: Path | None) -> Outcome:
    with serving(talk, files) as port:
        context = ssl.create_default_context(cafile=trust)
        return log_in(Port(name, "localhost", port, USUAL_PORTS[name][1]), "alice@example.org", SECRET, context)


def says(*octets: bytes) -> Talk:
    """Greet, then answer each line that comes."""

    def talk(caller: socket.socket) -> None:
        for each in octets:
            caller.sendall(each)
            if not caller.recv(4096):
                return

    return talk


def test_a_login_that_is_accepted_and_one_that_is_not(files: LocalCertificate) -> None:
    accepted = says(b"+OK\r\n", b"+OK\r\nSASL PLAIN\r\n.\r\n", b"+OK in\r\n", b"+OK\r\n.\r\n")
    assert tried("pop3s", accepted, files, files.ca).end is End.IN
    refused = says(b"+OK\r\n", b"+OK\r\nSASL PLAIN\r\n.\r\n", b"-ERR [AUTH] no\r\n")
    assert tried("pop3s", refused, files, files.ca) == Outcome(End.REFUSED, "-ERR [AUTH] no")
    later = says(b"+OK\r\n", b"+OK\r\nSASL PLAIN\r\n.\r\n", b"-ERR [SYS/TEMP] later\r\n")
    assert tried("pop3s", later, files, files.ca).end is End.LATER


def test_the_password_is_not_sent_to_who_is_not_who_it_should_be(files: LocalCertificate) -> None:
    heard: list[bytes] = []

    def talk(caller: socket.socket) -> None:
        heard.append(caller.recv(4096))

    outcome = tried("imaps", talk, files, None)
    assert outcome.end is End.NO_TLS
    assert "certificate is not accepted" in outcome.text
    assert b"".join(heard) == b""


@pytest.mark.parametrize("name", ["imap", "pop3", "submission", "sieve"])
def test_the_password_is_not_sent_without_tls(name: str) -> None:
    """A server that offers no STARTTLS, or refuses it."""
    heard: list[bytes] = []
    greetings = {
        "imap": b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n",
        "pop3": b"+OK hello\r\n",
        "submission": b"220 hello\r\n",
        "sieve": b'"SASL" "PLAIN"\r\nOK\r\n',
    }

    def talk(caller: socket.socket) -> None:
        caller.sendall(greetings[name])
        while octets := caller.recv(4096):
            heard.append(octets)
            caller.sendall(b"250 AUTH PLAIN\r\n" if octets.startswith(b"EHLO") else b"-ERR no\r\n")

    assert tried(name, talk, None, None).end is not End.IN
    assert SECRET.encode() not in b"".join(heard)
    assert b"AUTH" not in b"".join(heard)


def test_a_server_that_goes_away_or_says_what_is_no_mail_protocol(files: LocalCertificate) -> None:
    assert tried("imaps", lambda _: None, files, files.ca).end is End.LATER
    assert tried("imaps", says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), files, files.ca).end is End.LATER
    assert tried("imaps", says(b"* OK hello\r\n"), None, None).end is End.NO_TLS


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        port = Port("imaps", "127.0.0.1", number, USUAL_PORTS["imaps"][1])
        assert listens(port)
    assert not listens(port)
    assert log_in(port, "alice", SECRET, ssl.create_default_context()).end is End.UNREACHABLE
    assert str(port) == f"imaps at 127.0.0.1:{number}"
