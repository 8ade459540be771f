"""POP3 up to the login, the server's side: RFC 1939, 2449 (CAPA), 2595 (STLS), 3206 (codes), 5034 (AUTH)."""

from valetkey.wire.dialogue import DEFAULT_LIMITS, LoginDialogue, Steps, one_line
from valetkey.wire.machine import LoginAsked, LoginLimits, Refusal, RefusalKind, Security, StartTlsAsked
from valetkey.wire.sasl import MECHANISMS

# What holds before and after the login alike, as far as the servers behind us are known (RFC 2449 5).
CAPABILITIES = (b"TOP", b"UIDL", b"RESP-CODES", b"AUTH-RESP-CODE", b"PIPELINING")

_CODES = {
    RefusalKind.WRONG: "[AUTH] ",
    RefusalKind.EXPIRED: "[AUTH] ",
    RefusalKind.FORBIDDEN: "[AUTH] ",
    RefusalKind.TRY_LATER: "[SYS/TEMP] ",
    RefusalKind.TLS_NEEDED: "",
}


class Pop3Login(LoginDialogue):
    """The AUTHORIZATION state of POP3 (RFC 1939 4). APOP is not offered: it needs the password itself.

    `capabilities` are announced beside the ways to log in; they must be true of the upstream.
    """

    def __init__(
        self,
        security: Security,
        *,
        limits: LoginLimits = DEFAULT_LIMITS,
        capabilities: tuple[bytes, ...] = CAPABILITIES,
    ) -> None:
        super().__init__(security, limits)
        self._capabilities = capabilities
        self._name: bytes | None = None

    def greet(self) -> None:
        """Queue the greeting."""
        self._write(b"+OK POP3 ready")

    def _command(self, line: bytes) -> Steps[None]:
        word, space, arguments = line.partition(b" ")
        name = word.upper()
        if name not in (b"USER", b"PASS", b"AUTH"):
            if space:
                self._bad("Unknown command or superfluous argument")
            else:
                yield from self._plain_command(name)
        elif name == b"AUTH" and not space:
            self._list([mechanism.encode() for mechanism in self._mechanisms])
        elif not self._may_log_in:
            self._answer_refusal(Refusal(RefusalKind.TLS_NEEDED, "Logging in needs TLS"))
        elif name == b"AUTH":
            yield from self._auth(arguments)
        else:
            yield from self._user_or_pass(name, arguments)

    def _plain_command(self, name: bytes) -> Steps[None]:
        if name == b"CAPA":
            self._list([*self._capabilities, *self._ways_to_log_in()])
        elif name == b"QUIT":
            self._answer_goodbye("")
            self._end("the client quit")
        elif name == b"STLS" and self._may_start_tls:
            self._write(b"+OK Begin TLS")
            yield StartTlsAsked()
        else:
            self._bad("Unknown command")

    def _user_or_pass(self, name: bytes, argument: bytes) -> Steps[None]:
        if not argument:
            self._bad("An argument is missing")
        elif name == b"USER":
            self._name = argument
            self._write(b"+OK")
        elif self._name is None:
            self._bad("USER comes before PASS")
        else:
            # Spaces belong to the password: all behind the first is one string (RFC 1939 7, PASS).
            user, self._name = self._name, None
            yield LoginAsked("USER", user, argument)

    def _auth(self, arguments: bytes) -> Steps[None]:
        # RFC 5034 4: a client whose initial response makes the line longer than 255 octets sends it after the
        # challenge; one that does not is heard all the same.
        mechanism, _, initial = arguments.partition(b" ")
        name = mechanism.decode("latin-1").upper()
        if name not in MECHANISMS:
            self._bad("Unknown mechanism")
            return
        yield from self._authenticate(name, initial or None)

    @property
    def _mechanisms(self) -> tuple[str, ...]:
        return MECHANISMS if self._may_log_in else ()

    def _ways_to_log_in(self) -> list[bytes]:
        ways = [b"STLS"] if self._may_start_tls else []
        if self._may_log_in:
            ways += [b"USER", b"SASL " + " ".join(MECHANISMS).encode()]
        return ways

    def _list(self, lines: list[bytes]) -> None:
        self._write(b"+OK")
        for line in lines:
            self._write(line)
        self._write(b".")

    def _forget(self) -> None:
        self._name = None

    def _answer_bad(self, text: str) -> None:
        self._write(b"-ERR " + text.encode())

    def _answer_goodbye(self, text: str) -> None:
        self._write(b"-ERR " + text.encode() if text else b"+OK Bye")

    def _answer_refusal(self, refusal: Refusal) -> None:
        self._write(f"-ERR {_CODES[refusal.kind]}{one_line(refusal.text)}".encode())

    def _answer_success(self) -> None:
        self._write(b"+OK Logged in")

    def _write_challenge(self, encoded: bytes) -> None:
        self._write(b"+ " + encoded)
