"""Which permission each command of a limited session needs. Default-deny: a command without a row is refused.

The filters of `wire` read commands and write them again; here is only what may pass, and in which milder form.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from valetkey.core.limits import NO_LIMITS, Limits, Overstep, Sent, overstep_of_message, permits_recipient
from valetkey.core.scope import Permission
from valetkey.doors.replies import OVERSTEPS
from valetkey.doors.words import decoded
from valetkey.service.sending import judge_sender
from valetkey.wire.imap_command import Forward, ImapAnswer, ImapCommand, ImapRule, Refuse
from valetkey.wire.imap_folders import FolderGate
from valetkey.wire.imap_syntax import Group, Node, Section, Word
from valetkey.wire.pop3_command import Pop3Command
from valetkey.wire.pop3_filter import Pop3Refusal, Pop3Rule
from valetkey.wire.smtp_command import SmtpCommand, SmtpRefusal
from valetkey.wire.smtp_filter import SmtpRule

_READ, _FLAG, _WRITE = Permission.READ, Permission.FLAG, Permission.WRITE
_DELETE, _FOLDERS = Permission.DELETE, Permission.FOLDERS
_NOTHING: frozenset[Permission] = frozenset()
# What needs a folder opened for writing. APPEND and COPY write into another one.
_CHANGES_SELECTED = frozenset({_FLAG, _DELETE})
_READ_SOMETHING = frozenset({_READ})

_MAY_NOT = {
    _READ: "read mail",
    _FLAG: "mark messages",
    _WRITE: "save, copy or move messages",
    _DELETE: "delete messages",
    _FOLDERS: "change folders",
    Permission.SEND: "send mail",
    Permission.FILTERS: "change filters",
}


def _needs(*permissions: Permission) -> frozenset[Permission]:
    return frozenset(permissions)


# What each IMAP command needs at least; some are looked at more closely below. UID commands need what their
# namesakes need.
IMAP_NEEDS: Mapping[str, frozenset[Permission]] = {
    "CAPABILITY": _NOTHING,
    "NOOP": _NOTHING,
    "LOGOUT": _NOTHING,
    "ID": _NOTHING,
    "ENABLE": _NOTHING,
    "NAMESPACE": _NOTHING,
    "GETQUOTA": _NOTHING,
    "GETQUOTAROOT": _NOTHING,
    "LIST": _NOTHING,
    "LSUB": _NOTHING,
    "STATUS": _READ_SOMETHING,
    "IDLE": _NOTHING,
    "CHECK": _NOTHING,
    "SELECT": _READ_SOMETHING,
    "EXAMINE": _READ_SOMETHING,
    "UNSELECT": _NOTHING,
    "CLOSE": _NOTHING,
    "FETCH": _READ_SOMETHING,
    "SEARCH": _READ_SOMETHING,
    "SORT": _READ_SOMETHING,
    "THREAD": _READ_SOMETHING,
    "STORE": _NOTHING,  # by the flags it names
    "EXPUNGE": _needs(_DELETE),
    "APPEND": _needs(_WRITE),
    "COPY": _needs(_READ, _WRITE),
    "MOVE": _needs(_READ, _WRITE, _DELETE),
    "CREATE": _needs(_FOLDERS),
    "DELETE": _needs(_FOLDERS, _DELETE),
    "RENAME": _needs(_FOLDERS),
    "SUBSCRIBE": _needs(_FOLDERS),
    "UNSUBSCRIBE": _needs(_FOLDERS),
}

POP3_NEEDS: Mapping[str, frozenset[Permission]] = {
    "CAPA": _NOTHING,
    "STAT": _NOTHING,
    "NOOP": _NOTHING,
    "QUIT": _NOTHING,
    "RSET": _NOTHING,
    "LIST": _READ_SOMETHING,
    "UIDL": _READ_SOMETHING,
    "RETR": _READ_SOMETHING,
    "TOP": _READ_SOMETHING,
    "DELE": _needs(_DELETE),
}

# TOP with this many lines is the whole message, and does not mark it as read (the largest number that servers take).
_ALL_LINES = 2147483647
_DELETED = b"\\DELETED"
_SMTP_FREE = frozenset({"NOOP", "RSET", "QUIT"})


class _ImapRule:
    """The rule of one limited IMAP session."""

    def __init__(
        self,
        granted: frozenset[Permission],
        capabilities: tuple[bytes, ...],
        folders: FolderGate | None,
    ) -> None:
        self._granted = granted
        self._folders = folders
        self._has_unselect = b"UNSELECT" in {name.upper() for name in capabilities}
        self._softened: Mapping[str, Callable[[ImapCommand], ImapAnswer]] = {
            "LIST": self._list,
            "SELECT": self._select,
            "CLOSE": self._close,
            "STORE": self._store,
            "APPEND": self._append,
            "FETCH": self._fetch,
        }

    def __call__(self, command: ImapCommand) -> ImapAnswer:
        name = command.name.removeprefix("UID ")
        needed = IMAP_NEEDS.get(name)
        if needed is None:
            return Refuse("This command is not available with this app password")
        softened = self._softened.get(name, Forward)
        return self._missing(needed) or self._other_folder(command) or softened(command)

    def _other_folder(self, command: ImapCommand) -> Refuse | None:
        """Refuse a folder that is not among those permitted. What answers say of others is kept back (`FolderGate`)."""
        if self._folders is None:
            return None
        if command.name == "ENABLE" and any(_is_rev2(node) for node in command.arguments):
            return Refuse("Names of folders are read in modified UTF-7 only with this app password")
        permits = self._folders.permits_whole if command.name == "RENAME" else self._folders.permits
        is_permitted = all(each is None or permits(each) for each in (command.mailbox, command.destination))
        return None if is_permitted else Refuse("This app password may not use this folder")

    def _missing(self, needed: frozenset[Permission]) -> Refuse | None:
        sentence = _missing(needed - self._granted)
        return Refuse(sentence) if sentence else None

    def _list(self, command: ImapCommand) -> ImapAnswer:
        # RETURN (STATUS …) tells what STATUS tells (RFC 5819).
        return (self._missing(IMAP_NEEDS["STATUS"]) if _names_status(command.arguments) else None) or Forward(command)

    def _select(self, command: ImapCommand) -> ImapAnswer:
        # Nothing that changes the folder is permitted: then the upstream itself sees to it.
        return Forward(command if self._granted & _CHANGES_SELECTED else command.with_name("EXAMINE"))

    def _close(self, command: ImapCommand) -> ImapAnswer:
        # CLOSE removes what is marked \Deleted; under EXAMINE it removes nothing (RFC 9051 6.4.1).
        if _DELETE in self._granted or not self._granted & _CHANGES_SELECTED:
            return Forward(command)
        if self._has_unselect:
            return Forward(command.with_name("UNSELECT"))
        return Refuse(_missing(frozenset({_DELETE})))

    def _store(self, command: ImapCommand) -> ImapAnswer:
        flags = {flag.upper() for flag in command.flags}
        needed = {_DELETE} if _DELETED in flags else set()
        if flags != {_DELETED} or command.store_item == b"FLAGS":
            # FLAGS without a sign takes away all flags that it does not name.
            needed.add(_FLAG)
        return self._missing(frozenset(needed)) or Forward(command)

    def _append(self, command: ImapCommand) -> ImapAnswer:
        # The flags of a new message come with it, but for \Deleted, which a later EXPUNGE would act on.
        marks = _DELETED in {flag.upper() for flag in command.flags}
        return (self._missing(frozenset({_DELETE})) if marks else None) or Forward(command)

    def _fetch(self, command: ImapCommand) -> ImapAnswer:
        if _FLAG in self._granted or not self._granted & _CHANGES_SELECTED or not command.sets_seen:
            return Forward(command)  # may mark as read, or the folder is opened so that it cannot
        items = command.arguments[1]
        peeking = Group(tuple(map(_peek, items.items))) if isinstance(items, Group) else _peek(items)
        softened = command.with_arguments((command.arguments[0], peeking, *command.arguments[2:]))
        # RFC822 and RFC822.TEXT have no form that peeks.
        return self._missing(frozenset({_FLAG})) or Forward(softened) if softened.sets_seen else Forward(softened)


def imap_rule(
    granted: frozenset[Permission],
    capabilities: tuple[bytes, ...],
    folders: FolderGate | None = None,
) -> ImapRule:
    """Make the rule of a limited IMAP session; `capabilities` are the upstream's.

    `folders` tells whether a mailbox may be used, by its name as the client wrote it; None: every one.
    """
    return _ImapRule(granted, capabilities, folders)


def pop3_rule(granted: frozenset[Permission], capabilities: tuple[bytes, ...]) -> Pop3Rule:
    """Make the rule of a limited POP3 session; `capabilities` are the upstream's lines of CAPA."""
    has_top = b"TOP" in {line.upper() for line in capabilities}

    def rule(command: Pop3Command) -> Pop3Command | Pop3Refusal:
        needed = POP3_NEEDS.get(command.name)
        if needed is None:
            return Pop3Refusal("This command is not available with this app password")
        missing = needed - granted
        if command.name == "RETR" and _FLAG not in granted:
            if has_top and not missing:
                return Pop3Command("TOP", (*command.arguments, _ALL_LINES))
            missing |= {_FLAG}
        sentence = _missing(missing)
        return Pop3Refusal(sentence) if sentence else command

    return rule


