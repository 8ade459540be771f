"""The embedded mailbox: pymap on loopback, over Maildirs, as a process of its own (`python -m valetkey.demo.mailbox`).

It says "ready" on standard output when it listens, and ends when its standard input does, so that it never
outlives whoever started it.
"""

import asyncio
import os
import signal
import sys
from argparse import Namespace
from contextlib import AsyncExitStack
from pathlib import Path

from pymap.backend.maildir import MaildirBackend
from pymap.service import services

_ARGUMENTS = 4


async def serve(directory: Path, imap_port: int, sieve_port: int) -> None:
    """Serve IMAP and ManageSieve until standard input ends."""
    arguments = Namespace(
        debug=False, passlib_cfg=None, cert=None, key=None, tls=False, proxy_protocol=None, inherited_sockets=None,
        host=["127.0.0.1"], port=str(imap_port), sieve_host=["127.0.0.1"], sieve_port=str(sieve_port),
        base_dir=str(directory), concurrency=None, layout="++", colon=None,
    )  # fmt: skip
    backend, config = await MaildirBackend.init(arguments)
    config.apply_context()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), stop.set)
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    async with AsyncExitStack() as stack:
        await backend.start(stack)
        for name in ("imap", "managesieve"):
            await services[name](backend, config).start(stack)
        print("ready", flush=True)  # noqa: T201  (the line that the parent waits for)
        await stop.wait()


def main() -> None:
    """Run with: directory, IMAP port, ManageSieve port; the users are in the directory (`maildir.write_users`)."""
    if len(sys.argv) != _ARGUMENTS:
        sys.exit("usage: python -m valetkey.demo.mailbox DIRECTORY IMAP-PORT SIEVE-PORT")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["FQDN"] = "localhost"
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
    # Idle connections and their threads end with the process.
    os._exit(0)


if __name__ == "__main__":
    main()
