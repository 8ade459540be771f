"""Debian's LDAP tools, Dovecot, saslauthd and Postfix ask a real Valetkey as if it were a directory."""

import imaplib
import smtplib
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.doors.door_site import door, peer
from tests.doors.doors_beside import doors_beside
from tests.servers.certificates import CertificateAuthority
from tests.servers.clients import Login, Tls
from tests.servers.dovecot import Dovecot, running_dovecot
from tests.servers.dovecot24 import Dovecot24, running_dovecot24
from tests.servers.dovecot_settings import DovecotOptions
from tests.servers.ldap import BASE, SECRET, Directory, mapped_postfix, running_saslauthd
from tests.servers.maildirs import a_message
from tests.servers.people import ALICE, BOB
from tests.servers.places import own_directory
from tests.servers.python_clients import imap
from tests.servers.site import MailSite, running_site
from tests.servers.valetkey import Valetkey, running_valetkey
from tests.servers.valetkey_keys import AppPasswordOf, scope
from tests.servers.valetkey_settings import ValetkeyOptions

from valetkey.core.errors import Unavailable
from valetkey.doors.asked.settings import DoorKind

pytestmark = [
    pytest.mark.integration,
    pytest.mark.needs("ldapsearch", "dovecot-ldap", "dovecot24", "postfix-ldap", "testsaslauthd", "root"),
]

A_FILTER = f"(&(uid={ALICE.address})(service=imap)(rip=198.51.100.7)(tls=TLS))"
WRONG = "ldap_bind: Invalid credentials (49)"


@pytest.fixture(scope="module")
def directory() -> Iterator[Directory]:
    with own_directory("ldap") as folder:
        yield Directory(folder)


@pytest.fixture(scope="module")
def valetkey(mail_site: MailSite, directory: Directory) -> Iterator[Valetkey]:
    """Give a Valetkey of this module's own, with two workers and three LDAP doors."""
    policy = ("max_app_passwords = 1000",)
    with running_valetkey(mail_site, ValetkeyOptions(extra=directory.sections(), policy=policy)) as running:
        yield running


@pytest.fixture
def key(valetkey: Valetkey) -> AppPasswordOf:
    return valetkey.keys.issue(ALICE)


def test_ldapsearch_finds_everybody_and_nobody(valetkey: Valetkey, directory: Directory):
    """The entry of an account is that of a name which nobody has: as long, and with the same attributes."""
    known, unknown = ALICE.address, "alixx@example.test"
    found = [directory.search(f"(&(uid={name})(service=imap))").output for name in (known, unknown)]
    assert [len(each) for each in found] == [len(found[0])] * 2
    for name, said in zip((known, unknown), found, strict=True):
        assert said.startswith(f"dn: uid={name},service=imap,rip=,ticket=")
        assert f"uid: {name}" in said
        assert "mail:" not in said


def test_ldapwhoami_is_let_in_as_what_was_found(valetkey: Valetkey, directory: Directory, key: AppPasswordOf):
    name = directory.found(A_FILTER)
    valetkey.log.mark()
    assert directory.bind(name, key.secret) == (0, f"dn:{name}\n")
    (login,) = valetkey.events("login")
    assert (login["door"], login["peer"], login["result"]) == ("ldap", "mx1", "allowed")
    assert (login["address"], login["tls"], login["credential"]) == ("198.51.100.7", True, key.id)
    assert WRONG in directory.bind(name, ALICE.password).output
    assert WRONG in directory.bind(directory.found(A_FILTER.replace("alice", "nobody")), key.secret).output


def test_a_name_that_was_not_found_opens_nothing(valetkey: Valetkey, directory: Directory, key: AppPasswordOf):
    name = directory.found(A_FILTER)
    for other in (name.replace("198.51.100.7", "198.51.100.8"), name.split(",ticket")[0] + f",{BASE}"):
        assert "Server is unwilling to perform (53)" in directory.bind(other, key.secret).output
    assert directory.bind(name, key.secret).code == 0


