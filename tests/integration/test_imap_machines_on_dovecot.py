"""The IMAP machines against a real Dovecot, driven by the few lines of a blocking socket."""

import re
import socket

import pytest
from tests.servers.dovecot import Dovecot
from tests.servers.maildirs import a_message
from tests.servers.people import ALICE, BOB

from valetkey.wire.imap_client import ImapClient
from valetkey.wire.imap_command import Forward, ImapAnswer, ImapCommand, Refuse
from valetkey.wire.imap_filter import ImapFilter
from valetkey.wire.machine import ClientEvent, ClientFacts, Credentials, LoggedIn, LoginFailed, StartTlsAsked

pytestmark = pytest.mark.integration

FACTS = ClientFacts("203.0.113.9", 50123, "198.51.100.2", 993, "gw-7Hd", {"app_id": "a7"})
# Every kind of command and of argument that Dovecot knows too; all must be OK as the filter writes them.
SESSION = rb"""
CAPABILITY
ID ("name" "x" "os" NIL)
ENABLE CONDSTORE QRESYNC
NAMESPACE
CREATE "a \"b\\ c"
SUBSCRIBE "a \"b\\ c"
LIST "" *
LIST (SUBSCRIBED) "" ("*" INBOX) RETURN (CHILDREN STATUS (UNSEEN SIZE))
LSUB "" "%"
STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ)
SELECT INBOX (CONDSTORE)
CLOSE
EXAMINE INBOX (QRESYNC (67890007 20050715194045000 41,43:211))
UNSELECT
SELECT INBOX
NOOP
CHECK
SEARCH 1:* OR FROM "x" (TO y NOT SUBJECT "") SINCE 1-Jan-2026
SEARCH CHARSET UTF-8 SUBJECT {5+}
SEARCH RETURN (SAVE COUNT) HEADER Message-ID <x@y> LARGER 100 KEYWORD $Junk
UID SEARCH MODSEQ "/flags/\\draft" all 6 YOUNGER 300
SEARCH $
SORT (REVERSE DATE SUBJECT) UTF-8 ALL
UID SORT RETURN (ALL) (ARRIVAL) us-ascii NOT DELETED
UID THREAD REFERENCES UTF-8 SEEN
FETCH 1 ALL
FETCH 1:* (FLAGS UID RFC822.SIZE BODYSTRUCTURE BODY ENVELOPE INTERNALDATE MODSEQ)
FETCH 1 (BODY.PEEK[HEADER.FIELDS (From {2+}
UID FETCH 1 (BINARY.PEEK[1]<0.5> BINARY.SIZE[1] BODY[1.MIME] PREVIEW (LAZY)) (CHANGEDSINCE 1 VANISHED)
STORE 1 (UNCHANGEDSINCE 9999) +FLAGS.SILENT (\Flagged $Label)
UID STORE 1:* -flags \Seen \Deleted
COPY 1 "a \"b\\ c"
UID MOVE 999 "a \"b\\ c"
EXPUNGE
UID EXPUNGE 1:4
RENAME "a \"b\\ c" z
UNSUBSCRIBE "a \"b\\ c"
DELETE z
""".strip().splitlines()
LITERALS = {b"SEARCH CHARSET": b"\xc3\xa4\r\nx", b"FETCH 1 (BODY.PEEK": b"To)] FLAGS)"}


def log_in(dovecot: Dovecot, user: str, *, starttls: bool = False, secret: str | None = None):
    """Log in as the gateway does; gives the event, the socket and what came behind the login."""
    credentials = Credentials(user, dovecot.master_name, secret or dovecot.master_password)
    machine = ImapClient(credentials, starttls=starttls, facts=FACTS)
    context = dovecot.authority.client_context()
    port = dovecot.ports.imap if starttls else dovecot.ports.imaps
    link: socket.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
    if not starttls:
        link = context.wrap_socket(link, server_hostname="localhost")
    event: ClientEvent | None = None
    while not isinstance(event, LoggedIn | LoginFailed):
        if isinstance(event, StartTlsAsked):
            assert not machine.has_pending
            link = context.wrap_socket(link, server_hostname="localhost")
            machine.tls_started()
        else:
            machine.receive(link.recv(65536))
        event = machine.next_event()
        link.sendall(machine.take_output())
    return event, link, machine.take_rest()


