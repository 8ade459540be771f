r"""Runs a transcript against a wire machine: who said what, line by line.

A transcript is a text file. Empty lines and lines that begin with "#" are skipped; a first part of `key: value`
lines up to "---" configures the machine. Then, for a login machine:

    C: a LOGIN alice secret       the client sends this line
    S: a OK Logged in             the machine must have said exactly this line
    S~ a OK .*                    the same, as a regular expression
    E: LoginAsked name=alice      the machine must have given this event, with these fields
    A: allow IMAP4rev1 IDLE       its owner answers (see the protocol's test for the verbs)

For a client machine S is sent and C is expected. For a filter both sides speak: C and S are sent, and what
must reach the other side stands behind ">": `>S: …`, `>C: …` (or `>S~ …`).
A line ends with CR LF unless its mark ends with "-" (`C- …`); `\xNN`, `\r`, `\n` and `\\` are escapes, and
`<N*c>` stands for N times the character c. Whatever the machine says beyond the transcript fails the test.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LINE = re.compile(r"(>?[CSEA])([:~-]) ?(.*)\Z", re.DOTALL)
_ESCAPE = re.compile(r"\\x([0-9a-fA-F]{2})|\\([rn\\])|<(\d+)\*(.)>")
_PLAIN = {"r": "\r", "n": "\n", "\\": "\\"}


@dataclass(frozen=True)
class Line:
    """One line of a transcript."""

    number: int
    who: str
    mark: str
    text: str

    @property
    def data(self) -> bytes:
        raw = _ESCAPE.sub(_unescape, self.text).encode("latin-1")
        return raw if self.mark == "-" else raw + b"\r\n"


def _unescape(match: re.Match[str]) -> str:
    if match[1]:
        return chr(int(match[1], 16))
    return _PLAIN[match[2]] if match[2] else match[4] * int(match[3])


@dataclass(frozen=True)
class Transcript:
    """A transcript: its settings and its lines."""

    settings: Mapping[str, str]
    lines: tuple[Line, ...]


def transcripts(folder: Path) -> list[Path]:
    """Every transcript of a folder; there must be some."""
    found = sorted(folder.glob("*.txt"))
    assert found, f"no transcripts in {folder}"
    return found


def read_transcript(path: Path) -> Transcript:
    """Read a transcript from its file."""
    settings: dict[str, str] = {}
    lines: list[Line] = []
    head, _, body = path.read_text("utf-8").partition("\n---\n")
    skipped = head.count("\n") + 2
    for text in head.splitlines():
        if text and not text.startswith("#"):
            key, _, value = text.partition(":")
            settings[key.strip()] = value.strip()
    for number, text in enumerate(body.splitlines(), skipped + 1):
        if text and not text.startswith("#"):
            match = _LINE.match(text)
            assert match, f"{path.name}:{number}: not a line of a transcript"
            lines.append(Line(number, match[1], match[2], match[3]))
    return Transcript(settings, tuple(lines))


class Machine:
    """What the runner drives: inputs by who speaks, outputs by who must hear, events, and the owner's verbs."""

    def __init__(
        self,
        speak: Mapping[str, Callable[[bytes], None]],
        hear: Mapping[str, Callable[[], bytes]],
        next_event: Callable[[], object | None] = lambda: None,
        act: Callable[[str], None] | None = None,
    ) -> None:
        self.speak, self.hear, self.next_event, self.act = speak, hear, next_event, act
        self.heard = dict.fromkeys(hear, b"")
        self.events: list[object] = []

    def settle(self) -> None:
        while (event := self.next_event()) is not None:
            self.events.append(event)
        for who, take in self.hear.items():
            self.heard[who] += take()


def login_machine(machine: Any, act: Callable[[str], None]) -> Machine:
    """A machine of the server's side, whose client is C."""
    machine.greet()
    return Machine({"C": machine.receive}, {"S": machine.take_output}, machine.next_event, act)


def client_machine(machine: Any, act: Callable[[str], None]) -> Machine:
    """A machine of the client's side, whose server is S."""
    return Machine({"S": machine.receive}, {"C": machine.take_output}, machine.next_event, act)


def filter_machine(machine: Any) -> Machine:
    """A filter between C and S."""

    def closed() -> object | None:
        if machine.close_reason is not None and not told:
            told.append(machine.close_reason)
            return Closed(machine.close_reason)
        return None

    told: list[str] = []
    return Machine(
        {"C": machine.from_client, "S": machine.from_server},
        {">S": machine.take_to_server, ">C": machine.take_to_client},
        closed,
    )


@dataclass(frozen=True)
class Closed:
    """The filter wants the session closed."""

    reason: str


def run(transcript: Transcript, machine: Machine, *, piece: int = 0) -> None:
    """Run a transcript; what is sent is cut into pieces of `piece` octets (0: whole lines)."""
    machine.settle()
    spoke = False  # what is said one after the other may be answered together
    for line in transcript.lines:
        if not spoke and (line.who in machine.speak or line.who == "A"):
            _nothing_left(machine, line)
        spoke = line.who in machine.speak
        if spoke:
            for data in _cut(line.data, piece):
                machine.speak[line.who](data)
                machine.settle()
        elif line.who == "A":
            assert machine.act is not None
            machine.act(line.text)
            machine.settle()
        elif line.who == "E":
            assert machine.events, f"line {line.number}: no event; heard {machine.heard}"
            _same_event(machine.events.pop(0), line)
        else:
            _same_line(machine, line)
    _nothing_left(machine, Line(0, "end", ":", ""))


def _cut(data: bytes, piece: int) -> Iterator[bytes]:
    size = piece or len(data)
    for start in range(0, len(data), size):
        yield data[start : start + size]


def _same_line(machine: Machine, line: Line) -> None:
    heard = machine.heard[line.who]
    if line.mark == "~":
        found, end, rest = heard.partition(b"\r\n")
        assert end and re.fullmatch(line.text.encode("latin-1"), found), f"line {line.number}: heard {heard!r}"
        machine.heard[line.who] = rest
    else:
        assert heard.startswith(line.data), f"line {line.number}: heard {heard!r}, events {machine.events}"
        machine.heard[line.who] = heard[len(line.data) :]


def _same_event(event: object, line: Line) -> None:
    kind, *fields = line.text.split(" ")
    assert type(event).__name__ == kind, f"line {line.number}: {event!r}"
    for field in fields:
        key, _, wanted = field.partition("=")
        value = getattr(event, key)
        if isinstance(value, tuple):
            value = b",".join(value)
        shown = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        expected = _ESCAPE.sub(_unescape, wanted).replace("\N{LOW LINE}", " ")
        assert shown.replace("_", " ") == expected, f"line {line.number}: {key} is {shown!r}"


def _nothing_left(machine: Machine, line: Line) -> None:
    left = {who: data for who, data in machine.heard.items() if data}
    assert not left, f"before line {line.number}: also said {left}"
    assert not machine.events, f"before line {line.number}: also {machine.events}"
