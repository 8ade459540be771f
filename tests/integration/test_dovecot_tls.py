"""A Dovecot on another machine asks over TLS, and believes nobody whose certificate it does not know."""

import asyncio
from pathlib import Path

import pytest
from tests.doors.door_site import SECRET, door, open_doors, peer, person_with
from tests.servers.asking_dovecot import NEEDS, Peer, only_dovecot
from tests.servers.certificates import CertificateAuthority
from tests.servers.dialogue import dialogue
from tests.servers.dovecot import Dovecot
from tests.servers.dovecot24 import Dovecot24
from tests.servers.people import ALICE
from tests.servers.places import own_directory

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
