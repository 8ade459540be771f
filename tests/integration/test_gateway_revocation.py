"""What is revoked, disabled, narrowed or expired is cut off within a second, on every worker, and counted."""

import contextlib
import datetime as dt
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from tests.servers.dialogue import Dialogue, dialogue, plain
from tests.servers.people import ALICE, BOB
from tests.servers.valetkey import Valetkey
from tests.servers.valetkey_keys import EVERYTHING, AppPasswordOf, scope

pytestmark = pytest.mark.integration

WITHIN = 1.0  # seconds from the verb's call to the end of the connection
# Of each kind so many that with two workers each of them has some.
OF_EACH_KIND = 6

Open = Callable[[Valetkey, AppPasswordOf], Dialogue]


def connect(valetkey: Valetkey, port: str) -> Dialogue:
    context = valetkey.site.authority.client_context()
    raw = socket.create_connection(("127.0.0.1", getattr(valetkey.ports, port)), 10)
    talk = Dialogue(context.wrap_socket(raw, server_hostname="localhost"))
    talk.until(r"\* OK|\+OK|220 |OK")
    return talk


def idling_imap(valetkey: Valetkey, key: AppPasswordOf) -> Dialogue:
    talk = connect(valetkey, "imaps")
    assert talk.imap("a", f"LOGIN {key.person.address} {key.secret}")[-1].startswith("a OK")
    assert talk.imap("b", "SELECT INBOX")[-1].startswith("b OK")
    talk.ask("c IDLE", r"\+")
    return talk


def quiet_imap(valetkey: Valetkey, key: AppPasswordOf) -> Dialogue:
    talk = connect(valetkey, "imaps")
    assert talk.imap("a", f"AUTHENTICATE PLAIN {plain(key.person.address, key.secret)}")[-1].startswith("a OK")
    return talk


def pop3(valetkey: Valetkey, key: AppPasswordOf) -> Dialogue:
    talk = connect(valetkey, "pop3s")
    talk.ask(f"USER {key.person.address}", r"\+OK")
    talk.ask(f"PASS {key.secret}", r"\+OK")
    talk.ask("STAT", r"\+OK")
    return talk


def smtp_in_data(valetkey: Valetkey, key: AppPasswordOf) -> Dialogue:
    talk = connect(valetkey, "submissions")
    talk.smtp("EHLO client.example.test")
    assert talk.smtp(f"AUTH PLAIN {plain(key.person.address, key.secret)}")[-1].startswith("235")
    assert talk.smtp(f"MAIL FROM:<{key.person.address}>")[-1].startswith("250")
    assert talk.smtp(f"RCPT TO:<{BOB.address}>")[-1].startswith("250")
    assert talk.smtp("DATA")[-1].startswith("354")
    talk.send("Subject: cut-off-in-the-middle\r\n\r\nHalf a")
    return talk


def sieve(valetkey: Valetkey, key: AppPasswordOf) -> Dialogue:
    talk = connect(valetkey, "sieves")
    assert talk.sieve(f'AUTHENTICATE "PLAIN" "{plain(key.person.address, key.secret)}"')[-1].startswith("OK")
    return talk


KINDS: tuple[Open, ...] = (idling_imap, quiet_imap, pop3, smtp_in_data, sieve)


@contextmanager
def opened(valetkey: Valetkey, key: AppPasswordOf, *kinds: Open, each: int = 1) -> Iterator[list[Dialogue]]:
    """Hold connections of these kinds, logged in with an app password."""
    with ExitStack() as stack:
        talks = []
        for kind in kinds * each:
            talk = kind(valetkey, key)
            stack.callback(talk.socket.close)
            talks.append(talk)
        yield talks


def assert_cut_off(talks: list[Dialogue], begun: float) -> None:
    for talk in talks:
        talk.socket.settimeout(8)
        assert talk.closed(), "a connection is still open"
    assert time.monotonic() - begun < WITHIN


def assert_alive(talks: list[Dialogue]) -> None:
    for talk in talks:
        talk.socket.settimeout(0.05)
        assert not talk.closed(), "a connection was closed that nobody revoked"