class _SubmissionRule:
    """The rule of one submission session."""

    def __init__(self, granted: frozenset[Permission], limits: Limits, stopped: Callable[[Overstep], None]) -> None:
        self._granted = granted
        self._limits = limits
        self._stopped = stopped
        self._recipients = 0  # of this message, passed on so far

    def __call__(self, command: SmtpCommand) -> SmtpCommand | SmtpRefusal:
        if Permission.SEND not in self._granted and command.name not in _SMTP_FREE:
            return SmtpRefusal(550, "5.7.1", _missing(frozenset({Permission.SEND})))
        overstep = self._overstep(command)
        if overstep is None:
            return command
        self._stopped(overstep)
        return overstep_refusal(overstep)

    def _overstep(self, command: SmtpCommand) -> Overstep | None:
        address = decoded(command.path or b"")
        if command.name == "MAIL":
            self._recipients = 0
            return judge_sender(self._limits, address)
        if command.name != "RCPT":
            return None
        if not permits_recipient(self._limits, address):
            return Overstep.RECIPIENT
        # What no day can hold is said at the recipient, so that its sender gives up nothing but that.
        overstep = overstep_of_message(replace(self._limits, messages_per_day=None), Sent(), self._recipients + 1)
        self._recipients += overstep is None
        return overstep


