"""A process that issues and revokes app passwords of one shared account without end, and says each once it is done.

`start_valetkey(CONFIG, ADDRESS, program=MAIN)` starts it; it is there to be killed.
"""

import asyncio
import sys
from pathlib import Path

from valetkey.app.join import opened
from valetkey.config.reading import load
from valetkey.core.scope import ready_made
from valetkey.service import accounts, app_passwords
from valetkey.service.app_passwords import Wanted
from valetkey.service.ports import Actor, ActorKind, Ports

MAIN = "tests.servers.valetkey_busy:main"
OPERATOR = Actor(ActorKind.OPERATOR)
MOST_KEPT = 20


async def work(config: Path, address: str) -> None:
    """Issue for ever, revoke most of them, and keep a few."""
    choice = ready_made("send-only")
    assert choice is not None
    async with opened(load(config)) as ports:
        account = await accounts.find(ports, OPERATOR, address)
        wanted = Wanted("Busy", choice.scope)
        while True:
            kept = await app_passwords.issue(ports, OPERATOR, account.id, wanted)
            say("issued", kept.app_password.id)
            await _revoke(ports, kept.app_password.id)
            if len(await app_passwords.of_account(ports, OPERATOR, account.id, live_only=True)) < MOST_KEPT:
                more = await app_passwords.issue(ports, OPERATOR, account.id, wanted)
                say("issued", more.app_password.id)


async def _revoke(ports: Ports, credential: str) -> None:
    await app_passwords.revoke(ports, OPERATOR, credential)
    say("revoked", credential)


def say(what: str, credential: str) -> None:
    """Acknowledge; nothing is held back in this process."""
    sys.stdout.write(f"{what} {credential}\n")
    sys.stdout.flush()


def main() -> None:
    """Work for the installation and the address that are the arguments."""
    asyncio.run(work(Path(sys.argv[1]), sys.argv[2]))
