"""A Dovecot that asks Valetkey, and is told by it over doveadm's HTTP API, as docs/revocation.md tells administrators."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from tests.servers.asking_dovecot import Peer, Script23, Script24
from tests.servers.certificates import CertificateAuthority
from tests.servers.dovecot import Dovecot
from tests.servers.dovecot24 import Dovecot24
from tests.servers.logs import ServerLog
from tests.servers.places import free_port, own_directory
from tests.servers.postfix import Postfix
from tests.servers.site import MailSite, running_site, together
from tests.servers.unpacked import unpacked
from tests.servers.valetkey import Valetkey, running_valetkey
from tests.servers.valetkey_settings import ValetkeyOptions

_KEY = "a key of doveadm"


@dataclass(frozen=True)
class Told:
    """A Dovecot, and the Valetkey that it asks and that tells it."""

    version: str
    site: MailSite
    valetkey: Valetkey
    api_port: int

    @property
    def dovecot(self) -> Dovecot | Dovecot24:
        """The Dovecot."""
        return self.site.dovecot

    @property
    def logs(self) -> list[ServerLog]:
        """The logs that a failed test shows."""
        return self.valetkey.logs


def doveadm_api(version: str, port: int, key: str = _KEY) -> str:
    """The lines of Dovecot's configuration."""
    address = "address" if version == "2.3" else "listen"
    listener = f"  inet_listener http {{\n    port = {port}\n    {address} = 127.0.0.1\n  }}\n"
    return f"\ndoveadm_api_key = {key}\nservice doveadm {{\n{listener}}}\n"


@contextmanager
def told_dovecot(version: str, authority: CertificateAuthority) -> Iterator[Told]:
    """Run a Dovecot, 2.3 or 2.4, and what stands around it."""
    with own_directory("told") as folder:
        port, key = free_port(), folder / "doveadm-key"
        key.touch(mode=0o600)
        key.write_text(_KEY + "\n")
        more = [f'doveadm_url = "http://127.0.0.1:{port}"', f'doveadm_key_file = "{key}"']
        if version == "2.4":
            more.append("doveadm_by_app = true")
        peer = Peer(folder, more=tuple(more))
        site_of = _site_23 if version == "2.3" else _site_24
        with (
            site_of(authority, peer, doveadm_api(version, port)) as site,
            running_valetkey(site, ValetkeyOptions(workers=1, extra=peer.sections)) as valetkey,
        ):
            yield Told(version, site, valetkey, port)


@contextmanager
def _site_23(authority: CertificateAuthority, peer: Peer, api: str) -> Iterator[MailSite]:
    options = Script23(peer).options
    with running_site(authority, replace(options, extra=options.extra + api)) as site:
        yield site


@contextmanager
def _site_24(authority: CertificateAuthority, peer: Peer, api: str) -> Iterator[MailSite]:
    with own_directory("postfix") as post_place, unpacked("dovecot24") as place:
        postfix = Postfix(post_place, authority, place.path("/var/vmail"), place.path("/run/sasl"))
        options = Script24(peer, place).options(postfix.ports.relay)
        dovecot = Dovecot24(place, authority, replace(options, extra=options.extra + api))
        with together(authority, dovecot, postfix) as site:
            yield site
