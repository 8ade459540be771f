"""A real Dovecot, 2.3 and 2.4, asks Valetkey by the Lua script: who comes in, what is told, what a session may do."""

import base64
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from tests.servers.asking_dovecot import NEEDS, Asking, asking_23, asking_24
from tests.servers.certificates import CertificateAuthority
from tests.servers.dialogue import Dialogue, dialogue, plain
from tests.servers.maildirs import a_message
from tests.servers.people import ALICE, BOB, CAROL, Person
from tests.servers.valetkey_keys import AppPasswordOf, scope

from valetkey.core.limits import Limits
from valetkey.core.restriction import NetworkRule

pytestmark = [pytest.mark.integration, pytest.mark.needs(*NEEDS)]

WRONG = {
    "imap": "z NO [AUTHENTICATIONFAILED] Authentication failed.",
    "pop3": "-ERR [AUTH] Authentication failed.",
    "submission": "535 5.7.8",
    "sieve": 'NO "Authentication failed."',
}
NOT_NOW = {
    "imap": "z NO [UNAVAILABLE]",
    "pop3": "-ERR [SYS/TEMP]",
    "submission": "454 4.7.0",
    "sieve": 'NO (TRYLATER) "Temporary authentication failure.',
}
TOLD = {"imap": "z NO [CONTACTADMIN] {}", "pop3": "-ERR [AUTH] {}", "submission": "525 5.7.13 {}", "sieve": 'NO "{}'}
EXPIRED = {
    "imap": "z NO [EXPIRED] Password expired",
    "pop3": "-ERR [AUTH] Password expired",
    "submission": "535 5.7.8 Password expired",
    "sieve": 'NO "Password expired',
}
PROTOCOLS = tuple(WRONG)


@pytest.fixture(scope="module", params=["2.3", "2.4"])
def asking(request: pytest.FixtureRequest, authority: CertificateAuthority) -> Iterator[Asking]:
    with (asking_23 if request.param == "2.3" else asking_24)(authority) as running:
        yield running


@contextmanager
def connected(asking: Asking, protocol: str) -> Iterator[Dialogue]:
    """Connect with TLS and read the greeting."""
    ports, context = asking.dovecot.ports, asking.site.authority.client_context()
    if protocol == "sieve":
        with dialogue(ports.sieve) as talk:
            talk.until("OK")
            talk.sieve("STARTTLS")
            talk.start_tls(context)
            talk.until("OK")
            yield talk
        return
    port = {"imap": ports.imaps, "pop3": ports.pop3s, "submission": ports.submissions}[protocol]
    with dialogue(port, context) as talk:
        talk.line()
        if protocol == "submission":
            talk.smtp("EHLO client.example.test")
        yield talk


def answered(talk: Dialogue, protocol: str, name: str, secret: str) -> str:
    """Log in by the protocol's usual command and give the answer."""
    match protocol:
        case "imap":
            return talk.imap("z", f"LOGIN {name} {secret}")[-1]
        case "pop3":
            talk.ask(f"USER {name}", r"\+OK|-ERR")
            return talk.ask(f"PASS {secret}", r"\+OK|-ERR")[-1]
        case "submission":
            return talk.smtp(f"AUTH PLAIN {plain(name, secret)}")[-1]
        case _:
            return talk.sieve(f'AUTHENTICATE "PLAIN" "{plain(name, secret)}"')[-1]


def answer(asking: Asking, protocol: str, secret: str, person: Person = ALICE) -> str:
    with connected(asking, protocol) as talk:
        return answered(talk, protocol, person.address, secret)


def answers(asking: Asking, protocol: str, *logins: tuple[str, str]) -> list[str]:
    """Log in by each name and secret at once, since a refusal comes after a second; give the answers."""

    def one(login: tuple[str, str]) -> str:
        with connected(asking, protocol) as talk:
            return answered(talk, protocol, *login)

    with ThreadPoolExecutor() as at_once:
        return list(at_once.map(one, logins))


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@contextmanager
def mailbox(asking: Asking, key: AppPasswordOf) -> Iterator[Dialogue]:
    """Log in by IMAP with an app password."""
    with connected(asking, "imap") as talk:
        assert answered(talk, "imap", key.person.address, key.secret).startswith("z OK")
        yield talk


