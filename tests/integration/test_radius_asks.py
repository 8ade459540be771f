"""Debian's RADIUS clients, a FreeRADIUS between, PAM, and a Dovecot that asks through PAM: all ask a real Valetkey."""

import os
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyotp
import pytest
from tests.servers.certificates import CertificateAuthority
from tests.servers.dovecot import Dovecot
from tests.servers.dovecot_settings import DovecotOptions
from tests.servers.people import ALICE, DOMAIN
from tests.servers.places import own_directory
from tests.servers.radius import FreeRadius, OwnPam, RadiusPort, own_pam, radclient, running_freeradius
from tests.servers.site import MailSite
from tests.servers.valetkey import Valetkey, running_valetkey
from tests.servers.valetkey_keys import AppPasswordOf
from tests.servers.valetkey_settings import ValetkeyOptions

from valetkey.core.restriction import NetworkRule
from valetkey.service import accounts, second_factors
from valetkey.service.ports import OPERATOR, Actor, ActorKind

pytestmark = [pytest.mark.integration, pytest.mark.needs("radclient", "freeradius", "pamtester", "pam_radius", "root")]

OFFICE = "127.9.0.7"
DORA, DORAS = f"dora@{DOMAIN}", "harbour violin seventeen moss"


@pytest.fixture(scope="module")
def radius() -> RadiusPort:
    return RadiusPort()


@pytest.fixture(scope="module")
def valetkey(mail_site: MailSite, radius: RadiusPort) -> Iterator[Valetkey]:
    """Give a Valetkey of this module's own, with two workers and a RADIUS door."""
    with own_directory("peers") as directory:
        policy = ("max_app_passwords = 1000", "password_with_code = true")
        options = ValetkeyOptions(extra=radius.sections(directory), policy=policy)
        with running_valetkey(mail_site, options) as running:
            yield running


@pytest.fixture(scope="module")
def proxy(radius: RadiusPort) -> Iterator[FreeRadius]:
    with running_freeradius(radius) as running:
        yield running


@pytest.fixture(scope="module")
def pam(radius: RadiusPort) -> Iterator[OwnPam]:
    with own_pam() as own:
        own.by_radius(radius, "imap", "smtp", "sshd")
        yield own


@pytest.fixture
def key(valetkey: Valetkey) -> AppPasswordOf:
    return valetkey.keys.issue(ALICE)


@pytest.fixture
def office_key(valetkey: Valetkey) -> AppPasswordOf:
    return valetkey.keys.issue(ALICE, network_rule=NetworkRule.ALLOWED, allowed_ips=("office",))


def request(key: AppPasswordOf, **changes: str) -> Mapping[str, str]:
    given = {
        "User-Name": key.person.address,
        "User-Password": key.secret,
        "NAS-Identifier": "imap",
        "Calling-Station-Id": "198.51.100.7",
        "Message-Authenticator": "0x00",
    }
    said = {name.replace("_", "-"): value for name, value in changes.items()}
    return {name: value for name, value in {**given, **said}.items() if value}


def test_radclient_is_accepted_and_rejected(valetkey: Valetkey, radius: RadiusPort, key: AppPasswordOf):
    said = radclient(radius.port, radius.secret, request(key))
    received = said.partition("Received ")[2]
    assert received.startswith("Access-Accept")
    assert f"Class = 0x{key.id.encode().hex()}" in received
    assert "Message-Authenticator = 0x" in received
    (login,) = valetkey.events("login", result="allowed", credential=key.id)
    assert (login["door"], login["peer"], login["address"]) == ("radius", "client", "198.51.100.7")
    wrong = radclient(radius.port, radius.secret, request(key, User_Password="wrong"))
    assert "Received Access-Reject" in wrong
    assert "Reply-Message" not in wrong


def test_radclient_is_told_the_reason_of_a_right_secret(
    radius: RadiusPort, valetkey: Valetkey, office_key: AppPasswordOf
):
    said = radclient(radius.port, radius.secret, request(office_key))
    assert "Received Access-Reject" in said
    assert 'Reply-Message = "This app password may not be used from this network' in said
    inside = radclient(radius.port, radius.secret, request(office_key, Calling_Station_Id=OFFICE))
    assert "Received Access-Accept" in inside


def test_radclient_hears_nothing_with_another_secret_or_without_a_proof(
    valetkey: Valetkey, radius: RadiusPort, key: AppPasswordOf
):
    asked = (("another", request(key)), (radius.secret, request(key, Message_Authenticator="")))
    with ThreadPoolExecutor() as at_once:
        said = [at_once.submit(radclient, radius.port, secret, given, seconds=4) for secret, given in asked]
        assert all("No reply from server" in each.result() for each in said)
    assert not valetkey.events("login", credential=key.id)


def test_radclient_asks_for_the_status(valetkey: Valetkey, radius: RadiusPort):
    said = radclient(radius.port, radius.secret, {"Message-Authenticator": "0x00"}, command="status")
    assert "Received Access-Accept" in said


def test_chap_is_rejected(valetkey: Valetkey, radius: RadiusPort, key: AppPasswordOf):
    given = {**request(key, User_Password=""), "CHAP-Password": key.secret}
    assert "Received Access-Reject" in radclient(radius.port, radius.secret, given)


