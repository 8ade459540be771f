"""Looks at the mail servers of this machine: each by its own module of traps."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from valetkey.app.connecting import dovecot_traps, nginx_traps, other_traps, postfix_traps
from valetkey.app.connecting.parts import Setup
from valetkey.app.connecting.radius import PAM_SERVER
from valetkey.config.door_sections import PeerSection
from valetkey.doors.cli.front import Finding


def local_findings(
    server: str, setup: Setup, peer: PeerSection, config: Path | None = None, *, only_asking: bool = False
) -> Iterator[Finding]:
    """Say what is wrong with a server's configuration, if the server is on this machine.

    Args:
        server: The name of its recipe.
        setup: Valetkey's side.
        peer: The server, as Valetkey's configuration has it.
        config: Where its configuration is, if not at the usual place.
        only_asking: Say nothing of one whose configuration has nothing to do with Valetkey.
    """
    if server == "pam":
        yield from _pam(setup, peer, config, only_asking=only_asking)
    elif (look := _LOOKS.get(server)) is not None:
        yield from look(setup, config, only_asking=only_asking)


def _pam(setup: Setup, peer: PeerSection, config: Path | None, *, only_asking: bool) -> Iterator[Finding]:
    text = other_traps.look_pam(config)
    if text is not None and (not only_asking or other_traps.pam_asks(text, setup)):
        file, proven = config or Path(PAM_SERVER), peer.message_authenticator
        yield from other_traps.pam_findings(text, setup, file=file, message_authenticator=proven)


def _exim(setup: Setup, config: Path | None, *, only_asking: bool) -> Iterator[Finding]:
    text = other_traps.look_exim(config)
    if text is not None and not (only_asking and "driver = dovecot" not in text):
        yield from other_traps.exim_findings(text, setup)


def _by_sasl(server: str) -> "_Look":
    def look(setup: Setup, config: Path | None, *, only_asking: bool) -> Iterator[Finding]:
        text = other_traps.look_sasl(server, config)
        if text is not None and not (only_asking and "saslauthd" not in text):
            yield from other_traps.sasl_findings(server, text, setup)

    return look


def _courier(setup: Setup, config: Path | None, *, only_asking: bool) -> Iterator[Finding]:  # noqa: ARG001  (as the others)
    text = other_traps.look_courier(config)
    if text is not None:
        yield from other_traps.courier_findings(text, setup)


def _dovecot(setup: Setup, config: Path | None, *, only_asking: bool) -> Iterator[Finding]:
    found = dovecot_traps.look(config)
    if isinstance(found, Finding):
        yield found
    elif found is not None and (not only_asking or dovecot_traps.asks(found.text, setup)):
        yield from dovecot_traps.findings(found, setup)


def _postfix(setup: Setup, config: Path | None, *, only_asking: bool) -> Iterator[Finding]:
    found = postfix_traps.look(config)
    if isinstance(found, Finding):
        yield found
    elif found is not None and (not only_asking or postfix_traps.asks(found, setup)):
        yield from postfix_traps.findings(found, setup)


def _nginx(setup: Setup, config: Path | None, *, only_asking: bool) -> Iterator[Finding]:
    found = nginx_traps.look(config)
    if isinstance(found, Finding):
        if not only_asking:
            yield found
    elif found is not None and (not only_asking or nginx_traps.asks(found, setup)):
        yield from nginx_traps.findings(found, setup)


class _Look(Protocol):
    def __call__(self, setup: Setup, config: Path | None, *, only_asking: bool) -> Iterator[Finding]: ...


_LOOKS: Mapping[str, _Look] = {
    "dovecot": _dovecot,
    "dovecot-oauth2": _dovecot,
    "postfix": _postfix,
    "nginx": _nginx,
    "exim": _exim,
    "cyrus": _by_sasl("cyrus"),
    "sendmail": _by_sasl("sendmail"),
    "courier": _courier,
}
