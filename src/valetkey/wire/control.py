"""What the gateway's workers are asked over their control sockets, and answer: lines of JSON, bounded.

A question is one line. An answer is any number of lines with an item each, then one line that ends it. A reader
that meets something it does not know refuses it; both sides are of the same release.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from valetkey.wire.buffer import Buffer, LimitExceededError
from valetkey.wire.machine import PeerError

LINE_LIMIT = 16384
# 20,000 sessions of a few hundred octets each, with room.
ANSWER_LIMIT = 64 * 1024 * 1024


class Verb(StrEnum):
    """What a worker can be asked."""

    APPLY_CHANGES = "apply-changes"  # argument: account id, or "" for all; result: sessions closed
    LIST = "list"  # argument: account id or ""; items: sessions
    CLOSE = "close"  # argument: session id; result: 1 or 0
    METRICS = "metrics"  # items: samples
    SERVERS = "servers"  # items: mail servers, and how they stand
    PING = "ping"  # result: 1


@dataclass(frozen=True, slots=True)
class Question:
    """One question to a worker."""

    verb: Verb
    argument: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One part of an answer."""

    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Done:
    """The end of an answer."""

    result: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured value of a worker, in Prometheus' words."""

    name: str
    kind: str  # "counter" or "gauge"
    help: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


def encode_question(question: Question) -> bytes:
    """Write a question as one line."""
    return _line({"verb": question.verb.value, "argument": question.argument})


def encode_item(values: Mapping[str, Any]) -> bytes:
    """Write one part of an answer as one line."""
    return _line({"item": dict(values)})


def encode_done(result: int) -> bytes:
    """Write the end of an answer as one line."""
    return _line({"done": result})


def encode_sample(sample: Sample) -> bytes:
    """Write a sample as one part of an answer."""
    return encode_item(
        {
            "name": sample.name,
            "kind": sample.kind,
            "help": sample.help,
            "value": sample.value,
            "labels": dict(sample.labels),
        }
    )


def decode_sample(item: Item) -> Sample:
    """Read a sample.

    Raises:
        PeerError: It is none.
    """
    match item.values:
        case {
            "name": str(name),
            "kind": str(kind),
            "help": str(text),
            "value": int() | float() as value,
            "labels": dict(labels),
        }:
            return Sample(name, kind, text, float(value), {str(key): str(label) for key, label in labels.items()})
        case _:
            raise PeerError("A sample is malformed")


class QuestionReader:
    """Reads questions from bytes that arrive in slices."""

    def __init__(self) -> None:
        self._buffer = Buffer()

    def receive(self, data: bytes) -> None:
        """Take bytes that arrived."""
        self._buffer.append(data)

    def next_question(self) -> Question | None:
        """Give the next question, or None while it is incomplete.

        Raises:
            PeerError: The line is too long or no question.
        """
        match _next_object(self._buffer):
            case None:
                return None
            case {"verb": str(verb), "argument": str(argument)} if verb in list(Verb):
                return Question(Verb(verb), argument)
            case _:
                raise PeerError("This is no question that a worker knows")


class AnswerReader:
    """Reads one answer from bytes that arrive in slices."""

    def __init__(self) -> None:
        self._buffer = Buffer()
        self._received = 0

    def receive(self, data: bytes) -> None:
        """Take bytes that arrived."""
        self._received += len(data)
        self._buffer.append(data)

    def next_part(self) -> Item | Done | None:
        """Give the next part of the answer, or None while it is incomplete.

        Raises:
            PeerError: The answer is too long or malformed.
        """
        if self._received > ANSWER_LIMIT:
            raise PeerError("The answer is too long")
        match _next_object(self._buffer):
            case None:
                return None
            case {"item": dict(values)}:
                return Item(values)
            case {"done": int(result)}:
                return Done(result)
            case _:
                raise PeerError("The answer is malformed")


def _line(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, separators=(",", ":")).encode() + b"\n"


def _next_object(buffer: Buffer) -> dict[str, Any] | None:
    try:
        line = buffer.take_line(LINE_LIMIT)
    except LimitExceededError:
        raise PeerError("A line is too long") from None
    if line is None:
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise PeerError("A line is not JSON") from None
    if not isinstance(value, dict):
        raise PeerError("A line is no object")
    return value
