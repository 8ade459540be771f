"""`valetkey connect postfix`: what it prints is done to a real Postfix, which is then tried; and broken, each time in one way."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.servers.certificates import CertificateAuthority
from tests.servers.connecting import Finding, added, bad, looked, tried
from tests.servers.people import ALICE
from tests.servers.places import LOCALHOST, own_directory, wait_until_listening
from tests.servers.postfix import Postfix
from tests.servers.site import MailSite
from tests.servers.valetkey import Valetkey, running_valetkey
from tests.servers.valetkey_keys import AppPasswordOf, scope
from tests.servers.valetkey_settings import ValetkeyOptions

pytestmark = [pytest.mark.integration, pytest.mark.needs("dovecot", "postfix", "root")]


@dataclass
class ToldPostfix(Postfix):
    """A Postfix to which commands are done before it starts."""

    commands: Sequence[str] = field(default=())
    reloads: int = 0

    @property
    def etc(self) -> Path:
        """The folder of its settings."""
        return self._etc

    def _write(self) -> None:
        super()._write()
        for command in self.commands:
            self.tell(command)

    def reload(self) -> None:
        """Start it anew with the settings as they are now."""
        self.reloads += 1
        self.stop()
        subprocess.run(["/usr/sbin/postfix", "-c", str(self.etc), "start"], check=True, capture_output=True, timeout=60)
        self._runs = True
        assert wait_until_listening(self.ports.all()) == []

    def tell(self, command: str) -> None:
        """Do a command of postconf here; the port for submission is another one in a test."""
        line = command.replace("submission/inet", f"{LOCALHOST}:{self.ports.submission}/inet")
        line = line.replace("'submission inet", f"'{LOCALHOST}:{self.ports.submission} inet")
        subprocess.run(
            line, shell=True, check=True, env={"MAIL_CONFIG": str(self.etc), "PATH": "/usr/sbin:/usr/bin:/bin"}
        )


@dataclass
class Connected:
    """A Postfix as the printed lines have it, and the Valetkey that it asks."""

    valetkey: Valetkey
    postfix: ToldPostfix
    key: AppPasswordOf

    def tried(self, secret: str = "", *, is_cold: bool = False) -> list[Finding]:
        """Try the port for submission."""
        file = self.postfix.directory / "app-password"
        file.write_text((secret or self.key.secret) + "\n")
        port = f"--port=submission={self.postfix.ports.submission}"
        trust = str(self.postfix.authority.file)
        return tried(
            self.valetkey, "postfix", "--account", ALICE.address, "--password-file", str(file), "--trust", trust,
            "--its-config", str(self.postfix.etc), port, is_cold=is_cold,
        )  # fmt: skip


@pytest.fixture(scope="module")
def connected(authority: CertificateAuthority, mail_site: MailSite) -> Iterator[Connected]:
    with running_valetkey(mail_site, ValetkeyOptions(workers=1)) as valetkey, own_directory("postfix") as own:
        printed = added(valetkey, "postfix", 9081, 9082, 9083, places={})
        postfix = ToldPostfix(own, authority, mail_site.mail.root, commands=printed.commands("postconf"))
        postfix.start()
        try:
            yield Connected(valetkey, postfix, valetkey.keys.issue(ALICE, "send-only"))
        finally:
            postfix.end()


@pytest.fixture
def broken(connected: Connected) -> Iterator[Connected]:
    """Put everything back after a test that breaks it."""
    kept = {
        path: path.read_bytes() for path in (connected.postfix.etc / "main.cf", connected.postfix.etc / "master.cf")
    }
    yield connected
    is_changed = any(path.read_bytes() != octets for path, octets in kept.items())
    for path, octets in kept.items():
        path.write_bytes(octets)
    if is_changed and connected.postfix.reloads:
        connected.postfix.reload()


def test_what_is_printed_works(connected: Connected):
    found = connected.tried(is_cold=True)
    assert bad(found) == ""
    assert any("the app password opens it, from 127.0.0.1" in what for _, _, what in found)


def test_why_valetkey_refuses_is_said(connected: Connected):
    key = connected.valetkey.keys.issue(ALICE, scope("read", "imap"))
    assert "the app password is not for smtp" in bad(connected.tried(key.secret))


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("postconf -P submission/inet/smtpd_sasl_type=cyrus", "smtpd_sasl_type is cyrus"),
        ("postconf -P submission/inet/smtpd_sasl_auth_enable=no", "asks somebody else about logins"),
        ("postconf -P submission/inet/smtpd_sasl_authenticated_header=yes", "the app password's id into every message"),
        ("postconf -P submission/inet/smtpd_sender_login_maps=texthash:/etc/none", "knows addresses without"),
        ("postconf -P submission/inet/smtpd_end_of_data_restrictions=", "does not ask the policy service"),
        ("postconf -P submission/inet/smtpd_sasl_security_options=noanonymous,noplaintext", "noplaintext"),
        (
            "postconf -P 'submission/inet/smtpd_recipient_restrictions=permit_sasl_authenticated,$valetkey_policy'",
            "permits before it asks",
        ),
    ],
)
def test_each_setting_that_is_wrong_is_found(broken: Connected, command: str, said: str):
    broken.postfix.tell(command)
    assert said in bad(looked(broken.valetkey, "postfix", broken.postfix.etc))


def test_a_socket_that_lost_its_place_or_its_rights_is_found(broken: Connected):
    """By a unix socket in the chroot, in the place of the port."""
    valetkey, socket = broken.valetkey, broken.postfix.directory / "queue" / "private" / "valetkey"
    before = valetkey.config.read_text()
    listen = re.search(r'\[\[door\]\]\nkind = "sasl"\nlisten = "[^"]+"', before)
    assert listen is not None
    section = f'[[door]]\nkind = "sasl"\nsocket = "{socket}"\nsocket_group = "postfix"'
    valetkey.config.write_text(before.replace(listen[0], section))
    valetkey.stop()
    valetkey.start()
    broken.postfix.tell("postconf -P submission/inet/smtpd_sasl_path=private/valetkey")
    broken.postfix.reload()
    try:
        assert bad(broken.tried()) == ""
        shutil.chown(socket, group="root")
        assert "does not belong to the group postfix" in bad(broken.tried())
        socket.unlink()
        # Postfix goes on with the connection that it has; the next smtpd would find nobody.
        assert f"{socket} is not there" in bad(broken.tried())
    finally:
        valetkey.config.write_text(before)
        valetkey.stop()
        valetkey.start()


def test_a_valetkey_that_does_not_run_is_found(connected: Connected):
    connected.valetkey.stop()
    try:
        found = bad(connected.tried())
    finally:
        connected.valetkey.start()
    assert "Valetkey does not run" in found
    assert "nobody can log in" in found
