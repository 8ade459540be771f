"""What of an nginx's own configuration keeps it from asking, or keeps people from logging in."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from valetkey.app.connecting.finding import ip_or_none
from valetkey.app.connecting.nested import Block, read_nginx
from valetkey.app.connecting.parts import Setup, number_of
from valetkey.app.connecting.programs import ask, version_of
from valetkey.app.findings import good, problem, warning
from valetkey.doors.asked.settings import DoorKind
from valetkey.doors.cli.front import Finding

_SUBJECT = "nginx"
_HAS_TLS_1_3 = (1, 23, 4)  # from there on without being told


@dataclass(frozen=True, slots=True)
class NginxFound:
    """An nginx of this machine: what nginx -T says."""

    text: str
    version: str


def look(config: Path | None) -> NginxFound | Finding | None:
    """Look at the nginx of this machine; None if there is none, a finding if it does not say."""
    said = ask(["nginx", "-T", *(["-c", str(config)] if config else [])])
    if said is None:
        return None
    version = version_of(("nginx", "-v"))
    if not said.is_good:
        complaint = next((line for line in said.complaint.splitlines() if "[emerg]" in line), said.complaint.strip())[
            :200
        ]
        mend = "Mend that, or run this as root."
        if 'unknown directive "mail"' in complaint:
            mend = "apt-get install libnginx-mod-mail, or load_module ngx_mail_module.so at the top of nginx.conf."
        return warning(_SUBJECT, f"nginx -T does not take its configuration: {complaint}", mend)
    return NginxFound(said.text, version)


def asks(found: NginxFound, setup: Setup) -> bool:
    """Tell whether this configuration asks Valetkey at all."""
    return any(_is_ours(server["auth_http"], setup) for server in _servers(found.text) if "auth_http" in server)


def findings(found: NginxFound, setup: Setup) -> Iterator[Finding]:
    """Look for every trap that can be seen."""
    servers = list(_servers(found.text))
    ours = [server for server in servers if _is_ours(server.get("auth_http", ""), setup)]
    if not ours:
        shown = ", ".join(sorted({server.get("auth_http", "") for server in servers if server.get("auth_http")}))
        what = (
            f"its auth_http is {shown}, and the door is at {setup.place(DoorKind.HTTP)}"
            if shown
            else "it has no mail { } with auth_http"
        )
        yield problem(_SUBJECT, what, "Put in the lines of valetkey connect nginx, and reload nginx.")
        return
    said: set[tuple[str, str]] = set()
    for server in ours:
        for finding in _server(server, found, setup):
            if (finding.subject, finding.what) not in said:
                said.add((finding.subject, finding.what))
                yield finding
    yield good(_SUBJECT, f"{len(ours)} of its mail servers ask Valetkey")


def _servers(text: str) -> Iterator[dict[str, str]]:
    """Give what is in force in each server of the mail blocks."""
    for mail in read_nginx(text).under("mail"):
        for server in mail.under("server"):
            yield {**_settings(mail), **_settings(server)}


def _settings(block: Block) -> dict[str, str]:
    # auth_http_header may stand several times; all of them count.
    found: dict[str, str] = {}
    for key, value in block.settings:
        found[key] = f"{found[key]}\n{value}" if key == "auth_http_header" and key in found else value
    return found


def _is_ours(auth_http: str, setup: Setup) -> bool:
    place = _split(auth_http)
    return bool(auth_http) and (place.port or 80) == setup.place(DoorKind.HTTP).port


def _split(auth_http: str) -> SplitResult:
    return urlsplit(auth_http if "://" in auth_http else f"http://{auth_http}")


def _server(server: dict[str, str], found: NginxFound, setup: Setup) -> Iterator[Finding]:
    place = _split(server["auth_http"])
    name = f"listen {server.get('listen', '?')}"
    if place.path != "/nginx":
        yield problem(
            _SUBJECT,
            f"auth_http asks at the path {place.path or '/'}",
            f"auth_http {setup.place(DoorKind.HTTP)}/nginx;",
        )
    if not ip_or_none(place.hostname or ""):
        what = f"auth_http names {place.hostname}, which nginx looks up once, at its start"
        yield warning(_SUBJECT, what, "Write an IP address.")
    yield from _secret(server.get("auth_http_header", ""), setup)
    protocol = server.get("protocol", "")
    if (
        "ssl" not in server.get("listen", "").split()
        and server.get("starttls", "off") == "off"
        and server.get("ssl") != "on"
    ):
        yield problem(
            _SUBJECT, f"{name} has no TLS, so every password crosses the network", "starttls on; or listen … ssl;"
        )
    if "TLSv1.3" not in server.get("ssl_protocols", "") and number_of(found.version) < _HAS_TLS_1_3:
        yield warning(_SUBJECT, "mail has no TLS 1.3 unless it is named", "ssl_protocols TLSv1.2 TLSv1.3;")
    if server.get("proxy_pass_error_message", "off") != "on":
        what = "people are not told why the mail server behind refuses"
        yield warning(_SUBJECT, what, "proxy_pass_error_message on;")
    methods = server.get(f"{protocol}_auth", "").split()
    if {"cram-md5", "apop"} & set(methods):
        what = f"{name} offers cram-md5 or apop, which need passwords that nobody has"
        yield problem(_SUBJECT, what, f"{protocol}_auth plain{' login' if protocol != 'pop3' else ''};")
    if protocol == "smtp" and server.get("xclient", "on") == "off" and server.get("proxy_smtp_auth", "off") == "off":
        what = f"{name} tells the SMTP server neither by XCLIENT nor by a login who sends"
        yield problem(_SUBJECT, what, "xclient on; (Postfix), or proxy_smtp_auth on;")


def _secret(headers: str, setup: Setup) -> Iterator[Finding]:
    wanted = f"Bearer {setup.secret}"
    given = [line.partition(" ")[2] for line in headers.splitlines() if line.lower().startswith("authorization ")]
    if not given:
        mend = 'auth_http_header Authorization "Bearer …"; as valetkey connect nginx --show-secrets prints it.'
        yield problem(_SUBJECT, "it sends no secret", mend)
    elif given != [wanted]:
        mend = "Write the line of valetkey connect nginx --show-secrets, and reload nginx."
        yield problem(_SUBJECT, f"its secret is not that of the [[peer]] {setup.peer}", mend)
