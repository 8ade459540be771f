"""What our Lua script asks and how it takes an answer, in a real Dovecot, 2.3 and 2.4, before an HTTP server of the test."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from tests.servers.asking_dovecot import NEEDS, Peer, only_dovecot
from tests.servers.certificates import CertificateAuthority
from tests.servers.dialogue import dialogue
from tests.servers.dovecot import Dovecot
from tests.servers.dovecot24 import Dovecot24
from tests.servers.people import ALICE
from tests.servers.places import own_directory

from valetkey.doors.dovecot.facts import Facts, facts_of_json
from valetkey.doors.words import decoded

# Dovecot itself refuses a password that holds one of these: its own protocols use them.
NOT_IN_DOVECOT = b"\x01\t\n\r"

pytestmark = [pytest.mark.integration, pytest.mark.needs(*NEEDS)]


@dataclass
class Stub:
    """What stands in Valetkey's place: keeps what is asked, and answers as the test says: by password."""

    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    asked: list[Facts] = field(default_factory=list)
    headers: list[Any] = field(default_factory=list)
    is_over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def stub_at(port: int) -> Iterator[Stub]:
    stub = Stub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            stub.headers.append(self.headers)
            facts = facts_of_json(self.rfile.read(int(self.headers["content-length"])))
            stub.asked.append(facts)
            if facts["password"] == "never-answered":
                stub.is_over.wait(60)
            status, answer = stub.answers.get(facts["password"], (200, b'{"result":"wrong"}'))
            self.send_response(status)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield stub
    finally:
        stub.is_over.set()
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True)
class Running:
    version: str
    dovecot: Dovecot | Dovecot24
    stub: Stub

    def log_in(self, name: bytes, password: bytes) -> str:
        """Log in by IMAP from this machine."""
        response = base64.b64encode(b"\0" + name + b"\0" + password).decode()
        with dialogue(self.dovecot.ports.imap) as talk:
            talk.line()
            return talk.imap("z", f"AUTHENTICATE PLAIN {response}")[-1]

    def answered(self, said: Any, status: int = 200) -> str:
        """Log in and have it answered so."""
        octets = said if isinstance(said, bytes) else json.dumps(said).encode()
        password = f"{status}{octets!r}"
        self.stub.answers[password] = status, octets
        return self.log_in(ALICE.address.encode(), password.encode())


@pytest.fixture(scope="module", params=["2.3", "2.4"])
def running(request: pytest.FixtureRequest, authority: CertificateAuthority) -> Iterator[Running]:
    with own_directory("lua") as folder:
        peer = Peer(folder)
        with stub_at(peer.port) as stub, only_dovecot(request.param, authority, peer) as dovecot:
            yield Running(request.param, dovecot, stub)


def test_every_octet_of_a_password_arrives(running: Running) -> None:
    """Control characters, quotes, what is UTF-8 and what is not: as our own gateway reads them."""
    octets = bytes(number for number in range(1, 256) if number not in NOT_IN_DOVECOT)
    tries = [
        octets,
        octets[:123],
        "pässwörd – 密码 🔑".encode(),
        "pässwörd".encode("latin-1"),
        b'"\\"\\u0041\\n',
        b"a" * 4000,
        b"\xed\xa0\x80",
        b"\xc3",
    ]
    for password in tries:
        running.stub.asked.clear()
        assert running.log_in(b"alice@example.test", password).startswith("z NO [AUTHENTICATIONFAILED]")
        (facts,) = running.stub.asked
        assert facts["password"] == decoded(password)


def test_what_dovecot_takes_in_no_password_is_not_asked(running: Running) -> None:
    running.stub.asked.clear()
    for octet in NOT_IN_DOVECOT:
        assert running.log_in(b"alice@example.test", b"a%cb" % octet).startswith("z NO [AUTHENTICATIONFAILED]")
    assert not running.stub.asked


