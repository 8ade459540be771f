"""The dialogue of bearer tokens with a real Postfix: who announces them refuses them in two steps (RFC 7628 3.2.3)."""

import base64
import socketserver
import threading
from collections.abc import Iterator

import pytest
from tests.servers.asking_postfix import AskingPostfix, DoorPorts, asking_postfix
from tests.servers.certificates import CertificateAuthority
from tests.servers.dialogue import dialogue
from tests.servers.people import ALICE
from tests.servers.places import LOCALHOST, own_directory

from valetkey.wire.bearer import BEARER_MECHANISMS
from valetkey.wire.dovecot_auth import AuthServer
from valetkey.wire.sasl import MECHANISMS

pytestmark = [pytest.mark.integration, pytest.mark.needs("postfix", "root")]


class _RefusesAll(socketserver.StreamRequestHandler):
    """Speaks the auth-client protocol with every mechanism announced, and lets nobody in."""

    timeout = 30

    def handle(self) -> None:
        machine = AuthServer()
        machine.greet(1, 1, "0" * 32, (*MECHANISMS, *BEARER_MECHANISMS))
        data = b"\n"
        while data:
            while (asked := machine.next_event()) is not None:
                machine.refuse(asked.number, asked.login.name.decode())
            self.wfile.write(machine.take_output())
            data = self.connection.recv(65536)
            machine.receive(data)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@pytest.fixture(scope="module")
def postfix(authority: CertificateAuthority) -> Iterator[AskingPostfix]:
    with own_directory("mail") as mail, _Server((LOCALHOST, 0), _RefusesAll) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with asking_postfix(authority, mail, smtpd_sasl_response_limit="32768") as running:
            running.doors = DoorPorts(sasl=server.server_address[1])
            running.start()
            yield running
        server.shutdown()


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("mechanism", BEARER_MECHANISMS)
@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "asked for"])
def test_a_token_is_refused_in_two_steps(postfix: AskingPostfix, mechanism: str, at_once: bool):
    token = "x" * (500 if at_once else 15_000)
    pairs = f"auth=Bearer {token}\1\1"
    message = b64(f"user={ALICE.address}\1{pairs}" if mechanism == "XOAUTH2" else f"n,a={ALICE.address},\1{pairs}")
    with dialogue(postfix.ports.submission, seconds=30) as talk:
        talk.until("220 ")
        assert f"250-AUTH PLAIN LOGIN {' '.join(BEARER_MECHANISMS)}" in talk.smtp("EHLO client.example.test")
        said = talk.smtp(f"AUTH {mechanism} {message}" if at_once else f"AUTH {mechanism}")[-1]
        if not at_once:
            assert said.strip() == "334"
            said = talk.smtp(message)[-1]
        assert said.startswith("334 ")
        assert b'"status"' in base64.b64decode(said[4:])
        assert talk.smtp("" if mechanism == "XOAUTH2" else "AQ==")[-1].startswith("535 5.7.8")


def test_what_is_no_token_fails_at_once(postfix: AskingPostfix):
    with dialogue(postfix.ports.submission, seconds=30) as talk:
        talk.until("220 ")
        talk.smtp("EHLO client.example.test")
        for message in (f"\0{ALICE.address}\0password", f"user={ALICE.address}\1auth=Basic eDp5\1\1", "x"):
            for mechanism in BEARER_MECHANISMS:
                assert talk.smtp(f"AUTH {mechanism} {b64(message)}")[-1].startswith("535 5.7.8")
