"""ManageSieve, as transcripts: tests/dialogues/sieve/*.txt."""

from pathlib import Path

import pytest
from tests.dialogues import transcript as runner

from valetkey.wire.machine import ClientFacts, Credentials, Refusal, RefusalKind, Security
from valetkey.wire.sieve_client import SieveClient
from valetkey.wire.sieve_filter import SieveFilter
from valetkey.wire.sieve_login import SieveLogin

FOLDER = Path(__file__).parent / "sieve"


def _login(settings) -> runner.Machine:
    listener = settings["listener"]
    machine = SieveLogin(
        Security(tls=listener == "tls", starttls=listener == "starttls"),
        sieve_extensions=b"fileinto vacation",
        more=((b"NOTIFY", b"mailto"),),
    )

    def act(text: str) -> None:
        verb, _, rest = text.partition(" ")
        if verb == "allow":
            machine.allow(())
        elif verb == "refuse":
            kind, _, words = rest.partition(" ")
            machine.refuse(Refusal(RefusalKind[kind], words))
        else:
            assert verb == "tls"
            machine.tls_started()

    return runner.login_machine(machine, act)


def _client(settings) -> runner.Machine:
    facts = ClientFacts("203.0.113.9", 50123, "198.51.100.2", 4190, "gw-abc", {"app_id": "a7"})
    machine = SieveClient(
        Credentials(settings["user"], settings.get("name", settings["user"]), settings["secret"]),
        starttls=settings.get("starttls") == "yes",
        facts=facts if settings.get("facts") == "yes" else None,
    )
    return runner.client_machine(machine, lambda _: machine.tls_started())


MACHINES = {"login": _login, "client": _client, "filter": lambda _: runner.filter_machine(SieveFilter())}


@pytest.mark.parametrize("piece", [0, 1, 7])
@pytest.mark.parametrize("path", runner.transcripts(FOLDER), ids=lambda path: path.stem)
def test_dialogue(path: Path, piece: int) -> None:
    script = runner.read_transcript(path)
    runner.run(script, MACHINES[script.settings["machine"]](script.settings), piece=piece)
