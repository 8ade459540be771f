"""What asks a directory: Debian's LDAP tools, Dovecot's LDAP passdb, saslauthd by LDAP, Postfix's LDAP maps."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.certificates import CertificateAuthority, ServerCertificate
from tests.servers.commands import Command, Outcome
from tests.servers.dovecot24 import Dovecot24Options
from tests.servers.dovecot_settings import DovecotOptions
from tests.servers.places import free_port, own_directory
from tests.servers.postfix import Postfix

BASE = "dc=valetkey"
SECRET = "otter-lamp-seven"
FILTER = "(&(uid=%u)(service=%s)(rip=%r)(tls=%c)(session=%{session}))"
USERDN = f"uid=%u,service=%s,rip=%r,tls=%c,session=%{{session}},{BASE}"
PASSDB_24 = """
passdb_ldap_bind = yes
passdb_ldap_filter = (&(uid=%{user})(service=%{protocol})(rip=%{remote_ip})(tls=%{secured})(session=%{session}))
"""
USERDN_24 = f"uid=%{{user}},service=%{{protocol}},rip=%{{remote_ip}},tls=%{{secured}},session=%{{session}},{BASE}"


@dataclass
class Directory:
    """The places where a Valetkey is asked as a directory, and the lines of its configuration."""

    folder: Path
    port: int = field(default_factory=free_port)
    tls_port: int = field(default_factory=free_port)

    @property
    def socket(self) -> Path:
        """A unix socket; its peer has no secret."""
        return self.folder / "ldapi"

    def url(self, kind: str = "ldap") -> str:
        """Give the URL of a place."""
        if kind == "ldapi":
            return "ldapi://" + str(self.socket).replace("/", "%2F")
        return f"ldap://127.0.0.1:{self.port}" if kind == "ldap" else f"ldaps://127.0.0.1:{self.tls_port}"

    def sections(self) -> tuple[str, ...]:
        """Write what Valetkey's configuration says of them."""
        file = self.folder / "peer-secret"
        file.touch(mode=0o600)
        file.write_text(SECRET + "\n")
        return (
            f'[[peer]]\nname = "mx1"\nsecret_file = "{file}"\n',
            f'[[peer]]\nname = "programs"\nsecret_file = "{file}"\ntls_only = true\n',
            '[[peer]]\nname = "local"\n',
            f'[[door]]\nkind = "ldap"\nlisten = "127.0.0.1:{self.port}"\npeers = ["mx1", "programs"]\n',
            f'[[door]]\nkind = "ldap"\nlisten = "127.0.0.1:{self.tls_port}"\ntls = true\npeers = ["mx1"]\n',
            f'[[door]]\nkind = "ldap"\nsocket = "{self.socket}"\nsocket_group = "dovecot"\npeers = ["local"]\n',
        )

    def tool(self, program: str, *arguments: str, url: str = "", ca: Path | None = None) -> Outcome:
        """Run one of Debian's LDAP tools against a place."""
        command = (program, "-x", "-H", url or self.url(), *arguments)
        environment = {"LDAPTLS_CACERT": str(ca)} if ca else {}
        return Command(command, self.folder, environment=environment).run()

    def search(self, wanted: str, *arguments: str, peer: str = "mx1", secret: str = SECRET) -> Outcome:
        """Search as a peer by ldapsearch."""
        who = ("-D", f"cn={peer},{BASE}", "-w", secret)
        return self.tool("ldapsearch", "-LLL", "-o", "ldif-wrap=no", *who, "-b", BASE, *arguments, wanted)

    def found(self, wanted: str) -> str:
        """Search as a peer and give the name that is found; "" if none is."""
        lines = self.search(wanted).output.splitlines()
        return next((line.removeprefix("dn: ") for line in lines if line.startswith("dn: ")), "")

    def bind(self, name: str, password: str, *, url: str = "", ca: Path | None = None) -> Outcome:
        """Bind by ldapwhoami."""
        return self.tool("ldapwhoami", "-D", name, "-w", password, url=url, ca=ca)

    # Dovecot

    def dovecot(self, *lines: str, url: str = "", name: str = "dovecot-ldap.conf") -> DovecotOptions:
        """Give what Dovecot is told, with these lines in its settings of LDAP."""
        path = self.folder / name
        path.write_text("\n".join((f"uris = {url or self.url()}", "auth_bind = yes", f"base = {BASE}", *lines, "")))
        path.chmod(0o600)
        passdb = f"passdb {{\n  driver = ldap\n  args = {path}\n}}\n"
        return DovecotOptions(passdbs=passdb, extra="auth_username_chars =\n")  # names of any kind: ours to hold

    def searching(self, url: str = "", authority: CertificateAuthority | None = None) -> DovecotOptions:
        """Let Dovecot search, then bind; over TLS if an authority is given."""
        service = (f"dn = cn=mx1,{BASE}", f"dnpass = {SECRET}", f"pass_filter = {FILTER}", "pass_attrs = uid=user")
        if authority is None:
            return self.dovecot(*service, url=url)
        tls = (f"tls_ca_cert_file = {authority.file}", "tls_require_cert = hard")
        return self.dovecot(*service, *tls, url=self.url("ldaps"))

    def binding(self) -> DovecotOptions:
        """Let Dovecot bind alone, on connections where it has proven itself."""
        return self.dovecot(f"dn = cn=mx1,{BASE}", f"dnpass = {SECRET}", f"auth_bind_userdn = {USERDN}")

    def binding_by_place(self) -> DovecotOptions:
        """Let Dovecot bind alone, on a socket that is its own."""
        return self.dovecot(f"auth_bind_userdn = {USERDN}", url=self.url("ldapi"))

    def searching_24(self, *lines: str) -> Dovecot24Options:
        """Let Dovecot 2.4 search, then bind; with these lines in its passdb."""
        place = f"ldap_uris = {self.url()}\nldap_base = {BASE}\n"
        service = f"ldap_auth_dn = cn=mx1,{BASE}\nldap_auth_dn_password = {SECRET}\n"
        passdb = "\n".join(("passdb ldap {", PASSDB_24, *lines, "}"))
        return Dovecot24Options(passdbs=place + service + passdb, extra="auth_username_chars =\n")

    def binding_24(self) -> Dovecot24Options:
        """Let Dovecot 2.4 bind alone; it wants the filter all the same."""
        return self.searching_24(f"passdb_ldap_bind_userdn = {USERDN_24}")

    # Postfix

    def map(self, query: str) -> str:
        """Give an LDAP map of Postfix that asks for addresses."""
        path = self.folder / "map.cf"
        lines = (f"server_host = {self.url()}", f"search_base = {BASE}", "version = 3", "bind = yes")
        lines += (
            f"bind_dn = cn=mx1,{BASE}",
            f"bind_pw = {SECRET}",
            f"query_filter = {query}",
            "result_attribute = uid",
        )
        path.write_text("\n".join((*lines, "")))
        return f"ldap:{path}"

    def lookup(self, key: str, query: str) -> Outcome:
        """Look something up in an LDAP map of Postfix by postmap."""
        etc = self.folder / "postfix"
        etc.mkdir(exist_ok=True)
        (etc / "main.cf").write_text("compatibility_level = 3.6\nalias_maps =\n")
        return Command(("postmap", "-c", str(etc), "-q", key, self.map(query)), self.folder).run()