def test_a_secret_opens_every_protocol_by_every_mechanism(asking: Asking) -> None:
    """LOGIN, USER and PASS, SASL PLAIN and SASL LOGIN, in IMAP, POP3, submission and ManageSieve."""
    key = asking.valetkey.keys.issue(ALICE, "everything")
    for protocol in PROTOCOLS:
        assert answer(asking, protocol, key.secret).startswith(("z OK", "+OK", "235", "OK")), protocol
    name, secret = b64(ALICE.address), b64(key.secret)
    both = plain(ALICE.address, key.secret)
    with connected(asking, "imap") as talk:
        assert talk.imap("z", f"AUTHENTICATE PLAIN {both}")[-1].startswith("z OK")
    with connected(asking, "imap") as talk:
        talk.ask("z AUTHENTICATE LOGIN", r"\+")
        talk.ask(name, r"\+")
        assert talk.ask(secret, "z ")[-1].startswith("z OK")
    with connected(asking, "pop3") as talk:
        assert talk.ask(f"AUTH PLAIN {both}", r"\+OK|-ERR")[-1].startswith("+OK")
    with connected(asking, "submission") as talk:
        talk.smtp("AUTH LOGIN")
        talk.smtp(name)
        assert talk.smtp(secret)[-1].startswith("235")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_not_proven_is_told_nothing(asking: Asking, protocol: str) -> None:
    """Wrong, of nobody, revoked: one answer."""
    keys = asking.valetkey.keys
    revoked = keys.issue(ALICE, "everything")
    keys.revoke(revoked)
    bobs = keys.issue(BOB, "everything")
    logins = [(ALICE.address, secret) for secret in ("wrong", bobs.secret, revoked.secret)]
    said = answers(asking, protocol, *logins, ("nobody@example.test", bobs.secret))
    assert [each for each in said if not each.startswith(WRONG[protocol])] == []


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_proven_secret_is_told_why_it_is_refused(asking: Asking, protocol: str) -> None:
    keys = asking.valetkey.keys
    elsewhere = keys.issue(ALICE, "everything", network_rule=NetworkRule.ALLOWED, allowed_ips=("203.0.113.0/24",))
    words = {"imap": "imap", "pop3": "pop3", "submission": "smtp", "sieve": "sieve"}
    others = " ".join(set(words.values()) - {words[protocol]})
    other = keys.issue(ALICE, scope("read flag write delete folders send filters", others))
    here, there = answers(asking, protocol, *((ALICE.address, key.secret) for key in (elsewhere, other)))
    assert here.startswith(TOLD[protocol].format("This app password may not be used from this network"))
    assert there.startswith(TOLD[protocol].format("This app password may not be used"))
    assert [event["result"] for event in asking.valetkey.events("login", credential=elsewhere.id)] == ["network"]


@pytest.fixture(scope="module")
def expired(asking: Asking) -> AppPasswordOf:
    key = asking.valetkey.keys.issue(ALICE, "everything", expires_at=datetime.now(UTC) + timedelta(seconds=1.2))
    time.sleep(1.3)  # there is nothing to wait for but the time itself
    return key


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_expired_secret_is_told_so(asking: Asking, expired: AppPasswordOf, protocol: str) -> None:
    assert answer(asking, protocol, expired.secret).startswith(EXPIRED[protocol])


def test_the_owner_sees_which_program_it_was(asking: Asking) -> None:
    """The program's own ID, and the address of the client."""
    key = asking.valetkey.keys.issue(ALICE, "mail-app")
    with connected(asking, "imap") as talk:
        talk.imap("a", 'ID ("name" "Quux Mail" "version" "7.1")')
        answered(talk, "imap", ALICE.address, key.secret)
    (event,) = asking.valetkey.events("login", credential=key.id)
    assert event["client"] == "Quux Mail 7.1"
    assert event["address"] == "127.0.0.1"
    assert event["tls"] is True
    assert event["session"]


