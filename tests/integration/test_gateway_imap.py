"""IMAP through the gateway, unlimited and limited: IDLE, literals, large messages, pipelining, unusual syntax."""

import time

import pytest
from tests.servers.dialogue import Dialogue, dialogue
from tests.servers.maildirs import a_message
from tests.servers.people import ALICE, CAROL
from tests.servers.valetkey import Valetkey
from tests.servers.valetkey_keys import EVERYTHING, AppPasswordOf, scope

pytestmark = pytest.mark.integration

BIG = 50_000_000
SCOPES = {
    "unlimited": EVERYTHING,
    "limited": scope("read flag write delete", "imap"),
}


@pytest.fixture(scope="module", params=list(SCOPES))
def key(request: pytest.FixtureRequest, valetkey: Valetkey) -> AppPasswordOf:
    return valetkey.keys.issue(ALICE, SCOPES[request.param], request.param)


@pytest.fixture
def talk(valetkey: Valetkey, key: AppPasswordOf):
    valetkey.site.mail.empty(ALICE)
    valetkey.site.mail.deliver(ALICE, a_message(CAROL.address, ALICE.address, "first"))
    with dialogue(valetkey.ports.imaps, valetkey.site.authority.client_context(), seconds=30) as talk:
        talk.until(r"\* OK")
        assert talk.imap("l", f"LOGIN alice {key.secret}")[-1].startswith("l OK")
        yield talk


def test_idle_hears_of_new_mail_at_once(valetkey: Valetkey, talk: Dialogue):
    talk.imap("s", "SELECT INBOX")
    talk.ask("i IDLE", r"\+")
    valetkey.site.mail.deliver(ALICE, a_message(CAROL.address, ALICE.address, "pushed"))
    assert "* 2 EXISTS" in talk.until(r"\* 2 EXISTS")
    assert talk.ask("DONE", "i ")[-1].startswith("i OK")
    assert any("pushed" in line for line in talk.imap("f", "FETCH 2 BODY.PEEK[HEADER]"))


