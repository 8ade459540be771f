"""Bad input to the listening gateway: each gets a clear answer, costs bounded memory, and passes nothing."""

import asyncio
import base64
import contextlib
import re
import ssl
from collections.abc import Awaitable, Callable

import pytest
from tests.servers.dialogue import dialogue, plain
from tests.servers.people import ALICE
from tests.servers.valetkey import Valetkey
from tests.servers.valetkey_keys import EVERYTHING, AppPasswordOf

pytestmark = pytest.mark.integration

SECONDS = 30
REFUSED = {"imaps": rb"a NO|a BAD", "pop3s": rb"-ERR", "submissions": rb"5\d\d |454 ", "sieves": rb"NO"}
Talk = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(scope="module")
def key(valetkey: Valetkey) -> AppPasswordOf:
    return valetkey.keys.issue(ALICE, EVERYTHING)


def b64(octets: bytes) -> bytes:
    return base64.b64encode(octets)


def imap_quoted(secret: bytes) -> list[bytes]:
    escaped = secret.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return [b'a LOGIN alice "' + escaped + b'"\r\n']


def imap_literal(secret: bytes) -> list[bytes]:
    return [b"a LOGIN {5+}\r\nalice {%d+}\r\n%s\r\n" % (len(secret), secret)]


def imap_plain(secret: bytes) -> list[bytes]:
    return [b"a AUTHENTICATE PLAIN " + b64(b"\0alice\0" + secret) + b"\r\n"]


def imap_login(secret: bytes) -> list[bytes]:
    return [b"a AUTHENTICATE LOGIN\r\n", b64(b"alice") + b"\r\n", b64(secret) + b"\r\n"]


def pop3_user(secret: bytes) -> list[bytes]:
    return [b"USER alice\r\n", b"PASS " + secret + b"\r\n"]


def pop3_plain(secret: bytes) -> list[bytes]:
    return [b"AUTH PLAIN " + b64(b"\0alice\0" + secret) + b"\r\n"]


def smtp_plain(secret: bytes) -> list[bytes]:
    return [b"EHLO x\r\n", b"AUTH PLAIN " + b64(b"\0alice\0" + secret) + b"\r\n"]


def smtp_login(secret: bytes) -> list[bytes]:
    return [b"EHLO x\r\n", b"AUTH LOGIN\r\n", b64(b"alice") + b"\r\n", b64(secret) + b"\r\n"]


def sieve_plain(secret: bytes) -> list[bytes]:
    return [b'AUTHENTICATE "PLAIN" "' + b64(b"\0alice\0" + secret) + b'"\r\n']


MECHANISMS = {
    imap_quoted: "imaps",
    imap_literal: "imaps",
    imap_plain: "imaps",
    imap_login: "imaps",
    pop3_user: "pop3s",
    pop3_plain: "pop3s",
    smtp_plain: "submissions",
    smtp_login: "submissions",
    sieve_plain: "sieves",
}
# What shows that the dialogue is still in step: a command and its answer.
IN_STEP = {
    "imaps": (b"z NOOP\r\n", rb"z OK"),
    "pop3s": (b"CAPA\r\n", rb"\."),
    "submissions": (b"NOOP\r\n", rb"250 "),
    "sieves": (b"NOOP\r\n", rb"OK"),
}
FINAL = {
    "imaps": rb"a (NO|BAD|OK)|\+",
    "pop3s": rb"-ERR|\+OK|\+",
    "submissions": rb"\d{3} ",
    "sieves": rb"NO|OK|BYE",
}
# Octets that end a quoted string or a line cannot be part of them.
NEVER_IN_LINE = {imap_quoted: b"\r\n", pop3_user: b"\r\n"}


async def connected(valetkey: Valetkey, port: str, network: int) -> Talk:
    context = ssl.create_default_context(cafile=str(valetkey.ca))
    number = getattr(valetkey.ports, port)
    place = (f"127.0.{network % 200 + 20}.1", 0)
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", number, ssl=context, server_hostname="localhost", local_addr=place
    )
    await line_like(reader, rb"\* OK|\+OK|220 |OK")
    return reader, writer


async def line_like(reader: asyncio.StreamReader, pattern: bytes) -> bytes:
    while line := await reader.readline():
        if re.match(pattern, line):
            return line
    return b""


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def at_once(tasks: list[Callable[[], Awaitable[str | None]]], most: int = 260) -> list[str]:
    """Run tries, so many at a time; give the complaints."""
    free = asyncio.Semaphore(most)

    async def one(task: Callable[[], Awaitable[str | None]]) -> str | None:
        async with free, asyncio.timeout(SECONDS):
            return await task()

    return [complaint for complaint in await asyncio.gather(*(one(task) for task in tasks)) if complaint]


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda mechanism: mechanism.__name__)
async def test_every_octet_in_a_password_is_refused_and_the_dialogue_stays_in_step(valetkey: Valetkey, mechanism):
    port = MECHANISMS[mechanism]
    octets = [o for o in range(1, 256) if bytes([o]) not in {bytes([b]) for b in NEVER_IN_LINE.get(mechanism, b"")}]

    async def attempt(octet: int) -> str | None:
        reader, writer = await connected(valetkey, port, octet)
        try:
            for line in mechanism(b"ab" + bytes([octet]) + b"cd"):
                writer.write(line)
                answer = await line_like(reader, FINAL[port])
            if not re.match(REFUSED[port], answer):
                return f"{octet:#x}: {answer!r}"
            command, expected = IN_STEP[port]
            writer.write(command)
            step = await line_like(reader, rb"z |\.|250 |OK|NO|-ERR|5")
            return None if re.match(expected, step) else f"{octet:#x}: out of step, {step!r}"
        finally:
            await closed(writer)

    assert not await at_once([lambda octet=octet: attempt(octet) for octet in octets])


