"""ManageSieve up to the login, the server's side: RFC 5804."""

from valetkey.wire.dialogue import DEFAULT_LIMITS, Dialogue, Steps
from valetkey.wire.machine import LoginLimits, Refusal, RefusalKind, Security, StartTlsAsked
from valetkey.wire.sasl import MECHANISMS
from valetkey.wire.sieve_syntax import SieveSyntaxError, Token, quoted_text, read_tokens, write_tokens

# The extensions that a Sieve server has had for long (RFC 5228 and its companions); the upstream's own may be given.
SIEVE_EXTENSIONS = (
    b"fileinto reject envelope encoded-character vacation subaddress comparator-i;ascii-numeric relational regex "
    b"imap4flags copy include variables body mailbox date"
)

_CODES = {
    RefusalKind.WRONG: b"",
    RefusalKind.EXPIRED: b"",
    RefusalKind.FORBIDDEN: b"",
    RefusalKind.TRY_LATER: b"(TRYLATER) ",
    RefusalKind.TLS_NEEDED: b"(ENCRYPT-NEEDED) ",
}
_TAG_LIMIT = 255


class SieveLogin(Dialogue):
    """ManageSieve before AUTHENTICATE.

    After the login no capabilities are sent: RFC 5804 2.1 asks for them only where SASL brought a security layer.

    Args:
        security: How the listener stands to TLS.
        limits: What the client may cost before its login.
        sieve_extensions: The value of the SIEVE capability; it must be true of the upstream.
        more: Further capabilities of the upstream, each with its value or None (such as NOTIFY, MAXREDIRECTS).
    """

    def __init__(
        self,
        security: Security,
        *,
        limits: LoginLimits = DEFAULT_LIMITS,
        sieve_extensions: bytes = SIEVE_EXTENSIONS,
        more: tuple[tuple[bytes, bytes | None], ...] = (),
    ) -> None:
        super().__init__(security, limits)
        # AUTHENTICATE with an initial response may fill a whole SASL line.
        self._line_limit = max(limits.line, limits.sasl_line)
        self._sieve_extensions = sieve_extensions
        self._more = more

    def greet(self) -> None:
        """Queue the greeting: the capabilities (RFC 5804 1.7)."""
        self._write_capabilities(b"ManageSieve ready")

    def _write_capabilities(self, text: bytes) -> None:
        mechanisms = " ".join(MECHANISMS).encode() if self._may_log_in else b""
        pairs: list[tuple[bytes, bytes | None]] = [
            (b"IMPLEMENTATION", b"Valetkey"),
            (b"SIEVE", self._sieve_extensions),
            (b"SASL", mechanisms),
            *self._more,
        ]
        if self._may_start_tls:
            pairs.append((b"STARTTLS", None))
        pairs.append((b"VERSION", b"1.0"))
        for name, value in pairs:
            self._output += write_tokens([name] if value is None else [name, value], to_server=False)
        self._write(b'OK "' + text + b'"')

    def _next_command(self) -> Steps[None]:
        raw = yield from self._read_raw_line(self._line_limit)
        self._hear(raw)
        if self._ended:
            return
        try:
            tokens = yield from self._read_tokens(raw, self._line_limit)
        except SieveSyntaxError as error:
            self._bad(str(error))
            return
        if tokens and isinstance(tokens[0], str):
            yield from self._carry_out(tokens[0].upper(), tokens[1:])
        else:
            self._bad("A command is missing")

    def _read_tokens(self, first: bytes | None, line_limit: int) -> Steps[list[Token]]:
        literal_limit = max(self._limits.literal, self._limits.sasl_line)
        return (
            yield from read_tokens(
                self._buffer, first=first, line_limit=line_limit, literal_limit=literal_limit, from_client=True
            )
        )

    def _carry_out(self, name: str, arguments: list[Token]) -> Steps[None]:
        if name == "AUTHENTICATE":
            yield from self._sasl(arguments)
        elif name == "NOOP":
            self._noop(arguments)
        elif arguments:
            self._bad("Unknown command or superfluous argument")
        elif name == "CAPABILITY":
            self._write_capabilities(b"Done")
        elif name == "LOGOUT":
            self._write(b'OK "Bye"')
            self._end("the client logged out")
        elif name == "STARTTLS" and self._may_start_tls:
            self._write(b'OK "Begin TLS"')
            yield StartTlsAsked()
        else:
            self._bad("Unknown command")

    def _noop(self, arguments: list[Token]) -> None:
        # RFC 5804 2.13: the tag is the one thing of the client's that is said again; as a string it is only data.
        tag = arguments[0] if arguments else None
        if tag is None:
            self._write(b'OK "Done"')
        elif len(arguments) == 1 and isinstance(tag, bytes) and len(tag) <= _TAG_LIMIT:
            self._output += write_tokens(["OK", "(", "TAG", tag, ")", b"Done"], to_server=False)
        else:
            self._bad("NOOP takes one short string")

    def _sasl(self, arguments: list[Token]) -> Steps[None]:
        strings = [argument for argument in arguments if isinstance(argument, bytes)]
        if len(strings) != len(arguments) or len(strings) not in (1, 2):
            self._bad("AUTHENTICATE takes one or two strings")
        elif not self._may_log_in:
            self._answer_refusal(Refusal(RefusalKind.TLS_NEEDED, "Logging in needs TLS"))
        elif (mechanism := strings[0].decode("latin-1").upper()) not in MECHANISMS:
            self._bad("Unknown mechanism")
        else:
            yield from self._authenticate(mechanism, strings[1] if len(strings) > 1 else None)

    def _read_response(self) -> Steps[bytes | None]:
        try:
            tokens = yield from self._read_tokens(None, self._limits.sasl_line)
        except SieveSyntaxError:
            return None
        response = tokens[0] if len(tokens) == 1 else None
        return response if isinstance(response, bytes) else None

    def _write_challenge(self, encoded: bytes) -> None:
        self._output += write_tokens([encoded], to_server=False)

    def _forget(self) -> None:
        # RFC 5804 2.2: the capabilities are sent again, unasked, once TLS is on.
        self._write_capabilities(b"TLS is on")

    def _answer_bad(self, text: str) -> None:
        self._write(b"NO " + quoted_text(text))

    def _answer_goodbye(self, text: str) -> None:
        self._write(b"BYE " + quoted_text(text))

    def _answer_refusal(self, refusal: Refusal) -> None:
        self._write(b"NO " + _CODES[refusal.kind] + quoted_text(refusal.text))

    def _answer_success(self) -> None:
        self._write(b'OK "Logged in"')
