"""Dovecot's `doveadm`: commands as its HTTP API and its command line take them, and how both answer (2.3 and 2.4).

The API takes `[["kick", {"mask": ["alice@example.org"]}, "0"], …]` and answers with one `["doveadmResponse", rows, "0"]`
or `["error", {"type": …, "exitCode": …}, "0"]` for each.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from valetkey.wire.machine import PeerError

NOTHING_FOUND = 68  # EX_NOHOST: 2.3 found nobody to kick
_MOST_ROWS = 10_000
_MOST_TEXT = 500  # characters of one value


@dataclass(frozen=True, slots=True)
class Command:
    """One command: as the API names it, and as the command line is called."""

    name: str
    parameters: Mapping[str, Any]
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one command gave: rows, or the API's word for what went wrong, with doveadm's exit code if it has one."""

    rows: tuple[Mapping[str, str], ...] = ()
    error: str = ""
    exit_code: int = 0

    @property
    def is_good(self) -> bool:
        """Whether it was done, or there was nothing to do."""
        return not self.error or self.exit_code == NOTHING_FOUND


@dataclass(frozen=True, slots=True)
class Connection:
    """One open connection of a user. `app` is what the login tagged it with as `user_app` (2.4)."""

    user: str
    address: str  # of the client; empty if it has none
    app: str


def who(user: str) -> Command:
    """Ask for the open connections of a user; `*` and `?` in it stand for others."""
    return Command("who", {"mask": [user], "separateConnections": True}, ("-f", "json", "who", "-1", "--", user))


def kick(user: str, address: str = "", *, shared: bool = False) -> Command:
    """Close the connections of a user, or those from one address.

    Args:
        user: The user; `*` and `?` stand for others.
        address: An IP address; empty is any.
        shared: Close them also where the process serves others too, who lose theirs (2.3; 2.4 knows no such option).
    """
    mask = [user, address] if address else [user]
    force, flag = ({"force": True}, ("-f",)) if shared else ({}, ())
    return Command("kick", {"mask": mask} | force, ("kick", *flag, "--", *mask))


def kick_app(app: str) -> Command:
    """Close the connections that were tagged with an app as `user_app` (2.4). Two masks in one command kill its server."""
    parameters = {"passdbField": "user_app", "mask": [app]}
    return Command("kick", parameters, ("kick", "-f", "user_app", "--", app))


def flush(user: str) -> Command:
    """Let the authentication cache forget a user. Over the API of 2.4.1 it kills the server of doveadm."""
    return Command("authCacheFlush", {"user": [user]}, ("auth", "cache", "flush", "--", user))


def encode(commands: Sequence[Command]) -> bytes:
    """Write commands as the body of one request to the API."""
    listed = [[each.name, each.parameters, str(number)] for number, each in enumerate(commands)]
    return json.dumps(listed).encode()


def decode(body: bytes, count: int) -> tuple[Answer, ...]:
    """Read the API's answer to so many commands, in their order.

    Raises:
        PeerError: It is no such answer.
    """
    found: dict[str, Answer] = {}
    for part in _list(_json(body)):
        match part:
            case ["doveadmResponse", list() as rows, str(tag)]:
                found[tag] = Answer(tuple(_rows(rows)))
            case ["error", dict() as facts, str(tag)]:
                code = facts.get("exitCode")
                found[tag] = Answer((), _text(facts.get("type")) or "error", code if type(code) is int else 0)
            case _:
                raise PeerError("Not an answer of doveadm")
    try:
        return tuple(found[str(number)] for number in range(count))
    except KeyError:
        raise PeerError("An answer of doveadm is missing") from None


def decode_output(output: bytes) -> Answer:
    """Read what the command line wrote as JSON.

    Raises:
        PeerError: It is no list of rows.
    """
    return Answer(tuple(_rows(_list(_json(output)))))


def connections(answer: Answer) -> tuple[Connection, ...]:
    """Read the rows of `who`.

    Raises:
        PeerError: A row names no user.
    """
    return tuple(_connection(row) for row in answer.rows)


def _connection(row: Mapping[str, str]) -> Connection:
    if not row.get("username"):
        raise PeerError("A connection without a user")
    return Connection(row["username"], row.get("ip", ""), row.get("user_app", ""))


def _json(octets: bytes) -> Any:
    try:
        return json.loads(octets)
    except (ValueError, RecursionError):
        raise PeerError("Not JSON") from None


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise PeerError("Not a list")
    return value


def _rows(rows: list[Any]) -> Iterator[Mapping[str, str]]:
    if len(rows) > _MOST_ROWS:
        raise PeerError("Too many rows")
    for row in rows:
        if not isinstance(row, dict):
            raise PeerError("Not a row")
        yield {_text(key): _text(value) for key, value in row.items()}


def _text(value: Any) -> str:
    if isinstance(value, str) and len(value) <= _MOST_TEXT:
        return value
    raise PeerError("Not a text of usual length")