def test_a_message_of_fifty_megabytes_is_stored_and_read_back_whole(valetkey: Valetkey, talk: Dialogue):
    line = b"0123456789" * 7 + b"\r\n"
    body = b"Subject: big\r\n\r\n" + line * (BIG // len(line))
    before = valetkey.memory()
    talk.ask(f"a APPEND Archive {{{len(body)}}}", r"\+")
    talk.send_octets(body + b"\r\n")
    assert talk.until("a ")[-1].startswith("a OK")
    talk.imap("s", "EXAMINE Archive")
    talk.send("f FETCH * BODY.PEEK[]")
    octets = received(talk, b"\r\nf OK")
    assert octets.partition(b"}\r\n")[2].startswith(body[:-2])
    grown = [valetkey.memory()[pid] - held for pid, held in before.items()]
    assert max(grown) < 20_000_000
    valetkey.site.mail.empty(ALICE, "Archive")


def received(talk: Dialogue, end: bytes) -> bytes:
    """Read up to an end that is never in what comes before; `Dialogue` reads lines, too slowly for so much."""
    octets = bytearray()
    while end not in octets[-200:]:
        octets += talk.socket.recv(1_000_000)
        assert len(octets) < 2 * BIG
    return bytes(octets)


def test_literals_of_both_kinds_are_taken(talk: Dialogue):
    text = b"Subject: literal\r\n\r\nx\r\n"
    talk.send_octets(b"a APPEND Archive (\\Seen) {%d+}\r\n" % len(text) + text + b"\r\n")
    assert talk.until("a ")[-1].startswith("a OK")
    talk.ask("b APPEND {7}", r"\+")
    talk.ask(f"Archive {{{len(text)}}}", r"\+")
    talk.send_octets(text + b"\r\n")
    assert talk.until("b ")[-1].startswith("b OK")
    talk.send_octets(b"c SELECT {7+}\r\nArchive\r\n")
    assert talk.until("c ")[-1].startswith("c OK")
    talk.send_octets(b"d SEARCH SUBJECT {7+}\r\nliteral TEXT {1}\r\n")
    talk.until(r"\+")
    talk.send("x")
    found = talk.until("d ")
    assert len(found[0].split()) == 4, found  # * SEARCH and two numbers


def test_pipelined_commands_are_answered_in_their_order(talk: Dialogue):
    talk.send_octets(
        b"a SELECT INBOX\r\nb FETCH 1 FLAGS\r\nc STORE 1 +FLAGS (\\Flagged)\r\nd UID SEARCH FLAGGED\r\nf NOOP\r\n"
    )
    answers = [line for line in talk.until("f ") if not line.startswith("* ")]
    assert [line[:4] for line in answers] == ["a OK", "b OK", "c OK", "d OK", "f OK"]


def test_commands_sent_with_the_login_wait_for_its_verdict(valetkey: Valetkey, key: AppPasswordOf):
    with dialogue(valetkey.ports.imaps, valetkey.site.authority.client_context()) as talk:
        talk.until(r"\* OK")
        talk.send_octets(f"a LOGIN alice {key.secret}\r\nb SELECT INBOX\r\nc NOOP\r\n".encode())
        assert talk.until("a ")[-1].startswith("a OK")
        assert talk.until("b ")[-1].startswith("b OK")
        assert talk.until("c ")[-1].startswith("c OK")


@pytest.mark.parametrize(
    "command",
    [
        'a SELECT "INBOX"',
        "a select inbox",
        'a LIST "" "%"',
        'a LIST "" (INBOX Archive) RETURN (CHILDREN)',
        'a LIST (SUBSCRIBED) "" *',
        'a lsub "" *',
        "a STATUS InBoX (UIDNEXT UIDVALIDITY)",
        "A.1-_x&y NOOP",
        "a NAMESPACE",
        'a ID ("name" "odd client" "version" NIL)',
        "a ID NIL",
        "a ENABLE CONDSTORE",
        "a CAPABILITY",
        'a STATUS "&AOQ-x" (MESSAGES)',
    ],
)
def test_unusual_but_legal_commands(talk: Dialogue, command: str):
    tag = command.split(maxsplit=1)[0]
    answer = talk.ask(command, rf"{tag} ".replace(".", r"\."))[-1]
    assert " OK" in answer or "[NONEXISTENT]" in answer or "doesn't exist" in answer, answer


@pytest.mark.parametrize(
    "command",
    [
        'FETCH 1 (BODY.PEEK[HEADER.FIELDS (From "To" {7+}\r\nSubject)])',
        "fetch 1:* all",
        "UID FETCH 1:* (UID FLAGS INTERNALDATE BODYSTRUCTURE)",
        "FETCH 1 BODY.PEEK[1.MIME]<0.10>",
        'SEARCH CHARSET UTF-8 OR (FROM carol) NOT SUBJECT "x y" SINCE 1-Jan-2020',
        "SEARCH RETURN (MIN MAX COUNT) ALL",
        "UID SEARCH 1:*,5 UNDELETED",
        "SORT (REVERSE DATE) UTF-8 ALL",
        "THREAD REFERENCES UTF-8 ALL",
        "STORE 1 -flags.silent (\\Answered $Label1)",
        "CHECK",
        "UNSELECT",
        "CLOSE",
    ],
)
def test_unusual_but_legal_commands_on_a_folder(talk: Dialogue, command: str):
    talk.imap("s", "SELECT INBOX")
    talk.send(f"a {command}")
    assert talk.until("a ")[-1].startswith("a OK")


def test_a_silent_client_is_not_disturbed_and_a_gone_one_is_forgotten(valetkey: Valetkey, key: AppPasswordOf):
    with dialogue(valetkey.ports.imaps, valetkey.site.authority.client_context()) as talk:
        talk.until(r"\* OK")
        talk.imap("a", f"LOGIN alice {key.secret}")
        time.sleep(1.5)  # longer than any tick of the gateway
        assert talk.imap("b", "NOOP")[-1].startswith("b OK")
    valetkey.keys.wait_until_closed(key)


def test_when_the_mail_server_ends_a_session_the_client_hears_its_words(talk: Dialogue):
    assert any(line.startswith("* BYE") for line in talk.imap("a", "LOGOUT"))
    assert talk.closed()
