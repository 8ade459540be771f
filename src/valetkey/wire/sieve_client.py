"""ManageSieve up to the login, the client's side: RFC 5804, and Dovecot's XCLIENT."""

from valetkey.wire.buffer import Buffer, LimitExceededError
from valetkey.wire.machine import PeerError
from valetkey.wire.sieve_syntax import SieveSyntaxError, Token, read_tokens, write_tokens
from valetkey.wire.upstream import Replies, UpstreamDialogue, UpstreamError, text_of, xclient_arguments

_LINE_LIMIT = 8192
_LITERAL_LIMIT = 65536
_LINES = 100
_ENDS = ("OK", "NO", "BYE")


class SieveClient(UpstreamDialogue):
    """Logs in by AUTHENTICATE "PLAIN".

    `LoggedIn.capabilities` are the lines that the upstream announced before the login, written canonically.
    An upstream that trusts us announces XCLIENT.
    """

    def _converse(self) -> Replies[tuple[bytes, ...]]:
        capabilities = yield from self._expect_ok("The upstream refused the connection")
        if self._starttls:
            self._write(b"STARTTLS")
            yield from self._expect_ok("The upstream refused STARTTLS")
            yield from self._begin_tls()
            capabilities = yield from self._expect_ok("The upstream gave no capabilities inside TLS")
        if self._only_looks:
            self._write(b"LOGOUT")
        else:
            yield from self._log_in(capabilities)
        return tuple(write_tokens(line, to_server=False)[:-2] for line in capabilities)

    def _log_in(self, capabilities: list[list[Token]]) -> Replies[None]:
        if self._facts is not None and _value(capabilities, b"XCLIENT") is not None:
            self._write(b"XCLIENT " + xclient_arguments(self._facts))
            yield from self._expect_ok("The upstream refused XCLIENT")
        yield from self._authenticate(capabilities)

    def _authenticate(self, capabilities: list[list[Token]]) -> Replies[None]:
        if b"PLAIN" not in (_value(capabilities, b"SASL") or b"").upper().split():
            raise UpstreamError("The upstream does not offer AUTHENTICATE PLAIN")
        message = self._plain_message()
        self._output += write_tokens(["AUTHENTICATE", b"PLAIN", message], to_server=True)
        _, end = yield from self._read_answer()
        if end[0] != "OK":
            temporary = end[0] == "BYE" or "TRYLATER" in end
            raise UpstreamError(_text(end), temporary=temporary)

    def _expect_ok(self, complaint: str) -> Replies[list[list[Token]]]:
        lines, end = yield from self._read_answer()
        if end[0] != "OK":
            raise UpstreamError(f"{complaint}: {_text(end)}")
        return lines

    def _read_answer(self) -> Replies[tuple[list[list[Token]], list[Token]]]:
        """Read lines of strings up to OK, NO or BYE; give both."""
        lines: list[list[Token]] = []
        while len(lines) < _LINES:
            tokens = yield from self._read_tokens()
            if tokens and isinstance(tokens[0], str) and tokens[0].upper() in _ENDS:
                return lines, [tokens[0].upper(), *tokens[1:]]
            if not tokens or isinstance(tokens[0], str):
                raise UpstreamError("The upstream does not speak ManageSieve")
            lines.append(tokens)
        raise UpstreamError("The upstream announces too much")

    def _read_tokens(self) -> Replies[list[Token]]:
        try:
            return (
                yield from read_tokens(
                    self._buffer, line_limit=_LINE_LIMIT, literal_limit=_LITERAL_LIMIT, from_client=False
                )
            )
        except (SieveSyntaxError, PeerError):
            raise UpstreamError("The upstream does not speak ManageSieve") from None


def _value(capabilities: list[list[Token]], name: bytes) -> bytes | None:
    for capability in capabilities:
        if isinstance(capability[0], bytes) and capability[0].upper() == name:
            value = capability[1] if len(capability) > 1 else b""
            return value if isinstance(value, bytes) else b""
    return None


def _text(end: list[Token]) -> str:
    return " ".join(text_of(token) if isinstance(token, bytes) else token for token in end)


def announced_values(lines: tuple[bytes, ...]) -> dict[bytes, bytes]:
    """Read capabilities as `SieveClient` gives them: each name, in capitals, with its value (empty if it has none)."""
    values: dict[bytes, bytes] = {}
    for line in lines:
        match _tokens_of(line):
            case [bytes(name), bytes(value), *_]:
                values[name.upper()] = value
            case [bytes(name)]:
                values[name.upper()] = b""
    return values


def _tokens_of(line: bytes) -> list[Token]:
    buffer = Buffer()
    buffer.append(line + b"\r\n")
    try:
        next(read_tokens(buffer, line_limit=_LINE_LIMIT, literal_limit=_LITERAL_LIMIT, from_client=False))
    except StopIteration as done:
        tokens: list[Token] = done.value
        return tokens
    except (SieveSyntaxError, PeerError, LimitExceededError):
        return []
    return []
