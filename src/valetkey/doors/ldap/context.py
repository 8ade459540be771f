"""What a mail server says of a login in a search's filter, and what the name says that a client binds as.

    (&(uid=alice)(service=imap)(rip=192.0.2.7)(tls=TLS))   ↔   uid=alice,service=imap,rip=192.0.2.7,tls=TLS,dc=example

Some servers write what their client typed into a name unescaped. So a name is read only if it begins with uid, service
and rip, in this order, and nothing of it stands twice: whatever is put in behind uid then makes it another name.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from valetkey.core.errors import InvalidInput
from valetkey.core.network import canonical_address
from valetkey.doors.words import decoded
from valetkey.wire.ldap import All, AnyOf, Equal, Filter, Present
from valetkey.wire.ldap_names import Part

MOST_NAME = 512  # octets of a user's name
_MOST_FACT = 256  # octets of anything else
TICKET = "ticket"
_NAMES = frozenset({"uid", "mail", "userprincipalname", "samaccountname"})
_FACTS = {"service": "service", "rip": "rip", "tls": "tls", "session": "session", "sess": "session", "lip": "lip"}
_ORDER = ("uid", "service", "rip")  # of a name's beginning


class NotUnderstood(Exception):  # noqa: N818  it is a word for the peer
    """A filter or a name says nothing of a login, or says it in a way that could mean two. The text is for the peer."""


@dataclass(frozen=True, slots=True)
class Context:
    """One login, as the mail server describes it."""

    name: bytes
    service: bytes
    address: bytes = b""  # the client's; empty: not known
    tls: bytes | None = None  # None: not said
    session: bytes = b""

    @property
    def is_name(self) -> bool:
        """Whether the name could be anybody's at all."""
        text = decoded(self.name)
        return 0 < len(self.name) <= MOST_NAME and text.isprintable() and not text.isspace()

    def is_over_tls(self, *, otherwise: bool) -> bool:
        """Tell whether the client's connection is protected; `otherwise` holds where the server says nothing of it.

        Dovecot says "TLS"; and "secured" of a connection from its own machine or from a network that it was told to
        trust, of which only the first goes over no wire.
        """
        if self.tls is None:
            return otherwise
        return self.tls.lower() == b"tls" or (self.tls.lower() == b"secured" and _is_loopback(self.address))

    def parts(self) -> tuple[Part, ...]:
        """Give the parts of the name that says all this."""
        parts = [("uid", self.name), ("service", self.service), ("rip", self.address)]
        parts += [("tls", self.tls)] if self.tls is not None else []
        parts += [("session", self.session)] if self.session else []
        return tuple(parts)


@dataclass(frozen=True, slots=True)
class Named:
    """What a name says that a client binds as."""

    context: Context
    base: tuple[Part, ...]  # what follows
    ticket: bytes | None  # ours, from the search before; None: there is none


def context_of_filter(wanted: Filter) -> Context:
    """Read a filter.

    Raises:
        NotUnderstood: It is not made of `attribute=value` that all have to hold, of which one is a user's name and one
            is the service. This is also what a map of Postfix gets, which asks whether an address exists.
    """
    facts: dict[str, bytes] = {}
    for key, value in _facts(wanted):
        if facts.setdefault(key, value) != value:
            raise NotUnderstood(f"{key} stands twice in the filter")
    if "uid" not in facts or not facts.get("service"):
        raise NotUnderstood("this directory answers logins only: the filter needs (uid=...) and (service=...)")
    return _context(facts)


def context_of_name(parts: Sequence[Part]) -> Named:
    """Read a name.

    Raises:
        NotUnderstood: It does not begin with uid, service and rip, or something of it stands twice.
    """
    if tuple(kind for kind, _ in parts[: len(_ORDER)]) != _ORDER:
        raise NotUnderstood("a name to bind as begins with uid=...,service=...,rip=...")
    facts: dict[str, bytes] = {}
    for kind, value in parts:
        key = _FACTS.get(kind, kind)
        if key not in {"uid", TICKET, *_FACTS.values()}:
            break
        if key in facts:
            raise NotUnderstood(f"{key} stands twice in the name")
        facts[key] = value
    base = tuple(parts[len(facts) :])
    if any(kind in {"uid", TICKET, *_FACTS} for kind, _ in base):
        raise NotUnderstood("what is said of a login has to stand before the base")
    return Named(_context(facts), base, facts.get(TICKET))


def _facts(wanted: Filter) -> Iterator[tuple[str, bytes]]:
    match wanted:
        case All(parts=parts):
            for part in parts:
                yield from _facts(part)
        case AnyOf(parts=parts) if parts and all(isinstance(p, Equal) and p.attribute in _NAMES for p in parts):
            for part in parts:  # such as (|(uid=…)(mail=…)): the same name wherever it is
                yield from _facts(part)
        case Equal(attribute=attribute, value=value) if attribute in _NAMES:
            yield "uid", value
        case Equal(attribute=attribute, value=value) if attribute in _FACTS:
            yield _FACTS[attribute], value
        case Equal(attribute="objectclass") | Present(attribute="objectclass"):
            pass  # whatever it is, it is one
        case Equal(attribute=attribute) | Present(attribute=attribute):
            known = ", ".join(sorted({"uid", "mail", *_FACTS}))
            raise NotUnderstood(f"the filter has to be made of attribute=value with these: {known}")
        case _:
            raise NotUnderstood("the filter has to be made of attribute=value and & alone")


def _context(facts: dict[str, bytes]) -> Context:
    for key, value in facts.items():
        if len(value) > _MOST_FACT and key != "uid":
            raise NotUnderstood(f"{key} is too long")
    return Context(facts["uid"], facts["service"], facts.get("rip", b""), facts.get("tls"), facts.get("session", b""))


def _is_loopback(address: bytes) -> bool:
    try:
        return canonical_address(decoded(address)).is_loopback
    except InvalidInput:
        return False
