import pytest

from valetkey.core.scope import ALL_PERMISSIONS, Permission
from valetkey.doors.gateway.rules import IMAP_NEEDS, POP3_NEEDS, imap_rule, pop3_rule, smtp_rule
from valetkey.wire import imap_grammar, pop3_command
from valetkey.wire.imap_command import Forward, ImapCommand, Refuse
from valetkey.wire.imap_syntax import Group, Message, Section, Text, Word
from valetkey.wire.pop3_command import Pop3Command
from valetkey.wire.pop3_filter import Pop3Refusal
from valetkey.wire.smtp_command import SmtpCommand, SmtpRefusal

READ, FLAG, WRITE, DELETE = Permission.READ, Permission.FLAG, Permission.WRITE, Permission.DELETE
FOLDERS = Permission.FOLDERS
CAPABILITIES = (b"IMAP4rev1", b"UNSELECT")
INBOX = (Text(b"INBOX"),)


def asked(command: ImapCommand, *granted: Permission, capabilities: tuple[bytes, ...] = CAPABILITIES) -> str:
    """Give the name of the command that is sent on, or "refused"."""
    answer = imap_rule(frozenset(granted), capabilities)(command)
    return answer.command.name if isinstance(answer, Forward) else "refused"


def imap(name: str, *arguments: object) -> ImapCommand:
    return ImapCommand(b"a", name, arguments)


def store(item: str, *flags: str) -> ImapCommand:
    return imap("STORE", Word(b"1"), Word(item.encode()), Group(tuple(Word(flag.encode()) for flag in flags)))


def fetch(*items: object) -> ImapCommand:
    return imap("UID FETCH", Word(b"1:*"), Group(items))


def test_every_command_that_can_reach_the_rule_has_a_row():
    assert {name.removeprefix("UID ") for name in imap_grammar.COMMANDS} == set(IMAP_NEEDS)
    assert set(pop3_command.COMMANDS) == set(POP3_NEEDS)


def test_an_unknown_command_is_refused_even_with_everything():
    assert asked(imap("XEVERYTHING"), *ALL_PERMISSIONS) == "refused"
    assert isinstance(pop3_rule(ALL_PERMISSIONS, (b"TOP",))(Pop3Command("XTND")), Pop3Refusal)


@pytest.mark.parametrize("name", sorted(imap_grammar.COMMANDS))
def test_without_any_permission_nothing_that_reads_or_changes_mail_passes(name: str):
    harmless = {"CAPABILITY", "NOOP", "LOGOUT", "ID", "ENABLE", "NAMESPACE", "LIST", "LSUB", "IDLE", "CHECK"}
    harmless |= {"UNSELECT", "CLOSE", "GETQUOTA", "GETQUOTAROOT"}
    command = store("+FLAGS", "\\Seen") if name.endswith("STORE") else imap(name)
    assert (asked(command) == "refused") == (name not in harmless)


def test_reading_only_opens_folders_with_examine():
    assert asked(imap("SELECT", *INBOX), READ) == "EXAMINE"
    assert asked(imap("SELECT", *INBOX), READ, WRITE) == "EXAMINE"
    assert asked(imap("SELECT", *INBOX), READ, FLAG) == "SELECT"
    assert asked(imap("SELECT", *INBOX), READ, DELETE) == "SELECT"
    assert asked(imap("SELECT", *INBOX), WRITE) == "refused"


def test_closing_expunges_only_with_the_right_to_delete():
    assert asked(imap("CLOSE"), READ) == "CLOSE"
    assert asked(imap("CLOSE"), READ, FLAG) == "UNSELECT"
    assert asked(imap("CLOSE"), READ, FLAG, capabilities=()) == "refused"
    assert asked(imap("CLOSE"), READ, FLAG, DELETE) == "CLOSE"
    assert asked(imap("EXPUNGE"), READ, FLAG, WRITE, FOLDERS) == "refused"
    assert asked(imap("UID EXPUNGE"), READ, DELETE) == "UID EXPUNGE"


def test_flags_need_their_permission_and_the_mark_to_delete_needs_another():
    assert asked(store("+FLAGS", "\\Seen"), READ, FLAG) == "STORE"
    assert asked(store("+FLAGS", "\\Seen"), READ, DELETE) == "refused"
    assert asked(store("+FLAGS.SILENT", "\\deleted"), READ, FLAG) == "refused"
    assert asked(store("+FLAGS", "\\Seen", "\\Deleted"), READ, FLAG) == "refused"
    assert asked(store("-FLAGS", "\\Deleted"), READ, DELETE) == "STORE"
    assert asked(store("FLAGS", "\\Deleted"), READ, DELETE) == "refused", "it would take other flags away"
    assert asked(store("FLAGS", "\\Deleted"), READ, DELETE, FLAG) == "STORE"
    assert asked(store("FLAGS"), READ, DELETE) == "refused"


