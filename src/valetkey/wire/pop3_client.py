"""POP3 up to the login, the client's side, towards an upstream: RFC 1939, 2449, 2595, 5034, and Dovecot's XCLIENT."""

from valetkey.wire.upstream import Replies, UpstreamDialogue, UpstreamError, text_of, xclient_arguments

_AUTH_LINE = 255  # RFC 5034 4: with CR LF no longer than this, or the initial response follows the challenge
_CAPABILITY_COUNT = 100
_TEMPORARY = (b"[SYS/TEMP]", b"[IN-USE]", b"[LOGIN-DELAY]")


class Pop3Client(UpstreamDialogue):
    """Logs in by AUTH PLAIN, with an authorization identity where a master user opens another's mailbox.

    An upstream that trusts us says `[XCLIENT]` in its greeting.
    """

    def _converse(self) -> Replies[tuple[bytes, ...]]:
        greeting = yield from self._expect_ok("The upstream refused the connection")
        if self._starttls:
            self._write(b"STLS")
            yield from self._expect_ok("The upstream refused STLS")
            yield from self._begin_tls()
        if self._only_looks:
            capabilities = yield from self._ask_capabilities()
            self._write(b"QUIT")
            return capabilities
        if self._facts is not None and b"[XCLIENT]" in greeting:
            self._write(b"XCLIENT " + xclient_arguments(self._facts))
            yield from self._expect_ok("The upstream refused XCLIENT")
        capabilities = yield from self._ask_capabilities()
        yield from self._log_in(capabilities)
        return (yield from self._ask_capabilities())

    def _ask_capabilities(self) -> Replies[tuple[bytes, ...]]:
        self._write(b"CAPA")
        if not (yield from self._read_reply()).startswith(b"+OK"):
            return ()
        lines: list[bytes] = []
        while (line := (yield from self._read_line())) != b".":
            if len(lines) >= _CAPABILITY_COUNT:
                raise UpstreamError("The upstream announces too much")
            lines.append(line)
        return tuple(lines)

    def _log_in(self, capabilities: tuple[bytes, ...]) -> Replies[None]:
        mechanisms = [word for line in capabilities if line.upper().startswith(b"SASL ") for word in line.split()[1:]]
        if b"PLAIN" in (word.upper() for word in mechanisms):
            yield from self._auth_plain()
        elif self._logs_in_as_itself:
            yield from self._user_and_pass()
        else:
            raise UpstreamError("The upstream does not offer AUTH PLAIN, which a master user needs")

    def _auth_plain(self) -> Replies[None]:
        message = self._plain_message()
        line = b"AUTH PLAIN " + message
        if len(line) + 2 <= _AUTH_LINE:
            self._write(line)
        else:
            self._write(b"AUTH PLAIN")
            challenge = yield from self._read_reply()
            if not challenge.startswith(b"+ ") and challenge != b"+":
                raise _refused(challenge)
            self._write(message)
        yield from self._expect_login()

    def _user_and_pass(self) -> Replies[None]:
        secret = self._require_secret()
        if any(c in self._credentials.name + secret for c in "\0\r\n"):
            raise UpstreamError("The name or the secret does not fit into one line")
        self._write(b"USER " + self._credentials.name.encode())
        yield from self._expect_ok("The upstream refused the user name")
        self._write(b"PASS " + secret.encode())
        yield from self._expect_login()

    def _expect_login(self) -> Replies[None]:
        reply = yield from self._read_reply()
        if not reply.startswith(b"+OK"):
            raise _refused(reply)

    def _expect_ok(self, complaint: str) -> Replies[bytes]:
        reply = yield from self._read_reply()
        if not reply.startswith(b"+OK"):
            raise UpstreamError(f"{complaint}: {text_of(reply)}")
        return reply

    def _read_reply(self) -> Replies[bytes]:
        reply = yield from self._read_line()
        if reply[:1] not in (b"+", b"-"):
            raise UpstreamError("The upstream does not speak POP3")
        return reply


def _refused(reply: bytes) -> UpstreamError:
    # RFC 2449 8: the response code, if any, is the first word behind -ERR.
    temporary = reply[5:].lstrip().upper().startswith(_TEMPORARY) or not reply.startswith(b"-ERR")
    return UpstreamError(text_of(reply), temporary=temporary)
