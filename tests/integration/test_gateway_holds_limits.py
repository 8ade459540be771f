"""Limits of an app password, held by the gateway for mail servers that know nothing of them."""

import imaplib
from collections.abc import Iterator
from email import policy

import pytest
from tests.servers.dialogue import Dialogue, dialogue, plain
from tests.servers.maildirs import a_message
from tests.servers.mailing import send
from tests.servers.people import ALICE, BOB, CAROL
from tests.servers.valetkey import Valetkey
from tests.servers.valetkey_keys import AppPasswordOf, scope

from valetkey.core.limits import Limits

pytestmark = pytest.mark.integration

ALL = "read flag write delete folders"


@pytest.fixture(scope="module")
def folders(valetkey: Valetkey) -> Iterator[AppPasswordOf]:
    """Give an app password for one folder and what lies in another, in a mailbox that has more."""
    everything = valetkey.keys.issue(ALICE, scope(ALL, "imap"))
    with imap(valetkey, everything) as talk:
        for each, name in enumerate(("Projects", "Projects/One", "Projects/&ANw-ber", "Invoices", "Secret")):
            talk.imap(f"c{each}", f'CREATE "{name}"')
    yield valetkey.keys.issue(ALICE, scope(ALL, "imap"), limits=Limits(folders=("Invoices", "Projects/*")))
    with imap(valetkey, everything) as talk:
        for each, name in enumerate(
            ("Projects/One", "Projects/&ANw-ber", "Projects/New", "Projects", "Invoices", "Secret")
        ):
            talk.imap(f"d{each}", f'DELETE "{name}"')


def imap(valetkey: Valetkey, key: AppPasswordOf):
    return _LoggedIn(valetkey, key)


class _LoggedIn:
    def __init__(self, valetkey: Valetkey, key: AppPasswordOf) -> None:
        self._open = dialogue(valetkey.ports.imaps, valetkey.site.authority.client_context(), seconds=30)
        self._key = key

    def __enter__(self) -> Dialogue:
        talk = self._open.__enter__()
        talk.until(r"\* OK")
        assert talk.imap("l", f"LOGIN alice {self._key.secret}")[-1].startswith("l OK")
        return talk

    def __exit__(self, *args: object) -> None:
        self._open.__exit__(*args)


def test_other_folders_are_neither_opened_nor_named(valetkey: Valetkey, folders: AppPasswordOf):
    with imap(valetkey, folders) as talk:
        for each, command in enumerate(
            (
                "SELECT INBOX",
                "EXAMINE Secret",
                "STATUS Secret (MESSAGES)",
                "SELECT Projects",
                'SELECT "Projects/../Secret"',
                'SELECT "Projects/"',
                "SELECT projects/One",
                "CREATE Other",
                "DELETE Secret",
                "RENAME Secret Projects/Mine",
                "RENAME Invoices Bills",
                "RENAME Invoices Projects/Mine",  # what lies in it would come along
                "SUBSCRIBE Secret",
                "GETQUOTAROOT Secret",
            )
        ):
            assert talk.imap(f"n{each}", command)[-1].startswith(f"n{each} NO [NOPERM]"), command
        told = [
            *talk.imap("l1", 'LIST "" "*"'),
            *talk.imap("l2", 'LSUB "" "*"'),
            *talk.imap("l3", 'LIST "" "%" RETURN (STATUS (MESSAGES) SUBSCRIBED)'),
            *talk.imap("l4", 'LIST "" ("Secret" "INBOX" "Invoices")'),
        ]
        assert not any("Secret" in line or "INBOX" in line for line in told), told
        assert any(line.endswith("Invoices") for line in told)
        assert any("Projects/One" in line for line in told)
        assert talk.imap("ns", "NAMESPACE")[-1].startswith("ns OK")


def test_the_folders_that_are_named_can_be_used(valetkey: Valetkey, folders: AppPasswordOf):
    valetkey.site.mail.empty(ALICE)
    with imap(valetkey, folders) as talk:
        body = a_message(CAROL.address, ALICE.address, "bill").as_bytes(policy=policy.SMTP)
        talk.ask(f"a APPEND Invoices {{{len(body)}}}", r"\+")
        talk.send_octets(body + b"\r\n")
        assert talk.until("a ")[-1].startswith("a OK")
        assert talk.imap("s", "SELECT Invoices")[-1].startswith("s OK")
        assert any("bill" in line for line in talk.imap("f", "FETCH * BODY.PEEK[HEADER]"))
        assert talk.imap("c", 'COPY 1 "Projects/&ANw-ber"')[-1].startswith("c OK")
        assert talk.imap("x", "COPY 1 INBOX")[-1].startswith("x NO [NOPERM]")
        assert talk.imap("m", "MOVE 1 Secret")[-1].startswith("m NO [NOPERM]")
        assert talk.imap("n", "CREATE Projects/New")[-1].startswith("n OK")
        assert talk.imap("t", "STATUS Projects/&ANw-ber (MESSAGES)")[-1].startswith("t OK")
        assert talk.imap("e", "ENABLE IMAP4rev2")[-1].startswith("e NO")
        talk.ask("i IDLE", r"\+")
        assert talk.ask("DONE", "i ")[-1].startswith("i OK")


