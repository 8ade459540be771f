"""The demo's mail sink: submission on loopback that delivers into the sample people's inboxes (RFC 5321, RFC 4954)."""

import re
from email.utils import formatdate
from pathlib import Path

from valetkey.demo.conversation import Conversation
from valetkey.demo.layout import DOMAIN
from valetkey.demo.maildir import deliver

MAX_MESSAGE = 100 * 1024 * 1024
NOTICES_FROM = f"valetkey@{DOMAIN}"
_MAX_RECIPIENTS = 100
_PATH = re.compile(r"(?:FROM|TO):\s*<([^<>\s]*)>(.*)", re.IGNORECASE)


class Sink(Conversation):
    """One SMTP connection. Only logged-in people send, and only sample people receive.

    The portal's notices come without a login. One to an address elsewhere lands in the first sample person's inbox, so that
    links can be followed and nothing leaves this computer.
    """

    _sender: str | None = None
    _recipients: tuple[Path, ...] = ()

    def greet(self) -> None:
        """Say what a server says first."""
        self.say("220 localhost ESMTP Valetkey demo")

    async def obey(self, command: str, argument: str) -> None:
        """Answer one command."""
        match command:
            case "EHLO":
                self._forget()
                self.say("250-localhost", "250-PIPELINING", f"250-SIZE {MAX_MESSAGE}", "250-8BITMIME", "250-SMTPUTF8")
                self.say("250-AUTH PLAIN", "250 ENHANCEDSTATUSCODES")
            case "AUTH":
                await self._log_in(argument)
            case "MAIL":
                self._begin(argument)
            case "RCPT":
                self._add(argument)
            case "DATA":
                await self._take()
            case "RSET":
                self._forget()
                self.say("250 2.0.0 Forgotten")
            case "NOOP":
                self.say("250 2.0.0 Still here")
            case "QUIT":
                self.say("221 2.0.0 Goodbye")
                self.is_over = True
            case _:
                self.say("502 5.5.1 Not here")

    async def _log_in(self, argument: str) -> None:
        mechanism, _, message = argument.partition(" ")
        if mechanism.upper() != "PLAIN":
            self.say("504 5.5.4 AUTH PLAIN only")
        elif await self.check_plain(message.strip(), "334 "):
            self.say("235 2.7.0 Welcome")
        else:
            self.say("535 5.7.8 Wrong name or password")

    def _begin(self, argument: str) -> None:
        match = _PATH.match(argument)
        if self.user is None and (match is None or match[1] != NOTICES_FROM):
            self.say("530 5.7.0 Log in first")
        elif match is None or not argument.upper().startswith("FROM"):
            self.say("501 5.5.4 MAIL FROM:<address>")
        else:
            self._sender = match[1]
            self.say("250 2.1.0 Sender noted")

    def _add(self, argument: str) -> None:
        match = _PATH.match(argument)
        if self._sender is None or match is None:
            self.say("503 5.5.1 MAIL FROM first")
        elif (inbox := self._inbox_of(match[1].lower())) is None:
            self.say("550 5.1.1 The demo delivers to its own sample people only")
        elif len(self._recipients) >= _MAX_RECIPIENTS:
            self.say("452 4.5.3 Too many recipients")
        else:
            self._recipients = (*self._recipients, self._mail / inbox)
            self.say("250 2.1.5 Recipient noted")

    async def _take(self) -> None:
        if not self._recipients:
            self.say("503 5.5.1 RCPT TO first")
            return
        self.say("354 Go on; end with a dot")
        await self._writer.drain()
        message = bytearray()
        is_whole = False
        while (line := await self.read_line()) is not None:
            if line == b".":
                is_whole = True
                break
            if len(message) <= MAX_MESSAGE:
                message += line.removeprefix(b".") + b"\r\n"  # RFC 5321 section 4.5.2
        if not is_whole:
            self.is_over = True
        elif len(message) > MAX_MESSAGE:
            self.say("552 5.3.4 Too large")
        else:
            self._deliver(bytes(message))
        self._forget()

    def _deliver(self, message: bytes) -> None:
        trace = f"Return-Path: <{self._sender}>\r\nReceived: by localhost (Valetkey demo); {formatdate()}\r\n"
        for directory in dict.fromkeys(self._recipients):
            deliver(directory, trace.encode() + message)
        self.say("250 2.0.0 Delivered")

    def _inbox_of(self, address: str) -> str | None:
        if address in self._people:
            return address
        return next(iter(self._people), None) if self._sender == NOTICES_FROM and self.user is None else None

    def _forget(self) -> None:
        self._sender, self._recipients = None, ()
