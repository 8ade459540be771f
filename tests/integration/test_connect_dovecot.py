"""`valetkey connect dovecot`: what it prints is done to a real Dovecot, which is then tried; and broken, each time in one way."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.servers.certificates import CertificateAuthority
from tests.servers.connecting import Finding, Printed, added, bad, looked, tried
from tests.servers.dovecot import Dovecot
from tests.servers.dovecot_settings import DovecotOptions
from tests.servers.people import ALICE
from tests.servers.places import own_directory
from tests.servers.site import MailSite
from tests.servers.valetkey import Valetkey, running_valetkey
from tests.servers.valetkey_keys import AppPasswordOf
from tests.servers.valetkey_settings import ValetkeyOptions

pytestmark = [pytest.mark.integration, pytest.mark.needs("dovecot", "dovecot-lua", "postfix", "root")]


@dataclass
class Connected:
    """A Dovecot as the printed lines have it, and the Valetkey that it asks."""

    valetkey: Valetkey
    dovecot: Dovecot
    printed: Printed
    folder: Path
    key: AppPasswordOf
    restarts: int = 0

    def tried(self, *ports: str, secret: str = "", account: str = ALICE.address) -> list[Finding]:
        """Try some ports, IMAP alone if none is named."""
        file = self.folder / "app-password"
        file.write_text((secret or self.key.secret) + "\n")
        numbers = [f"--port={name}={getattr(self.dovecot.ports, name)}" for name in ports or ("imaps",)]
        trust = str(self.dovecot.authority.file)
        configuration = str(self.dovecot.directory / "dovecot.conf")
        return tried(
            self.valetkey, "dovecot", "--account", account, "--password-file", str(file), "--trust", trust,
            "--its-config", configuration, *numbers,
        )  # fmt: skip

    def with_settings(self, change: Callable[[str], str]) -> None:
        """Start Dovecot anew with other settings."""
        path = self.dovecot.directory / "dovecot.conf"
        self.dovecot.end()
        path.write_text(change(path.read_text()))
        self.dovecot.start()
        self.restarts += 1


@pytest.fixture(scope="module")
def connected(authority: CertificateAuthority, mail_site: MailSite) -> Iterator[Connected]:
    with (
        running_valetkey(mail_site, ValetkeyOptions(workers=1)) as valetkey,
        own_directory("connect") as folder,
        own_directory("dovecot") as own,
    ):
        rights = folder / "rights"
        rights.mkdir(mode=0o711)
        places = {
            "/etc/dovecot/conf.d": str(folder),
            "/etc/dovecot": str(folder),
            "/var/lib/dovecot/valetkey": str(rights),
        }
        printed = added(valetkey, "dovecot", 9080, places=places)
        printed.write()
        (line,) = printed.commands("valetkey")
        valetkey.cli(*line.split()[1:])
        dovecot = Dovecot(own, authority, DovecotOptions(passdbs=printed.text("05-valetkey.conf")))
        dovecot.start()
        try:
            yield Connected(valetkey, dovecot, printed, folder, valetkey.keys.issue(ALICE, "everything"))
        finally:
            dovecot.end()


@pytest.fixture
def broken(connected: Connected) -> Iterator[Connected]:
    """Put everything back after a test that breaks it."""
    kept = {
        path: path.read_bytes()
        for path in (connected.dovecot.directory / "dovecot.conf", *connected.folder.glob("valetkey.*"))
    }
    before = connected.restarts
    yield connected
    for path, octets in kept.items():
        path.write_bytes(octets)
    if connected.restarts > before:
        connected.dovecot.end()
        connected.dovecot.start()


def test_what_is_printed_works(connected: Connected):
    found = connected.tried("imaps", "imap", "pop3s", "sieve")
    assert bad(found) == ""
    good = [f"{subject}: {what}" for level, subject, what in found if level == "good"]
    assert len([line for line in good if "the app password opens it, from 127.0.0.1" in line]) == 4, good
    assert "Dovecot: its configuration asks Valetkey" in good


def test_what_the_client_and_valetkey_saw_is_said(connected: Connected):
    revoked = connected.valetkey.keys.issue(ALICE)
    connected.valetkey.keys.revoke(revoked)
    assert "does not know this app password" in bad(connected.tried(secret=revoked.secret))
    only_pop3 = connected.valetkey.keys.issue(ALICE, "send-only")
    assert "the app password is not for imap" in bad(connected.tried(secret=only_pop3.secret))


def test_a_cache_is_found(broken: Connected):
    broken.with_settings(lambda text: text.replace(" cache_key=%u%{session}", "") + "\nauth_cache_size = 10M\n")
    broken.tried()
    found = bad(broken.tried())
    assert "auth_cache_size" in found
    assert "let in, and Valetkey was not asked" in found


def test_a_wrong_secret_is_found(broken: Connected):
    settings = broken.folder / "valetkey.settings"
    settings.write_text(settings.read_text().replace("secret = ", "secret = x"))
    broken.with_settings(str)
    found = bad(broken.tried())
    assert "is not that of the [[peer]] dovecot" in found
    assert "requests are refused before they are read" in found


def test_a_door_that_is_elsewhere_is_found(broken: Connected):
    settings = broken.folder / "valetkey.settings"
    settings.write_text(settings.read_text().replace("127.0.0.1:", "127.0.0.1:1"))
    broken.with_settings(str)
    found = bad(broken.tried())
    assert "and the door is at" in found
    assert "no question came to Valetkey" in found


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("driver = prefetch", "driver = static\n  args = allow_all_users=yes", "no userdb prefetch"),
        ("blocking=yes", "blocking=no", "all logins wait for each other"),
        ("auth_mechanisms = plain login", "auth_mechanisms = cram-md5", "auth_mechanisms has no plain"),
        ("driver = lua", "driver = passwd-file", "no passdb of its configuration asks Valetkey"),
        ("mail_plugins = $mail_plugins acl", "", "its plugin acl is off"),
        ("separator = /", "separator = .", "folders have .: limits open too little"),
        ("auth_verbose = yes", "auth_verbose_passwords = plain", "passwords go into its log"),
    ],
)
def test_each_setting_that_is_wrong_is_found(broken: Connected, old: str, new: str, said: str):
    path = broken.dovecot.directory / "dovecot.conf"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    assert said in bad(looked(broken.valetkey, "dovecot", broken.dovecot.directory / "dovecot.conf"))


def test_a_valetkey_that_does_not_run_is_found(connected: Connected):
    connected.valetkey.stop()
    try:
        found = bad(connected.tried())
    finally:
        connected.valetkey.start()
    assert "Valetkey does not run" in found
    assert "nobody can log in" in found


def test_a_port_where_nobody_answers_and_a_certificate_of_somebody_else(connected: Connected, other_ca: Path):
    file = connected.folder / "app-password"
    usual = ["--account", ALICE.address, "--password-file", str(file)]
    assert "nobody answers" in bad(tried(connected.valetkey, "dovecot", *usual, "--port=imaps=1"))
    port = f"--port=imaps={connected.dovecot.ports.imaps}"
    # Who does not prove to be the server is not told the app password, on this machine neither.
    found = bad(tried(connected.valetkey, "dovecot", *usual, port, "--trust", str(other_ca)))
    assert "its certificate is not accepted" in found


def test_check_says_the_same_without_a_login(connected: Connected):
    said = connected.valetkey.cli("check", code=0)
    assert "http door: it answers at 127.0.0.1:" in said
    assert "peer dovecot: its secret is in" in said
