"""What of a Postfix's own configuration keeps it from asking, or from holding what it is said to hold."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from valetkey.app.connecting.parts import Setup
from valetkey.app.connecting.programs import ask
from valetkey.app.findings import good, problem, warning
from valetkey.core.limits import Held
from valetkey.doors.asked.settings import DoorKind
from valetkey.doors.cli.front import Finding

_SUBJECT = "Postfix"
_SMTPD = 7  # which word of a line of master.cf is the program
_CHROOT = 4
_REFERENCE = re.compile(r"\$\{?(\w+)\}?")
_DEPTH = 5
_PERMIT = re.compile(r"\bpermit\w*")  # permit_mynetworks too: who has logged in may be there


@dataclass(frozen=True, slots=True)
class PostfixFound:
    """A Postfix of this machine: what postconf says."""

    main: str  # postconf -n
    services: str  # postconf -M
    overrides: str  # postconf -P
    queue: Path = Path("/var/spool/postfix")


@dataclass(frozen=True, slots=True)
class Service:
    """One smtpd of master.cf with what is in force there."""

    name: str  # such as submission/inet
    chroot: bool
    settings: Mapping[str, str] = field(default_factory=dict)

    def value(self, name: str) -> str:
        """Give a setting with what it refers to put in; empty if it is not set."""
        text = self.settings.get(name, "")
        for _ in range(_DEPTH):
            text = _REFERENCE.sub(lambda match: self.settings.get(match[1], ""), text)
        return text

    @property
    def takes_logins(self) -> bool:
        """Whether people log in there."""
        return self.value("smtpd_sasl_auth_enable") == "yes"


def look(config: Path | None) -> PostfixFound | Finding | None:
    """Look at the Postfix of this machine; None if there is none, a finding if it does not say."""
    where = ["-c", str(config)] if config else []
    said = [ask(["postconf", *where, option]) for option in ("-n", "-M", "-P")]
    queue = ask(["postconf", *where, "-h", "queue_directory"])
    if any(each is None for each in said) or queue is None:
        return None
    main, services, overrides = (each for each in said if each is not None)
    if not (main.is_good and services.is_good):
        what = (main.complaint or services.complaint).strip()[:200]
        return warning(
            _SUBJECT, f"postconf does not say how it is configured: {what}", "Mend that, or run this as root."
        )
    return PostfixFound(main.text, services.text, overrides.text, Path(queue.text.strip() or "/var/spool/postfix"))


def services_of(found: PostfixFound) -> list[Service]:
    """Give every smtpd of master.cf."""
    main = _pairs(found.main)
    overrides = _pairs(found.overrides)
    services = []
    for line in found.services.splitlines():
        words = line.split()
        if len(words) <= _SMTPD or words[_SMTPD] != "smtpd":
            continue
        name = f"{words[0]}/{words[1]}"
        own = {key.removeprefix(f"{name}/"): value for key, value in overrides.items() if key.startswith(f"{name}/")}
        services.append(Service(name, words[_CHROOT] == "y", {**main, **own}))
    return services


def _pairs(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def asks(found: PostfixFound, setup: Setup) -> bool:
    """Tell whether this configuration asks Valetkey at all."""
    return any(_is_ours(service, found, setup) for service in services_of(found))


def _is_ours(service: Service, found: PostfixFound, setup: Setup) -> bool:
    path = service.value("smtpd_sasl_path")
    place = setup.place(DoorKind.SASL)
    if place.socket is None:
        return path.rpartition(":")[2] == str(place.port) and ":" in path
    return bool(path) and place.socket in {Path(path), found.queue / path.removeprefix("unix:")}


def findings(found: PostfixFound, setup: Setup) -> Iterator[Finding]:
    """Look for every trap that can be seen."""
    services = services_of(found)
    logins = [service for service in services if service.takes_logins]
    ours = [service for service in logins if _is_ours(service, found, setup)]
    if not logins:
        mend = "Put the lines of valetkey connect postfix into main.cf and master.cf, and reload Postfix."
        yield problem(_SUBJECT, "people can log in nowhere: smtpd_sasl_auth_enable is on for no smtpd", mend)
        return
    if not ours:
        shown = ", ".join(sorted({service.value("smtpd_sasl_path") or "smtpd" for service in logins}))
        mend = f"smtpd_sasl_path has to lead to {setup.place(DoorKind.SASL)}; then reload Postfix."
        yield problem(_SUBJECT, f"it asks somebody else about logins: smtpd_sasl_path is {shown}", mend)
        return
    for service in ours:
        yield from _logins(service, found, setup)
        yield from _sending(service, setup)
    for service in logins:
        if service not in ours:
            what = f"{service.name} asks somebody else about logins ({service.value('smtpd_sasl_path') or 'smtpd'})"
            yield warning(_SUBJECT, what, "Give it the same lines, or switch logins off there.")
    yield good(_SUBJECT, f"{', '.join(service.name for service in ours)} asks Valetkey")


def _logins(service: Service, found: PostfixFound, setup: Setup) -> Iterator[Finding]:
    path, name = service.value("smtpd_sasl_path"), service.name
    if service.value("smtpd_sasl_type") != "dovecot":
        what = f"{name}: smtpd_sasl_type is {service.value('smtpd_sasl_type') or 'cyrus (its default)'}"
        yield problem(_SUBJECT, what, "smtpd_sasl_type = dovecot: so the protocol is called, and no Dovecot is asked.")
    if setup.place(DoorKind.SASL).socket is None and not path.startswith("inet:"):
        yield problem(
            _SUBJECT, f"{name}: smtpd_sasl_path = {path} is taken for a file", f"smtpd_sasl_path = inet:{path}"
        )
    if service.chroot and path.startswith("/"):
        what = f"{name} runs in a chroot, and smtpd_sasl_path = {path} leads out of it"
        yield problem(_SUBJECT, what, f"Put the socket below {found.queue}, and write its path from there.")
    if service.value("smtpd_sasl_authenticated_header") == "yes":
        what = f"{name}: smtpd_sasl_authenticated_header = yes writes the app password's id into every message"
        yield problem(_SUBJECT, what, "smtpd_sasl_authenticated_header = no")
    options = service.value("smtpd_sasl_security_options") or "noanonymous"
    over_tls = service.value("smtpd_sasl_tls_security_options") or options
    if "noplaintext" in re.split(r"[,\s]+", over_tls.replace("$smtpd_sasl_security_options", options)):
        what = f"{name}: noplaintext in smtpd_sasl_security_options leaves no mechanism to log in by"
        yield problem(_SUBJECT, what, "smtpd_sasl_security_options = noanonymous")
    is_tls = service.value("smtpd_tls_security_level") == "encrypt" or service.value("smtpd_tls_wrappermode") == "yes"
    if not is_tls and service.value("smtpd_tls_auth_only") != "yes":
        what = (
            f"{name}: passwords are taken without TLS (policy refuses them, but they have crossed the network by then)"
        )
        yield warning(_SUBJECT, what, "smtpd_tls_auth_only = yes")


def _sending(service: Service, setup: Setup) -> Iterator[Finding]:
    name = service.name
    maps = service.value("smtpd_sender_login_maps")
    if maps and not _leads(maps, setup, DoorKind.SOCKETMAP):
        what = f"{name}: smtpd_sender_login_maps = {maps} knows addresses without the app password's id, and so nobody"
        yield problem(_SUBJECT, what, "Use the socketmap of valetkey connect postfix in its place.")
    if "reject_sender_login_mismatch" not in _restrictions(service):
        mend = (
            "smtpd_sender_restrictions = reject_sender_login_mismatch, with the socketmap of valetkey connect postfix."
        )
        yield warning(_SUBJECT, f"{name}: whoever has logged in may send as anybody", mend)
    if Held.SENDING not in setup.holds:
        return
    for setting in ("smtpd_recipient_restrictions", "smtpd_end_of_data_restrictions"):
        text = service.value(setting)
        if not ("check_policy_service" in text and _leads(text, setup, DoorKind.POLICY)):
            what = f"{name}: {setting} does not ask the policy service, and the [[peer]] {setup.peer} says that it holds sending"
            yield problem(_SUBJECT, what, "Put check_policy_service of valetkey connect postfix there, or mend holds.")
        elif (permit := _PERMIT.search(text.partition("check_policy_service")[0])) is not None:
            what = f"{name}: {setting} permits before it asks the policy service ({permit[0]})"
            yield problem(_SUBJECT, what, f"Put check_policy_service before {permit[0]}.")


def _restrictions(service: Service) -> str:
    kinds = ("client", "helo", "sender", "relay", "recipient")
    return " ".join(service.value(f"smtpd_{kind}_restrictions") for kind in kinds)


def _leads(text: str, setup: Setup, kind: DoorKind) -> bool:
    place = setup.places.get(kind)
    if place is None:
        return False
    return place.socket.name in text if place.socket is not None else f":{place.port}" in text