def test_a_program_that_opens_a_folder_at_once_is_held_too(valetkey: Valetkey, folders: AppPasswordOf):
    """Everything is sent ahead, before the gateway knows how names are written there."""
    with dialogue(valetkey.ports.imaps, valetkey.site.authority.client_context(), seconds=30) as talk:
        talk.until(r"\* OK")
        talk.send(f"l LOGIN alice {folders.secret}\r\ns SELECT Projects/One\r\nt SELECT Secret\r\no LOGOUT")
        lines = talk.until("o ")
        assert any(line.startswith("s OK") for line in lines)
        assert any(line.startswith("t NO [NOPERM]") for line in lines)


def test_pythons_imaplib_reads_the_one_folder(valetkey: Valetkey, folders: AppPasswordOf):
    with imaplib.IMAP4_SSL(
        "localhost", valetkey.ports.imaps, ssl_context=valetkey.site.authority.client_context()
    ) as client:
        client.login("alice", folders.secret)
        assert client.select("Invoices", readonly=True)[0] == "OK"
        assert client.select("Secret", readonly=True)[0] == "NO"


@pytest.fixture
def smtp(valetkey: Valetkey):
    valetkey.site.mail.empty(BOB)
    opened = []

    def log_in(key: AppPasswordOf) -> Dialogue:
        entered = dialogue(valetkey.ports.submissions, valetkey.site.authority.client_context(), seconds=30)
        opened.append(entered)
        talk = entered.__enter__()
        talk.until("220 ")
        talk.smtp("EHLO client.example.test")
        assert talk.smtp(f"AUTH PLAIN {plain(ALICE.address, key.secret)}")[-1].startswith("235 2.7.0")
        talk.smtp("EHLO client.example.test")
        return talk

    yield log_in
    for entered in opened:
        entered.__exit__(None, None, None)


def test_senders_and_recipients_are_held(valetkey: Valetkey, smtp):
    limits = Limits(senders=(ALICE.address,), recipients=(BOB.address,), recipients_per_message=2)
    talk = smtp(valetkey.keys.issue(ALICE, "send-only", limits=limits))
    assert send(talk, BOB.address).startswith("250")
    assert send(talk, CAROL.address).startswith("550 5.7.1")
    assert send(talk, BOB.address, sender=CAROL.address).startswith("550 5.7.1")
    assert send(talk, BOB.address, sender="").startswith("550 5.7.1")
    assert send(talk, "postmaster").startswith("550 5.7.1")
    assert send(talk, BOB.address, BOB.address, BOB.address).startswith("452 4.5.3")


def test_a_days_messages_are_counted_once_they_are_taken(valetkey: Valetkey, smtp):
    key = valetkey.keys.issue(ALICE, "send-only", limits=Limits(messages_per_day=2))
    first, second = smtp(key), smtp(key)
    assert send(first, BOB.address).startswith("250")
    # What the mail server does not take is not counted.
    assert send(first, f"nobody@nowhere.{'x' * 70}").startswith("5")
    assert send(second, BOB.address).startswith("250")
    assert send(first, BOB.address).startswith("550 5.7.1")
    assert send(second, BOB.address).startswith("550 5.7.1")


def test_a_days_recipients_are_counted(valetkey: Valetkey, smtp):
    talk = smtp(valetkey.keys.issue(ALICE, "send-only", limits=Limits(recipients_per_day=3)))
    assert send(talk, BOB.address, CAROL.address).startswith("250")
    assert send(talk, BOB.address, CAROL.address).startswith("550 5.7.1")
    assert send(talk, BOB.address).startswith("250")


@pytest.mark.parametrize(
    "limits",
    [
        Limits(messages_per_day=1),
        Limits(recipients_per_day=2),
        Limits(recipients_per_message=2),
        Limits(recipients_per_message=2, messages_per_day=9),
    ],
)
def test_a_second_mail_inside_a_message_makes_nothing_uncounted(valetkey: Valetkey, smtp, limits: Limits):
    """The mail server refuses it (503), and keeps the recipients that it has."""
    talk = smtp(valetkey.keys.issue(ALICE, "send-only", limits=limits))
    assert send(talk, BOB.address).startswith("250")
    assert talk.smtp(f"MAIL FROM:<{ALICE.address}>")[-1].startswith("250")
    for _ in range(3):
        if not talk.smtp(f"RCPT TO:<{BOB.address}>")[-1].startswith("250"):
            break
        assert talk.smtp(f"MAIL FROM:<{ALICE.address}>")[-1].startswith("503")
    assert talk.smtp("DATA")[-1].startswith(("550 5.7.1", "452 4.5.3"))


def test_narrower_limits_end_what_is_open(valetkey: Valetkey, smtp):
    key = valetkey.keys.issue(ALICE, "send-only")
    talk = smtp(key)
    closed = valetkey.keys.change_limits(key, Limits(recipients=(BOB.address,)))
    assert closed == 1
    assert talk.closed()
