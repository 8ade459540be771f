"""What an app password may not do is refused before the mail server, and changes nothing there."""

import pytest
from tests.servers import python_clients
from tests.servers.dialogue import Dialogue, dialogue, plain
from tests.servers.maildirs import a_message
from tests.servers.people import ALICE, BOB, CAROL
from tests.servers.valetkey import Valetkey
from tests.servers.valetkey_keys import AppPasswordOf, scope

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def read_only(valetkey: Valetkey) -> AppPasswordOf:
    return valetkey.keys.issue(ALICE, "mail-app-read-only", "Archive")


@pytest.fixture
def two_mails(valetkey: Valetkey) -> frozenset[str]:
    """Give the file names of two messages, one of them never looked at."""
    mail = valetkey.site.mail
    mail.empty(ALICE)
    mail.deliver(ALICE, a_message(CAROL.address, ALICE.address, "first"))
    mail.deliver(ALICE, a_message(CAROL.address, ALICE.address, "second", "The body of the second.\n"))
    return frozenset(mail.file_names(ALICE))


def talk_imap(valetkey: Valetkey, talk: Dialogue, key: AppPasswordOf) -> list[str]:
    talk.until(r"\* OK")
    return talk.imap("l", f"LOGIN alice {key.secret}")


@pytest.mark.parametrize(
    "opens", ["SELECT INBOX", 'EXAMINE "INBOX"', "SELECT INBOX (CONDSTORE)", "select {5+}\r\nINBOX"]
)
def test_a_read_only_session_opens_folders_read_only(
    valetkey: Valetkey, read_only: AppPasswordOf, two_mails: frozenset[str], opens: str
):
    with dialogue(valetkey.ports.imaps, valetkey.site.authority.client_context()) as talk:
        talk_imap(valetkey, talk, read_only)
        assert "[READ-ONLY]" in talk.imap("a", opens)[-1]
        fetched = talk.imap("a", "FETCH 1:* (FLAGS BODY[] BODY[TEXT] RFC822.SIZE ENVELOPE)")
        fetched += talk.imap("a", "UID FETCH 1:* (RFC822 RFC822.TEXT)")
    assert "\n".join(fetched).count("The body of the second.") == 4
    assert not any("\\Seen" in line for line in fetched)
    assert frozenset(valetkey.site.mail.file_names(ALICE)) == two_mails


@pytest.mark.parametrize(
    "command",
    [
        "STORE 1 +FLAGS (\\Seen)",
        "STORE 1 FLAGS.SILENT (\\Deleted)",
        "UID STORE 1:* +FLAGS.SILENT \\Flagged",
        "EXPUNGE",
        "UID EXPUNGE 1:*",
        "COPY 1 Archive",
        "UID COPY 1:* Archive",
        "MOVE 1 Archive",
        "UID MOVE 1 Archive",
        "CREATE Stolen",
        "DELETE Archive",
        "RENAME Archive Stolen",
        "SUBSCRIBE Archive",
        "UNSUBSCRIBE Sent",
        "SETACL INBOX bob lrs",
        'SETMETADATA INBOX (/private/comment "x")',
        "SETQUOTA user (STORAGE 1)",
        "COMPRESS DEFLATE",
        "UNAUTHENTICATE",
        "NOTIFY SET (selected (MessageNew))",
        "URLFETCH imap://alice@localhost/INBOX/;uid=1",
        "XAPPLEPUSHSERVICE x y",
        "FETCH 1 BODY[]<0.100000000000000000000>",
    ],
)
def test_a_read_only_session_changes_nothing(
    valetkey: Valetkey, read_only: AppPasswordOf, two_mails: frozenset[str], command: str
):
    home = valetkey.site.mail.home(ALICE)
    with dialogue(valetkey.ports.imaps, valetkey.site.authority.client_context()) as talk:
        talk_imap(valetkey, talk, read_only)
        talk.imap("s", "SELECT INBOX")
        folders = sorted(path.name for path in home.glob(".*"))
        subscribed = (home / "subscriptions").read_text() if (home / "subscriptions").exists() else ""
        assert talk.imap("a", command)[-1].startswith(("a NO", "a BAD"))
        assert talk.imap("b", "NOOP")[-1].startswith("b OK")
    assert frozenset(valetkey.site.mail.file_names(ALICE)) == two_mails
    assert sorted(path.name for path in home.glob(".*")) == folders
    assert ((home / "subscriptions").read_text() if (home / "subscriptions").exists() else "") == subscribed


