"""SMTP's commands with paths and parameters: read by the grammar, written canonically (RFC 5321 4.1, 6531, 3461)."""

import re
from dataclasses import dataclass

_ATOM = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\xff-]+"
_LOCAL_PART = rb"(?:" + _ATOM + rb"(?:\." + _ATOM + rb')*|"(?:[ !#-\[\]-~\x80-\xff]|\\[ -~])*")'
# The underscore is in no RFC and in many host names of machines that send mail.
_LABEL = rb"[A-Za-z0-9_\x80-\xff](?:[A-Za-z0-9_\x80-\xff-]*[A-Za-z0-9_\x80-\xff])?"
_NAME = _LABEL + rb"(?:\." + _LABEL + rb")*"
_DOMAIN = rb"(?:" + _NAME + rb"|\[[A-Za-z0-9:.-]+\])"
_MAILBOX = _LOCAL_PART + rb"@" + _DOMAIN
_ROUTE = rb"(?:@" + _DOMAIN + rb"(?:,@" + _DOMAIN + rb")*:)?"
_PARAMETERS = rb"(?P<parameters>(?: +[A-Za-z0-9][A-Za-z0-9-]*(?:=[!-<>-~\x80-\xff]+)?)*) *"

# A blank behind the colon is a widespread mistake and unambiguous. A source route is read and dropped (5321 C).
_MAIL = re.compile(rb"MAIL FROM: ?<" + _ROUTE + rb"(?P<path>" + _MAILBOX + rb"|)>" + _PARAMETERS, re.IGNORECASE)
_RCPT = re.compile(rb"RCPT TO: ?<" + _ROUTE + rb"(?P<path>" + _MAILBOX + rb"|Postmaster)>" + _PARAMETERS, re.IGNORECASE)

_XTEXT = rb"(?:[!-*,-<>-~]|\+[0-9A-F]{2})+"
_PARAMETER_VALUES: dict[str, dict[bytes, re.Pattern[bytes] | None]] = {
    "MAIL": {
        b"SIZE": re.compile(rb"[0-9]{1,20}"),
        b"BODY": re.compile(rb"7BIT|8BITMIME", re.IGNORECASE),
        b"SMTPUTF8": None,
        b"REQUIRETLS": None,
        b"RET": re.compile(rb"FULL|HDRS", re.IGNORECASE),
        b"ENVID": re.compile(_XTEXT),
        b"AUTH": re.compile(rb".*"),
    },
    "RCPT": {
        b"NOTIFY": re.compile(rb"NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY)){0,2}", re.IGNORECASE),
        b"ORCPT": re.compile(rb"[A-Za-z0-9-]+;[!-<>-~\x80-\xff]+"),
    },
}
_BARE = ("DATA", "RSET", "NOOP", "QUIT")
COMMANDS = ("MAIL", "RCPT", *_BARE)

Parameters = tuple[tuple[bytes, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class SmtpCommand:
    """One command that can go to the upstream.

    `path` is what stands between the angle brackets of MAIL and RCPT: a mailbox, `Postmaster`, or nothing for the
    empty return path. It is None for other commands. Keywords of parameters are in capitals.
    """

    name: str
    path: bytes | None = None
    parameters: Parameters = ()

    @property
    def is_utf8(self) -> bool:
        """Whether MAIL announces internationalised addresses (RFC 6531 3.4)."""
        return (b"SMTPUTF8", None) in self.parameters

    def line(self) -> bytes:
        """Write the command, CR LF included.

        Raises:
            ValueError: The command could not be read again as what it is.
        """
        line = self._written()
        if parse_smtp_command(line, utf8=True) != self:
            raise ValueError("This is no SMTP command")
        return line + b"\r\n"

    def _written(self) -> bytes:
        if self.path is None:
            return self.name.encode()
        preposition = b" FROM:<" if self.name == "MAIL" else b" TO:<"
        words = [self.name.encode() + preposition + self.path + b">"]
        words += [keyword if value is None else keyword + b"=" + value for keyword, value in self.parameters]
        return b" ".join(words)


@dataclass(frozen=True, slots=True)
class SmtpRefusal:
    """A no to one command, by the rule or for its syntax; `text` is one line of plain ASCII for the person."""

    code: int
    status: str  # RFC 3463, such as "5.7.1"
    text: str


def parse_smtp_command(line: bytes, *, utf8: bool) -> SmtpCommand | SmtpRefusal:
    """Read MAIL, RCPT, DATA, RSET, NOOP or QUIT, given without its line end.

    `utf8` says whether the transaction is internationalised; MAIL says so itself.
    """
    word, _, arguments = line.partition(b" ")
    name = word.decode("latin-1").upper()
    if name in _BARE:
        # NOOP may carry a string, which nobody needs (RFC 5321 4.1.1.9).
        return SmtpCommand(name) if not arguments.strip() or name == "NOOP" else _malformed()
    if name not in COMMANDS:
        return SmtpRefusal(500, "5.5.2", "Command unknown")
    found = (_MAIL if name == "MAIL" else _RCPT).fullmatch(line)
    if found is None:
        return _malformed()
    return _checked(name, found["path"], _split_parameters(found["parameters"]), utf8=utf8)


def _split_parameters(text: bytes) -> Parameters:
    pairs = (word.partition(b"=") for word in text.split())
    return tuple((keyword.upper(), value if equals else None) for keyword, equals, value in pairs)


def _checked(name: str, path: bytes, parameters: Parameters, *, utf8: bool) -> SmtpCommand | SmtpRefusal:
    known = _PARAMETER_VALUES[name]
    keywords = [keyword for keyword, _ in parameters]
    if len(set(keywords)) < len(keywords):
        return _malformed()
    if not set(keywords) <= known.keys():
        return SmtpRefusal(555, "5.5.4", "Parameter unknown")
    for keyword, value in parameters:
        pattern = known[keyword]
        if (pattern is None) != (value is None) or (pattern and not pattern.fullmatch(value or b"")):
            return _malformed()
    # RFC 4954 5: what a client says in AUTH= is not trusted, so it is not passed on.
    kept = tuple(pair for pair in parameters if pair[0] != b"AUTH")
    command = SmtpCommand(name, path, kept)
    return _utf8_checked(command, allowed=command.is_utf8 if name == "MAIL" else utf8)


def _utf8_checked(command: SmtpCommand, *, allowed: bool) -> SmtpCommand | SmtpRefusal:
    text = b"".join((command.path or b"", *(value or b"" for _, value in command.parameters)))
    if text.isascii():
        return command
    if not allowed:
        return SmtpRefusal(553, "5.6.7", "An internationalised address needs SMTPUTF8")
    try:
        text.decode()
    except UnicodeDecodeError:
        return _malformed()
    return command


def _malformed() -> SmtpRefusal:
    return SmtpRefusal(501, "5.5.4", "Malformed command")