class Session:
    """A client behind the filter."""

    def __init__(self, dovecot: Dovecot, capabilities: tuple[bytes, ...] | None = None) -> None:
        event, self.link, rest = log_in(dovecot, ALICE.address)
        assert isinstance(event, LoggedIn)
        self.machine = ImapFilter(self._rule, event.capabilities if capabilities is None else capabilities)
        self.machine.from_server(rest)

    def _rule(self, command: ImapCommand) -> ImapAnswer:
        return Refuse("no") if command.mailbox == b"Secret" else Forward(command)

    def say(self, data: bytes, until: bytes) -> bytes:
        """Send as a client does and read what it gets, up to a line that matches."""
        heard = b""
        self.machine.from_client(data)
        while True:
            self.link.sendall(self.machine.take_to_server())
            heard += self.machine.take_to_client()
            if re.search(until, heard[-4096:], re.MULTILINE):
                return heard
            assert self.machine.close_reason is None, heard
            self.machine.from_server(self.link.recv(65536))


@pytest.mark.parametrize("starttls", [False, True])
def test_the_master_user_logs_in_and_tells_of_the_client(own_dovecot: Dovecot, starttls: bool):
    event, link, rest = log_in(own_dovecot, ALICE.address, starttls=starttls)
    link.close()
    assert isinstance(event, LoggedIn)
    assert {b"IMAP4rev1", b"IDLE", b"LITERAL+"} <= set(event.capabilities)
    assert rest == b""
    assert "rip=203.0.113.9" in own_dovecot.log.wait_for("imap-login: Info: Login")
    own_dovecot.log.wait_for("session=<gw-7Hd>")


def test_an_unknown_user_and_a_wrong_secret_are_told_apart_from_trouble(own_dovecot: Dovecot):
    for user, secret in ((f"nobody@{ALICE.address}", None), (ALICE.address, "wrong")):
        event, link, _rest = log_in(own_dovecot, user, secret=secret)
        link.close()
        assert isinstance(event, LoginFailed)
        assert not event.temporary


@pytest.mark.parametrize("capabilities", [None, (b"IMAP4rev1",)], ids=["LITERAL+", "asked"])
def test_dovecot_understands_what_the_filter_writes(own_dovecot: Dovecot, capabilities):
    own_dovecot.mail.deliver(ALICE, a_message(BOB.address, ALICE.address, "filter"))
    session = Session(own_dovecot, capabilities)
    for number, line in enumerate(SESSION):
        literal = next((text for start, text in LITERALS.items() if line.startswith(start)), None)
        tail = b""
        if literal is not None:
            size = int(re.search(rb"\{(\d+)\+\}\Z", line)[1])
            tail = literal[:size] + literal[size:] + b"\r\n"
        answer = session.say(b"t%d %s\r\n%s" % (number, line, tail), rb"^t%d .*\r\n" % number)
        assert re.search(rb"^t%d OK" % number, answer, re.MULTILINE), (line, answer)
    session.link.close()


@pytest.mark.parametrize("capabilities", [None, (b"IMAP4rev1",)], ids=["LITERAL+", "asked"])
@pytest.mark.parametrize("plus", [b"", b"+"], ids=["waits", "unasked"])
def test_a_large_message_goes_and_comes_back_unchanged(own_dovecot: Dovecot, capabilities, plus):
    session = Session(own_dovecot, capabilities)
    body = b"".join(b"a%d DELETE INBOX {5}\r\n" % number for number in range(300_000))
    message = b"Subject: large\r\n\r\n" + body
    head = b"a APPEND INBOX (\\Seen) {%d%s}\r\n" % (len(message), plus)
    if plus:
        session.machine.from_client(head)
    else:
        assert session.say(head, rb"^\+ ") == b"+ Go on\r\n"
    for start in range(0, len(message), 65536):
        session.machine.from_client(message[start : start + 65536])
        while session.machine.waits_for_server:
            session.link.sendall(session.machine.take_to_server())
            session.machine.from_server(session.link.recv(65536))
        session.link.sendall(session.machine.take_to_server())
    assert b"a OK [APPENDUID" in session.say(b"\r\n", rb"^a .*\r\n")
    session.say(b"b EXAMINE INBOX\r\n", rb"^b OK")
    fetched = session.say(b"c UID FETCH * BODY.PEEK[]\r\n", rb"^c OK .*\r\n\Z")
    assert message in fetched
    session.link.close()


def test_idle_and_refusals_between(own_dovecot: Dovecot):
    session = Session(own_dovecot)
    session.say(b"a SELECT INBOX\r\n", rb"^a OK")
    assert b"b NO [NOPERM] no\r\n" in session.say(b"b DELETE Secret\r\nc IDLE\r\n", rb"^\+ idling")
    own_dovecot.mail.deliver(ALICE, a_message(BOB.address, ALICE.address, "idle"))
    assert b"EXISTS" in session.say(b"", rb"EXISTS")
    assert b"c OK" in session.say(b"DONE\r\n", rb"^c OK")
    assert b"d OK" in session.say(b"d LOGOUT\r\n", rb"^d OK")
    session.link.close()
