"""SMTP submission up to the login, the client's side: RFC 5321, 3207, 4954, and XCLIENT of Postfix and Dovecot."""

import base64
from collections.abc import Iterator

from valetkey.wire.machine import ClientFacts, Credentials, PeerError
from valetkey.wire.smtp_reply import SmtpReply, SmtpReplyReader
from valetkey.wire.upstream import Replies, UpstreamDialogue, UpstreamError, forward_field, text_of

_COMMAND_LINE = 512  # RFC 5321 4.5.3.1.4; a longer initial response waits for the challenge (RFC 4954 4)
_HELO = 128
_CONTINUE = 334
_SYNTAX = 501
_IPV6 = "IPV6:"


class SmtpClient(UpstreamDialogue):
    """Logs in by AUTH, or by XCLIENT LOGIN where the credentials hold no secret (Postfix).

    Args:
        credentials: Whose mailbox, who logs in, with which secret; None only looks at the answer to EHLO.
        starttls: Whether STARTTLS is to be done first.
        facts: What an upstream that trusts us (it announces XCLIENT) is told of the client.
        hostname: Our own name, for EHLO.
    """

    def __init__(
        self,
        credentials: Credentials | None,
        *,
        starttls: bool,
        facts: ClientFacts | None = None,
        hostname: str = "localhost",
    ) -> None:
        super().__init__(credentials, starttls=starttls, facts=facts)
        self._hostname = hostname
        self._reader = SmtpReplyReader()

    def _converse(self) -> Replies[tuple[bytes, ...]]:
        _require(220, (yield from self._read_reply()), "The upstream refused the connection")
        keywords = yield from self._hello()
        if self._starttls:
            self._write(b"STARTTLS")
            _require(220, (yield from self._read_reply()), "The upstream refused STARTTLS")
            yield from self._begin_tls()
            keywords = yield from self._hello()
        if self._only_looks:
            self._write(b"QUIT")
            return keywords
        pairs = self._xclient_pairs(_arguments_of(keywords, b"XCLIENT"))
        if pairs:
            yield from self._xclient(pairs)
            keywords = yield from self._hello()
        if self._credentials.secret is not None:
            yield from self._auth(_arguments_of(keywords, b"AUTH"))
        return keywords

    def _hello(self) -> Replies[tuple[bytes, ...]]:
        self._write(b"EHLO " + self._hostname.encode())
        reply = yield from self._read_reply()
        _require(250, reply, "The upstream refused EHLO")
        return reply.texts[1:]

    def _xclient(self, pairs: dict[str, str]) -> Replies[None]:
        reply = yield from self._say_xclient(pairs)
        if reply.code == _SYNTAX and pairs.get("ADDR", "").startswith(_IPV6):
            # A Postfix with inet_protocols = ipv4 takes no IPv6 address. "Unknown" is true and still not our own.
            known = {key: value for key, value in pairs.items() if not value.startswith(_IPV6)}
            reply = yield from self._say_xclient({"ADDR": "[UNAVAILABLE]", **known})
        _require(220, reply, "The upstream refused XCLIENT")

    def _say_xclient(self, pairs: dict[str, str]) -> Replies[SmtpReply]:
        # Values are written in xtext (RFC 3461 4).
        self._write(b"XCLIENT " + b" ".join(f"{key}=".encode() + _xtext(value) for key, value in pairs.items()))
        return (yield from self._read_reply())

    def _xclient_pairs(self, offered: tuple[bytes, ...]) -> dict[str, str]:
        """Choose what to say in XCLIENT: only what the upstream lists."""
        pairs = dict(_facts_for_xclient(self._facts)) if self._facts else {}
        if self._credentials.secret is None:
            if b"LOGIN" not in offered:
                raise UpstreamError("The upstream does not offer XCLIENT LOGIN to us")
            login = self._credentials.name
            # Postfix takes [UNAVAILABLE] and the like for "no login".
            if not login or login.startswith("[") or not login.isprintable():
                raise UpstreamError("The name does not fit into XCLIENT")
            pairs["LOGIN"] = login
        return {key: value for key, value in pairs.items() if key.encode() in offered}

    def _auth(self, mechanisms: tuple[bytes, ...]) -> Replies[None]:
        if b"PLAIN" in mechanisms:
            yield from self._auth_plain()
        elif b"LOGIN" in mechanisms and self._logs_in_as_itself:
            yield from self._auth_login()
        else:
            raise UpstreamError("The upstream offers no AUTH that we can use")

    def _auth_plain(self) -> Replies[None]:
        message = self._plain_message()
        line = b"AUTH PLAIN " + message
        if len(line) + 2 <= _COMMAND_LINE:
            self._write(line)
        else:
            yield from self._continue(b"AUTH PLAIN")
            self._write(message)
        yield from self._expect_login()

    def _auth_login(self) -> Replies[None]:
        yield from self._continue(b"AUTH LOGIN")
        yield from self._continue(base64.b64encode(self._credentials.name.encode()))
        self._write(base64.b64encode(self._require_secret().encode()))
        yield from self._expect_login()

    def _continue(self, line: bytes) -> Replies[None]:
        self._write(line)
        reply = yield from self._read_reply()
        if reply.code != _CONTINUE:
            raise _refused(reply)

    def _expect_login(self) -> Replies[None]:
        reply = yield from self._read_reply()
        if not reply.is_positive:
            raise _refused(reply)

    def _read_reply(self) -> Replies[SmtpReply]:
        try:
            while (reply := self._reader.read(self._buffer)) is None:
                yield None
        except PeerError as error:
            raise UpstreamError(f"The upstream does not speak SMTP: {error}") from None
        return reply


