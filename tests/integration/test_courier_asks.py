"""A real Courier asks Valetkey in the place of its authdaemond: IMAP and POP3."""

import pwd
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.doors.door_site import door, peer
from tests.doors.doors_beside import doors_beside
from tests.servers.courier import NO_DAEMON, Courier, running_courier
from tests.servers.dialogue import dialogue
from tests.servers.maildirs import a_message
from tests.servers.people import ALICE, BOB, CAROL, SCANNER
from tests.servers.site import MailSite
from tests.servers.strangers import strangers
from tests.servers.valetkey import Valetkey, running_valetkey
from tests.servers.valetkey_keys import scope
from tests.servers.valetkey_settings import ValetkeyOptions

from valetkey.core.errors import Unavailable
from valetkey.core.restriction import NetworkRule
from valetkey.doors.asked.settings import DoorKind

pytestmark = [pytest.mark.integration, pytest.mark.needs("courier")]

FAILED = "a NO Login failed."
OWNER = "mail"  # of the mailboxes; a user of this machine, and of every Debian


def sections(courier: Courier) -> tuple[str, ...]:
    """Write what Valetkey's configuration says of it, as docs/servers/courier.md has it."""
    lines = f'socket = "{courier.socket}"\nlogin_user = "{OWNER}"\nmailbox = "/var/vmail/{{user}}"\n'
    return ('[[peer]]\nname = "courier"\ntls_only = true\n', f'[[door]]\nkind = "authdaemon"\n{lines}')


@pytest.fixture(scope="module")
def asked(mail_site: MailSite) -> Iterator[tuple[Courier, Valetkey]]:
    with running_courier(NO_DAEMON) as courier:
        give_to(OWNER, courier.mail.root)
        with running_valetkey(mail_site, ValetkeyOptions(extra=sections(courier))) as valetkey:
            yield courier, valetkey


def give_to(owner: str, folder: Path) -> None:
    """Give a folder with all that is in it to a user of this machine."""
    for each in (folder, *folder.rglob("*")):
        shutil.chown(each, owner, owner)


@pytest.fixture
def courier(asked: tuple[Courier, Valetkey]) -> Courier:
    return asked[0]


@pytest.fixture
def valetkey(asked: tuple[Courier, Valetkey]) -> Valetkey:
    return asked[1]


def imap_login(courier: Courier, name: str, secret: str) -> str:
    """Log in and give the answer; "" if the connection ends without one."""
    with dialogue(courier.port, seconds=30) as talk:
        talk.until(r"\* OK")
        try:
            return talk.imap("a", f"LOGIN {name} {secret}")[-1]
        except EOFError:
            return ""


def pop3_login(courier: Courier, name: str, secret: str) -> str:
    with dialogue(courier.pop3_port, seconds=30) as talk:
        talk.until(r"\+OK")
        talk.ask(f"USER {name}", r"\+OK")
        try:
            return talk.ask(f"PASS {secret}", r"[-+]")[-1]
        except EOFError:
            return ""


def test_an_app_password_opens_its_owners_mailbox_and_the_servers_own_password_does_not(
    courier: Courier, valetkey: Valetkey
):
    courier.mail.deliver(BOB, a_message(ALICE.address, BOB.address, "for-bob-alone"))
    give_to(OWNER, courier.mail.root)
    with ThreadPoolExecutor() as at_once:
        servers_own = [at_once.submit(imap_login, courier, each.address, each.password) for each in (ALICE, BOB)]
    assert [each.result() for each in servers_own] == [FAILED, FAILED]
    for person, messages in ((ALICE, 0), (BOB, 1)):
        key = valetkey.keys.issue(person)
        with dialogue(courier.port, seconds=30) as talk:
            talk.until(r"\* OK")
            assert talk.imap("b", f"LOGIN {person.address} {key.secret}")[-1] == "b OK LOGIN Ok."
            assert f"* {messages} EXISTS" in talk.imap("c", "SELECT INBOX")
            assert talk.imap("d", "CREATE INBOX.Notes")[-1].startswith("d OK")
        assert courier.mail.home(person).joinpath(".Notes").owner() == OWNER
        assert pop3_login(courier, person.address, key.secret) == "+OK logged in."


