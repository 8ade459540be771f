"""LDAP, the server's side: what asks a directory for a login searches, then binds (RFC 4511).

    bind cn=mx1,dc=example                                   →  success
    search (&(uid=alice)(service=imap)(rip=192.0.2.7))       →  entry uid=alice,…,dc=example; done
    bind uid=alice,…,dc=example                              →  success, or invalidCredentials

pyasn1 decodes messages and encodes replies; `ldap_frames` holds what may be in a message at all. Whatever would change
or compare entries is answered here, with no.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from pyasn1.codec.ber.decoder import decode
from pyasn1.codec.ber.encoder import encode
from pyasn1.error import PyAsn1Error
from pyasn1_modules import rfc2251

from valetkey.wire.ldap_frames import LdapFrame, LdapFrames
from valetkey.wire.machine import PeerError

START_TLS = "1.3.6.1.4.1.1466.20037"
WHO_AM_I = "1.3.6.1.4.1.4203.1.11.3"  # RFC 4532
_NOTICE_OF_DISCONNECTION = "1.3.6.1.4.1.1466.20036"
_SCHEMA = rfc2251.LDAPMessage()
_BIND, _UNBIND, _SEARCH, _ABANDON, _EXTENDED = 0x60, 0x42, 0x63, 0x50, 0x77  # tags of operations
_REPLY_TO = {_BIND: "bindResponse", _SEARCH: "searchResDone", _EXTENDED: "extendedResp"}
_REFUSAL_OF = {
    0x66: "modifyResponse",
    0x68: "addResponse",
    0x4A: "delResponse",
    0x6C: "modDNResponse",
    0x6E: "compareResponse",
}


class Result(IntEnum):
    """What became of a request (RFC 4511 4.1.9)."""

    SUCCESS = 0
    PROTOCOL_ERROR = 2
    AUTH_METHOD_NOT_SUPPORTED = 7
    UNAVAILABLE_CRITICAL_EXTENSION = 12
    INVALID_DN_SYNTAX = 34
    INVALID_CREDENTIALS = 49
    INSUFFICIENT_ACCESS_RIGHTS = 50
    UNAVAILABLE = 52
    UNWILLING_TO_PERFORM = 53


@dataclass(frozen=True, slots=True)
class Equal:
    """A filter: an attribute has this value. The attribute's name is in lower case."""

    attribute: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Present:
    """A filter: an attribute has a value."""

    attribute: str


@dataclass(frozen=True, slots=True)
class All:
    """A filter: what all of these let through."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """A filter: what one of these lets through."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class OtherFilter:
    """A filter of another kind: not, substrings, greater, less, approximate, extensible."""


Filter = Equal | Present | All | AnyOf | OtherFilter


@dataclass(frozen=True, slots=True)
class BindAsked:
    """Somebody proves who they are; `LdapServer.answer` answers, as it does all requests."""

    number: int
    version: int
    name: bytes
    password: bytes | None = field(repr=False)  # None: by SASL


@dataclass(frozen=True, slots=True)
class SearchAsked:
    """A search."""

    number: int
    base: bytes
    is_of_base_alone: bool
    filter: Filter
    attributes: tuple[str, ...]  # in lower case; none: all
    types_only: bool

    def wants(self, attribute: str) -> bool:
        """Tell whether an attribute is asked for that every user may see."""
        return not self.attributes or "*" in self.attributes or attribute in self.attributes


@dataclass(frozen=True, slots=True)
class ExtendedAsked:
    """An extended operation, by its number in dots."""

    number: int
    operation: str


@dataclass(frozen=True, slots=True)
class UnbindAsked:
    """The connection is to be closed."""


Asked = BindAsked | SearchAsked | ExtendedAsked | UnbindAsked


