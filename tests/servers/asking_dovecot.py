"""A Dovecot that asks Valetkey by our Lua script, set up as docs/servers/dovecot.md tells administrators.

Before both stand a Valetkey whose gateway logs in to this Dovecot, and a Postfix that asks through it (SASL).
"""

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.certificates import CertificateAuthority
from tests.servers.dovecot import Dovecot, running_dovecot
from tests.servers.dovecot24 import Dovecot24, Dovecot24Options
from tests.servers.dovecot_settings import DovecotOptions
from tests.servers.listening import running
from tests.servers.logs import ServerLog
from tests.servers.maildirs import Maildirs
from tests.servers.places import free_port, own_directory
from tests.servers.postfix import Postfix
from tests.servers.site import MailSite, running_site, together
from tests.servers.unpacked import Unpacked, unpacked
from tests.servers.valetkey import Valetkey, running_valetkey
from tests.servers.valetkey_settings import ValetkeyOptions

SCRIPT = Path(__file__).parents[2] / "src" / "valetkey" / "doors" / "dovecot" / "valetkey.lua"
HOLDS = ("permissions", "folders", "recipients")
NEEDS = ("dovecot", "dovecot-lua", "dovecot24", "postfix", "root")

MASTERS = """
passdb {
  driver = passwd-file
  args = {directory}/masters
  master = yes
  result_success = continue
}
"""
BY_LUA = """
passdb {
  driver = lua
  args = file=FOLDER/valetkey.lua blocking=yes cache_key=%u%{session}
}
userdb {
  driver = prefetch
  result_success = continue
}
"""
# "Public" belongs to everybody; what is in it lies beside the mailboxes.
ACL = """
mail_plugins = acl
imap_id_retain = yes
namespace public {
  type = public
  separator = /
  prefix = Public/
  location = maildir:MAIL/mail/public
  subscriptions = no
}
"""

MASTERS_24 = """
passdb masters {
  driver = passwd-file
  passwd_file_path = /etc/dovecot/masters
  master = yes
  result_success = continue
}
"""
BY_LUA_24 = """
passdb lua {
  lua_file = /etc/dovecot/valetkey.lua
}
userdb prefetch {
  result_success = continue
}
"""
ACL_24 = """
mail_plugins {
  acl = yes
}
imap_id_retain = yes
namespace public {
  type = public
  separator = /
  prefix = Public/
  mail_driver = maildir
  mail_path = /var/vmail/public
  subscriptions = no
}
"""
CA_24 = "/etc/dovecot/valetkey-ca.pem"
RIGHTS_24 = "/var/lib/dovecot/valetkey"


@dataclass
class Peer:
    """A mail server as both sides know it: its secret, Valetkey's port, and what it holds."""

    folder: Path
    holds: tuple[str, ...] = HOLDS
    master_user: str = "gateway"
    more: tuple[str, ...] = ()  # further lines of its section
    separator: str = "/"  # between the levels of folders
    ca: Path | None = None  # who signed Valetkey's certificate; None: asked without TLS
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    port: int = field(default_factory=free_port)

    @property
    def sections(self) -> tuple[str, ...]:
        """The lines of Valetkey's configuration."""
        file = self.folder / "peer-secret"
        file.touch(mode=0o600)
        file.write_text(self.secret + "\n")
        holds = ", ".join(f'"{each}"' for each in self.holds)
        door = f'[[door]]\nkind = "http"\nlisten = "127.0.0.1:{self.port}"\n'
        who = f'[[peer]]\nname = "dovecot"\nsecret_file = "{file}"\nholds = [{holds}]\n'
        return door, "\n".join([f'{who}master_user = "{self.master_user}"', *self.more]) + "\n"

    @property
    def spaces(self) -> str:
        """What the script is told of namespaces."""
        return f"separator = {self.separator}\nshared = Public{self.separator}\n"

    def dotted(self, lines: str) -> str:
        """Give all namespaces our separator, also that of a Dovecot's own configuration."""
        if self.separator == "/":
            return lines
        public = lines.replace("separator = /", f"separator = {self.separator}").replace(
            "Public/", f"Public{self.separator}"
        )
        return f"{public}\nnamespace inbox {{\n  separator = {self.separator}\n}}\n"

    def script_settings(self, rights: str, secret: str) -> str:
        """The lines of valetkey.settings."""
        url = f"https://localhost:{self.port}\nca_file = {CA_24}" if self.ca else f"http://127.0.0.1:{self.port}"
        return f"url = {url}\nsecret = {secret}\nacl_directory = {rights}\n{self.spaces}"


