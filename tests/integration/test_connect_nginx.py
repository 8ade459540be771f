"""`valetkey connect nginx`: what it prints is done to a real nginx, which is then tried; and broken, each time in one way."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.servers.certificates import CertificateAuthority
from tests.servers.connecting import Finding, Printed, added, bad, looked, tried
from tests.servers.dovecot import running_dovecot
from tests.servers.dovecot_settings import DovecotOptions
from tests.servers.nginx import MODULE, Nginx, NginxPorts, ProxiedPorts
from tests.servers.people import ALICE
from tests.servers.places import LOCALHOST, free_ports, own_directory
from tests.servers.site import MailSite
from tests.servers.valetkey import Valetkey, running_valetkey
from tests.servers.valetkey_keys import AppPasswordOf
from tests.servers.valetkey_settings import Upstream, ValetkeyOptions

pytestmark = [pytest.mark.integration, pytest.mark.needs("nginx-mail", "dovecot", "postfix", "root")]


class FewerPorts(NginxPorts):
    """Those that this test has."""

    def all(self) -> list[int]:
        """Give every port."""
        return [self.imap, self.imaps, self.pop3s, self.submission]


@dataclass
class ToldNginx(Nginx):
    """An nginx with the printed lines, on ports and with a certificate of the test's."""

    printed: Printed | None = field(default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.ports = FewerPorts(*free_ports(6))

    def _configuration(self) -> str:
        assert self.printed is not None
        certificate = self.authority.issue()
        mail = self.printed.text("nginx.conf")
        ports = {"143": self.ports.imap, "993": self.ports.imaps, "995": self.ports.pop3s, "587": self.ports.submission}
        for usual, port in ports.items():
            mail = mail.replace(f"listen {usual}", f"listen {LOCALHOST}:{port}")
        mail = re.sub(r"\n.*listen 465.*", "", mail)
        mail = re.sub(r"ssl_certificate .*;", f"ssl_certificate {certificate.certificate};", mail)
        mail = re.sub(r"ssl_certificate_key .*;", f"ssl_certificate_key {certificate.key};", mail)
        head = f"load_module {MODULE};\nuser root;\ndaemon off;\npid {self.directory}/pid;\nevents {{ }}\n"
        return f"{head}error_log {self.log.path} info;\n{mail}"


@dataclass
class Connected:
    """An nginx as the printed lines have it, and the Valetkey that it asks."""

    valetkey: Valetkey
    nginx: ToldNginx
    key: AppPasswordOf

    def tried(self, *names: str, secret: str = "") -> list[Finding]:
        """Try some ports, IMAP alone if none is named."""
        file = self.nginx.directory / "app-password"
        file.write_text((secret or self.key.secret) + "\n")
        ports = [f"--port={name}={getattr(self.nginx.ports, name)}" for name in names or ("imaps",)]
        return tried(
            self.valetkey, "nginx", "--account", ALICE.address, "--password-file", str(file),
            "--trust", str(self.nginx.authority.file), "--its-config", str(self.nginx.directory / "nginx.conf"), *ports,
        )  # fmt: skip


@pytest.fixture(scope="module")
def connected(authority: CertificateAuthority, mail_site: MailSite) -> Iterator[Connected]:
    proxied = ProxiedPorts(*free_ports(2))
    with running_dovecot(authority, DovecotOptions(extra=proxied.lines())) as dovecot, own_directory("nginx") as own:
        behind = {"ca": authority.file, "host": LOCALHOST, "server_name": "localhost"}
        upstreams = {
            "imap": Upstream(dovecot.ports.imap, nginx_port=proxied.imap, **behind),
            "pop3": Upstream(dovecot.ports.pop3, nginx_port=proxied.pop3, **behind),
        }
        site = MailSite(authority, dovecot, mail_site.postfix)
        with running_valetkey(site, ValetkeyOptions(workers=1, upstreams=upstreams)) as valetkey:
            printed = added(valetkey, "nginx", 9080, places={"/etc/nginx/valetkey-secret": f"{own}/valetkey-secret"})
            printed.write()
            nginx = ToldNginx(own, authority, 0, printed=printed)
            nginx.start()
            try:
                yield Connected(valetkey, nginx, valetkey.keys.issue(ALICE))
            finally:
                nginx.end()


@pytest.fixture
def broken(connected: Connected) -> Iterator[Connected]:
    """Put everything back after a test that breaks it."""
    kept = {
        path: path.read_bytes()
        for path in (connected.nginx.directory / "nginx.conf", Path(connected.nginx.directory / "valetkey-secret"))
    }
    yield connected
    for path, octets in kept.items():
        path.write_bytes(octets)


def test_what_is_printed_works(connected: Connected):
    found = connected.tried("imaps", "imap", "pop3s")
    assert bad(found) == ""
    assert len([what for _, _, what in found if "the app password opens it, from 127.0.0.1" in what]) == 3, found


def test_a_wrong_secret_is_found(broken: Connected):
    secret = broken.nginx.directory / "valetkey-secret"
    secret.write_text(secret.read_text().replace("Bearer ", "Bearer x"))
    broken.nginx.end()
    broken.nginx.start()
    found = bad(broken.tried())
    assert "its secret is not that of the [[peer]] nginx" in found
    assert "requests are refused before they are read" in found
    secret.write_text(secret.read_text().replace("Bearer x", "Bearer "))
    broken.nginx.end()
    broken.nginx.start()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("/nginx;", "/;", "auth_http asks at the path /"),
        ("starttls only;", "", "has no TLS"),
        ("imap_auth plain login;", "imap_auth plain cram-md5;", "offers cram-md5"),
        ("valetkey-secret;", "valetkey-secret-*;", "it sends no secret"),
        ("auth_http ", "auth_http 127.0.0.1:1/nginx; #", "its auth_http is 127.0.0.1:1/nginx"),
    ],
)
def test_each_setting_that_is_wrong_is_found(broken: Connected, old: str, new: str, said: str):
    path = broken.nginx.directory / "nginx.conf"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    assert said in bad(looked(broken.valetkey, "nginx", broken.nginx.directory / "nginx.conf"))