class LdapServer:
    """One connection of a client. Requests are given in their order, and it is the owner's to answer each before the next."""

    def __init__(self) -> None:
        self._frames = LdapFrames()
        self._output: list[bytes] = []
        self.messages = 0  # that were taken

    def receive(self, data: bytes | memoryview) -> None:
        """Take bytes that arrived."""
        self._frames.receive(data)

    @property
    def has_pending(self) -> bool:
        """Whether the beginning of a message has arrived that is not whole."""
        return self._frames.has_pending

    def take_output(self) -> bytes:
        """Take the bytes to send."""
        output, self._output = b"".join(self._output), []
        return output

    def next_event(self) -> Asked | None:
        """Give the next request, or None while more bytes are needed.

        Raises:
            PeerError: The client does not speak LDAP; the connection ends, after `disconnect`.
        """
        while (frame := self._frames.next_message()) is not None:
            self.messages += 1
            asked = self._take(frame)
            if asked is not None:
                return asked
        return None

    def answer(self, asked: BindAsked | SearchAsked | ExtendedAsked, result: Result, text: str = "") -> None:
        """Answer a request; `text` is for whoever reads logs."""
        kind = {BindAsked: _BIND, SearchAsked: _SEARCH, ExtendedAsked: _EXTENDED}[type(asked)]
        self._say(asked.number, _REPLY_TO[kind], result, text)

    def answer_who(self, asked: ExtendedAsked, name: bytes) -> None:
        """Answer "Who am I?" (RFC 4532); an empty name is nobody."""
        who = b"dn:" + name if name else b""
        self._say(asked.number, "extendedResp", Result.SUCCESS, "", response=who)

    def give(self, asked: SearchAsked, name: bytes, attributes: Mapping[str, tuple[bytes, ...]]) -> None:
        """Give an entry that was found; without values if none were asked for."""
        message, entry = _reply(asked.number, "searchResEntry")
        entry["objectName"] = name
        entry["attributes"].clear()
        for place, (attribute, values) in enumerate(attributes.items()):
            entry["attributes"][place]["type"] = attribute.encode()
            entry["attributes"][place]["vals"].clear()
            if not asked.types_only:
                entry["attributes"][place]["vals"].extend(values)
        self._output.append(encode(message))

    def disconnect(self, text: str) -> None:
        """Say that the connection ends because the client is not understood (RFC 4511 4.4.1)."""
        self._say(0, "extendedResp", Result.PROTOCOL_ERROR, text, responseName=_NOTICE_OF_DISCONNECTION.encode())

    def _take(self, frame: LdapFrame) -> Asked | None:
        if frame.operation == _UNBIND:
            return UnbindAsked()
        if frame.operation == _ABANDON:
            return None  # each request has its answer before the next one is read
        if frame.operation in _REFUSAL_OF:
            text = "This directory answers logins only."
            self._say(frame.number, _REFUSAL_OF[frame.operation], Result.UNWILLING_TO_PERFORM, text)
            return None
        if frame.operation not in _REPLY_TO:
            raise PeerError("no request of LDAP")
        try:
            message, _ = decode(frame.octets, asn1Spec=_SCHEMA)
            if _has_critical_control(message):
                code, text = Result.UNAVAILABLE_CRITICAL_EXTENSION, "This control is not known."
                self._say(frame.number, _REPLY_TO[frame.operation], code, text)
                return None
            return _read(frame.number, message["protocolOp"])
        except (PyAsn1Error, ValueError):
            # Such as a filter that is nested deeper than pyasn1-modules has it, or a number of thousands of digits, which
            # pyasn1 cannot even write into its error. The next message can be read.
            self._say(frame.number, _REPLY_TO[frame.operation], Result.PROTOCOL_ERROR, "This cannot be read.")
            return None

    def _say(self, number: int, kind: str, result: Result, text: str, **others: bytes) -> None:
        message, reply = _reply(number, kind)
        reply["resultCode"] = int(result)
        reply["matchedDN"] = b""
        reply["errorMessage"] = text.encode()
        for each, value in others.items():
            reply[each] = value
        self._output.append(encode(message))


def _reply(number: int, kind: str) -> tuple[Any, Any]:
    message = rfc2251.LDAPMessage()
    message["messageID"] = number
    return message, message["protocolOp"][kind]


def _read(number: int, operation: Any) -> Asked:
    match operation.getName():
        case "bindRequest":
            return _bind(number, operation.getComponent())
        case "searchRequest":
            return _search(number, operation.getComponent())
        case _:
            return ExtendedAsked(number, bytes(operation["extendedReq"]["requestName"]).decode("latin-1"))


def _has_critical_control(message: Any) -> bool:
    controls = message["controls"]
    return bool(controls.hasValue()) and any(bool(each["criticality"]) for each in controls)


def _bind(number: int, operation: Any) -> BindAsked:
    way = operation["authentication"]
    password = bytes(way["simple"]) if way.getName() == "simple" else None
    return BindAsked(number, int(operation["version"]), bytes(operation["name"]), password)


def _search(number: int, operation: Any) -> SearchAsked:
    return SearchAsked(
        number,
        bytes(operation["baseObject"]),
        int(operation["scope"]) == 0,
        _filter(operation["filter"]),
        tuple(_attribute(each) for each in operation["attributes"]),
        bool(operation["typesOnly"]),
    )


def _filter(found: Any) -> Filter:
    kind, content = found.getName(), found.getComponent()
    match kind:
        case "and":
            return All(tuple(_filter(each) for each in content))
        case "or":
            return AnyOf(tuple(_filter(each) for each in content))
        case "equalityMatch":
            return Equal(_attribute(content["attributeDesc"]), bytes(content["assertionValue"]))
        case "present":
            return Present(_attribute(content))
        case _:
            return OtherFilter()


def _attribute(name: Any) -> str:
    return bytes(name).decode("latin-1").lower()
