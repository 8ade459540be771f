"""A mailbox server that costs next to nothing, so that what stands in front of it is what is measured.

It lets everybody in, and knows one message. `python -m benchmarks.upstream PORT OCTETS` runs it.
"""

import asyncio
import re
import socket
import sys
from collections.abc import AsyncIterator

_CAPABILITY = b"IMAP4rev1 SASL-IR LITERAL+ ID IDLE AUTH=PLAIN"
_LITERAL = re.compile(rb"\{(\d+)(\+?)\}$")
_PIECE = b"From the book of ones and naughts, a line of seventy-six octets and CR LF.\r\n" * 850  # some 64 KiB
_MOST = 65536


async def serve(port: int, octets: int) -> None:
    """Serve for ever; `octets` is the size of the message."""
    loop = asyncio.get_running_loop()
    listener = socket.create_server(("127.0.0.1", port), backlog=4096)
    listener.setblocking(False)
    print("ready", flush=True)
    tasks: set[asyncio.Task[None]] = set()
    while True:
        client, _ = await loop.sock_accept(listener)
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = loop.create_task(_converse(client, octets))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def _converse(client: socket.socket, octets: int) -> None:
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_sendall(client, b"* OK [CAPABILITY " + _CAPABILITY + b"] ready\r\n")
        async for line in _commands(client):
            if await _answer(client, line, octets):
                return
    except OSError:
        return
    finally:
        client.close()


async def _commands(client: socket.socket) -> AsyncIterator[bytes]:
    """Give each command with its literals in it; continuations are asked for."""
    loop = asyncio.get_running_loop()
    buffer, command = b"", b""
    while True:
        line, found, rest = buffer.partition(b"\r\n")
        if not found:
            more = await loop.sock_recv(client, _MOST)
            if not more:
                return
            buffer += more
            continue
        buffer = rest
        command += line
        literal = _LITERAL.search(line)
        if literal is None:
            yield command
            command = b""
        elif not literal[2]:
            await loop.sock_sendall(client, b"+ go on\r\n")


async def _answer(client: socket.socket, command: bytes, octets: int) -> bool:
    """Answer one command; tells whether the conversation is over."""
    loop = asyncio.get_running_loop()
    tag, _, rest = command.partition(b" ")
    verb = rest.split(b" ")[0].upper()
    said, told = b"", b" OK done"
    if verb in {b"AUTHENTICATE", b"LOGIN"}:
        told = b" OK [CAPABILITY " + _CAPABILITY + b"] Logged in"  # as Dovecot does
    match verb:
        case b"AUTHENTICATE" if len(rest.split(b" ")) == 2:
            await loop.sock_sendall(client, b"+ \r\n")
            await loop.sock_recv(client, _MOST)
        case b"CAPABILITY":
            said = b"* CAPABILITY " + _CAPABILITY + b"\r\n"
        case b"ID":
            said = b"* ID NIL\r\n"
        case b"SELECT" | b"EXAMINE":
            said = b"* 1 EXISTS\r\n* 0 RECENT\r\n* FLAGS (\\Seen)\r\n* OK [UIDVALIDITY 1] ok\r\n* OK [UIDNEXT 2] ok\r\n"
        case b"FETCH" | b"UID":
            await loop.sock_sendall(client, b"* 1 FETCH (BODY[] {%d}\r\n" % octets)
            await _send_message(client, octets)
            said = b")\r\n"
        case b"LOGOUT":
            said = b"* BYE\r\n"
    await loop.sock_sendall(client, said + tag + told + b"\r\n")
    return verb == b"LOGOUT"


async def _send_message(client: socket.socket, octets: int) -> None:
    loop = asyncio.get_running_loop()
    rounds, rest = divmod(octets, len(_PIECE))
    for _ in range(rounds):
        await loop.sock_sendall(client, _PIECE)
    await loop.sock_sendall(client, _PIECE[:rest])


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