def test_revoking_closes_every_connection_on_every_worker_and_no_other(valetkey: Valetkey):
    lost = valetkey.keys.issue(ALICE, EVERYTHING, "Lost phone")
    kept = valetkey.keys.issue(ALICE, EVERYTHING, "Laptop")
    bobs = valetkey.keys.issue(BOB, EVERYTHING, "Bob's")
    with (
        opened(valetkey, lost, *KINDS, each=OF_EACH_KIND) as gone,
        opened(valetkey, kept, *KINDS) as others,
        opened(valetkey, bobs, idling_imap, smtp_in_data) as strangers,
    ):
        workers = {session.worker for session in valetkey.keys.opened_by(lost)}
        assert len(workers) == valetkey.options.workers, "the test needs sessions on every worker"
        begun = time.monotonic()
        closed = valetkey.keys.revoke(lost)
        assert_cut_off(gone, begun)
        assert closed == len(gone) == len(KINDS) * OF_EACH_KIND
        assert valetkey.keys.opened_by(lost) == ()
        assert_alive([*others, *strangers])
        assert len(valetkey.keys.opened_by(kept)) == len(others)


def test_the_command_line_revokes_and_says_how_many_it_closed(valetkey: Valetkey):
    key = valetkey.keys.issue(ALICE, EVERYTHING, "Old tablet")
    with opened(valetkey, key, idling_imap, pop3, sieve) as talks:
        said = valetkey.cli("app-password", "revoke", key.id, "--reason", "sold")
        for talk in talks:
            assert talk.closed()
    assert said == "“Old tablet” revoked, 3 open connections closed.\n"


def test_limited_sessions_are_closed_too(valetkey: Valetkey):
    key = valetkey.keys.issue(ALICE, "mail-app-read-only")
    with opened(valetkey, key, idling_imap, quiet_imap, pop3) as talks:
        begun = time.monotonic()
        assert valetkey.keys.revoke(key) == 3
        assert_cut_off(talks, begun)


def test_parsed_sessions_hear_why_they_end(valetkey: Valetkey):
    key = valetkey.keys.issue(ALICE, scope("read send filters"))
    with opened(valetkey, key, idling_imap, quiet_imap, pop3, smtp_in_data, sieve) as talks:
        assert valetkey.keys.revoke(key) == len(talks)
        patterns = (r"\* BYE ", r"\* BYE ", r"-ERR ", r"421 ", r"BYE ")
        for talk, pattern in zip(talks, patterns, strict=True):
            assert "This app password was revoked" in talk.until(pattern)[-1]
            assert talk.closed()


