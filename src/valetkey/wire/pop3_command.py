"""The commands of a POP3 session after the login (RFC 1939 5 to 7, RFC 2449 5): read strictly, written canonically."""

import re
from dataclasses import dataclass

_NUMBER = re.compile(rb"[0-9]{1,10}")

# How many numbers each command takes: at least, at most.
_ARGUMENTS = {
    "STAT": (0, 0),
    "LIST": (0, 1),
    "RETR": (1, 1),
    "DELE": (1, 1),
    "NOOP": (0, 0),
    "RSET": (0, 0),
    "QUIT": (0, 0),
    "TOP": (2, 2),
    "UIDL": (0, 1),
    "CAPA": (0, 0),
}
COMMANDS = tuple(_ARGUMENTS)


@dataclass(frozen=True, slots=True)
class Pop3Command:
    """One command: its name in capitals and its numbers."""

    name: str
    arguments: tuple[int, ...] = ()

    @property
    def is_multi_line(self) -> bool:
        """Whether a positive answer goes on up to a lone dot."""
        return self.name in ("RETR", "TOP", "CAPA") or (self.name in ("LIST", "UIDL") and not self.arguments)

    def line(self) -> bytes:
        """Write the command, CR LF included.

        Raises:
            ValueError: It is none that POP3 knows.
        """
        if not _fits(self.name, len(self.arguments)) or min(self.arguments, default=0) < 0:
            raise ValueError("This is no POP3 command")
        return " ".join((self.name, *map(str, self.arguments))).encode() + b"\r\n"


def parse_pop3_command(line: bytes) -> Pop3Command | None:
    """Read one command line, given without its line end; None if it is unknown or malformed."""
    word, *arguments = line.split(b" ")
    name = word.decode("latin-1").upper()
    if not _fits(name, len(arguments)) or not all(_NUMBER.fullmatch(argument) for argument in arguments):
        return None
    return Pop3Command(name, tuple(map(int, arguments)))


def _fits(name: str, count: int) -> bool:
    least, most = _ARGUMENTS.get(name, (1, 0))
    return least <= count <= most
