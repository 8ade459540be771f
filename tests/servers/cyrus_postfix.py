"""A Postfix whose logins are asked by Cyrus SASL of whoever serves `mux` as saslauthd does."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.certificates import CertificateAuthority
from tests.servers.listening import running
from tests.servers.places import own_directory
from tests.servers.postfix import Postfix


@dataclass
class CyrusPostfix(Postfix):
    """Its smtpd runs in the chroot, as Debian's does, and takes logins over TLS alone: docs/servers/cyrus.md."""

    @property
    def mux(self) -> Path:
        """Give the socket that is asked, to be served by the test."""
        return self.directory / "queue" / "valetkey" / "saslauthd"

    def _write(self) -> None:
        super()._write()
        folder = self._etc / "sasl"  # where Debian's Postfix looks, in its own folder of settings
        folder.mkdir(exist_ok=True)
        lines = "pwcheck_method: saslauthd\nsaslauthd_path: /valetkey/saslauthd\nmech_list: PLAIN LOGIN\n"
        (folder / "smtpd.conf").write_text(lines)
        self.mux.parent.mkdir(exist_ok=True)
        self.mux.parent.chmod(0o710)
        shutil.chown(self.mux.parent, "root", "postfix")

    def _main(self, certificate: object) -> str:
        usual = super()._main(certificate)  # type: ignore[arg-type]
        return f"{usual}smtpd_sasl_type = cyrus\nsmtpd_sasl_path = smtpd\nsmtpd_tls_auth_only = yes\n"

    def _master(self) -> str:
        return super()._master().replace("inet n - n - - smtpd", "inet n - y - - smtpd")


@contextmanager
def cyrus_postfix(authority: CertificateAuthority, mail_root: Path) -> Iterator[CyrusPostfix]:
    """Run one in a directory of its own."""
    with own_directory("postfix") as directory, running(CyrusPostfix(directory, authority, mail_root)) as postfix:
        yield postfix
