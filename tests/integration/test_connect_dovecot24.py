"""`valetkey connect dovecot --version 2.4`: what it prints is done to a real Dovecot 2.4, which is then tried."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers.certificates import CertificateAuthority
from tests.servers.connecting import added, bad, tried
from tests.servers.dovecot24 import Dovecot24, Dovecot24Options
from tests.servers.people import ALICE
from tests.servers.places import own_directory
from tests.servers.site import MailSite
from tests.servers.unpacked import Unpacked, unpacked
from tests.servers.valetkey import Valetkey, running_valetkey
from tests.servers.valetkey_settings import ValetkeyOptions

from valetkey.core.limits import Limits

pytestmark = [pytest.mark.integration, pytest.mark.needs("dovecot", "dovecot24", "postfix", "root")]


@pytest.fixture(scope="module", params=["dovecot", "dovecot-oauth2"])
def connected(
    request: pytest.FixtureRequest, authority: CertificateAuthority, mail_site: MailSite
) -> Iterator[tuple[str, Valetkey, Dovecot24, Path]]:
    server = request.param
    with (
        running_valetkey(mail_site, ValetkeyOptions(workers=1)) as valetkey,
        own_directory("connect") as folder,
        unpacked("dovecot24") as place,
    ):
        printed = added(valetkey, server, 9080, places={}, options=["--version", "2.4"])
        if server == "dovecot":
            script = folder / "valetkey.lua"
            valetkey.cli("connect", server, "--write", str(script))
            place.write("/etc/dovecot/valetkey.lua", script.read_text())
            _settings(place, printed.text("valetkey.settings"))
        dovecot = Dovecot24(place, authority, Dovecot24Options(passdbs=printed.text("05-valetkey.conf")))
        try:
            dovecot.start()
            yield server, valetkey, dovecot, folder
        finally:
            dovecot.end()


def _settings(place: Unpacked, text: str) -> None:
    place.write("/etc/dovecot/valetkey.settings", text, owner="dovecot", mode=0o600)
    place.folder("/var/lib/dovecot/valetkey", owner="dovecot", mode=0o711)


def test_what_is_printed_works(connected: tuple[str, Valetkey, Dovecot24, Path]):
    """The Dovecot of the machine itself is another one, and nothing is said of it."""
    server, valetkey, dovecot, folder = connected
    file = folder / "app-password"
    file.write_text(valetkey.keys.issue(ALICE).secret)
    ports = [f"--port={name}={getattr(dovecot.ports, name)}" for name in ("imaps", "pop3s")]
    usual = ["--account", ALICE.address, "--password-file", str(file), "--trust", str(dovecot.authority.file)]
    found = tried(valetkey, server, *usual, *ports)
    assert bad(found) == ""
    assert len([what for _, _, what in found if "the app password opens it" in what]) == 2, found


def test_limits_are_held_by_lua_and_refused_without(connected: tuple[str, Valetkey, Dovecot24, Path]):
    server, valetkey, dovecot, folder = connected
    key = valetkey.keys.issue(ALICE, limits=Limits(folders=("Archive",)))
    file = folder / "app-password"
    file.write_text(key.secret)
    usual = ["--account", ALICE.address, "--password-file", str(file), "--trust", str(dovecot.authority.file)]
    said = bad(tried(valetkey, server, *usual, f"--port=imaps={dovecot.ports.imaps}"))
    if server == "dovecot":
        assert said == ""
    else:
        assert "this server cannot be told to hold sessions to them" in said
