"""The client's side of IMAP towards an upstream, up to the login (RFC 9051 section 6.1 and 6.2, RFC 4959, RFC 2971)."""

import re

from valetkey.wire.imap_syntax import is_quotable, quoted
from valetkey.wire.machine import ClientFacts, Credentials
from valetkey.wire.upstream import Replies, UpstreamDialogue, UpstreamError, text_of

_UNTAGGED = re.compile(rb"\* ([A-Za-z]+)(?: (.*))?\Z", re.DOTALL)
_CODE = re.compile(rb"\[([^\] ]+)(?: ([^\]]*))?\]")
_LITERAL = re.compile(rb"\{([0-9]{1,5})\}\Z")
_LITERAL_LIMIT = 8192
# RFC 5530: the credentials may well be right, and the same login may pass later.
_TEMPORARY = frozenset({b"UNAVAILABLE", b"INUSE", b"LIMIT", b"SERVERBUG", b"CONTACTADMIN", b"OVERQUOTA"})
# How many proxies may stand one behind the other; Dovecot ends a loop when it reaches zero.
_PROXY_TTL = "3"


class ImapClient(UpstreamDialogue):
    """The client machine of IMAP; fulfils `machine.ClientMachine`."""

    def __init__(self, credentials: Credentials, *, starttls: bool, facts: ClientFacts | None = None) -> None:
        super().__init__(credentials, starttls=starttls, facts=facts)
        self._number = 0
        self._capabilities: tuple[bytes, ...] = ()

    def _converse(self) -> Replies[tuple[bytes, ...]]:
        yield from self._read_greeting()
        yield from self._ask_capabilities()
        if self._starttls:
            yield from self._start_tls()
        yield from self._identify()
        yield from self._log_in()
        yield from self._ask_capabilities()
        return self._capabilities

    def _read_greeting(self) -> Replies[None]:
        line = yield from self._read_line()
        match = _UNTAGGED.match(line)
        kind = b"" if match is None else match[1].upper()
        if kind == b"BYE":
            raise UpstreamError(f"The upstream says goodbye: {text_of(line)}")
        if kind == b"PREAUTH":
            # Whoever is logged in already is not who we log in (and TLS could no longer be started).
            raise UpstreamError("The upstream claims that we are logged in already")
        if match is None or kind != b"OK":
            raise UpstreamError("The upstream's greeting is not IMAP")
        self._note_code(match[2] or b"")

    def _ask_capabilities(self) -> Replies[None]:
        """Ask what the upstream can do, unless it has said so unasked."""
        if not self._capabilities:
            yield from self._command(b"CAPABILITY")
        if not self._capabilities:
            raise UpstreamError("The upstream does not say what it can do")

    def _start_tls(self) -> Replies[None]:
        if not self._offers(b"STARTTLS"):
            raise UpstreamError("The upstream does not offer STARTTLS")
        yield from self._command(b"STARTTLS")
        yield from self._begin_tls()
        self._capabilities = ()
        yield from self._ask_capabilities()

    def _identify(self) -> Replies[None]:
        """Say who the client is, to an upstream that may trust us (RFC 2971; the fields are Dovecot's)."""
        if self._facts is None or not self._offers(b"ID"):
            return
        words = [quoted(word.encode()) for pair in _id_fields(self._facts) for word in pair]
        yield from self._command(b"ID (" + b" ".join(words) + b")")

    def _log_in(self) -> Replies[None]:
        # What the upstream can do before login says nothing about afterwards.
        offered, self._capabilities = self._capabilities, ()
        upper = {capability.upper() for capability in offered}
        if b"AUTH=PLAIN" in upper:
            yield from self._authenticate(initial=b"SASL-IR" in upper)
        elif self._logs_in_as_itself and b"LOGINDISABLED" not in upper:
            yield from self._log_in_with_literals(b"LITERAL+" in upper)
        else:
            raise UpstreamError("The upstream does not offer AUTH=PLAIN")

    def _authenticate(self, *, initial: bool) -> Replies[None]:
        message = self._plain_message()
        parts = [b"AUTHENTICATE PLAIN " + message] if initial else [b"AUTHENTICATE PLAIN", message]
        yield from self._command(*parts)

    def _log_in_with_literals(self, without_asking: bool) -> Replies[None]:
        name, secret = self._credentials.name.encode(), self._require_secret().encode()
        if b"\0" in name + secret:
            raise UpstreamError("A literal cannot hold NUL")
        plus = b"+" if without_asking else b""
        parts = [
            b"LOGIN {%d%s}" % (len(name), plus),
            name + b" {%d%s}" % (len(secret), plus),
            secret,
        ]
        yield from self._command(*([b"\r\n".join(parts)] if without_asking else parts))

    def _command(self, *parts: bytes) -> Replies[None]:
        """Send a command, each part but the first after a "+", and read up to its tagged OK.

        Raises:
            UpstreamError: The answer is not OK.
        """
        self._number += 1
        tag = b"V%d" % self._number
        self._write(tag + b" " + parts[0])
        waiting = list(parts[1:])
        while True:
            line = yield from self._read_line()
            if line == b"+" or line.startswith(b"+ "):
                if not waiting:
                    raise UpstreamError("The upstream waits for what was not announced")
                self._write(waiting.pop(0))
            elif line.startswith(tag + b" "):
                self._take_tagged(line[len(tag) + 1 :])
                return
            else:
                yield from self._take_untagged(line)

    def _take_tagged(self, answer: bytes) -> None:
        kind, _, text = answer.partition(b" ")
        if kind.upper() == b"OK":
            self._note_code(text)
            return
        code = _CODE.match(text)
        refused = kind.upper() == b"NO" and (code is None or code[1].upper() not in _TEMPORARY)
        raise UpstreamError(f"The upstream answers: {text_of(answer)}", temporary=not refused)

    def _take_untagged(self, line: bytes) -> Replies[None]:
        if not line.startswith(b"* "):
            raise UpstreamError("The upstream's answer is not IMAP")
        match = _UNTAGGED.match(line)
        kind, text = (match[1].upper(), match[2] or b"") if match else (b"", b"")
        if kind == b"BYE":
            raise UpstreamError(f"The upstream says goodbye: {text_of(text)}")
        if kind == b"CAPABILITY":
            self._capabilities = tuple(text.split())
        elif kind not in (b"OK", b"NO", b"BAD"):
            yield from self._skip_literals(line)

    def _skip_literals(self, line: bytes) -> Replies[None]:
        """Skip the strings of an answer that says nothing to us, such as what the upstream's ID holds."""
        while (literal := _LITERAL.search(line)) is not None:
            size = int(literal[1])
            if size > _LITERAL_LIMIT:
                raise UpstreamError("The upstream sent a literal that is too long")
            while self._buffer.take_exactly(size) is None:
                yield None
            line = yield from self._read_line()

    def _note_code(self, text: bytes) -> None:
        code = _CODE.match(text)
        if code is not None and code[1].upper() == b"CAPABILITY":
            self._capabilities = tuple((code[2] or b"").split())

    def _offers(self, capability: bytes) -> bool:
        return capability in (offered.upper() for offered in self._capabilities)


def _id_fields(facts: ClientFacts) -> list[tuple[str, str]]:
    pairs = {
        "x-originating-ip": facts.address,
        "x-originating-port": str(facts.port or ""),
        "x-connected-ip": facts.local_address,
        "x-connected-port": str(facts.local_port),
        "x-session-id": facts.session_id,
        "x-proxy-ttl": _PROXY_TTL,
    }
    pairs |= {f"x-forward-{key}": value for key, value in facts.forward.items()}
    # A value that cannot be quoted is left out rather than bent: the upstream would act on it.
    return [(key, value) for key, value in pairs.items() if value and all(map(_fits, (key, value)))]


def _fits(text: str) -> bool:
    return text.isascii() and is_quotable(text.encode())