NAMES_AND_SECRETS = {
    "empty": b"",
    "NUL": b"a\0b",
    "CR LF": b"a\r\nb LOGOUT",
    "not UTF-8": b"\xff\xfe\x80",
    "overlong UTF-8": b"\xc0\xaf",
    "100 kB": b"x" * 100_000,
    "SQL": b"' OR 1=1 --",
    "percent": b"%s%n{}",
    "right to left": "\u202ealice".encode(),
}


@pytest.mark.parametrize("which", NAMES_AND_SECRETS)
async def test_odd_names_and_secrets_are_refused_everywhere(valetkey: Valetkey, key: AppPasswordOf, which: str):
    odd = NAMES_AND_SECRETS[which]

    async def attempt(port: str, line: bytes) -> str | None:
        reader, writer = await connected(valetkey, port, 1)
        try:
            if port == "submissions":
                writer.write(b"EHLO x\r\n")
                await line_like(reader, rb"\d{3} ")
            writer.write(line)
            answer = await line_like(reader, FINAL[port])
            # One that is too long ends the connection.
            return (
                None if re.match(REFUSED[port] + rb"|\* BYE|BYE|421", answer) or not answer else f"{port}: {answer!r}"
            )
        except ConnectionError:
            return None
        finally:
            await closed(writer)

    tries = []
    for name, secret in ((odd, key.secret.encode()), (b"alice@example.test", odd), (odd, odd)):
        message = b64(b"\0" + name + b"\0" + secret)
        lines = {
            "imaps": [
                b"a AUTHENTICATE PLAIN " + message + b"\r\n",
                b"a LOGIN {%d+}\r\n%s {%d+}\r\n%s\r\n" % (len(name), name, len(secret), secret),
            ],
            "pop3s": [b"AUTH PLAIN " + message + b"\r\n"],
            "submissions": [b"AUTH PLAIN " + message + b"\r\n"],
            "sieves": [b'AUTHENTICATE "PLAIN" "' + message + b'"\r\n'],
        }
        tries += [(port, line) for port, some in lines.items() for line in some]
    assert not await at_once([lambda port=port, line=line: attempt(port, line) for port, line in tries])


@pytest.mark.parametrize(
    ("port", "lines"),
    [
        ("imaps", ["a AUTHENTICATE PLAIN", "*"]),
        ("imaps", ["a AUTHENTICATE LOGIN", "*"]),
        ("imaps", ["a AUTHENTICATE LOGIN", "YWxpY2U=", "*"]),
        ("imaps", ["a AUTHENTICATE PLAIN", "not base64!"]),
        ("imaps", ["a AUTHENTICATE PLAIN ="]),
        ("imaps", ["a AUTHENTICATE XOAUTH2 abc"]),
        ("pop3s", ["AUTH PLAIN", "*"]),
        ("pop3s", ["AUTH LOGIN", "YWxpY2U=", "*"]),
        ("pop3s", ["AUTH LOGIN", "==="]),
        ("pop3s", ["APOP alice 0123456789abcdef0123456789abcdef"]),
        ("submissions", ["EHLO x", "AUTH PLAIN", "*"]),
        ("submissions", ["EHLO x", "AUTH LOGIN", "*"]),
        ("submissions", ["EHLO x", "AUTH LOGIN", "YWxpY2U=", "*"]),
        ("submissions", ["EHLO x", "AUTH CRAM-MD5"]),
        ("submissions", ["AUTH PLAIN AGEAYg=="]),
        ("sieves", ['AUTHENTICATE "PLAIN"', '"*"']),
        ("sieves", ['AUTHENTICATE "LOGIN"', '"*"']),
        ("sieves", ['AUTHENTICATE "SCRAM-SHA-256" "biws"']),
    ],
)
def test_a_login_given_up_at_any_step_is_over_and_the_next_one_passes(
    valetkey: Valetkey, key: AppPasswordOf, port: str, lines: list[str]
):
    ends = {"imaps": r"a |\+", "pop3s": r"-ERR|\+", "submissions": r"\d{3} ", "sieves": r'OK|NO|BYE|""|"|\{'}
    with dialogue(getattr(valetkey.ports, port), valetkey.site.authority.client_context()) as talk:
        talk.until(r"\* OK|\+OK|220 |OK")
        for line in lines:
            answer = talk.ask(line, ends[port])[-1]
        assert re.match(REFUSED[port], answer.encode()), answer
        right = {
            "imaps": [f"b LOGIN alice {key.secret}"],
            "pop3s": ["USER alice", f"PASS {key.secret}"],
            "submissions": ["EHLO x", f"AUTH PLAIN {plain('alice', key.secret)}"],
            "sieves": [f'AUTHENTICATE "PLAIN" "{plain("alice", key.secret)}"'],
        }[port]
        for line in right:
            answer = talk.ask(line, r"b |\+OK|-ERR|\d{3} |OK|NO")[-1]
        assert re.match(r"b OK|\+OK|235|OK", answer), answer


