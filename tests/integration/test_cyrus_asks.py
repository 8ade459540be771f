"""A real Cyrus IMAP asks Valetkey in the place of saslauthd: IMAP, POP3 and ManageSieve."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.doors.door_site import door, peer
from tests.doors.doors_beside import doors_beside
from tests.servers.certificates import CertificateAuthority
from tests.servers.cyrus import SASLAUTHD, Cyrus, running_cyrus
from tests.servers.dialogue import Dialogue, dialogue, plain
from tests.servers.people import ALICE, BOB, CAROL, SCANNER
from tests.servers.site import MailSite
from tests.servers.unpacked import unpacked
from tests.servers.valetkey import Valetkey, running_valetkey
from tests.servers.valetkey_keys import EVERYTHING, AppPasswordOf, scope
from tests.servers.valetkey_settings import ValetkeyOptions

from valetkey.core.errors import Unavailable
from valetkey.core.restriction import NetworkRule
from valetkey.doors.asked.settings import DoorKind

pytestmark = [pytest.mark.integration, pytest.mark.needs("cyrus", "saslpasswd2")]


def sections(cyrus: Cyrus) -> tuple[str, ...]:
    """Write what Valetkey's configuration says of it, as docs/servers/cyrus.md has it."""
    door = f'[[door]]\nkind = "saslauthd"\nsocket = "{cyrus.mux}"\nsocket_group = "sasl"\n'
    return ('[[peer]]\nname = "cyrus"\ntls_only = true\n', door)


@pytest.fixture(scope="module")
def asked(authority: CertificateAuthority, mail_site: MailSite) -> Iterator[tuple[Cyrus, Valetkey]]:
    with (
        running_cyrus(authority, SASLAUTHD) as cyrus,
        running_valetkey(mail_site, ValetkeyOptions(extra=sections(cyrus))) as valetkey,
    ):
        yield cyrus, valetkey


@pytest.fixture
def cyrus(asked: tuple[Cyrus, Valetkey]) -> Cyrus:
    return asked[0]


@pytest.fixture
def valetkey(asked: tuple[Cyrus, Valetkey]) -> Valetkey:
    return asked[1]


@contextmanager
def imap(cyrus: Cyrus) -> Iterator[Dialogue]:
    with dialogue(cyrus.ports.imaps, cyrus.authority.client_context()) as talk:
        talk.until(r"\* OK")
        yield talk


def imap_login(cyrus: Cyrus, name: str, secret: str) -> str:
    """Log in and give the answer."""
    with imap(cyrus) as talk:
        return talk.imap("a", f"LOGIN {name} {secret}")[-1]


def pop3_login(cyrus: Cyrus, name: str, secret: str) -> str:
    with dialogue(cyrus.ports.pop3) as talk:
        talk.until(r"\+OK")
        talk.ask(f"USER {name}", r"\+OK")
        return talk.ask(f"PASS {secret}", r"[-+]")[-1]


def sieve_login(cyrus: Cyrus, name: str, secret: str) -> str:
    with dialogue(cyrus.ports.sieve) as talk:
        talk.until("OK")
        return talk.sieve(f'AUTHENTICATE "PLAIN" "{plain(name, secret)}"')[-1]


def test_an_app_password_opens_every_protocol_and_the_servers_own_password_none(cyrus: Cyrus, valetkey: Valetkey):
    key = valetkey.keys.issue(ALICE, EVERYTHING)
    with imap(cyrus) as talk:
        assert (
            talk.imap("a", f"LOGIN {ALICE.address} {ALICE.password}")[-1] == "a NO Login failed: authentication failure"
        )
        assert talk.imap("b", f"AUTHENTICATE PLAIN {plain(ALICE.address, key.secret)}")[-1].startswith("b OK")
        assert talk.imap("c", "SELECT INBOX")[-1].startswith("c OK")
    assert pop3_login(cyrus, ALICE.address, key.secret).startswith("+OK")
    assert pop3_login(cyrus, ALICE.address, ALICE.password) == "-ERR [AUTH] Invalid login"
    assert sieve_login(cyrus, ALICE.address, key.secret).startswith("OK")
    assert sieve_login(cyrus, ALICE.address, ALICE.password).startswith("NO")


def test_the_valetkey_log_says_who_asked_and_that_no_address_is_known(cyrus: Cyrus, valetkey: Valetkey):
    key = valetkey.keys.issue(BOB)
    valetkey.log.mark()
    assert imap_login(cyrus, BOB.address, key.secret).startswith("a OK")
    [entry] = valetkey.events("login", door="saslauthd")
    assert (entry["peer"], entry["protocol"], entry["result"]) == ("cyrus", "imap", "allowed")
    assert (entry["address"], entry["credential"]) == ("unknown", key.id)


def test_an_app_password_opens_only_its_protocols(cyrus: Cyrus, valetkey: Valetkey):
    key = valetkey.keys.issue(CAROL, scope("read flag write delete folders", "pop3"))
    assert pop3_login(cyrus, CAROL.address, key.secret).startswith("+OK")
    assert imap_login(cyrus, CAROL.address, key.secret) == "a NO Login failed: authentication failure"
    assert sieve_login(cyrus, CAROL.address, key.secret).startswith("NO")