def test_a_refused_append_is_swallowed_whole_and_reaches_no_folder(
    valetkey: Valetkey, read_only: AppPasswordOf, two_mails: frozenset[str]
):
    smuggled = b"From: x\r\n\r\nz LOGOUT\r\nz DELETE Archive\r\n"
    with dialogue(valetkey.ports.imaps, valetkey.site.authority.client_context()) as talk:
        talk_imap(valetkey, talk, read_only)
        talk.send_octets(b"a APPEND INBOX {%d+}\r\n" % len(smuggled) + smuggled + b"\r\n")
        assert talk.until("a ")[-1].startswith("a NO")
        # asked to wait, it is told no before it sends anything
        assert talk.imap("b", "APPEND INBOX {1000000}")[-1].startswith("b NO")
        assert talk.imap("c", "NOOP")[-1].startswith("c OK")
    assert frozenset(valetkey.site.mail.file_names(ALICE)) == two_mails


def test_a_limited_session_announces_no_extension_that_could_slip_past(valetkey: Valetkey, read_only: AppPasswordOf):
    everything = valetkey.keys.issue(ALICE, "everything")
    said: dict[str, str] = {}
    for name, key in (("limited", read_only), ("unlimited", everything)):
        with dialogue(valetkey.ports.imaps, valetkey.site.authority.client_context()) as talk:
            logged_in = talk_imap(valetkey, talk, key)[-1]
            asked = talk.imap("c", "CAPABILITY")[0]
        assert logged_in.partition("[CAPABILITY ")[2].partition("]")[0] == asked.removeprefix("* CAPABILITY ")
        said[name] = asked
    limited = set(said["limited"].split())
    assert not limited & {"COMPRESS=DEFLATE", "NOTIFY", "CATENATE", "URL-PARTIAL", "MULTIAPPEND", "UNAUTHENTICATE"}
    assert {"IDLE", "IMAP4rev1", "UIDPLUS", "MOVE"} <= limited < set(said["unlimited"].split())


@pytest.mark.parametrize(
    ("permissions", "may", "may_not"),
    [
        ("read flag", ["STORE 1 +FLAGS (\\Seen)"], ["STORE 1 +FLAGS (\\Deleted)", "COPY 1 Archive", "EXPUNGE"]),
        ("read write", ["COPY 1 Archive"], ["STORE 1 +FLAGS (\\Seen)", "MOVE 1 Archive", "CREATE x", "DELETE Archive"]),
        ("read delete", ["STORE 1 +FLAGS (\\Deleted)", "EXPUNGE"], ["STORE 1 +FLAGS (\\Flagged)", "COPY 1 Archive"]),
        ("read folders", ["CREATE Made", "RENAME Made Made2"], ["DELETE Made2", "COPY 1 Archive", "EXPUNGE"]),
        ("read folders delete", ["CREATE Made3", "DELETE Made3"], ["COPY 1 Archive", "STORE 1 +FLAGS (\\Seen)"]),
        ("write", ["APPEND INBOX {5}"], ["SELECT INBOX", "STATUS INBOX (MESSAGES)"]),
    ],
)
def test_each_permission_gives_what_it_says(valetkey: Valetkey, two_mails, permissions: str, may, may_not):
    key = valetkey.keys.issue(ALICE, scope(permissions), permissions)
    with dialogue(valetkey.ports.imaps, valetkey.site.authority.client_context()) as talk:
        talk_imap(valetkey, talk, key)
        if "read" in permissions:
            talk.imap("s", "SELECT INBOX")
        for command in may_not:
            assert talk.imap("a", command)[-1].startswith("a NO [NOPERM]"), command
        for command in may:
            if command.startswith("APPEND"):
                talk.send("a APPEND INBOX {5}")
                talk.until(r"\+")
                talk.send("a\r\n\r\n")
                assert talk.until("a ")[-1].startswith("a OK")
            else:
                assert talk.imap("a", command)[-1].startswith("a OK"), command


