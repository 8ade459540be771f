"""What a listener announces before the login that has to be true of the mail server behind it.

Nobody knows yet which upstream a client will reach, so a listener announces what all upstreams of its protocol share. An
upstream that has not been heard yet counts with what every server of its kind has had for long. IMAP announces nothing
of the kind: before the login its capabilities are our own, and with the login's answer come the upstream's.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from valetkey.core.scope import MailProtocol
from valetkey.doors.gateway.settings import Upstream
from valetkey.wire.pop3_login import CAPABILITIES as POP3_USUAL
from valetkey.wire.sieve_client import announced_values
from valetkey.wire.sieve_login import SIEVE_EXTENSIONS
from valetkey.wire.smtp_login import EXTENSIONS as SMTP_USUAL

_SMTP = (b"PIPELINING", b"SIZE", b"8BITMIME", b"ENHANCEDSTATUSCODES", b"SMTPUTF8", b"DSN")
# Whatever the upstream says: our own answers to a login carry such codes (RFC 2449 6.4, RFC 3206 6).
_POP3_OURS = frozenset({b"RESP-CODES", b"AUTH-RESP-CODE"})
_SIEVE_USUAL = (b'"SIEVE" "' + SIEVE_EXTENSIONS + b'"',)
_DIGITS = 20  # RFC 1870 4: the most of a size

_Capabilities = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Announced:
    """What is announced beside the ways to log in."""

    smtp: tuple[bytes, ...]
    pop3: tuple[bytes, ...]
    sieve: bytes
    sieve_more: tuple[tuple[bytes, bytes | None], ...]


class Announcements:
    """Keeps what each upstream has said that it can do, the last word of each."""

    def __init__(self, upstreams: Mapping[MailProtocol, Collection[Upstream]], message_size: int) -> None:
        """Begin with what is usual.

        Args:
            upstreams: The upstreams of each protocol.
            message_size: The largest message that the gateway announces, in octets.
        """
        self._message_size = message_size
        self._said = {protocol: dict.fromkeys(upstreams.get(protocol, ()), usual) for protocol, usual in _USUAL.items()}
        self.now = self._shared()

    def learn(self, protocol: MailProtocol, upstream: Upstream, capabilities: _Capabilities) -> None:
        """Take note of what an upstream has announced, in its own spelling."""
        said = self._said.get(protocol, {})
        if upstream in said and said[upstream] != capabilities:
            said[upstream] = capabilities
            self.now = self._shared()

    def _shared(self) -> Announced:
        sieve = [announced_values(said) for said in self._of(MailProtocol.SIEVE)]
        return Announced(
            smtp=_smtp_shared(self._of(MailProtocol.SMTP), self._message_size),
            pop3=_pop3_shared(self._of(MailProtocol.POP3)),
            sieve=_words_shared([values.get(b"SIEVE", b"") for values in sieve]),
            sieve_more=tuple(_sieve_more(sieve)),
        )

    def _of(self, protocol: MailProtocol) -> Sequence[_Capabilities]:
        return list(self._said[protocol].values()) or [_USUAL[protocol]]


_USUAL: Mapping[MailProtocol, _Capabilities] = {
    MailProtocol.SMTP: SMTP_USUAL,
    MailProtocol.POP3: POP3_USUAL,
    MailProtocol.SIEVE: _SIEVE_USUAL,
}


def smtp_size(capabilities: _Capabilities) -> int | None:
    """Give the largest message that an upstream takes, in octets; None if it names no limit (RFC 1870 4)."""
    size = _keywords(capabilities).get(b"SIZE", b"")
    return int(size) or None if size.isdigit() and len(size) <= _DIGITS else None


def _smtp_shared(all_said: Sequence[_Capabilities], message_size: int) -> tuple[bytes, ...]:
    sizes = (size for said in all_said if (size := smtp_size(said)) is not None)
    smallest = b"SIZE %d" % min((message_size, *sizes))
    names = _in_all(_SMTP, [_keywords(said) for said in all_said])
    return tuple(smallest if name == b"SIZE" else name for name in names)


def _pop3_shared(all_said: Sequence[_Capabilities]) -> tuple[bytes, ...]:
    return _in_all(POP3_USUAL, [_keywords(said).keys() | _POP3_OURS for said in all_said])


def _keywords(capabilities: _Capabilities) -> dict[bytes, bytes]:
    pairs = (line.partition(b" ") for line in capabilities)
    return {name.upper(): arguments.strip() for name, _, arguments in pairs}


def _sieve_more(all_said: Sequence[Mapping[bytes, bytes]]) -> Iterable[tuple[bytes, bytes]]:
    """Give what else all say: how scripts may notify, and how often they may redirect (RFC 5804 1.7)."""
    methods = _words_shared([values.get(b"NOTIFY", b"") for values in all_said])
    if methods:
        yield b"NOTIFY", methods
    counts = [values.get(b"MAXREDIRECTS", b"") for values in all_said]
    if all(count.isdigit() and len(count) <= _DIGITS for count in counts):
        yield b"MAXREDIRECTS", b"%d" % min(map(int, counts))


def _words_shared(values: Sequence[bytes]) -> bytes:
    first, *others = (value.split() for value in values)
    return b" ".join(_in_all(first, others))


def _in_all(names: Iterable[bytes], all_said: Iterable[Collection[bytes]]) -> tuple[bytes, ...]:
    """Keep the names that everybody says, in their order."""
    said = list(all_said)
    return tuple(name for name in names if all(name in each for each in said))
