"""SMTP submission up to the login, the server's side: RFC 5321, 3207 (STARTTLS), 4954 (AUTH), 6409, 8314."""

from valetkey.wire.dialogue import DEFAULT_LIMITS, LoginDialogue, Steps, one_line
from valetkey.wire.machine import DeviceNamed, LoginLimits, Refusal, RefusalKind, Security, StartTlsAsked
from valetkey.wire.sasl import MECHANISMS
from valetkey.wire.smtp_reply import hello_reply

# What Postfix and Dovecot both have, so that it holds before and after the login alike.
EXTENSIONS = (b"PIPELINING", b"SIZE", b"8BITMIME", b"ENHANCEDSTATUSCODES")

_REFUSALS = {
    RefusalKind.WRONG: "535 5.7.8",
    RefusalKind.EXPIRED: "535 5.7.8",
    RefusalKind.FORBIDDEN: "535 5.7.8",
    RefusalKind.TRY_LATER: "454 4.7.0",
    RefusalKind.TLS_NEEDED: "538 5.7.11",
}
_DEVICE_NAME = 255
_MAIL_COMMANDS = (b"MAIL", b"RCPT", b"DATA")


class SmtpLogin(LoginDialogue):
    """Submission before AUTH. Nothing can be sent: MAIL, RCPT and DATA are answered 530.

    Args:
        security: How the listener stands to TLS.
        limits: What the client may cost before its login.
        hostname: Our name in the greeting and in the answer to EHLO.
        extensions: What EHLO announces beside STARTTLS and AUTH; it must be true of the upstream.
    """

    def __init__(
        self,
        security: Security,
        *,
        limits: LoginLimits = DEFAULT_LIMITS,
        hostname: str = "localhost",
        extensions: tuple[bytes, ...] = EXTENSIONS,
    ) -> None:
        super().__init__(security, limits)
        # AUTH with an initial response may fill a whole SASL line (RFC 4954 4).
        self._line_limit = max(limits.line, limits.sasl_line)
        self._hostname = hostname
        self._extensions = extensions
        self._greeted = False
        self._named = ""

    def greet(self) -> None:
        """Queue the greeting."""
        self._reply(f"220 {self._hostname} ESMTP ready")

    def _command(self, line: bytes) -> Steps[None]:
        word, _, arguments = line.partition(b" ")
        name, arguments = word.upper(), arguments.strip(b" ")
        if name == b"AUTH":
            yield from self._auth(arguments)
        elif len(line) + 2 > self._limits.line:
            self._bad("Line too long")
        elif name in (b"EHLO", b"HELO"):
            yield from self._hello(name, arguments)
        elif name == b"STARTTLS":
            yield from self._start_tls(arguments)
        else:
            self._other(name)

    def _hello(self, name: bytes, argument: bytes) -> Steps[None]:
        if not argument:
            self._reply("501 5.5.4 A host name is missing")
            self._bad_commands += 1
            return
        self._greeted = True
        if name == b"HELO":
            self._reply(f"250 {self._hostname}")
        else:
            self._output += hello_reply(self._hostname, (*self._extensions, *self._ways_to_log_in()))
        device = one_line(argument[:_DEVICE_NAME].decode("utf-8", "replace"))
        if device != self._named:
            self._named = device
            yield DeviceNamed({"ehlo": device})

    def _ways_to_log_in(self) -> tuple[bytes, ...]:
        ways = [b"STARTTLS"] if self._may_start_tls else []
        if self._may_log_in:
            ways.append(b"AUTH " + " ".join(MECHANISMS).encode())
        return tuple(ways)

    def _start_tls(self, arguments: bytes) -> Steps[None]:
        if arguments:
            self._bad("STARTTLS takes no argument")
        elif self._may_start_tls:
            self._reply("220 2.0.0 Begin TLS")
            yield StartTlsAsked()
        else:
            self._reply("503 5.5.1 TLS is already in use or not to be had")
            self._bad_commands += 1

    def _auth(self, arguments: bytes) -> Steps[None]:
        mechanism, _, initial = arguments.partition(b" ")
        name = mechanism.decode("latin-1").upper()
        if not self._greeted:
            self._reply("503 5.5.1 EHLO comes first")
            self._bad_commands += 1
        elif not self._may_log_in:
            self._answer_refusal(Refusal(RefusalKind.TLS_NEEDED, "Logging in needs TLS"))
        elif name not in MECHANISMS:
            self._reply("504 5.5.4 Mechanism unknown")
            self._bad_commands += 1
        else:
            yield from self._authenticate(name, initial or None)

    def _other(self, name: bytes) -> None:
        if name in _MAIL_COMMANDS:
            self._reply(
                "530 5.7.0 Must issue a STARTTLS command first"
                if self._may_start_tls and not self._may_log_in
                else "530 5.7.0 Authentication required"
            )
        elif name in (b"NOOP", b"RSET"):
            self._reply("250 2.0.0 OK")
        elif name == b"QUIT":
            self._reply("221 2.0.0 Bye")
            self._end("the client quit")
        elif name in (b"VRFY", b"EXPN", b"HELP"):
            self._reply("502 5.5.1 Not available before the login")
        elif name == b"BDAT":
            # The chunk follows at once (RFC 3030 2); it must not be read as commands.
            self._answer_goodbye("Authentication required")
            self._end("BDAT before the login")
        else:
            self._bad("Command unknown")

    def _forget(self) -> None:
        self._greeted = False
        self._named = ""

    def _reply(self, text: str) -> None:
        self._write(text.encode())

    def _answer_bad(self, text: str) -> None:
        self._reply(f"500 5.5.2 {text}")

    def _answer_aborted(self) -> None:
        self._reply("501 5.0.0 Authentication aborted")

    def _answer_malformed(self, text: str) -> None:
        self._reply(f"501 5.5.2 {text}")

    def _answer_goodbye(self, text: str) -> None:
        self._reply(f"421 4.7.0 {self._hostname} {text}")

    def _answer_refusal(self, refusal: Refusal) -> None:
        self._reply(f"{_REFUSALS[refusal.kind]} {one_line(refusal.text)}")

    def _answer_success(self) -> None:
        self._reply("235 2.7.0 Authentication successful")

    def _write_challenge(self, encoded: bytes) -> None:
        self._write(b"334 " + encoded)