def smtp_rule(
    granted: frozenset[Permission], limits: Limits = NO_LIMITS, stopped: Callable[[Overstep], None] = lambda _: None
) -> SmtpRule:
    """Make the rule of a submission session; `stopped` is told of what a limit stops."""
    return _SubmissionRule(granted, limits, stopped)


def overstep_refusal(overstep: Overstep) -> SmtpRefusal:
    """Say which limit is overstepped; of too many recipients the rest may come in another message (RFC 5321 4.5.3.1.10)."""
    if overstep is Overstep.RECIPIENTS_PER_MESSAGE:
        return SmtpRefusal(452, "4.5.3", OVERSTEPS[overstep])
    return SmtpRefusal(550, "5.7.1", OVERSTEPS[overstep])


def _missing(missing: frozenset[Permission]) -> str:
    """Say what is not permitted; empty if nothing is missing."""
    return next((f"This app password may not {words}" for each, words in _MAY_NOT.items() if each in missing), "")


def _names_status(nodes: Sequence[Node]) -> bool:
    return any(
        node.text.upper() == b"STATUS"
        if isinstance(node, Word)
        else isinstance(node, Group) and _names_status(node.items)
        for node in nodes
    )


def _is_rev2(node: Node) -> bool:
    # It would turn the names of folders into UTF-8 (RFC 9051 5.1).
    return isinstance(node, Word) and node.text.upper() == b"IMAP4REV2"


def _peek(node: Node) -> Node:
    if isinstance(node, Section) and node.name in (b"BODY", b"BINARY"):
        return replace(node, name=node.name + b".PEEK")
    return node