def test_limits_that_cyrus_does_not_hold_and_networks_that_it_does_not_tell_are_refused(
    cyrus: Cyrus, valetkey: Valetkey
):
    read_only = valetkey.keys.issue(ALICE, scope("read", "imap"))
    here = valetkey.keys.issue(ALICE, network_rule=NetworkRule.ALLOWED, allowed_ips=("127.0.0.0/8",))
    valetkey.log.mark()
    for key in (read_only, here):
        assert imap_login(cyrus, ALICE.address, key.secret).startswith("a NO")
    assert [each["result"] for each in valetkey.events("login")] == ["not-held", "network"]


def test_revoked_expired_and_disabled(cyrus: Cyrus, valetkey: Valetkey):
    lost = valetkey.keys.issue(SCANNER)
    old = valetkey.keys.issue(SCANNER, expires_at=datetime.now(UTC) + timedelta(seconds=2))
    assert imap_login(cyrus, SCANNER.address, lost.secret).startswith("a OK")
    valetkey.keys.revoke(lost)
    assert imap_login(cyrus, SCANNER.address, lost.secret).startswith("a NO")
    wait_until_expired(cyrus, old)
    valid = valetkey.keys.issue(SCANNER)
    valetkey.keys.disable(SCANNER)
    try:
        assert imap_login(cyrus, SCANNER.address, valid.secret).startswith("a NO")
    finally:
        valetkey.keys.enable(SCANNER)
    assert imap_login(cyrus, SCANNER.address, valid.secret).startswith("a OK")


def wait_until_expired(cyrus: Cyrus, key: AppPasswordOf) -> None:
    end = datetime.now(UTC) + timedelta(seconds=10)
    while imap_login(cyrus, key.person.address, key.secret).startswith("a OK"):
        assert datetime.now(UTC) < end


def test_while_nobody_can_tell_cyrus_says_generic_failure(cyrus: Cyrus, valetkey: Valetkey, tmp_path: Path):
    """Cyrus has no better word; POP3 and ManageSieve not even this one. Its log tells that it was not the password."""
    key = valetkey.keys.issue(ALICE)
    away = cyrus.mux.rename(cyrus.mux.with_name("away"))
    try:
        broken = door(DoorKind.SASLAUTHD, peer(secret=""), path=cyrus.mux, group="sasl")
        with doors_beside(tmp_path, broken) as beside:
            beside.site.break_store(Unavailable("The store is away."))
            cyrus.log.mark()
            assert imap_login(cyrus, ALICE.address, key.secret) == "a NO Login failed: generic failure"
            cyrus.log.wait_for("size read failed")
        cyrus.mux.unlink()
        assert imap_login(cyrus, ALICE.address, key.secret) == "a NO Login failed: generic failure"
    finally:
        away.rename(cyrus.mux)
    assert imap_login(cyrus, ALICE.address, key.secret).startswith("a OK")


def test_an_alias_opens_no_mailbox(cyrus: Cyrus, valetkey: Valetkey):
    """Cyrus would open, and here make, the mailbox that is called so."""
    key, alias = valetkey.keys.issue(BOB), "sales@example.test"
    valetkey.cli("account", "alias", "add", BOB.address, alias)
    assert imap_login(cyrus, alias, key.secret).startswith("a NO")
    assert imap_login(cyrus, BOB.address.upper(), key.secret).startswith("a OK")


def test_cyrus_takes_no_password_without_tls_once_it_is_told_so(authority: CertificateAuthority):
    """So `tls_only` of its peer is true."""
    with unpacked("cyrus") as place:
        cyrus = Cyrus(place, authority, SASLAUTHD)
        told = place.path("/etc/imapd.conf").read_text().replace("allowplaintext: yes", "allowplaintext: no")
        place.write("/etc/imapd.conf", told)
        cyrus.start()
        with dialogue(cyrus.ports.imap) as talk:
            assert "LOGINDISABLED" in talk.until(r"\* OK")[-1]
            assert talk.imap("a", f"LOGIN {ALICE.address} x")[-1] == "a NO Login only available under a layer"
        with dialogue(cyrus.ports.pop3) as talk:
            talk.until(r"\+OK")
            assert "only available under a layer" in talk.ask(f"USER {ALICE.address}", r"[-+]")[-1]
        assert sieve_login(cyrus, ALICE.address, "x").startswith("NO")
        cyrus.log.wait_for("encryption needed to use mechanism")
        cyrus.stop()


@pytest.mark.parametrize("secret", ["", "x" * 2000, '"', "\\", "é", "a b"])
def test_hostile_passwords_are_wrong_and_harm_nobody(cyrus: Cyrus, valetkey: Valetkey, secret: str):
    key = valetkey.keys.issue(ALICE)
    with imap(cyrus) as talk:
        assert talk.imap("a", f"AUTHENTICATE PLAIN {plain(ALICE.address, secret)}")[-1].startswith("a NO")
        assert talk.imap("b", f"LOGIN {ALICE.address} {key.secret}")[-1].startswith("b OK")
