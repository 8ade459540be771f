"""What Dovecot says of a login, read from JSON or from a form: every octet of a name or a password arrives."""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from valetkey.core.errors import InvalidInput
from valetkey.core.network import canonical_address
from valetkey.doors.asked.http import BadRequest
from valetkey.doors.words import decoded, name_of_device

_MOST_FIELDS = 64
# One that does not end goes to the end of the text, so that nothing is looked at twice.
_IN_QUOTES = re.compile(r'"((?:[^"\\]|\\.)*)(?:"|\\?\Z)|NIL', re.DOTALL)

Facts = Mapping[str, str]


def facts_of_json(body: bytes) -> Facts:
    """Read an object of texts; true is "true", and what is null or false is absent.

    Octets that are not UTF-8 are read as Latin-1, as everywhere in a login.

    Raises:
        BadRequest: It is anything else.
    """
    try:
        found = json.loads(body.decode(errors="surrogateescape"))
        if not isinstance(found, dict) or len(found) > _MOST_FIELDS:
            raise ValueError  # noqa: TRY301  one answer to whatever is wrong
        return {key: _text(value) for key, value in found.items() if value is not None and value is not False}
    except (ValueError, RecursionError):
        raise BadRequest(HTTPStatus.BAD_REQUEST, "the body is not an object of texts in JSON") from None


def facts_of_form(body: bytes) -> Facts:
    """Read a form (application/x-www-form-urlencoded).

    Raises:
        BadRequest: It is none, or a field stands twice.
    """
    try:
        pairs = parse_qsl(
            body.decode("latin-1"), keep_blank_values=True, encoding="latin-1", max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise BadRequest(HTTPStatus.BAD_REQUEST, "the form has too many fields") from None
    found = {key: decoded(value.encode("latin-1")) for key, value in pairs}
    if len(found) != len(pairs):
        raise BadRequest(HTTPStatus.BAD_REQUEST, "a field of the form stands twice")
    return found


def is_over_tls(facts: Facts) -> bool:
    """Tell whether a client's connection is protected, by Dovecot's word `secured`.

    "TLS" is. "secured" is what Dovecot calls a connection from its own machine, or from a network that it was told to
    trust: only the first goes over no wire.
    """
    return facts.get("secured", "").lower() == "tls" or (facts.get("secured") == "secured" and _is_local(facts))


def device_of(facts: Facts) -> str:
    """Say what a client calls itself, of the arguments of its ID command (RFC 2971); printable and short."""
    words = [found[1] or "" for found in _IN_QUOTES.finditer(facts.get("client_id", ""))]
    return name_of_device({key.lower(): value for key, value in zip(words[::2], words[1::2], strict=False)})


def _text(value: Any) -> str:
    if value is True:
        return "true"
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004  a word for what the peer sent, not for a caller's mistake
    if value.isascii():
        return value
    return decoded(value.encode(errors="surrogateescape"))


def _is_local(facts: Facts) -> bool:
    try:
        client = canonical_address(facts.get("remote_ip", ""))
    except InvalidInput:
        return False
    # Behind a proxy or our gateway the connection itself comes from elsewhere.
    came_from = facts.get("real_remote_ip") or facts.get("remote_ip")
    return came_from == facts.get("remote_ip") and (client.is_loopback or came_from == facts.get("local_ip"))