def test_what_a_tool_hears_without_a_login(valetkey: Valetkey, directory: Directory):
    root = directory.tool("ldapsearch", "-LLL", "-b", "", "-s", "base", "(objectClass=*)").output
    assert "supportedLDAPVersion: 3" in root
    assert directory.tool("ldapwhoami") == (0, "anonymous\n")
    assert "50 Insufficient access" in directory.tool("ldapsearch", "-b", BASE, A_FILTER).output
    assert WRONG in directory.search(A_FILTER, secret="wrong").output
    assert WRONG in directory.search(A_FILTER, peer="local").output
    assert "unwilling to perform" in directory.tool("ldapwhoami", "-ZZ").output
    ldif = f"dn: uid=alice,{BASE}\nchangetype: delete\n"
    (directory.folder / "ldif").write_text(ldif)
    said = directory.tool("ldapmodify", "-f", str(directory.folder / "ldif")).output
    assert "Server is unwilling to perform (53)" in said


def test_over_tls_and_on_a_unix_socket(valetkey: Valetkey, directory: Directory, key: AppPasswordOf):
    name = directory.found(A_FILTER)
    assert directory.bind(name, key.secret, url=directory.url("ldaps"), ca=valetkey.ca).code == 0
    by_place = f"uid={ALICE.address},service=imap,rip=198.51.100.7,tls=TLS,{BASE}"
    assert directory.bind(by_place, key.secret, url=directory.url("ldapi")).code == 0
    assert "unwilling" in directory.bind(by_place, key.secret).output


SETUPS = {
    "search": lambda directory, _: directory.searching(),
    "search-tls": lambda directory, authority: directory.searching(authority=authority),
    "userdn": lambda directory, _: directory.binding(),
    "userdn-by-place": lambda directory, _: directory.binding_by_place(),
    "search-2.4": lambda directory, _: directory.searching_24(),
    "userdn-2.4": lambda directory, _: directory.binding_24(),
}


@pytest.fixture(scope="module", params=SETUPS)
def dovecot(
    request: pytest.FixtureRequest, authority: CertificateAuthority, valetkey: Valetkey, directory: Directory
) -> Iterator[Dovecot | Dovecot24]:
    options = SETUPS[request.param](directory, authority)
    running = running_dovecot if isinstance(options, DovecotOptions) else running_dovecot24
    with running(authority, options) as one:
        yield one


def at(dovecot: Dovecot | Dovecot24, name: str, secret: str) -> Login:
    return Login(dovecot.ports.imaps, dovecot.authority.file, name, secret, Tls.IMPLICIT)


def refusal(dovecot: Dovecot | Dovecot24, name: str, secret: str) -> str:
    with pytest.raises(imaplib.IMAP4.error) as refused, imap(at(dovecot, name, secret)):
        pass
    return str(refused.value)


def refusals(dovecot: Dovecot | Dovecot24, *logins: tuple[str, str]) -> list[str]:
    """Log in by each name and password at once, as each refusal comes after a second; give the words."""
    with ThreadPoolExecutor() as at_once:
        return list(at_once.map(lambda login: refusal(dovecot, *login), logins))


def test_dovecot_lets_in_by_app_password_alone(dovecot: Dovecot | Dovecot24, valetkey: Valetkey, key: AppPasswordOf):
    valetkey.log.mark()
    with imap(at(dovecot, ALICE.address, key.secret)) as client:
        assert client.select("INBOX")[0] == "OK"
    (login,) = valetkey.events("login")
    assert (login["result"], login["address"], login["tls"], login["protocol"]) == (
        "allowed",
        "127.0.0.1",
        True,
        "imap",
    )
    assert login["session"]
    wrong = [(ALICE.address, ALICE.password), ("nobody@example.test", key.secret), (BOB.address, key.secret)]
    said = refusals(dovecot, *wrong)
    assert all("AUTHENTICATIONFAILED" in each for each in said), said
    valetkey.keys.revoke(key)
    assert "AUTHENTICATIONFAILED" in refusal(dovecot, ALICE.address, key.secret)