@dataclass(frozen=True)
class Asking:
    """A Dovecot, and the Valetkey that it asks."""

    version: str
    site: MailSite
    peer: Peer
    valetkey: Valetkey
    rights: Path  # where the script keeps lists of rights
    public: Maildirs  # holds the mailbox "public", which is everybody's
    _tell: Callable[[str], None] = field(repr=False)

    @property
    def dovecot(self) -> Dovecot:
        """The Dovecot."""
        return self.site.dovecot

    @property
    def logs(self) -> list[ServerLog]:
        """The logs that a failed test shows."""
        return self.valetkey.logs

    @contextmanager
    def with_secret(self, secret: str) -> Iterator[None]:
        """Let Dovecot send another secret for a while; its processes read it when they ask for the first time."""
        for each in (secret, self.peer.secret):
            self.dovecot.end()
            self._tell(each)
            self.dovecot.start()
            if each == secret:
                yield


@dataclass(frozen=True)
class Script23:
    """Our script for Debian's own Dovecot, in the peer's folder."""

    peer: Peer

    def __post_init__(self) -> None:
        self.rights.mkdir()
        self.rights.chmod(0o711)
        shutil.copy(SCRIPT, self.peer.folder / "valetkey.lua")
        self.tell(self.peer.secret)

    @property
    def rights(self) -> Path:
        """Where it keeps lists of rights."""
        return self.peer.folder / "rights"

    @property
    def options(self) -> DovecotOptions:
        """The lines of Dovecot's configuration."""
        acl = self.peer.dotted(ACL).replace("MAIL", str(self.peer.folder))
        extra = f"{acl}\nssl_client_ca_file = {self.peer.ca}\n" if self.peer.ca else acl
        return DovecotOptions(passdbs=MASTERS + BY_LUA.replace("FOLDER", str(self.peer.folder)), extra=extra)

    def tell(self, secret: str) -> None:
        """Write its settings."""
        path = self.peer.folder / "valetkey.settings"
        path.touch(mode=0o640)
        path.write_text(self.peer.script_settings(str(self.rights), secret))
        if os.geteuid() == 0:
            shutil.chown(path, "root", "dovecot")


@dataclass(frozen=True)
class Script24:
    """Our script for Dovecot 2.4, in its copy of Debian."""

    peer: Peer
    place: Unpacked

    def __post_init__(self) -> None:
        self.place.write("/etc/dovecot/valetkey.lua", SCRIPT.read_text())
        self.place.folder(RIGHTS_24, owner="dovecot", mode=0o711)
        if self.peer.ca:
            self.place.write(CA_24, self.peer.ca.read_text())
        self.tell(self.peer.secret)

    @property
    def rights(self) -> Path:
        """Where it keeps lists of rights."""
        return self.place.path(RIGHTS_24)

    def options(self, relay_port: int | None = None) -> Dovecot24Options:
        """The lines of Dovecot's configuration."""
        return Dovecot24Options(passdbs=MASTERS_24 + BY_LUA_24, relay_port=relay_port, extra=self.peer.dotted(ACL_24))

    def tell(self, secret: str) -> None:
        """Write its settings."""
        text = self.peer.script_settings(RIGHTS_24, secret)
        self.place.write("/etc/dovecot/valetkey.settings", text, owner="dovecot", mode=0o600)


@contextmanager
def asking_23(authority: CertificateAuthority) -> Iterator[Asking]:
    """Run Debian's own Dovecot, and what stands around it."""
    with own_directory("lua") as folder:
        peer = Peer(folder)
        script = Script23(peer)
        with (
            running_site(authority, script.options) as site,
            running_valetkey(site, ValetkeyOptions(workers=1, extra=peer.sections)) as valetkey,
        ):
            yield Asking("2.3", site, peer, valetkey, script.rights, Maildirs(folder / "mail"), script.tell)


@contextmanager
def asking_24(authority: CertificateAuthority) -> Iterator[Asking]:
    """Run Dovecot 2.4, and what stands around it."""
    with own_directory("lua") as folder, own_directory("postfix") as post_place, unpacked("dovecot24") as place:
        peer = Peer(folder)
        script = Script24(peer, place)
        postfix = Postfix(post_place, authority, place.path("/var/vmail"), place.path("/run/sasl"))
        dovecot = Dovecot24(place, authority, script.options(postfix.ports.relay))
        with (
            together(authority, dovecot, postfix) as site,
            running_valetkey(site, ValetkeyOptions(workers=1, extra=peer.sections)) as valetkey,
        ):
            yield Asking("2.4", site, peer, valetkey, script.rights, dovecot.mail, script.tell)


@contextmanager
def only_dovecot(version: str, authority: CertificateAuthority, peer: Peer) -> Iterator[Dovecot | Dovecot24]:
    """Run a Dovecot that asks whoever listens at the peer's port."""
    if version == "2.3":
        with running_dovecot(authority, Script23(peer).options) as dovecot:
            yield dovecot
        return
    with (
        unpacked("dovecot24") as place,
        running(Dovecot24(place, authority, Script24(peer, place).options())) as newer,
    ):
        yield newer
