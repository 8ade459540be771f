"""ManageSieve, as transcripts: tests/dialogues/sieve/*.txt."""

from pathlib import Path

import pytest
from tests.dialogues import owner
from tests.dialogues import transcript as runner

from valetkey.wire.machine import ClientFacts
from valetkey.wire.sieve_client import SieveClient
from valetkey.wire.sieve_filter import SieveFilter
from valetkey.wire.sieve_login import SieveLogin

FOLDER = Path(__file__).parent / "sieve"


def _login(settings) -> runner.Machine:
    security = owner.security_of(settings)
    return owner.server(SieveLogin(security, sieve_extensions=b"fileinto vacation", more=((b"NOTIFY", b"mailto"),)))


def _client(settings) -> runner.Machine:
    facts = ClientFacts("203.0.113.9", 50123, "198.51.100.2", 4190, "gw-abc", {"app_id": "a7"})
    return owner.client(SieveClient, settings, facts)


MACHINES = {"login": _login, "client": _client, "filter": lambda _: runner.filter_machine(SieveFilter())}


@pytest.mark.parametrize("piece", [0, 1, 7])
@pytest.mark.parametrize("path", runner.transcripts(FOLDER), ids=lambda path: path.stem)
def test_dialogue(path: Path, piece: int) -> None:
    owner.play(path, MACHINES, piece)