def test_freeradius_hands_on_both_ways(valetkey: Valetkey, proxy: FreeRadius, key: AppPasswordOf):
    for proof in ("0x00", ""):
        said = radclient(proxy.port, proxy.client_secret, request(key, Message_Authenticator=proof))
        assert "Received Access-Accept" in said
        wrong = radclient(
            proxy.port, proxy.client_secret, request(key, User_Password="wrong", Message_Authenticator=proof)
        )
        assert "Received Access-Reject" in wrong
    logins = valetkey.events("login", result="allowed", credential=key.id)
    assert {(login["peer"], login["address"]) for login in logins} == {("proxy", "198.51.100.7")}


def test_pam_asks_through_pam_radius(valetkey: Valetkey, pam: OwnPam, key: AppPasswordOf):
    assert "successfully authenticated" in pam.login("imap", ALICE.address, key.secret, address="198.51.100.9")
    (login,) = valetkey.events("login", result="allowed", credential=key.id)
    assert (login["peer"], login["protocol"], login["address"]) == ("pam", "imap", "198.51.100.9")
    assert "Authentication failure" in pam.login("imap", ALICE.address, "wrong")


def test_pam_of_another_service_opens_nothing(valetkey: Valetkey, pam: OwnPam, key: AppPasswordOf):
    assert "Authentication failure" in pam.login("sshd", ALICE.address, key.secret)


def test_pam_says_that_it_cannot_ask_when_nobody_answers():
    with own_pam() as pam:
        pam.by_radius(RadiusPort(), "imap", wait=1)
        assert "cannot retrieve authentication info" in pam.login("imap", ALICE.address, "right or wrong")


def test_pam_takes_main_password_and_code(valetkey: Valetkey, pam: OwnPam):
    seed = make_dora(valetkey)
    text = DORAS + seed.at(int(time.time()) + 30)  # that of now was used when it was set up
    assert "Authentication failure" in pam.login("imap", DORA, DORAS, address="198.51.100.9")
    assert "successfully authenticated" in pam.login("imap", DORA, text, address="198.51.100.9")
    assert "successfully authenticated" in pam.login("imap", DORA, text, address="198.51.100.10")  # the same network
    assert "Authentication failure" in pam.login("imap", DORA, text, address="203.0.113.9")
    assert "successfully authenticated" in pam.login("smtp", DORA, text, address="198.51.100.9")  # for sending, too


def make_dora(valetkey: Valetkey) -> pyotp.TOTP:
    account = valetkey.keys.do(lambda ports: accounts.create(ports, OPERATOR, DORA, password=DORAS))
    seeds: list[pyotp.TOTP] = []

    async def set_up(ports):
        actor = Actor(ActorKind.ACCOUNT, account.id, "127.0.0.1", ports.clock.now())
        offer = second_factors.offer_totp(ports, actor, DORA)
        seed = pyotp.parse_uri(offer.uri)
        assert isinstance(seed, pyotp.TOTP)
        await second_factors.confirm_totp(ports, actor, offer.sealed, seed.now(), "Phone")
        seeds.append(seed)

    valetkey.keys.do(set_up)
    return seeds[0]


@pytest.fixture
def dovecot(
    authority: CertificateAuthority, pam: OwnPam, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Dovecot]:
    """Give a Dovecot that asks PAM."""
    wrapper = tmp_path / "dovecot"
    wrapper.write_text(
        "#!/bin/sh\nexec " + " ".join(f"'{word}'" for word in pam.command("/usr/sbin/dovecot")) + ' "$@"\n'
    )
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with own_directory("dovecot") as directory:
        server = Dovecot(directory, authority, DovecotOptions(passdbs="passdb {\n  driver = pam\n  args = %s\n}\n"))
        server.start()
        try:
            yield server
        finally:
            server.stop()


def logged_in(dovecot: Dovecot, secret: str, source: str) -> str:
    """Log in to Dovecot from an address of this machine and give its answer."""
    context = dovecot.authority.client_context()
    with (
        socket.create_connection(("127.0.0.1", dovecot.ports.imaps), source_address=(source, 0), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        file = secure.makefile("rwb")
        file.readline()
        file.write(f'a LOGIN {ALICE.address} "{secret}"\r\n'.encode())
        file.flush()
        return next(line.decode() for line in file if line.startswith(b"a "))


def test_dovecot_through_pam_keeps_the_clients_address(valetkey: Valetkey, dovecot: Dovecot, office_key: AppPasswordOf):
    assert logged_in(dovecot, office_key.secret, OFFICE).startswith("a OK")
    (login,) = valetkey.events("login", result="allowed", credential=office_key.id)
    assert (login["protocol"], login["address"]) == ("imap", OFFICE)
    assert logged_in(dovecot, office_key.secret, "127.0.0.1").startswith("a NO [AUTHENTICATIONFAILED]")
    assert logged_in(dovecot, "wrong", OFFICE).startswith("a NO [AUTHENTICATIONFAILED]")


def test_another_worker_takes_over_when_the_one_that_answers_is_killed(
    valetkey: Valetkey, radius: RadiusPort, key: AppPasswordOf
):
    for number in (1, 2):  # whichever it is
        os.kill(valetkey.worker_pid(number), signal.SIGKILL)
        assert "Received Access-Accept" in radclient(radius.port, radius.secret, request(key))
        valetkey.wait_until_ready()