@dataclass
class MappedPostfix(Postfix):
    """A Postfix that looks up its mailboxes in a map."""

    mailboxes: str = ""

    def _main(self, certificate: ServerCertificate) -> str:
        lines = super()._main(certificate).splitlines()
        kept = [line for line in lines if not line.startswith("virtual_mailbox_maps")]
        return "\n".join((*kept, f"virtual_mailbox_maps = {self.mailboxes}", ""))


@contextmanager
def mapped_postfix(authority: CertificateAuthority, mail_root: Path, mailboxes: str) -> Iterator[Postfix]:
    """Run one in a directory of its own."""
    with own_directory("postfix") as folder:
        postfix = MappedPostfix(folder, authority, mail_root, mailboxes=mailboxes)
        postfix.start()
        try:
            yield postfix
        finally:
            postfix.end()


@contextmanager
def running_saslauthd(url: str, mux: Path) -> Iterator[None]:
    """Run Debian's saslauthd, which asks by LDAP, with its socket in the folder `mux`."""
    mux.mkdir(exist_ok=True)
    conf = mux / "saslauthd.conf"
    lines = (f"ldap_servers: {url}", f"ldap_search_base: {BASE}", "ldap_filter: (&(uid=%u)(service=%s))")
    lines += (f"ldap_bind_dn: cn=programs,{BASE}", f"ldap_bind_pw: {SECRET}", "ldap_auth_method: bind")
    conf.write_text("\n".join((*lines, "")))
    program = shutil.which("saslauthd", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "saslauthd"
    command = [program, "-d", "-a", "ldap", "-O", str(conf), "-m", str(mux), "-n", "2"]
    with (mux / "output").open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    try:
        _wait_until_accepting(mux / "mux")
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def _wait_until_accepting(path: Path, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while True:
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(path)) == 0:
                return
        if time.monotonic() > end:
            raise RuntimeError(f"nobody listens at {path}\n{(path.parent / 'output').read_text()}")
        time.sleep(0.02)  # nothing announces a socket: it can only be asked again