def test_what_a_client_types_is_a_name_and_nothing_else(
    dovecot: Dovecot | Dovecot24, valetkey: Valetkey, key: AppPasswordOf
):
    """Dovecot 2.3 writes its client's comma as it is into the name to bind as."""
    typed = f"{ALICE.address},service=sieve,rip=198.51.100.7,tls=TLS"
    valetkey.log.mark()
    names = (
        typed,
        f"{typed},{BASE}",
        f"{ALICE.address},x=y",
        "*",
        f"{ALICE.address})(service=sieve",
        "a+b=c",
        "#a\\",
    )
    assert len(refusals(dovecot, *((name, key.secret) for name in names))) == len(names)
    logins = valetkey.events("login")
    assert {each["result"] for each in logins} <= {"wrong-secret"}
    assert {(each["address"], each["protocol"]) for each in logins} <= {("127.0.0.1", "imap")}
    with imap(at(dovecot, ALICE.address, key.secret)):
        pass


def test_dovecot_and_saslauthd_while_nobody_can_tell(
    authority: CertificateAuthority, directory: Directory, key: AppPasswordOf, tmp_path: Path
):
    """Dovecot says so to its client. saslauthd has no such word, and only its log differs from a wrong password."""
    peers = (peer("mx1", secret=SECRET), peer("programs", secret=SECRET))
    with doors_beside(tmp_path, door(DoorKind.LDAP, *peers)) as beside:
        beside.site.house.store.find_login = unavailable
        url = f"ldap://127.0.0.1:{beside.site.port()}"
        with running_dovecot(authority, directory.searching(url=url)) as dovecot:
            assert "[UNAVAILABLE]" in refusal(dovecot, ALICE.address, key.secret)
        mux = directory.folder / "broken"
        with running_saslauthd(url, mux):
            assert ask(mux, ALICE.address, key.secret) == '0: NO "authentication failed"'
        assert "[reason=Unknown]" in (mux / "output").read_text()


def unavailable(*_: object) -> None:
    raise Unavailable("The store is away.")


def test_postfix_takes_mail_after_dovecot_has_asked(
    authority: CertificateAuthority, valetkey: Valetkey, directory: Directory
):
    key = valetkey.keys.issue(ALICE, "send-only")
    reading = valetkey.keys.issue(ALICE, scope("read flag write delete folders", "imap"))
    with (
        running_site(authority, directory.searching()) as site,
        smtplib.SMTP("localhost", site.postfix.ports.submission, timeout=30) as smtp,
    ):
        smtp.starttls(context=authority.client_context())
        for secret in (ALICE.password, reading.secret):
            with pytest.raises(smtplib.SMTPAuthenticationError, match="535"):
                smtp.login(ALICE.address, secret)
        valetkey.log.mark()
        smtp.login(ALICE.address, key.secret)
        smtp.send_message(a_message(ALICE.address, BOB.address, "asked-by-ldap"))
        site.mail.wait_for(BOB, "asked-by-ldap")
        (login,) = valetkey.events("login", result="allowed")
        assert (login["protocol"], login["address"], login["tls"]) == ("smtp", "127.0.0.1", True)


def test_saslauthd(valetkey: Valetkey, directory: Directory, key: AppPasswordOf):
    mux = directory.folder / "saslauthd"
    with running_saslauthd(directory.url(), mux):
        assert ask(mux, ALICE.address, key.secret) == '0: OK "Success."'
        assert ask(mux, ALICE.address, "wrong") == '0: NO "authentication failed"'
        assert ask(mux, "nobody@example.test", key.secret) == '0: NO "authentication failed"'
        assert ask(mux, ALICE.address, key.secret, "http") == '0: NO "authentication failed"'


def ask(mux: Path, name: str, secret: str, service: str = "smtp") -> str:
    command = ["testsaslauthd", "-f", str(mux / "mux"), "-u", name, "-p", secret, "-s", service]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout.strip()


def test_a_map_of_postfix_learns_nothing_and_its_clients_come_again(
    authority: CertificateAuthority, valetkey: Valetkey, directory: Directory, mail_site: MailSite
):
    said = directory.lookup(ALICE.address, "(mail=%s)")
    assert said.code == 1
    assert "Search error 53: Server is unwilling to perform" in said.output
    with mapped_postfix(authority, mail_site.mail.root, directory.map("(mail=%s)")) as postfix:
        for address in (ALICE.address, "nobody@example.test"):
            with smtplib.SMTP("localhost", postfix.ports.relay, timeout=30) as smtp:
                smtp.ehlo()
                smtp.mail("somebody@example.org")
                assert smtp.rcpt(address)[0] == 451
