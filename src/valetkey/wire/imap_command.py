"""An IMAP command that was understood completely, and what a rule may answer to it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from valetkey.wire.imap_grammar import COMMANDS, check_arguments
from valetkey.wire.imap_syntax import Group, Message, Node, Section, Text, Word, value_of, written

_SEEN_BY = frozenset({b"RFC822", b"RFC822.TEXT"})
_SEEN_BY_SECTION = frozenset({b"BODY", b"BINARY"})
_WITH_MAILBOX = frozenset(
    {"SELECT", "EXAMINE", "CREATE", "DELETE", "RENAME", "SUBSCRIBE", "UNSUBSCRIBE", "STATUS", "APPEND", "GETQUOTAROOT"}
)


@dataclass(frozen=True, slots=True)
class ImapCommand:
    """A command; `name` is in upper case and begins with "UID " for the UID commands."""

    tag: bytes
    name: str
    arguments: tuple[Node, ...] = ()

    def with_name(self, name: str) -> "ImapCommand":
        """The same arguments under another name, such as EXAMINE for SELECT.

        Raises:
            ValueError: The name is not one of COMMANDS.
        """
        if name not in COMMANDS:
            raise ValueError("Unknown command")
        return replace(self, name=name)

    def with_arguments(self, arguments: tuple[Node, ...]) -> "ImapCommand":
        """The same command with other arguments."""
        return replace(self, arguments=arguments)

    @property
    def mailbox(self) -> bytes | None:
        """The mailbox that the command names first, as the client spelled it; None where it names none."""
        return value_of(self.arguments[0]) if self.name in _WITH_MAILBOX and self.arguments else None

    @property
    def destination(self) -> bytes | None:
        """The mailbox into which COPY and MOVE put messages, or the new name of RENAME."""
        kind = self.name.removeprefix("UID ")
        return value_of(self.arguments[1]) if kind in ("COPY", "MOVE", "RENAME") else None

    @property
    def flags(self) -> tuple[bytes, ...]:
        """The flags that STORE or APPEND name, in the client's spelling."""
        match self.name.removeprefix("UID "):
            case "STORE":
                behind = next(i for i, node in enumerate(self.arguments) if _is_store_item(node)) + 1
                return tuple(_words(self.arguments[behind:]))
            case "APPEND" if len(self.arguments) > 1 and isinstance(self.arguments[1], Group):
                return tuple(_words(self.arguments[1:2]))
            case _:
                return ()

    @property
    def store_item(self) -> bytes:
        """What STORE does: FLAGS, +FLAGS or -FLAGS, without .SILENT; empty for other commands."""
        if self.name.removeprefix("UID ") != "STORE":
            return b""
        item = next(node.text.upper() for node in self.arguments if isinstance(node, Word) and _is_store_item(node))
        return item.removesuffix(b".SILENT")

    @property
    def parameters(self) -> tuple[bytes, ...]:
        """The parameters of SELECT and EXAMINE (CONDSTORE, QRESYNC), in upper case."""
        if self.name not in ("SELECT", "EXAMINE") or len(self.arguments) == 1:
            return ()
        group = self.arguments[1]
        items = group.items if isinstance(group, Group) else ()
        return tuple(node.text.upper() for node in items if isinstance(node, Word))

    @property
    def sets_seen(self) -> bool:
        """Whether a FETCH would mark messages as read, were the mailbox selected for writing."""
        if self.name not in ("FETCH", "UID FETCH"):
            return False
        items = self.arguments[1]
        return any(_marks_seen(node) for node in (items.items if isinstance(items, Group) else (items,)))

    @property
    def message(self) -> Message | None:
        """The message of APPEND."""
        last = self.arguments[-1] if self.arguments else None
        return last if isinstance(last, Message) else None

    def written(self) -> Iterator[bytes | Text | Message]:
        """The command as it is sent on, without its line end; a Text or Message has to go as a literal."""
        yield self.tag + b" " + self.name.encode()
        if self.arguments:
            yield b" "
            yield from written(self.arguments)


@dataclass(frozen=True, slots=True)
class Forward:
    """The command may pass, as it is given here."""

    command: ImapCommand


@dataclass(frozen=True, slots=True)
class Refuse:
    """The command may not pass; the client is told `NO [code] text`."""

    text: str
    code: bytes = b"NOPERM"


ImapAnswer = Forward | Refuse
ImapRule = Callable[[ImapCommand], ImapAnswer]


def command_name(words: Sequence[Node]) -> str:
    """The name with which a command begins, in upper case, with "UID " for UID commands; empty if there is none."""
    match words:
        case [Word(uid), Word(name), *_] if uid.upper() == b"UID":
            return "UID " + name.decode("ascii").upper()
        case [Word(name), *_]:
            return name.decode("ascii").upper()
        case _:
            return ""


def understood(tag: bytes, words: Sequence[Node]) -> ImapCommand | None:
    """Make a command of its words; None if its name is not one of COMMANDS.

    Raises:
        ImapSyntaxError: The arguments are malformed.
    """
    name = command_name(words)
    if name not in COMMANDS:
        return None
    arguments = tuple(words[2:] if name.startswith("UID ") else words[1:])
    check_arguments(name, arguments)
    return ImapCommand(tag, name, arguments)


def _words(nodes: Sequence[Node]) -> Iterator[bytes]:
    for node in nodes:
        match node:
            case Word(text):
                yield text
            case Group(items):
                yield from _words(items)


def _is_store_item(node: Node) -> bool:
    return isinstance(node, Word) and node.text.upper().lstrip(b"+-").removesuffix(b".SILENT") == b"FLAGS"


def _marks_seen(node: Node) -> bool:
    match node:
        case Word(text):
            return text.upper() in _SEEN_BY
        case Section(name):
            return name in _SEEN_BY_SECTION
        case _:
            return False