def test_read_only_pop3_gives_messages_whole_and_leaves_them_unread(
    valetkey: Valetkey, read_only: AppPasswordOf, two_mails: frozenset[str]
):
    with python_clients.pop3(valetkey.login(read_only, "pop3s")) as client:
        count, _ = client.stat()
        messages = [b"\n".join(client.retr(number + 1)[1]) for number in range(count)]
        with pytest.raises(python_clients.GONE, match="may not delete"):
            client.dele(1)
    names = valetkey.site.mail.file_names(ALICE)
    assert count == 2 and any(b"The body of the second." in message for message in messages)
    assert len(names) == 2 and not any(name.partition(":2,")[2] for name in names)


def test_pop3_with_all_permissions_deletes(valetkey: Valetkey, two_mails: frozenset[str]):
    key = valetkey.keys.issue(ALICE, "mail-app")
    with python_clients.pop3(valetkey.login(key, "pop3s")) as client:
        client.retr(1)
        client.dele(2)
    valetkey.keys.wait_until_closed(key)
    names = valetkey.site.mail.file_names(ALICE)
    assert len(names) == 1 and all("S" in name.partition(":2,")[2] for name in names)


def test_send_only_sends_and_opens_nothing_else(valetkey: Valetkey):
    key = valetkey.keys.issue(ALICE, "send-only", "Scanner")
    valetkey.site.mail.empty(BOB)
    with python_clients.smtp(valetkey.login(key, "submissions")) as client:
        client.send_message(a_message(ALICE.address, BOB.address, "scanned"))
    valetkey.site.mail.wait_for(BOB, "scanned")
    with pytest.raises(python_clients.GONE, match="NOPERM"), python_clients.imap(valetkey.login(key, "imaps")):
        pass
    with pytest.raises(python_clients.GONE, match="AUTH"), python_clients.pop3(valetkey.login(key, "pop3s")):
        pass
    with pytest.raises(PermissionError), python_clients.sieve(valetkey.login(key, "sieve")):
        pass


def test_filters_need_their_own_permission(valetkey: Valetkey):
    mail_app = valetkey.keys.issue(ALICE, "mail-app")
    with pytest.raises(PermissionError, match="filters"), python_clients.sieve(valetkey.login(mail_app, "sieve")):
        pass
    editor = valetkey.keys.issue(ALICE, "filters")
    script = 'redirect :copy "bob@example.test";\r\n'
    with python_clients.sieve(valetkey.login(editor, "sieve")) as talk:
        assert talk.sieve('HAVESPACE "mine" 1000')[-1].startswith("OK")
        talk.send(f'PUTSCRIPT "mine" {{{len(script)}+}}')
        assert talk.sieve(script)[-1].startswith("NO")  # copy is not required: the server looked at it
        good = 'require "copy";\r\n' + script
        talk.send(f'PUTSCRIPT "mine" {{{len(good)}+}}')
        assert talk.sieve(good)[-1].startswith("OK")
        assert '"mine"' in talk.sieve("LISTSCRIPTS")[0]
        assert talk.sieve('SETACTIVE "mine"')[-1].startswith("OK")
        assert "redirect" in "\n".join(talk.sieve('GETSCRIPT "mine"'))
        assert talk.sieve('SETACTIVE ""')[-1].startswith("OK")
        assert talk.sieve('DELETESCRIPT "mine"')[-1].startswith("OK")


def test_a_client_cannot_log_in_anew_behind_the_gateway(valetkey: Valetkey):
    editor = valetkey.keys.issue(ALICE, "filters")
    with python_clients.sieve(valetkey.login(editor, "sieve")) as talk:
        assert talk.sieve("UNAUTHENTICATE")[-1].startswith("NO")
        again = plain(BOB.address, BOB.password)
        assert talk.sieve(f'AUTHENTICATE "PLAIN" "{again}"')[-1].startswith("NO")


def test_the_scope_never_exceeds_what_the_account_may_do(valetkey: Valetkey):
    """Rights are intersected at use: what the account loses, its app passwords lose."""
    key = valetkey.keys.issue(CAROL, "everything", "Carol's")
    valetkey.cli("account", "rights", CAROL.address, "read", "send")
    try:
        with python_clients.imap(valetkey.login(key, "imaps")) as client:
            assert client.select("INBOX", readonly=True)[0] == "OK"
            assert client.create("Mine")[0] == "NO"
        with pytest.raises(PermissionError), python_clients.sieve(valetkey.login(key, "sieve")):
            pass
    finally:
        valetkey.cli("account", "rights", CAROL.address, "all")