def test_a_new_message_may_not_be_marked_for_deletion_without_that_right():
    message = Message(3)
    assert asked(imap("APPEND", *INBOX, message), WRITE) == "APPEND"
    assert asked(imap("APPEND", *INBOX, Group((Word(b"\\Seen"),)), message), WRITE) == "APPEND"
    assert asked(imap("APPEND", *INBOX, Group((Word(b"\\Deleted"),)), message), WRITE) == "refused"


def test_moving_takes_away_so_it_needs_the_right_to_delete():
    assert asked(imap("MOVE", Word(b"1"), *INBOX), READ, WRITE) == "refused"
    assert asked(imap("UID MOVE", Word(b"1"), *INBOX), READ, WRITE, DELETE) == "UID MOVE"
    assert asked(imap("COPY", Word(b"1"), *INBOX), READ, WRITE) == "COPY"
    assert asked(imap("DELETE", *INBOX), READ, FOLDERS) == "refused"


def test_a_fetch_that_would_mark_as_read_peeks_where_marking_is_not_granted():
    whole = fetch(Word(b"FLAGS"), Section(b"BODY", ()), Section(b"BINARY", (Word(b"1"),)))
    answer = imap_rule(frozenset({READ, DELETE}), CAPABILITIES)(whole)
    assert isinstance(answer, Forward)
    assert not answer.command.sets_seen
    assert answer.command.arguments[1] == Group(
        (Word(b"FLAGS"), Section(b"BODY.PEEK", ()), Section(b"BINARY.PEEK", (Word(b"1"),)))
    )
    alone = imap("FETCH", Word(b"1"), Section(b"BODY", ()))
    assert imap_rule(frozenset({READ, DELETE}), CAPABILITIES)(alone) == Forward(
        imap("FETCH", Word(b"1"), Section(b"BODY.PEEK", ()))
    )
    assert asked(fetch(Word(b"RFC822")), READ, DELETE) == "refused"
    assert asked(fetch(Word(b"RFC822")), READ) == "UID FETCH", "the folder is open for reading only"
    assert imap_rule(frozenset({READ, FLAG}), CAPABILITIES)(whole) == Forward(whole)


def test_listing_with_status_tells_what_status_tells():
    with_status = imap("LIST", Text(b""), Word(b"*"), Word(b"RETURN"), Group((Word(b"status"), Group(()))))
    assert asked(with_status, WRITE) == "refused"
    assert asked(with_status, READ) == "LIST"
    assert asked(imap("LIST", Text(b""), Word(b"*")), WRITE) == "LIST"


def test_a_refusal_says_what_is_not_permitted():
    answer = imap_rule(frozenset({READ}), CAPABILITIES)(imap("EXPUNGE"))
    assert answer == Refuse("This app password may not delete messages")


def test_pop3_retrieves_without_marking_where_marking_is_not_granted():
    rule = pop3_rule(frozenset({READ}), (b"TOP", b"UIDL"))
    assert rule(Pop3Command("RETR", (7,))) == Pop3Command("TOP", (7, 2147483647))
    assert rule(Pop3Command("DELE", (7,))) == Pop3Refusal("This app password may not delete messages")
    assert rule(Pop3Command("STAT")) == Pop3Command("STAT")
    assert isinstance(pop3_rule(frozenset({READ}), ())(Pop3Command("RETR", (7,))), Pop3Refusal)
    marking = pop3_rule(frozenset({READ, FLAG}), (b"TOP",))
    assert marking(Pop3Command("RETR", (7,))) == Pop3Command("RETR", (7,))
    assert isinstance(pop3_rule(frozenset({DELETE}), (b"TOP",))(Pop3Command("RETR", (7,))), Pop3Refusal)


def test_mail_is_sent_only_with_the_right_to_send():
    mail = SmtpCommand("MAIL", b"a@example.org")
    assert smtp_rule(frozenset({Permission.SEND}))(mail) == mail
    assert isinstance(smtp_rule(frozenset({READ}))(mail), SmtpRefusal)
    assert smtp_rule(frozenset())(SmtpCommand("QUIT")) == SmtpCommand("QUIT")