def test_a_login_of_the_same_machine_needs_no_tls(asking: Asking) -> None:
    """Webmail beside Dovecot; the policy demands TLS of whoever comes over a wire."""
    key = asking.valetkey.keys.issue(ALICE, "mail-app")
    with dialogue(asking.dovecot.ports.imap) as talk:
        talk.line()
        assert answered(talk, "imap", ALICE.address, key.secret).startswith("z OK")


def test_an_answer_does_not_wait_for_the_go_ahead_of_http(asking: Asking) -> None:
    """Dovecot sends `Expect: 100-continue`, and waits two seconds where nobody answers that."""
    key = asking.valetkey.keys.issue(ALICE, "mail-app")
    start = time.monotonic()
    answer(asking, "imap", key.secret)
    assert time.monotonic() - start < 1.5


# What each permission is for Dovecot: after it, the folder's messages and folders are looked at on disk and over IMAP.
EVERYTHING = "read flag write delete folders"


def may(talk: Dialogue, asking: Asking, person: Person) -> set[str]:
    """Try everything in a mailbox that holds one message in INBOX, one in Other and the empty folder Old."""
    found = set()
    if talk.imap("a", "SELECT INBOX")[-1].startswith("a OK"):
        found.add("read")
        if "(FLAGS (\\Flagged" in "".join(
            talk.imap("b", "STORE 1 +FLAGS (\\Flagged)") + talk.imap("b", "FETCH 1 FLAGS")
        ):
            found.add("flag")
        if talk.imap("c", "COPY 1 Other")[-1].startswith("c OK"):
            found.add("copy")
        talk.imap("d", "STORE 1 +FLAGS (\\Deleted)")
        if any("EXPUNGE" in line for line in talk.imap("d", "EXPUNGE")[:-1]):
            found.add("delete")
    talk.send("e APPEND Other {6}")
    if talk.until(r"\+|e ")[-1].startswith("+") and talk.ask("A: b\r\n", "e ")[-1].startswith("e OK"):
        found.add("append")
    if talk.imap("f", "CREATE New")[-1].startswith("f OK"):
        found.add("create")
    if talk.imap("g", "RENAME Old Older")[-1].startswith("g OK"):
        found.add("rename")
    if talk.imap("h", "DELETE Older" if "rename" in found else "DELETE Old")[-1].startswith("h OK"):
        found.add("remove")
    return found


@pytest.mark.parametrize(
    ("permissions", "means"),
    [
        ("read", {"read"}),
        ("read flag", {"read", "flag"}),
        ("read write", {"read", "append", "copy"}),
        ("read delete", {"read", "delete"}),
        ("read folders", {"read", "create"}),
        ("read delete folders", {"read", "delete", "create", "rename", "remove"}),
        ("write", {"append"}),
        ("read flag write delete", {"read", "flag", "append", "copy", "delete"}),
        (EVERYTHING, {"read", "flag", "append", "copy", "delete", "create", "rename", "remove"}),
    ],
)
def test_a_session_may_do_what_its_permissions_say(asking: Asking, permissions: str, means: set[str]) -> None:
    key = asking.valetkey.keys.issue(CAROL, scope(permissions, "imap"))
    mail, owner = asking.site.mail, asking.valetkey.keys.issue(CAROL, scope(EVERYTHING, "imap"))
    with mailbox(asking, owner) as talk:
        for name in ("New", "Old", "Older", "Other"):
            talk.imap("a", f"DELETE {name}")
        talk.imap("a", "CREATE Old")
        talk.imap("a", "SELECT INBOX")
        talk.imap("a", "STORE 1:* +FLAGS (\\Deleted)")
        talk.imap("a", "EXPUNGE")
    for folder in ("INBOX", "Other"):
        mail.deliver(CAROL, a_message("a@example.test", CAROL.address, "a message"), folder)
    with mailbox(asking, key) as talk:
        assert may(talk, asking, CAROL) == means


