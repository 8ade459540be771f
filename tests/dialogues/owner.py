"""What a transcript's settings and its lines "A: …" mean: the part of whoever owns a machine."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.dialogues.transcript import Machine, client_machine, login_machine, read_transcript, run

from valetkey.wire.machine import ClientFacts, Credentials, Refusal, RefusalKind, Security

Settings = Mapping[str, str]


def security_of(settings: Settings) -> Security:
    """Read `listener`: tls, starttls, or plain, which takes logins without TLS and can start it."""
    listener = settings["listener"]
    return Security(tls=listener == "tls", starttls=listener != "tls", plaintext_login=listener == "plain")


def server(machine: Any) -> Machine:
    """Let a transcript drive a login machine: allow, refuse KIND text, tls, rest what|is|left."""

    def act(text: str) -> None:
        verb, _, rest = text.partition(" ")
        match verb:
            case "allow":
                machine.allow(tuple(rest.encode().split()))
            case "refuse":
                kind, _, words = rest.partition(" ")
                machine.refuse(Refusal(RefusalKind[kind], words))
            case "tls":
                machine.tls_started()
            case _:
                assert (verb, machine.take_rest().decode("latin-1").replace("\r\n", "|")) == ("rest", rest)

    return login_machine(machine, act)


def client(machine_type: Callable[..., Any], settings: Settings, facts: ClientFacts, **more: Any) -> Machine:
    """Let a transcript drive a client machine; its owner only ever says tls."""
    secret = settings.get("secret")
    machine = machine_type(
        Credentials(
            settings["user"],
            settings.get("name", settings["user"]),
            None if secret is None else secret.replace("<300*s>", "s" * 300),
        ),
        starttls=settings.get("starttls") == "yes",
        facts=facts if settings.get("facts") == "yes" else None,
        **more,
    )

    def act(text: str) -> None:
        assert text == "tls"
        machine.tls_started()

    return client_machine(machine, act)


def play(path: Path, machines: Mapping[str, Callable[[Settings], Machine]], piece: int) -> None:
    """Run the transcript of a file with the machine that it names, in pieces of so many octets."""
    script = read_transcript(path)
    run(script, machines[script.settings["machine"]](script.settings), piece=piece)
