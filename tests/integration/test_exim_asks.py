"""A real Exim asks Valetkey, with no Dovecot between: every login, and the app password's id for its own rules."""

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.servers import clients
from tests.servers.certificates import CertificateAuthority
from tests.servers.dialogue import Dialogue, dialogue, plain
from tests.servers.exim import Exim
from tests.servers.mailing import send
from tests.servers.people import ALICE, BOB, CAROL
from tests.servers.places import LOCALHOST, free_ports
from tests.servers.site import MailSite
from tests.servers.unpacked import unpacked
from tests.servers.valetkey import Valetkey, running_valetkey
from tests.servers.valetkey_keys import AppPasswordOf
from tests.servers.valetkey_settings import ValetkeyOptions

from valetkey.core.limits import Limits

pytestmark = [pytest.mark.integration, pytest.mark.needs("exim")]

PAGE = Path(__file__).parents[2] / "docs" / "servers" / "exim.md"


def configured(sasl: int, policy: int, socket: str) -> tuple[str, str]:
    """Give authenticators and ACLs as the page for operators has them; PLAIN asks by the unix socket."""
    blocks = [text for _, text in re.findall(r"^```(\w*)\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)]
    (login,) = (text for text in blocks if text.startswith("valetkey_plain:"))
    (judging,) = (text for text in blocks if text.startswith("acl_valetkey_rcpt:"))
    authenticators = login.replace("127.0.0.1 9081", socket, 1).replace("127.0.0.1 9081", f"127.0.0.1 {sasl}")
    # Debian's own rules are not in this Exim; who has not logged in is refused in their place.
    known = "  deny !authenticated = *\n    message = authentication required\n"
    acls = judging.replace("  require acl = acl_check_rcpt\n", "").replace("  require acl = acl_check_data\n", "")
    acls = acls.replace("acl_valetkey_rcpt:\n", f"recipients:\n{known}").replace("acl_valetkey_data:", "message:")
    return authenticators, acls.replace("127.0.0.1:9082", f"127.0.0.1:{policy}")


@pytest.fixture(scope="module")
def asked(authority: CertificateAuthority, mail_site: MailSite) -> Iterator[tuple[Exim, Valetkey]]:
    """Give an Exim, and the Valetkey that it asks through a socket in its chroot and over TCP."""
    port, policy = free_ports(2)
    with unpacked("exim") as place:
        authenticators, acls = configured(port, policy, "/run/valetkey.sock")
        exim = Exim(place, authority, authenticators, acls=acls)
        socket = place.path("/run/valetkey.sock")
        sections = (
            '[[peer]]\nname = "exim"\nholds = ["sending"]\n',
            f'[[door]]\nkind = "policy"\nlisten = "{LOCALHOST}:{policy}"\n',
            f'[[door]]\nkind = "sasl"\nsocket = "{socket}"\nsocket_group = "mail"\n',
            f'[[door]]\nkind = "sasl"\nlisten = "{LOCALHOST}:{port}"\n',
        )
        with running_valetkey(mail_site, ValetkeyOptions(workers=1, extra=sections)) as valetkey:
            try:
                socket.chmod(0o666)  # the groups of the chroot have other numbers
                exim.start()
                yield exim, valetkey
            finally:
                exim.end()


@pytest.fixture
def exim(asked: tuple[Exim, Valetkey]) -> Exim:
    return asked[0]


@pytest.fixture
def valetkey(asked: tuple[Exim, Valetkey]) -> Valetkey:
    return asked[1]


@pytest.fixture
def key(valetkey: Valetkey) -> AppPasswordOf:
    return valetkey.keys.issue(ALICE, "send-only")


@contextmanager
def greeted(exim: Exim) -> Iterator[Dialogue]:
    with dialogue(exim.ports.submissions, exim.authority.client_context(), seconds=30) as talk:
        talk.until("220 ")
        talk.smtp("EHLO client.example.test")
        yield talk


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_logins(exim: Exim, valetkey: Valetkey, key: AppPasswordOf):
    with greeted(exim) as talk:
        assert any(line.startswith("250-AUTH PLAIN LOGIN") for line in talk.smtp("EHLO client.example.test"))
        assert talk.smtp(f"AUTH PLAIN {plain(ALICE.address, 'wrong')}")[-1].startswith("535")
        assert talk.smtp("AUTH LOGIN")[-1] == f"334 {b64('Username:')}"
        assert talk.smtp(b64(ALICE.address))[-1] == f"334 {b64('Password:')}"
        assert talk.smtp(b64(key.secret))[-1].startswith("235")
    with greeted(exim) as talk:
        assert talk.smtp(f"AUTH PLAIN {plain(ALICE.address, key.secret)}")[-1].startswith("235")
    allowed = valetkey.events("login", result="allowed", credential=key.id)
    assert [(each["door"], each["address"], each["tls"]) for each in allowed[-2:]] == [("sasl", LOCALHOST, True)] * 2


def test_the_log_and_the_rules_know_the_app_password(exim: Exim, valetkey: Valetkey, key: AppPasswordOf):
    exim.log.mark()
    exim.mail.empty(BOB)
    with greeted(exim) as talk:
        talk.smtp(f"AUTH PLAIN {plain(ALICE.address, key.secret)}")
        for line in (f"MAIL FROM:<{ALICE.address}>", f"RCPT TO:<{BOB.address}>", "DATA"):
            assert talk.smtp(line)[-1].startswith(("250", "354"))
        assert talk.smtp("Subject: by way of Exim\r\n\r\nHello.\r\n.")[-1].startswith("250")
    assert f"A=valetkey_plain:{ALICE.address}/app:{key.id}" in exim.log.wait_for(" <= ")
    exim.mail.wait_for(BOB, "by way of Exim")


def test_what_may_not_send_does_not_log_in(exim: Exim, valetkey: Valetkey):
    reading = valetkey.keys.issue(ALICE, "mail-app-read-only")
    with greeted(exim) as talk:
        assert talk.smtp(f"AUTH PLAIN {plain(ALICE.address, reading.secret)}")[-1].startswith("535")
    assert valetkey.keys.last_refusal(reading) == "protocol"


def test_exim_holds_limits_by_asking_the_policy_service(exim: Exim, valetkey: Valetkey):
    as_the_shop = valetkey.keys.issue(ALICE, "send-only", limits=Limits(senders=("shop@example.test",)))
    with greeted(exim) as talk:
        assert talk.smtp(f"AUTH PLAIN {plain(ALICE.address, as_the_shop.secret)}")[-1].startswith("235")
        assert send(talk, BOB.address) == "550 This app password may not send mail as this address"
    limits = Limits(
        senders=(ALICE.address,), recipients=("@example.test",), messages_per_day=2, recipients_per_message=2
    )
    key = valetkey.keys.issue(ALICE, "send-only", limits=limits)
    with greeted(exim) as talk:
        assert talk.smtp(f"AUTH PLAIN {plain(ALICE.address, key.secret)}")[-1].startswith("235")
        assert send(talk, BOB.address, sender=BOB.address) == "550 You may not send as this address"
        assert send(talk, "x@example.net") == "550 This app password may not send mail to this address"
        assert "so many recipients" in send(talk, BOB.address, ALICE.address, CAROL.address)
        assert send(talk, BOB.address, CAROL.address).startswith("250")
        assert send(talk, BOB.address).startswith("250")
        assert send(talk, BOB.address) == "550 This app password has sent as many messages today as it may"


def test_the_rule_for_senders_knows_the_address_behind_the_tag(exim: Exim, valetkey: Valetkey, key: AppPasswordOf):
    with greeted(exim) as talk:
        talk.smtp(f"AUTH PLAIN {plain(ALICE.address, key.secret)}")
        assert send(talk, BOB.address).startswith("250")
        assert send(talk, BOB.address, sender=ALICE.address.upper()).startswith("250")
        assert send(talk, BOB.address, sender=BOB.address) == "550 You may not send as this address"


def test_without_tls_no_login_is_offered(exim: Exim, valetkey: Valetkey):
    with dialogue(exim.ports.submission, seconds=30) as talk:
        talk.until("220 ")
        assert not any("AUTH" in line for line in talk.smtp("EHLO client.example.test"))


def test_revoked_in_a_live_session(exim: Exim, valetkey: Valetkey, key: AppPasswordOf):
    with greeted(exim) as talk:
        talk.smtp(f"AUTH PLAIN {plain(ALICE.address, key.secret)}")
        assert send(talk, BOB.address).startswith("250")
        valetkey.keys.revoke(key)
        assert send(talk, BOB.address) == "550 This app password may no longer be used"


@pytest.mark.parametrize("response", ["=", "!!!!", "AAAA", b64("\0alice\0a\0b"), "QQ"])
def test_bad_input_is_a_failed_login(exim: Exim, valetkey: Valetkey, key: AppPasswordOf, response: str):
    with greeted(exim) as talk:
        assert talk.smtp(f"AUTH PLAIN {response}")[-1].startswith(("501", "535"))
        assert talk.smtp(f"AUTH PLAIN {plain(ALICE.address, key.secret)}")[-1].startswith("235")


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_swaks(exim: Exim, valetkey: Valetkey, key: AppPasswordOf, client_home: Path, mechanism: str):
    exim.mail.empty(BOB)
    login = clients.Login(exim.ports.submission, valetkey.ca, ALICE.address, key.secret, clients.Tls.STARTTLS)
    subject = f"swaks to Exim by {mechanism}"
    done = clients.swaks(client_home, login, ALICE.address, BOB.address, subject, mechanism=mechanism).run()
    assert done.code == 0, done.output
    exim.mail.wait_for(BOB, subject)


def test_an_outage_is_told_as_one_and_ends(exim: Exim, valetkey: Valetkey, key: AppPasswordOf):
    with greeted(exim) as talk, greeted(exim) as sending:
        assert sending.smtp(f"AUTH PLAIN {plain(ALICE.address, key.secret)}")[-1].startswith("235")
        valetkey.stop()
        try:
            said = talk.smtp(f"AUTH PLAIN {plain(ALICE.address, key.secret)}")[-1]
            assert said == "435 Unable to authenticate at present"
            assert send(sending, BOB.address).startswith("451")
            assert talk.smtp("AUTH LOGIN")[-1].startswith("435")
        finally:
            valetkey.start()
    exim.place.path("/run/valetkey.sock").chmod(0o666)
    with greeted(exim) as talk:
        assert talk.smtp(f"AUTH PLAIN {plain(ALICE.address, key.secret)}")[-1].startswith("235")