def test_pop3_that_may_only_read_deletes_nothing(asking: Asking) -> None:
    key = asking.valetkey.keys.issue(BOB, scope("read", "pop3"))
    asking.site.mail.deliver(BOB, a_message("a@example.test", BOB.address, "stays"))
    with connected(asking, "pop3") as talk:
        assert answered(talk, "pop3", BOB.address, key.secret).startswith("+OK")
        assert any("Subject: stays" in line for line in talk.ask("RETR 1", r"\.$|-ERR"))
        talk.ask("DELE 1", r"\+OK|-ERR")
        talk.ask("QUIT", r"\+OK|-ERR")
    assert len(asking.site.mail.messages(BOB)) == 1
    assert not any("S" in name.partition(":2,")[2] for name in asking.site.mail.file_names(BOB))


def test_a_session_sees_its_folders_and_no_other(asking: Asking) -> None:
    folders = ("Archive", "Projects/*", "Année 2026", 'a "quoted\\ name')
    keys, mail = asking.valetkey.keys, asking.site.mail
    key = keys.issue(ALICE, scope(EVERYTHING, "imap"), limits=Limits(folders=folders))
    for name in ("Archive", "Archive.Deep", "Projects", "Projects.One", "Projects.One.Two", "Secret", "Ann&AOk-e 2026"):
        mail.deliver(ALICE, a_message("a@example.test", ALICE.address, "in a folder"), name)
    mail.deliver(ALICE, a_message("a@example.test", ALICE.address, "in a folder"))
    opened = {"Archive", "Projects/One", "Projects/One/Two", '"Ann&AOk-e 2026"'}
    with mailbox(asking, key) as talk:
        listed = "\n".join(talk.imap("a", 'LIST "" *'))
        for name in opened:
            assert talk.imap("a", f"SELECT {name}")[-1].startswith("a OK"), name
            assert f'"/" {name}' in listed
        for name in ("INBOX", "Secret", "Projects", "Archive/Deep", "Sent"):
            assert talk.imap("a", f"SELECT {name}")[-1].startswith("a NO"), name
            assert talk.imap("a", f"STATUS {name} (MESSAGES)")[-1].startswith("a NO"), name
        for name in ("Secret", "Archive/Deep", "Sent"):
            assert f'"/" {name}\n' not in listed
        talk.imap("a", "SELECT Archive")
        assert talk.imap("a", "COPY 1 Secret")[-1].startswith("a NO")
        assert talk.imap("a", "COPY 1 Projects/One")[-1].startswith("a OK")
        assert talk.imap("a", "CREATE Top")[-1].startswith("a NO")
        assert talk.imap("a", "CREATE Archive/New")[-1].startswith("a NO")
        assert talk.imap("a", "CREATE Projects/New")[-1].startswith("a OK")
        # With the folder would go what lies in it, to where it could be read.
        assert talk.imap("a", "RENAME Archive Projects/Taken")[-1].startswith("a NO")
        assert talk.imap("a", "RENAME Secret Projects/Taken")[-1].startswith("a NO")


def test_a_wider_list_holds_from_the_next_login_on(asking: Asking) -> None:
    """A list of rights is kept under a name of its content, so that no older one is taken for it."""
    keys = asking.valetkey.keys
    names = {path.name for path in asking.rights.iterdir()}
    key = keys.issue(ALICE, scope("read", "imap"), limits=Limits(folders=("Archive",)))
    with mailbox(asking, key) as talk:
        assert talk.imap("a", "SELECT INBOX")[-1].startswith("a NO")
    (made,) = {path.name for path in asking.rights.iterdir()} - names
    assert made.startswith(key.id)
    assert (asking.rights / made).stat().st_mode & 0o777 == 0o644


