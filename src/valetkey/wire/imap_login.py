"""The server's side of IMAP up to the login (RFC 9051 section 6.1 and 6.2, RFC 3501).

Here are LOGIN, AUTHENTICATE, STARTTLS, ID and the few commands allowed before login. What comes after login is
the filter's or the upstream's.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from valetkey.wire.dialogue import DEFAULT_LIMITS, Dialogue, Steps, one_line
from valetkey.wire.imap_command import command_name
from valetkey.wire.imap_reader import Announced, CommandReader, Finished, Malformed, ReadLimits, Step
from valetkey.wire.imap_syntax import Group, Node, Word, quoted, value_of
from valetkey.wire.machine import (
    DeviceNamed,
    LoginAsked,
    LoginLimits,
    PeerError,
    Refusal,
    RefusalKind,
    Security,
    StartTlsAsked,
)
from valetkey.wire.sasl import MECHANISMS

_CODES = {
    RefusalKind.WRONG: b"AUTHENTICATIONFAILED",
    RefusalKind.EXPIRED: b"EXPIRED",
    RefusalKind.FORBIDDEN: b"NOPERM",
    RefusalKind.TRY_LATER: b"UNAVAILABLE",
    RefusalKind.TLS_NEEDED: b"PRIVACYREQUIRED",
}
# What a client may say of itself (RFC 2971 section 3.3); nothing else is worth keeping.
_DEVICE_FIELDS = frozenset({"name", "version", "os", "os-version", "vendor", "support-url"})
_DEVICE_PAIRS = 30
_DEVICE_VALUE = 128
_CAPABILITY = re.compile(rb"[\x21-\x7e]{1,128}\Z")
_NESTING = 1  # the list of ID; no other parenthesis may stand before login


class ImapLogin(Dialogue):
    """The login machine of IMAP; fulfils `machine.LoginMachine`.

    `server_id` is what we answer to ID, field by field (RFC 2971), or None for NIL.
    """

    def __init__(
        self,
        security: Security,
        *,
        limits: LoginLimits = DEFAULT_LIMITS,
        server_id: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(security, limits)
        self._server_id = server_id
        self._tag = b"*"
        self._reader = self._new_reader()

    def greet(self) -> None:
        """Queue the greeting, which carries the capabilities."""
        self._write(b"* OK [" + self._capability_line() + b"] Ready for your login")

    def allow(self, capabilities: tuple[bytes, ...]) -> None:
        """Answer the pending login with a tagged OK that announces `capabilities`, if there are any."""
        self._resume(LoginAsked)
        announced = b" ".join(c for c in capabilities if _CAPABILITY.match(c))
        code = b"[CAPABILITY " + announced + b"] " if announced else b""
        self._write(self._tag + b" OK " + code + b"Logged in")
        self._ended = True

    # What Dialogue asks of every protocol.

    def _answer_bad(self, text: str) -> None:
        self._write(self._tag + b" BAD " + one_line(text).encode())

    def _answer_goodbye(self, text: str) -> None:
        self._write(b"* BYE " + one_line(text).encode())

    def _answer_refusal(self, refusal: Refusal) -> None:
        self._write(self._tag + b" NO [" + _CODES[refusal.kind] + b"] " + one_line(refusal.text).encode())

    def _answer_success(self) -> None:
        self.allow(())

    def _write_challenge(self, encoded: bytes) -> None:
        self._write(b"+ " + encoded)

    def _forget(self) -> None:
        self._tag = b"*"
        self._reader = self._new_reader()

    def _new_reader(self) -> CommandReader:
        limits = self._limits
        # An initial response of SASL stands on the command's own line (RFC 4959).
        line = max(limits.line, limits.sasl_line)
        return CommandReader(
            self._buffer,
            ReadLimits(line=line, literal=limits.literal, total=limits.total, skipped=limits.total, depth=_NESTING),
        )

    def _next_command(self) -> Steps[None]:
        step = yield from self._next_step()
        self._hear(self._reader.line)
        if not self._ended:
            yield from self._take_step(step)

    def _next_step(self) -> Steps[Step]:
        while (step := self._reader.advance()) is None:
            yield None
        return step

    def _take_step(self, step: Step) -> Steps[None]:
        match step:
            case Announced():
                self._tag = self._reader.tag
                self._take_announcement(step)
            case Malformed(tag, text):
                self._tag = tag
                self._bad(text)
            case Finished(tag, words):
                self._tag = tag
                yield from self._carry_out(words)

    def _take_announcement(self, announced: Announced) -> None:
        """Ask for a literal, if a name or password may come in it (RFC 9051 4.3, RFC 7888)."""
        command = command_name(self._reader.words)
        if command == "LOGIN" and not self._may_log_in:
            self._reader.discard()
            self._refuse_without_tls()
        elif not announced.synchronizing and announced.size > self._limits.literal:
            # The octets are on their way and cannot be told from commands (RFC 7888 section 4).
            raise PeerError("A literal was too long")
        elif command not in ("LOGIN", "ID") or announced.binary or not self._reader.fits(announced.size):
            self._reader.discard()
            self._bad("This literal is not accepted here")
        else:
            self._reader.accept()
            if announced.synchronizing:
                self._write(b"+ Go on")

    def _carry_out(self, words: tuple[Node, ...]) -> Steps[None]:
        arguments = words[1:]
        match command_name(words):
            case "CAPABILITY" if not arguments:
                self._write(b"* " + self._capability_line())
                self._write(self._tag + b" OK Done")
            case "NOOP" if not arguments:
                self._write(self._tag + b" OK Done")
            case "LOGOUT" if not arguments:
                self._log_out()
            case "STARTTLS" if not arguments:
                yield from self._start_tls()
            case "ID":
                yield from self._identify(arguments)
            case "LOGIN":
                yield from self._log_in(arguments)
            case "AUTHENTICATE":
                yield from self._take_authenticate(arguments)
            case _:
                self._bad("Unknown before login, or malformed")

    def _capability_line(self) -> bytes:
        # LITERAL-, not LITERAL+: before login a literal may hold 4096 octets and no more (RFC 7888 section 5).
        words = ["CAPABILITY IMAP4rev1 LITERAL- SASL-IR ID"]
        if self._may_start_tls:
            words.append("STARTTLS")
        words += [f"AUTH={mechanism}" for mechanism in MECHANISMS] if self._may_log_in else ["LOGINDISABLED"]
        return " ".join(words).encode()

    def _log_out(self) -> None:
        self._answer_goodbye("Until next time")
        self._write(self._tag + b" OK Logged out")
        self._end("the client logged out")

    def _start_tls(self) -> Steps[None]:
        if not self._may_start_tls:
            self._bad("TLS cannot be started here")
            return
        self._write(self._tag + b" OK Begin TLS now")
        yield StartTlsAsked()

    def _identify(self, arguments: Sequence[Node]) -> Steps[None]:
        facts = _read_id(arguments)
        if facts is None:
            self._bad("Malformed ID")
            return
        self._write(b"* ID " + _write_id(self._server_id))
        self._write(self._tag + b" OK Done")
        if facts:
            yield DeviceNamed(facts)

    def _log_in(self, arguments: Sequence[Node]) -> Steps[None]:
        if not self._may_log_in:
            self._refuse_without_tls()
            return
        values = [value_of(node) for node in arguments]
        match values:
            case [bytes(name), bytes(secret)]:
                yield LoginAsked("LOGIN", name, secret)
            case _:
                self._bad("LOGIN takes a name and a password")

    def _take_authenticate(self, arguments: Sequence[Node]) -> Steps[None]:
        if not self._may_log_in:
            self._refuse_without_tls()
            return
        match arguments:
            case [Word(mechanism)]:
                initial = None
            case [Word(mechanism), Word(initial)]:
                pass
            case _:
                self._bad("AUTHENTICATE takes a mechanism")
                return
        name = mechanism.decode("ascii").upper()
        if name in MECHANISMS:
            yield from self._authenticate(name, initial)
        else:
            self._write(self._tag + b" NO Mechanism not supported")
            self._bad_commands += 1

    def _refuse_without_tls(self) -> None:
        self._answer_refusal(Refusal(RefusalKind.TLS_NEEDED, "Turn on TLS (SSL) to log in"))
        self._bad_commands += 1


def _read_id(arguments: Sequence[Node]) -> dict[str, str] | None:
    """Read the facts of ID, cut to size; None if malformed."""
    match arguments:
        case [Word(nil)] if nil.upper() == b"NIL":
            return {}
        case [Group(items)] if len(items) % 2 == 0 and len(items) <= 2 * _DEVICE_PAIRS:
            pairs = zip(map(value_of, items[::2]), map(value_of, items[1::2]), strict=True)
            return _known_facts(pairs)
        case _:
            return None


def _known_facts(pairs: Iterable[tuple[bytes | None, bytes | None]]) -> dict[str, str] | None:
    facts: dict[str, str] = {}
    for name, value in pairs:
        if name is None or value is None:
            return None
        key = name.decode("ascii", "replace").lower()
        if key in _DEVICE_FIELDS and value.upper() != b"NIL":
            facts[key] = _printable(value)
    return facts


def _printable(value: bytes) -> str:
    text = value[: 4 * _DEVICE_VALUE].decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "?" for c in text)[:_DEVICE_VALUE]


def _write_id(facts: Mapping[str, str] | None) -> bytes:
    if not facts:
        return b"NIL"
    words = (quoted(one_line(word).encode()) for pair in facts.items() for word in pair)
    return b"(" + b" ".join(words) + b")"