def test_the_clients_address_reaches_valetkey(courier: Courier, valetkey: Valetkey):
    here = valetkey.keys.issue(ALICE, network_rule=NetworkRule.ALLOWED, allowed_ips=("127.0.0.0/8",))
    elsewhere = valetkey.keys.issue(ALICE, network_rule=NetworkRule.ALLOWED, allowed_ips=("203.0.113.0/24",))
    valetkey.log.mark()
    assert imap_login(courier, ALICE.address, here.secret).startswith("a OK")
    assert imap_login(courier, ALICE.address, elsewhere.secret) == FAILED
    entries = valetkey.events("login", door="authdaemon", peer="courier")
    assert [(each["address"], each["result"]) for each in entries] == [
        ("127.0.0.1", "allowed"),
        ("127.0.0.1", "network"),
    ]


def test_what_may_not_pass_is_refused(courier: Courier, valetkey: Valetkey):
    """All at once, because Courier answers each refusal after five seconds."""
    only_pop3 = valetkey.keys.issue(CAROL, scope("read flag write delete folders", "pop3"))
    read_only = valetkey.keys.issue(CAROL, scope("read", "imap"))
    lost = valetkey.keys.issue(ALICE)
    end = datetime.now(UTC) + timedelta(seconds=2)
    old = valetkey.keys.issue(ALICE, expires_at=end)
    of_scanner = valetkey.keys.issue(SCANNER)
    assert pop3_login(courier, CAROL.address, only_pop3.secret) == "+OK logged in."
    assert imap_login(courier, ALICE.address, lost.secret).startswith("a OK")
    assert imap_login(courier, SCANNER.address, of_scanner.secret).startswith("a OK")
    valetkey.keys.revoke(lost)
    valetkey.keys.disable(SCANNER)
    while datetime.now(UTC) < end:
        time.sleep(0.02)  # its end can only be awaited
    valetkey.log.mark()
    keys = (only_pop3, read_only, lost, old, of_scanner)
    with ThreadPoolExecutor() as at_once:
        by_imap = [at_once.submit(imap_login, courier, each.person.address, each.secret) for each in keys]
        by_pop3 = at_once.submit(pop3_login, courier, ALICE.address, lost.secret)
        assert [each.result() for each in by_imap] == [FAILED] * 5
        assert by_pop3.result() == "-ERR Login failed."
    results = Counter(each["result"] for each in valetkey.events("login", door="authdaemon"))
    assert results == Counter({"protocol": 1, "not-held": 1, "wrong-secret": 2, "expired": 1, "account-disabled": 1})


def test_courier_learns_nothing_of_users_without_their_password(courier: Courier):
    """Courier's own programs ask as its mail delivery does."""
    assert "Authentication FAILED" in courier.place.command("authtest", ALICE.address).run().output
    assert courier.place.command("authenumerate").run().output == ""
    asked = courier.place.command("authtest", "-s", "imap", ALICE.address, ALICE.password).run()
    assert "Authentication FAILED: Operation not permitted" in asked.output


def test_couriers_own_program_shows_what_it_was_told(courier: Courier, valetkey: Valetkey):
    key = valetkey.keys.issue(ALICE)
    told = courier.place.command("authtest", "-s", "imap", ALICE.address, key.secret).run().output
    assert f"Authenticated: {ALICE.address}  (uid {pwd.getpwnam(OWNER).pw_uid}" in told
    assert f"Maildir: /var/vmail/{ALICE.address}" in told


def test_while_nobody_can_tell_courier_says_so_or_ends_the_connection(
    courier: Courier, valetkey: Valetkey, tmp_path: Path
):
    """So a client tries again, and asks for no new password."""
    key = valetkey.keys.issue(ALICE)
    away = courier.socket.rename(courier.socket.with_name("away"))
    told = {"login_user": OWNER, "mailbox": "/var/vmail/{user}"}
    try:
        broken = door(DoorKind.AUTHDAEMON, peer(secret=""), path=courier.socket, **told)
        with doors_beside(tmp_path, broken) as beside:
            beside.site.break_store(Unavailable("The store is away."))
            assert imap_login(courier, ALICE.address, key.secret) == ""
            assert "Temporary problem, please try again later" in pop3_login(courier, ALICE.address, key.secret)
        courier.socket.unlink()
        assert imap_login(courier, ALICE.address, key.secret) == ""
    finally:
        away.rename(courier.socket)
    assert imap_login(courier, ALICE.address, key.secret).startswith("a OK")


def test_hostile_passwords_and_octets_harm_nobody(courier: Courier, valetkey: Valetkey):
    key = valetkey.keys.issue(ALICE)
    with strangers(courier.socket, {b"", b"FAIL\n"}):
        assert imap_login(courier, ALICE.address, '"' + "x" * 1500 + '"') == FAILED
        assert imap_login(courier, ALICE.address, key.secret).startswith("a OK")