def test_lists_in_the_mailbox_itself_give_nothing(asking: Asking) -> None:
    """Whoever had the whole mailbox once cannot leave a right behind."""
    key = asking.valetkey.keys.issue(BOB, scope("read", "imap"))
    asking.site.mail.deliver(BOB, a_message("a@example.test", BOB.address, "one"))
    planted = asking.site.mail.home(BOB) / "dovecot-acl"
    planted.write_text(f"anyone lrwstipekxa\nuser=app-password:{key.id} lrwstipekxa\n")
    with mailbox(asking, key) as talk:
        assert any("READ-ONLY" in line for line in talk.imap("a", "SELECT INBOX"))
    planted.unlink()


def test_what_is_shared_is_not_opened_by_naming_it(asking: Asking) -> None:
    """Everybody can name a folder for an app password; the list of rights would open it whoever's it is."""
    keys = asking.valetkey.keys
    asking.public.deliver(Person("public", ""), a_message("a@example.test", "all@example.test", "for all"), "Team")
    with mailbox(asking, keys.issue(ALICE, scope(EVERYTHING, "imap"))) as talk:
        assert talk.imap("a", "SELECT Public/Team")[-1].startswith("a OK")
    named = Limits(folders=("Public/Team", "Public/*", "Archive"))
    for key in (
        keys.issue(ALICE, scope("read", "imap")),
        keys.issue(ALICE, scope(EVERYTHING, "imap"), limits=named),
        keys.issue(ALICE, scope("read", "imap"), limits=named),
    ):
        with mailbox(asking, key) as talk:
            assert talk.imap("a", "SELECT Archive")[-1].startswith("a OK")
            for command in ("SELECT Public/Team", "STATUS Public/Team (MESSAGES)", "CREATE Public/New"):
                assert talk.imap("a", command)[-1].startswith("a NO"), command
            assert "Public/Team" not in "".join(talk.imap("a", 'LIST "" *'))


def test_submission_takes_as_many_recipients_as_it_may(asking: Asking) -> None:
    key = asking.valetkey.keys.issue(ALICE, scope("send", "smtp"), limits=Limits(recipients_per_message=1))
    with connected(asking, "submission") as talk:
        assert answered(talk, "submission", ALICE.address, key.secret).startswith("235")
        assert talk.smtp(f"MAIL FROM:<{ALICE.address}>")[-1].startswith("250")
        assert talk.smtp(f"RCPT TO:<{BOB.address}>")[-1].startswith("250")
        assert talk.smtp(f"RCPT TO:<{CAROL.address}>")[-1].startswith("4")


def test_what_dovecot_cannot_hold_is_refused_there(asking: Asking) -> None:
    """Whom mail may go to its submission cannot be told."""
    key = asking.valetkey.keys.issue(ALICE, scope("send", "smtp"), limits=Limits(recipients=(BOB.address,)))
    text = TOLD["submission"].format("This mail server cannot hold this app password to its limits")
    assert answer(asking, "submission", key.secret).startswith(text)


def test_postfix_that_asks_through_dovecot_learns_the_app_password(asking: Asking) -> None:
    key = asking.valetkey.keys.issue(ALICE, "everything")
    with dialogue(asking.site.postfix.ports.submissions, asking.site.authority.client_context()) as talk:
        talk.line()
        talk.smtp("EHLO client.example.test")
        assert answered(talk, "submission", ALICE.address, key.secret).startswith("235")
        talk.smtp("MAIL FROM:<elsewhere@example.test>")
        talk.smtp(f"RCPT TO:<{BOB.address}>")
    asking.site.postfix.log.wait_for(f"{ALICE.address}/app:{key.id}")


def test_postfix_lets_nobody_in_who_is_refused_with_a_reason(asking: Asking, expired: AppPasswordOf) -> None:
    """It would take Dovecot's "logged in, but may not" for a login."""
    proven = asking.valetkey.keys.issue(ALICE, scope("read", "imap"))

    def at_postfix(secret: str) -> str:
        with dialogue(asking.site.postfix.ports.submissions, asking.site.authority.client_context()) as talk:
            talk.line()
            talk.smtp("EHLO client.example.test")
            return answered(talk, "submission", ALICE.address, secret)

    with ThreadPoolExecutor() as at_once:
        said = list(at_once.map(at_postfix, (proven.secret, expired.secret, "wrong")))
    assert [each[:3] for each in said] == ["535"] * 3