@pytest.mark.parametrize(
    ("port", "line"),
    [
        ("imaps", b"a LOGIN {4294967296}\r\n"),
        ("imaps", b"a LOGIN {4294967295+}\r\n"),
        ("imaps", b"a LOGIN {99999999999999999999999}\r\n"),
        ("imaps", b"a LOGIN alice {4000000000+}\r\nxxxx"),
        ("imaps", b"a APPEND INBOX {4000000000}\r\n"),
        ("sieves", b"AUTHENTICATE {4294967295+}\r\n"),
        ("sieves", b'AUTHENTICATE "PLAIN" {4294967295+}\r\n'),
        ("sieves", b'PUTSCRIPT "x" {4294967295+}\r\n'),
    ],
)
def test_a_literal_of_four_gigabytes_is_refused_when_it_is_announced(valetkey: Valetkey, port: str, line: bytes):
    with dialogue(getattr(valetkey.ports, port), valetkey.site.authority.client_context()) as talk:
        talk.until(r"\* OK|OK")
        talk.send_octets(line)
        assert re.match(r"a (NO|BAD)|\* BYE|\* BAD|NO|BYE", talk.line())


@pytest.mark.parametrize(
    ("port", "before", "starttls", "behind"),
    [
        ("imap", "", "a STARTTLS", "b LOGIN alice x"),
        ("pop3", "", "STLS", "USER alice"),
        ("submission", "EHLO x", "STARTTLS", "EHLO y"),
        ("sieve", "", "STARTTLS", "CAPABILITY"),
    ],
)
def test_octets_sent_behind_starttls_end_the_connection(valetkey: Valetkey, port, before, starttls, behind):
    with dialogue(getattr(valetkey.ports, port)) as talk:
        talk.until(r"\* OK|\+OK|220 |OK")
        if before:
            talk.smtp(before)
        talk.send_octets(f"{starttls}\r\n{behind}\r\n".encode())
        assert talk.closed()
        # Nor does anything reach the inside of TLS, were it still begun.


@pytest.mark.parametrize("port", ["imaps", "pop3s", "submissions", "sieves", "imap", "pop3", "submission", "sieve"])
@pytest.mark.parametrize(
    "request_line", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"POST /x HTTP/1.0\r\n\r\na LOGIN b c\r\n"]
)
def test_http_is_hung_up_on(valetkey: Valetkey, port: str, request_line: bytes):
    context = None if port in {"imap", "pop3", "submission", "sieve"} else valetkey.site.authority.client_context()
    with dialogue(getattr(valetkey.ports, port), context) as talk:
        talk.until(r"\* OK|\+OK|220 |OK")
        talk.send_octets(request_line)
        assert talk.closed()


@pytest.mark.parametrize("port", ["imaps", "pop3s", "submissions", "sieves"])
@pytest.mark.parametrize("octets", [b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 500, b"\x16\x03\x01\xff\xff" + b"x" * 3000])
def test_what_is_no_tls_is_hung_up_on(valetkey: Valetkey, port: str, octets: bytes):
    with dialogue(getattr(valetkey.ports, port)) as talk:
        talk.send_octets(octets)
        assert talk.closed()


def test_a_flood_without_an_end_of_line_is_hung_up_on(valetkey: Valetkey):
    before = valetkey.memory()
    for port in ("imaps", "pop3s", "submissions", "sieves"):
        with dialogue(getattr(valetkey.ports, port), valetkey.site.authority.client_context()) as talk:
            talk.until(r"\* OK|\+OK|220 |OK")
            with pytest.raises(OSError):  # noqa: PT012 - it is cut off somewhere in it
                for _ in range(500):
                    talk.send_octets(b"x" * 100_000)
    assert max(valetkey.memory()[pid] - held for pid, held in before.items()) < 20_000_000


def test_a_right_login_passes_after_all_that(valetkey: Valetkey, key: AppPasswordOf):
    with dialogue(valetkey.ports.imaps, valetkey.site.authority.client_context()) as talk:
        talk.until(r"\* OK")
        assert talk.imap("a", f"LOGIN alice {key.secret}")[-1].startswith("a OK")
    assert valetkey.get("/readyz")[0] == 200