@pytest.mark.parametrize("choice", ["mail-app", "mail-app-read-only"])
def test_a_download_is_cut_off_in_the_middle(valetkey: Valetkey, choice: str):
    size = 40_000_000
    valetkey.site.mail.empty(BOB)
    valetkey.site.mail.deliver(BOB, b"Subject: big\n\n" + (b"x" * 79 + b"\n") * (size // 80))
    key = valetkey.keys.issue(BOB, choice)
    with opened(valetkey, key, quiet_imap) as (talk,):
        talk.imap("b", "EXAMINE INBOX")
        talk.send("c FETCH 1 BODY.PEEK[]")
        assert talk.socket.recv(1000)
        begun = time.monotonic()
        assert valetkey.keys.revoke(key) == 1
        assert received(talk) < size
        assert time.monotonic() - begun < WITHIN
    valetkey.site.mail.empty(BOB)


def received(talk: Dialogue) -> int:
    """Count what still comes until the connection is closed."""
    count = 0
    with contextlib.suppress(OSError):
        while octets := talk.socket.recv(1_000_000):
            count += len(octets)
    return count


def test_disabling_an_account_closes_all_its_connections(valetkey: Valetkey):
    first = valetkey.keys.issue(BOB, EVERYTHING, "First")
    second = valetkey.keys.issue(BOB, "mail-app-read-only", "Second")
    alices = valetkey.keys.issue(ALICE, EVERYTHING)
    valetkey.keys.wait_until_none(BOB)  # of those that an earlier test has left
    try:
        with (
            opened(valetkey, first, *KINDS) as some,
            opened(valetkey, second, idling_imap, pop3) as more,
            opened(valetkey, alices, idling_imap) as others,
        ):
            begun = time.monotonic()
            closed = valetkey.keys.disable(BOB)
            assert_cut_off([*some, *more], begun)
            assert closed == len(some) + len(more)
            assert_alive(others)
        with dialogue(valetkey.ports.imaps, valetkey.site.authority.client_context()) as talk:
            talk.until(r"\* OK")
            assert "AUTHENTICATIONFAILED" in talk.imap("a", f"LOGIN bob {first.secret}")[-1]
    finally:
        valetkey.keys.enable(BOB)
    with opened(valetkey, first, idling_imap) as again:
        assert_alive(again)


def test_narrowing_closes_what_was_opened_with_more(valetkey: Valetkey):
    key = valetkey.keys.issue(ALICE, EVERYTHING)
    with opened(valetkey, key, *KINDS) as talks:
        begun = time.monotonic()
        closed = valetkey.keys.change_scope(key, scope("read flag", "imap"))
        assert_cut_off(talks, begun)
        assert closed == len(talks)
    with opened(valetkey, key, idling_imap) as again:
        # Giving back what was taken disturbs nobody.
        assert valetkey.keys.change_scope(key, EVERYTHING) == 0
        assert_alive(again)


def test_narrowing_leaves_alone_what_loses_nothing_that_it_can_use(valetkey: Valetkey):
    key = valetkey.keys.issue(ALICE, EVERYTHING)
    with (
        opened(valetkey, key, smtp_in_data, sieve) as losing,
        opened(valetkey, key, idling_imap, quiet_imap, pop3) as keeping,
    ):
        begun = time.monotonic()
        closed = valetkey.keys.change_scope(key, scope("read flag write delete folders"))
        assert_cut_off(losing, begun)
        assert closed == len(losing)
        assert_alive(keeping)
        assert valetkey.keys.change_scope(key, scope("read flag delete")) == 2, "IMAP could save and manage folders"
        assert_alive(keeping[2:])


def test_an_expiry_that_passes_closes_the_connections(valetkey: Valetkey):
    end = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=4)
    key = valetkey.keys.issue(ALICE, EVERYTHING, "For a moment", expires_at=end)
    with opened(valetkey, key, *KINDS) as talks:
        assert len(valetkey.keys.opened_by(key)) == len(talks)
        left = (end - dt.datetime.now(dt.UTC)).total_seconds()
        assert left > 0, "the machine is too slow for this test"
        begun = time.monotonic() + left
        assert_cut_off(talks, begun)
        assert time.monotonic() >= begun - 0.05


def test_a_message_cut_off_in_the_middle_is_not_sent(valetkey: Valetkey):
    key = valetkey.keys.issue(ALICE, "send-only")
    valetkey.site.mail.empty(BOB)
    with opened(valetkey, key, smtp_in_data) as talks:
        assert valetkey.keys.revoke(key) == 1
        assert talks[0].closed()
    whole = valetkey.keys.issue(ALICE, "send-only")
    with opened(valetkey, whole, smtp_in_data) as talks:
        assert talks[0].smtp(" message.\r\n.")[-1].startswith("250")
    octets = valetkey.site.mail.wait_for(BOB, "Half a")
    assert b"Half a\r\n message." in octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    assert len(valetkey.site.mail.messages(BOB)) == 1


def test_a_session_is_closed_by_its_id(valetkey: Valetkey):
    key = valetkey.keys.issue(ALICE, EVERYTHING)
    with opened(valetkey, key, idling_imap, quiet_imap) as (first, second):
        oldest = min(valetkey.keys.opened_by(key), key=lambda session: session.opened_at)
        valetkey.cli("sessions", "close", oldest.id)
        assert first.closed()
        assert_alive([second])


def test_rotating_keys_cuts_nobody_off_and_old_app_passwords_work_on(valetkey: Valetkey):
    key = valetkey.keys.issue(ALICE, EVERYTHING)
    with opened(valetkey, key, *KINDS) as talks:
        valetkey.cli("keys", "rotate")
        assert_alive(talks)
        with opened(valetkey, key, idling_imap, pop3) as more:
            assert_alive(more)
        # One that is made under the new key is taken by workers that were started before it.
        made = valetkey.cli("account", "create", "new@example.test", "--shared")
        assert "created" in made
        said = valetkey.cli("app-password", "create", "new@example.test", "Made later", "--for", "send-only", "--json")
        later = json.loads(said)
        with connect(valetkey, "submissions").socket as line:
            talk = Dialogue(line)
            talk.smtp("EHLO client.example.test")
            answer = talk.smtp(f"AUTH PLAIN {plain('new@example.test', later['secret'])}")
        assert answer[-1].startswith("235")