def test_our_gateway_comes_in_as_master_user_for_who_it_let_in(asking: Asking) -> None:
    """Dovecot asks once more, with the id of the app password; the gateway holds the limits, also those of folders."""
    keys, ports = asking.valetkey.keys, asking.valetkey.ports
    key = keys.issue(CAROL, scope("read", "imap"))
    context = asking.site.authority.client_context()
    with dialogue(ports.imaps, context) as talk:
        talk.line()
        assert answered(talk, "imap", CAROL.address, key.secret).startswith("z OK")
        assert talk.imap("a", "SELECT INBOX")[-1].startswith("a OK [READ-ONLY]")
    events = asking.valetkey.events("login", credential=key.id)
    assert [event["result"] for event in events] == ["allowed", "allowed"]
    assert [event.get("door") for event in events] == ["http", None]
    with dialogue(ports.pop3s, context) as talk:
        talk.line()
        wide = keys.issue(CAROL, "everything")
        assert answered(talk, "pop3", CAROL.address, wide.secret).startswith("+OK")
    with dialogue(ports.sieves, context) as talk:
        talk.until("OK")
        assert answered(talk, "sieve", CAROL.address, keys.issue(CAROL, "everything").secret).startswith("OK")


def test_the_master_user_comes_in_only_for_who_the_gateway_let_in(asking: Asking) -> None:
    """Its password alone, without the word of the gateway on the app password, opens nothing."""
    login = plain(asking.dovecot.master_name, asking.dovecot.master_password, ALICE.address)
    with connected(asking, "imap") as talk:
        assert talk.imap("a", f"AUTHENTICATE PLAIN {login}")[-1].startswith("a NO")
    key = asking.valetkey.keys.issue(ALICE, "mail-app")
    asking.valetkey.keys.revoke(key)
    with connected(asking, "imap") as talk:
        talk.imap("i", f'ID ("x-originating-ip" "127.0.0.1" "x-forward-app_password" "{key.id}")')
        assert talk.imap("a", f"AUTHENTICATE PLAIN {login}")[-1].startswith("a NO")


def test_a_name_with_tabs_and_lines_opens_nothing(asking: Asking) -> None:
    key = asking.valetkey.keys.issue(ALICE, "mail-app")
    names = (f"{ALICE.address}\tuser=bob", f"{ALICE.address}\nOK", "\x01t", "a" * 2000, '"', "%u", "../alice")

    def refused(name: str) -> bool:
        with connected(asking, "imap") as talk:
            return talk.imap("a", f"AUTHENTICATE PLAIN {plain(name, key.secret)}")[-1].startswith("a NO")

    with ThreadPoolExecutor() as at_once:
        assert all(at_once.map(refused, names))


def test_a_wrong_secret_of_the_server_is_no_wrong_password(asking: Asking) -> None:
    """Its clients come again later; the log says what is wrong, and nobody's password counts as tried."""
    key = asking.valetkey.keys.issue(ALICE, "everything")
    with asking.with_secret("another"):
        for protocol in ("imap", "submission"):
            assert answer(asking, protocol, key.secret).startswith(NOT_NOW[protocol])
    assert asking.valetkey.events("bad_request", what="no peer has this secret, or not from this address")
    assert not asking.valetkey.events("login")
    asking.dovecot.log.wait_for("it does not know this server's secret")
    assert answer(asking, "imap", key.secret).startswith("z OK")


def test_while_valetkey_is_down_clients_come_again_later(asking: Asking) -> None:
    key = asking.valetkey.keys.issue(ALICE, "everything")
    asking.valetkey.stop()
    try:
        with ThreadPoolExecutor() as at_once:  # each tries for a while
            said = {each: at_once.submit(answer, asking, each, key.secret) for each in PROTOCOLS}
        for protocol, words in said.items():
            assert words.result().startswith(NOT_NOW[protocol])
    finally:
        asking.valetkey.start()
    assert answer(asking, "imap", key.secret).startswith("z OK")
