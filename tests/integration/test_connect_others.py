"""`valetkey connect exim` and `cyrus`: what they print is done to real servers, which are then tried."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.servers.certificates import CertificateAuthority
from tests.servers.connecting import Finding, added, bad, tried
from tests.servers.cyrus import Cyrus
from tests.servers.exim import Exim
from tests.servers.people import ALICE
from tests.servers.site import MailSite
from tests.servers.unpacked import unpacked
from tests.servers.valetkey import Valetkey, running_valetkey
from tests.servers.valetkey_keys import EVERYTHING
from tests.servers.valetkey_settings import ValetkeyOptions

pytestmark = [pytest.mark.integration, pytest.mark.needs("exim", "cyrus", "saslpasswd2", "dovecot", "postfix", "root")]

ACLS = (
    "recipients:\n  deny !authenticated = *\n    message = authentication required\n{}  accept\nmessage:\n{}  accept\n"
)


def by_client(valetkey: Valetkey, server: str, trust: Path, secret: str, ports: Sequence[str]) -> list[Finding]:
    file = valetkey.directory / "app-password"
    file.write_text(secret)
    usual = ["--account", ALICE.address, "--password-file", str(file), "--trust", str(trust)]
    return tried(valetkey, server, *usual, *(f"--port={port}" for port in ports))


def test_exim(authority: CertificateAuthority, mail_site: MailSite):
    with running_valetkey(mail_site, ValetkeyOptions(workers=1)) as valetkey, unpacked("exim") as place:
        printed = added(valetkey, "exim", 9081, 9082, places={})
        rules = [printed.text("the ACL of acl_smtp_rcpt"), printed.text("the ACL of acl_smtp_data")]
        exim = Exim(place, authority, printed.text("05_valetkey"), acls=ACLS.format(*rules))
        try:
            exim.start()
            ports = [f"submissions={exim.ports.submissions}", f"submission={exim.ports.submission}"]
            found = by_client(valetkey, "exim", authority.file, valetkey.keys.issue(ALICE, "send-only").secret, ports)
            assert bad(found) == ""
            assert len([what for _, _, what in found if "the app password opens it, from 127.0.0.1" in what]) == 2, (
                found
            )
        finally:
            exim.end()


def test_cyrus(authority: CertificateAuthority, mail_site: MailSite):
    with running_valetkey(mail_site, ValetkeyOptions(workers=1)) as valetkey, unpacked("cyrus") as place:
        room = place.folder("/var/spool/valetkey", mode=0o755)
        printed = added(valetkey, "cyrus", places={}, sockets={"/var/spool/valetkey": str(room)})
        cyrus = Cyrus(place, authority, "")
        settings, said = place.path("/etc/imapd.conf"), printed.text("imapd.conf")
        alike = {line.partition(":")[0] for line in said.splitlines()}
        kept = [line for line in settings.read_text().splitlines() if line.partition(":")[0] not in alike]
        settings.write_text("\n".join([*kept, said]))
        try:
            cyrus.start()
            key = valetkey.keys.issue(ALICE, EVERYTHING)
            ports = [f"imaps={cyrus.ports.imaps}", f"imap={cyrus.ports.imap}", f"sieve={cyrus.ports.sieve}"]
            found = by_client(valetkey, "cyrus", authority.file, key.secret, ports)
            assert bad(found) == ""
            assert len([what for _, _, what in found if "the app password opens it" in what]) == 3, found
            limited = valetkey.keys.issue(ALICE, "send-only")
            said = bad(by_client(valetkey, "cyrus", authority.file, limited.secret, ports[:1]))
            assert "the app password is not for imap" in said
        finally:
            cyrus.end()
