"""A real nginx as mail proxy in front of Dovecot and Postfix, which asks Valetkey for every login (auth_http)."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.servers.certificates import CertificateAuthority
from tests.servers.listening import InFolder, running
from tests.servers.logs import ServerLog
from tests.servers.places import LOCALHOST, free_ports, own_directory

PROGRAM = "/usr/sbin/nginx"
MODULE = "/usr/lib/nginx/modules/ngx_mail_module.so"
CAPABILITIES = "IMAP4rev1 UIDPLUS IDLE LITERAL+ SASL-IR"


@dataclass(frozen=True, slots=True)
class NginxPorts:
    """The ports of 127.0.0.1 on which nginx listens. Names ending in s speak TLS from the first octet."""

    imap: int
    imaps: int
    pop3: int
    pop3s: int
    submission: int
    submissions: int

    def all(self) -> list[int]:
        """Give every port."""
        return [self.imap, self.imaps, self.pop3, self.pop3s, self.submission, self.submissions]


@dataclass
class Nginx(InFolder):
    """One nginx under `directory`. `door` is the port where it asks, by the secret in `secret_file`.

    It passes on the client's address by the PROXY protocol (IMAP, POP3) and by XCLIENT (SMTP).
    """

    title = "nginx"
    authority: CertificateAuthority
    door: int
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    def __post_init__(self) -> None:
        self.ports = NginxPorts(*free_ports(6))
        self.log = ServerLog("nginx", self.directory / "error.log")
        self.secret_file = self.directory / "peer-secret"
        self.secret_file.touch(mode=0o600)
        self.secret_file.write_text(self.secret + "\n")

    def _listens_on(self) -> list[int]:
        ports = self.ports
        # Before it greets on the others it wants the PROXY protocol or TLS.
        return [ports.submission, *(each for each in ports.all() if each != ports.submission)]

    def _command(self) -> list[str]:
        configuration = self.directory / "nginx.conf"
        configuration.write_text(self._configuration())
        return [PROGRAM, "-p", str(self.directory), "-c", str(configuration)]

    def _configuration(self) -> str:
        certificate = self.authority.issue()
        user = "user root;" if os.geteuid() == 0 else ""
        ports = self.ports
        return f"""
load_module {MODULE};
{user}
daemon off;
worker_processes 1;
pid {self.directory}/pid;
error_log {self.log.path} info;
events {{ }}
mail {{
  auth_http {LOCALHOST}:{self.door}/nginx;
  auth_http_header Authorization "Bearer {self.secret}";
  auth_http_pass_client_cert on;
  auth_http_timeout 10s;
  proxy_pass_error_message on;

  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_certificate {certificate.certificate};
  ssl_certificate_key {certificate.key};
  ssl_client_certificate {self.authority.file};
  ssl_verify_client optional;

  imap_auth plain login external;
  imap_capabilities {CAPABILITIES};
  pop3_auth plain external;
  smtp_auth plain login external;

  server {{ listen {LOCALHOST}:{ports.imap}; protocol imap; starttls on; proxy_protocol on; }}
  server {{ listen {LOCALHOST}:{ports.imaps} ssl; protocol imap; proxy_protocol on; }}
  server {{ listen {LOCALHOST}:{ports.pop3}; protocol pop3; starttls on; proxy_protocol on; }}
  server {{ listen {LOCALHOST}:{ports.pop3s} ssl; protocol pop3; proxy_protocol on; }}
  server {{ listen {LOCALHOST}:{ports.submission}; protocol smtp; starttls on; xclient on; proxy_smtp_auth off; }}
  server {{ listen {LOCALHOST}:{ports.submissions} ssl; protocol smtp; xclient on; proxy_smtp_auth off; }}
}}
"""


@contextmanager
def running_nginx(authority: CertificateAuthority, door: int) -> Iterator[Nginx]:
    """Run an nginx in a directory of its own; who it asks may start later."""
    with own_directory("nginx") as directory, running(Nginx(directory, authority, door)) as nginx:
        yield nginx


@dataclass(frozen=True, slots=True)
class ProxiedPorts:
    """Ports of a Dovecot that want a PROXY header first."""

    imap: int
    pop3: int

    def lines(self) -> str:
        """Write what the Dovecot has to be told beside the usual, as docs/servers/nginx.md has it."""
        return f"""
haproxy_trusted_networks = {LOCALHOST}/32
disable_plaintext_auth = no
service imap-login {{
  inet_listener imap_nginx {{
    port = {self.imap}
    haproxy = yes
  }}
}}
service pop3-login {{
  inet_listener pop3_nginx {{
    port = {self.pop3}
    haproxy = yes
  }}
}}
"""
