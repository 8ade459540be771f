"""What a test Valetkey is told: the choices a test may make, and the configuration file made of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from tests.servers.certificates import ServerCertificate
from tests.servers.people import DOMAIN
from tests.servers.site import MailSite

# The shortest wait for who is refused, and longer ones than usual for machines that do something else beside the tests.
PATIENT = (
    'failure_delay = "1 second"',
    'handshake = "60 seconds"',
    'upstream_connect = "60 seconds"',
    'upstream_login = "60 seconds"',
)
MAIL_PROTOCOLS = ("imap", "pop3", "smtp", "sieve")


@dataclass(frozen=True, slots=True)
class ValetkeyPorts:
    """The ports of 127.0.0.1 on which one Valetkey listens. Names ending in s speak TLS from the first octet.

    `imap_plain` (with the option `plaintext`) has no TLS, `imap_proxied` wants a PROXY header from 127.0.0.1.
    """

    imaps: int
    imap: int
    pop3s: int
    pop3: int
    submissions: int
    submission: int
    sieves: int
    sieve: int
    imap_plain: int
    imap_proxied: int
    portal: int
    ops: int

    def mail(self) -> list[int]:
        """Give every port that speaks a mail protocol."""
        return [getattr(self, each.name) for each in fields(self) if each.name not in {"portal", "ops"}]


LISTENERS = {
    "imaps": ("imap", "implicit"),
    "imap": ("imap", "starttls"),
    "pop3s": ("pop3", "implicit"),
    "pop3": ("pop3", "starttls"),
    "submissions": ("smtp", "implicit"),
    "submission": ("smtp", "starttls"),
    "sieves": ("sieve", "implicit"),
    "sieve": ("sieve", "starttls"),
    "imap_plain": ("imap", "none"),
    "imap_proxied": ("imap", "implicit"),
}


@dataclass(frozen=True, slots=True)
class Upstream:
    """One mail server behind the gateway, as the configuration names it."""

    port: int
    tls: str = "starttls"
    login: str = "master-user"
    ca: Path | None = None
    host: str = "localhost"
    server_name: str = ""
    nginx_port: int = 0

    def lines(self, protocol: str, master: str, secret: Path) -> list[str]:
        """Write its section."""
        lines = [
            f"[domain.{protocol}]",
            f'host = "{self.host}"',
            f"port = {self.port}",
            f'tls = "{self.tls}"',
            f'login = "{self.login}"',
            f"forward_client = {'false' if self.login == 'stored-password' else 'true'}",
        ]
        if self.nginx_port:
            lines.append(f"nginx_port = {self.nginx_port}")
        if self.tls != "none":
            lines.append(f'ca_file = "{self.ca}"')
        if self.server_name:
            lines.append(f'server_name = "{self.server_name}"')
        if self.login == "master-user":
            lines += [f'master_user = "{master}"', f'master_secret_file = "{secret}"']
        return lines


@dataclass(frozen=True, slots=True)
class ValetkeyOptions:
    """How one Valetkey differs from the usual.

    `upstreams`: in place of the usual one of a protocol. `plaintext`: logins without TLS are permitted, on a listener
    of their own. `certificates`: further ones, chosen by name.
    `gateway`, `throttle`, `policy`: lines of those sections; of `gateway` in the place of those in PATIENT. `extra`: sections put at the end.
    `is_cold`: it is first started as `python -m valetkey`, and not by a launcher that has imported everything.
    """

    workers: int = 2
    upstreams: Mapping[str, Upstream] = field(default_factory=dict)
    gateway: tuple[str, ...] = ()
    throttle: tuple[str, ...] = ("per_network = 10000000", "per_secret = 10000000", "overall = 1000000000")
    policy: tuple[str, ...] = ("max_app_passwords = 1000",)
    plaintext: bool = False
    certificates: tuple[ServerCertificate, ...] = ()
    extra: tuple[str, ...] = ()
    is_cold: bool = False


USUAL = ValetkeyOptions()


def usual_upstreams(site: MailSite) -> dict[str, Upstream]:
    """Give the upstreams of an administrator who has Dovecot and Postfix, with TLS to both."""
    dovecot, ca = site.dovecot.ports, site.authority.file
    return {
        "imap": Upstream(dovecot.imap, ca=ca),
        "pop3": Upstream(dovecot.pop3s, "implicit", ca=ca),
        "smtp": Upstream(site.postfix.ports.submission, "starttls", "xclient", ca=ca),
        "sieve": Upstream(dovecot.sieve, ca=ca),
    }


def configuration(
    site: MailSite,
    ports: ValetkeyPorts,
    certificate: ServerCertificate,
    options: ValetkeyOptions,
) -> str:
    """Write the whole valetkey.toml of one instance; paths begin at its directory."""
    upstreams = {**usual_upstreams(site), **options.upstreams}
    parts = [
        _general(ports, options),
        *(_listener(name, getattr(ports, name)) for name in LISTENERS if options.plaintext or name != "imap_plain"),
        *(
            f'[[certificate]]\nchain = "{each.certificate}"\nkey = "{each.key}"\n'
            for each in (certificate, *options.certificates)
        ),
        f'[[domain]]\nname = "{DOMAIN}"\n',
        *(
            "\n".join(upstreams[protocol].lines(protocol, site.dovecot.master_name, Path("master-secret"))) + "\n"
            for protocol in MAIL_PROTOCOLS
        ),
        *options.extra,
    ]
    return "\n".join(parts)


def _general(ports: ValetkeyPorts, options: ValetkeyOptions) -> str:
    policy = ("require_tls = false", *options.policy) if options.plaintext else options.policy
    told = {line.partition("=")[0].strip() for line in options.gateway}
    gateway = (*(line for line in PATIENT if line.partition("=")[0].strip() not in told), *options.gateway)
    return "\n".join(
        [
            "[server]",
            'hostname = "imap.example.test"',
            f'default_domain = "{DOMAIN}"',
            f"workers = {options.workers}",
            'run_directory = "run"',
            'log_format = "json"',
            'log_level = "debug"',
            "[store]",
            'path = "valetkey.db"',
            "[keys]",
            'path = "keys.toml"',
            "[portal]",
            f'listen = "127.0.0.1:{ports.portal}"',
            "[ops]",
            f'listen = "127.0.0.1:{ports.ops}"',
            "[policy]",
            *policy,
            "[throttle]",
            *options.throttle,
            "[networks]",
            'office = ["127.9.0.0/24"]',
            "[gateway]",
            *gateway,
            "",
        ]
    )


def _listener(name: str, port: int) -> str:
    protocol, tls = LISTENERS[name]
    lines = ["[[listener]]", f'protocol = "{protocol}"', f'listen = "127.0.0.1:{port}"', f'tls = "{tls}"']
    if name == "imap_proxied":
        lines.append('proxy_peers = ["127.0.0.1/32"]')
    if name == "imap_plain":
        lines.append("plaintext_login = true")
    return "\n".join(lines) + "\n"