def test_all_that_dovecot_knows_is_asked(running: Running) -> None:
    running.stub.asked.clear()
    running.log_in(b"alice@example.test", b"secret")
    (facts,) = running.stub.asked
    port = facts["remote_port"]
    assert 0 < int(port) < 65536
    assert facts["session"]
    assert dict(facts) | {"session": "s"} == {
        "dovecot": running.version,
        "user": "alice@example.test",
        "password": "secret",
        "service": "imap",
        "mechanism": "PLAIN",
        "remote_ip": "127.0.0.1",
        "remote_port": port,
        "local_ip": "127.0.0.1",
        "local_port": str(running.dovecot.ports.imap),
        "real_remote_ip": "127.0.0.1",
        "secured": facts["secured"],
        "session": "s",
        "separator": "/",
        "shared": "Public/",
    }
    assert facts["secured"] == "secured"
    assert running.stub.headers[-1]["authorization"].startswith("Bearer ")


def test_a_connection_with_tls_is_said_to_be(running: Running, authority: CertificateAuthority) -> None:
    running.stub.asked.clear()
    with dialogue(running.dovecot.ports.imaps, authority.client_context()) as talk:
        talk.line()
        talk.imap("i", 'ID ("name" "Mail \\"quoted\\"" "version" NIL)')
        talk.imap("z", "LOGIN alice@example.test secret")
    (facts,) = running.stub.asked
    assert facts["secured"] == "TLS"
    assert facts["server_name"] == "localhost"
    assert "Mail" in facts["client_id"]


NO_ANSWERS = (
    (b"", 200),
    (b"{", 200),
    (b"[]", 200),
    (b"null", 200),
    (b"<html>", 200),
    (b'{"result":"ok"', 200),
    (b'{"result":"ok","fields":{"a":"b}', 200),
    (b'{"result":"ok"}', 200),
    (b'{"result":true}', 200),
    (b'{"result":"OK","fields":{}}', 200),
    (b'{"result":"next"}', 200),
    (b'{"result":"later"}', 200),
    (b'{"fields":{"nologin":"y"}}', 200),
    (b'{"result":"ok","fields":{},"rights":{"name":"../../etc/x","text":"y"}}', 200),
    (b'{"result":"ok","fields":{},"rights":{"name":"x"}}', 200),
    (b'{"result":"ok","fields":{},"rights":"all"}', 200),
    (b'{"result":"ok","fields":{}}', 500),
    (b'{"result":"ok","fields":{}}', 401),
    (b'{"result":"ok","fields":{}}', 204),
    (b'{"result":"ok","fields":{}}', 302),
)


def test_an_answer_that_is_none_means_later(running: Running) -> None:
    with ThreadPoolExecutor(len(NO_ANSWERS)) as pool:
        answers = list(pool.map(lambda case: running.answered(*case), NO_ANSWERS))
    assert [case for case, said in zip(NO_ANSWERS, answers, strict=True) if not said.startswith("z NO [UNAVAIL")] == []


def test_the_words_of_a_refusal_reach_the_client(running: Running) -> None:
    reason = 'Not here: see https://pw.example.org/?a=b&c="d"'
    assert running.answered({"result": "told", "reason": reason}).startswith(f"z NO [CONTACTADMIN] {reason}")
    assert running.answered({"result": "expired"}).startswith("z NO [EXPIRED]")
    assert running.answered({"result": "ok", "fields": {}}).startswith("z OK")


def test_the_secret_stands_in_no_log(running: Running) -> None:
    running.stub.answers["the-secret-of-alice"] = 200, b"{"
    running.log_in(b"alice@example.test", b"the-secret-of-alice")
    log = running.dovecot.log.text()
    assert "valetkey: " in log
    assert "the-secret-of-alice" not in log
    assert running.stub.headers[-1]["authorization"].removeprefix("Bearer ") not in log


def test_whoever_never_answers_costs_one_login_eight_seconds(running: Running) -> None:
    """And nobody else's login any."""
    with ThreadPoolExecutor(1) as pool:
        start = time.monotonic()
        waiting = pool.submit(running.log_in, ALICE.address.encode(), b"never-answered")
        assert running.log_in(ALICE.address.encode(), b"wrong").startswith("z NO [AUTHENTICATIONFAILED]")
        assert not waiting.done()
        assert waiting.result(30).startswith("z NO [UNAVAILABLE]")
        assert time.monotonic() - start < 15