def _facts_for_xclient(facts: ClientFacts) -> Iterator[tuple[str, str]]:
    # An unknown address is said to be so: without ADDR the upstream would take the client to be where we are.
    yield "ADDR", _tagged(facts.address) if facts.address else "[UNAVAILABLE]"
    if facts.port:  # 0 is unknown, and Dovecot refuses it
        yield "PORT", str(facts.port)
    yield "NAME", "[UNAVAILABLE]"  # nobody has looked it up; without it the upstream would keep our own name
    yield "PROTO", "ESMTP"
    if facts.helo:
        yield "HELO", facts.helo[:_HELO]
    if facts.local_address:
        yield "DESTADDR", _tagged(facts.local_address)
        yield "DESTPORT", str(facts.local_port)
    if facts.session_id:
        yield "SESSION", facts.session_id
    yield "TTL", "3"
    if facts.forward:
        yield "FORWARD", forward_field(facts)


def _tagged(address: str) -> str:
    return _IPV6 + address if ":" in address else address


def _xtext(value: str) -> bytes:
    # RFC 3461 4: "+" and "=" and all outside "!" to "~" are written in hexadecimal.
    return b"".join(
        bytes([octet]) if 0x21 <= octet <= 0x7E and octet not in b"+=" else b"+%02X" % octet  # noqa: PLR2004  "!", "~"
        for octet in value.encode()
    )


def _arguments_of(keywords: tuple[bytes, ...], name: bytes) -> tuple[bytes, ...]:
    for keyword in keywords:
        words = keyword.upper().split()
        if words[:1] == [name]:
            return tuple(words[1:])
    return ()


def _require(code: int, reply: SmtpReply, complaint: str) -> None:
    if reply.code != code:
        raise UpstreamError(f"{complaint}: {_text(reply)}")


def _refused(reply: SmtpReply) -> UpstreamError:
    # Only a plain no to the credentials is final; 530 or 500 would say that the upstream is not as configured.
    return UpstreamError(_text(reply), temporary=reply.code not in (534, 535))


def _text(reply: SmtpReply) -> str:
    return f"{reply.code} {text_of(reply.texts[-1])}"
