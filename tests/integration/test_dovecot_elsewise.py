"""Dovecots set up in another way than usual: over TLS to another machine, with another separator of folders."""

import asyncio
from pathlib import Path

import pytest
from tests.doors.door_site import SECRET, door, open_doors, peer, person_with, replaced
from tests.servers.asking_dovecot import NEEDS, Peer, only_dovecot
from tests.servers.certificates import CertificateAuthority
from tests.servers.dialogue import dialogue
from tests.servers.dovecot import Dovecot
from tests.servers.dovecot24 import Dovecot24
from tests.servers.maildirs import a_message
from tests.servers.people import ALICE
from tests.servers.places import own_directory

from valetkey.core.limits import Held, Limits
from valetkey.core.scope import MailProtocol, Permission
from valetkey.doors.asked.settings import DoorKind

pytestmark = [pytest.mark.integration, pytest.mark.needs(*NEEDS)]


def log_in(dovecot: Dovecot | Dovecot24, secret: str) -> str:
    with dialogue(dovecot.ports.imap) as talk:
        talk.line()
        return talk.imap("z", f"LOGIN {ALICE.address} {secret}")[-1]


@pytest.mark.parametrize("version", ["2.3", "2.4"])
async def test_dovecot_verifies_who_answers(tmp_path: Path, authority: CertificateAuthority, version: str) -> None:
    other = CertificateAuthority(tmp_path, "Other CA")
    async with open_doors(tmp_path, door(DoorKind.HTTP, peer(), tls=True), authority=authority) as site:
        _, secret = await person_with(site, ALICE.address)
        for signed_by, answer in ((authority, "z OK"), (other, "z NO [UNAVAILABLE]")):
            with own_directory("lua") as folder:
                asks = Peer(folder, secret=SECRET, port=site.port(), ca=signed_by.file)
                with only_dovecot(version, authority, asks) as dovecot:
                    assert (await asyncio.to_thread(log_in, dovecot, secret)).startswith(answer)


@pytest.mark.parametrize("version", ["2.3", "2.4"])
async def test_levels_are_told_apart_by_dovecots_own_separator(
    tmp_path: Path, authority: CertificateAuthority, version: str
) -> None:
    """With Maildir that is a dot unless somebody chooses another."""
    holds = frozenset({Held.PERMISSIONS, Held.FOLDERS})
    async with open_doors(tmp_path, door(DoorKind.HTTP, peer(holds=holds))) as site:
        reading = replaced([Permission.READ], MailProtocol.IMAP)
        limits = Limits(folders=("Archive", "Projects/*", "Projects/One.Two"))
        _, secret = await person_with(site, ALICE.address, scope=reading, limits=limits)
        with own_directory("lua") as folder:
            asks = Peer(folder, secret=SECRET, port=site.port(), separator=".")
            with only_dovecot(version, authority, asks) as dovecot:
                for name in ("Archive", "Archive.Deep", "Projects", "Projects.One", "Other"):
                    dovecot.mail.deliver(ALICE, a_message("a@example.test", ALICE.address, "one"), name)
                opened = await asyncio.to_thread(opens, dovecot, secret)
    assert opened == {"Archive", "Projects.One"}


def opens(dovecot: Dovecot | Dovecot24, secret: str) -> set[str]:
    """Log in, and tell which folders open."""
    names = ("INBOX", "Archive", "Archive.Deep", "Projects", "Projects.One", "Other", "Public.Team")
    with dialogue(dovecot.ports.imap) as talk:
        talk.line()
        talk.imap("z", f"LOGIN {ALICE.address} {secret}")
        return {name for name in names if talk.imap("a", f"SELECT {name}")[-1].startswith("a OK")}
