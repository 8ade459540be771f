"""nginx asks: who may, what it is told, where it is sent to; nothing of a secret in the log."""

import base64
import hashlib
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.parse import quote, quote_from_bytes

import pytest
import structlog
from tests.doors.door_site import LOCALHOST, SECRET, DoorSite, door, open_doors, peer, person_with, replaced
from tests.verbs.site import OPERATOR, START

from valetkey.core.errors import Unavailable
from valetkey.core.limits import Held, Limits
from valetkey.core.policy import Policy
from valetkey.core.restriction import NetworkRule
from valetkey.core.scope import MailProtocol, Permission
from valetkey.doors.asked.settings import Backend, BackendLogin, CertificateLogin, DoorKind, GatewayPlace
from valetkey.service import accounts, app_passwords, upstream_passwords

IMAP, POP3, SMTP = MailProtocol.IMAP, MailProtocol.POP3, MailProtocol.SMTP
MASTER = Backend("192.0.2.1", 143, BackendLogin.MASTER_USER, "valetkey", "master secret")
POSTFIX = Backend("192.0.2.2", 25, BackendLogin.XCLIENT)
BACKENDS = {"example.org": {IMAP: MASTER, POP3: replace(MASTER, port=110), SMTP: POSTFIX}}
DER = b"a certificate, as far as anybody here knows"
PEM = b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(DER) + b"\n-----END CERTIFICATE-----\n"


@dataclass
class Told:
    status: int
    headers: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.headers.get(f"auth-{name}", "")

    @property
    def place(self) -> tuple[str, str]:
        return self["server"], self["port"]


async def ask(
    site: DoorSite,
    name: str,
    secret: str,
    *,
    protocol="imap",
    bearer: str | None = SECRET,
    method="GET",
    **headers: str,
) -> Told:
    """Ask as nginx does; give what it is told."""
    said = {
        "Host": "valetkey",
        "Auth-Method": "plain",
        "Auth-User": quote(name),
        "Auth-Pass": quote(secret),
        "Auth-Protocol": protocol,
        "Auth-Login-Attempt": "1",
        "Client-IP": "198.51.100.7",
        "Auth-SSL": "on",
    }
    if bearer is not None:
        said["Authorization"] = f"Bearer {bearer}"
    said |= {key.replace("_", "-"): value for key, value in headers.items()}
    talk = await site.connect()
    lines = "".join(f"{key}: {value}\r\n" for key, value in said.items() if value)
    await talk.say(f"{method} /nginx HTTP/1.0\r\n{lines}\r\n".encode())
    head = (await talk.reader.read()).decode().split("\r\n\r\n")[0].split("\r\n")
    found = dict(line.split(": ", 1) for line in head[1:])
    return Told(int(head[0].split()[1]), {key.lower(): value for key, value in found.items()})


@asynccontextmanager
async def nginx_site(folder, *peers, **changes):
    async with open_doors(folder, door(DoorKind.HTTP, *peers), **({"backends": BACKENDS} | changes)) as site:
        yield site


async def test_it_is_sent_to_the_domains_mail_server_as_its_master_user(tmp_path):
    async with nginx_site(tmp_path) as site:
        _, secret = await person_with(site)
        told = await ask(site, "alice@example.org", secret)
        assert told.status == 200
        assert told["status"] == "OK"
        assert told.place == ("192.0.2.1", "143")
        assert (told["user"], told["pass"]) == ("alice@example.org*valetkey", "master secret")
        assert (await ask(site, "alice", secret, protocol="pop3")).place == ("192.0.2.1", "110")
        assert site.samples()["valetkey_door_logins_total http imap allowed"] == 1


async def test_postfix_is_told_the_name_with_the_app_password_in_it(tmp_path):
    async with nginx_site(tmp_path) as site:
        person = await site.house.person()
        issued = await site.house.issue(person)
        told = await ask(site, "alice", issued.secret.shown, protocol="smtp")
        assert told.place == ("192.0.2.2", "25")
        assert told["user"] == f"alice@example.org/app:{issued.app_password.id}"
        assert "auth-pass" not in told.headers


@pytest.mark.parametrize("name", ["m+61x@example.org", "a=b@example.org", "jürgen@example.org"])
async def test_a_name_that_postfix_could_read_otherwise_is_not_told_it(tmp_path, name):
    async with nginx_site(tmp_path) as site:
        _, secret = await person_with(site, name)
        told = await ask(site, name, secret, protocol="smtp")
        assert (told["error-code"], told["server"]) == ("454 4.7.0", "")
        assert (await ask(site, name, secret))["status"] == "OK"


async def test_other_forms_of_names_and_secrets(tmp_path):
    own = Backend("::1", 143, BackendLogin.STORED_PASSWORD, local_part=True)
    async with nginx_site(tmp_path, backends={"*": {IMAP: own}}) as site:
        person, secret = await person_with(site)
        told = await ask(site, "alice", secret)
        assert told["status"].startswith("[UNAVAILABLE]")
        actor = site.house.acting(person.account)
        await upstream_passwords.set_upstream_password(site.house.ports, actor, person.account.id, "its own")
        told = await ask(site, "alice", secret)
        assert (told.place, told["user"], told["pass"]) == (("::1", "143"), "alice", "its own")


async def test_a_wrong_secret_and_an_unknown_name_are_answered_alike(tmp_path):
    async with nginx_site(tmp_path) as site:
        _, secret = await person_with(site)
        answers = [
            await ask(site, "alice", "vkey-aaaa-bbbb-cccc-dddd-eeee-ffff"),
            await ask(site, "nobody", secret),
            await ask(site, "alice", "vkey"),
            await ask(site, "alice", ""),
            await ask(site, "", ""),
        ]
        headers = [{key: value for key, value in one.headers.items() if key != "date"} for one in answers]
        assert all(one == headers[0] for one in headers)
        assert answers[0]["status"].startswith("[AUTHENTICATIONFAILED] Authentication failed.")
        assert answers[0]["wait"] == "1"
        assert "auth-server" not in answers[0].headers


@pytest.mark.parametrize(
    ("protocol", "status", "code"),
    [("imap", "[EXPIRED] This", ""), ("pop3", "[AUTH] This", ""), ("smtp", "This", "535 5.7.8")],
)
async def test_after_the_secret_is_proven_the_reason_is_told(tmp_path, protocol, status, code):
    async with nginx_site(tmp_path) as site:
        _, secret = await person_with(site, expires_at=START + timedelta(days=1))
        site.house.clock.move(days=2)
        told = await ask(site, "alice", secret, protocol=protocol)
        assert told["status"].startswith(f"{status} app password has expired")
        assert told["error-code"] == code


async def test_the_network_is_that_of_client_ip(tmp_path):
    async with nginx_site(tmp_path) as site:
        _, secret = await person_with(site, network_rule=NetworkRule.ALLOWED, allowed_ips=("198.51.100.0/24",))
        assert (await ask(site, "alice", secret))["status"] == "OK"
        for elsewhere in ("203.0.113.9", "", "nonsense", "::ffff:203.0.113.9"):
            told = await ask(site, "alice", secret, Client_IP=elsewhere)
            assert told["status"].startswith("[NOPERM]"), elsewhere
        assert (await ask(site, "alice", secret, Client_IP="::ffff:198.51.100.9"))["status"] == "OK"


async def test_without_tls_there_is_no_login_where_the_policy_wants_it(tmp_path):
    async with nginx_site(tmp_path) as site:
        _, secret = await person_with(site)
        assert (await ask(site, "alice", secret, Auth_SSL=""))["status"].startswith("[PRIVACYREQUIRED]")
        told = await ask(site, "alice", secret, protocol="smtp", Auth_SSL="off")
        assert told["error-code"] == "538 5.7.11"
        site.house.with_ports(policy=replace(Policy(), require_tls=False))


async def test_when_nothing_can_be_told_it_is_a_matter_of_time(tmp_path):
    async with nginx_site(tmp_path) as site:
        _, secret = await person_with(site)

        def fails(*_):
            raise Unavailable("the store is away")

        site.house.store.find_login = fails
        for protocol, status, code in (
            ("imap", "[UNAVAILABLE]", ""),
            ("pop3", "[SYS/TEMP]", ""),
            ("smtp", "Logins cannot be checked", "454 4.7.0"),
        ):
            told = await ask(site, "alice", secret, protocol=protocol)
            assert told["status"].startswith(status)
            assert told["error-code"] == code
            assert told["wait"] == "1"


async def test_a_domain_without_a_mail_server_is_the_operators_fault(tmp_path):
    async with nginx_site(tmp_path, backends={"example.com": {IMAP: MASTER}}) as site:
        _, secret = await person_with(site)
        with structlog.testing.capture_logs() as logs:
            assert (await ask(site, "alice", secret))["status"].startswith("[UNAVAILABLE]")
        assert [one["event"] for one in logs if one["log_level"] == "error"] == ["upstream_failed"]


async def test_after_many_tries_nginx_may_close(tmp_path):
    async with nginx_site(tmp_path) as site:
        assert (await ask(site, "alice", "x", Auth_Login_Attempt="9"))["wait"] == "1"
        assert (await ask(site, "alice", "x", Auth_Login_Attempt="10"))["wait"] == ""


@pytest.mark.parametrize("method", ["apop", "cram-md5", "none", "xoauth2"])
async def test_other_methods_open_nothing(tmp_path, method):
    async with nginx_site(tmp_path) as site:
        _, secret = await person_with(site)
        told = await ask(site, "alice", secret, Auth_Method=method)
        assert told["status"].startswith("[AUTHENTICATIONFAILED]")


@pytest.mark.parametrize("protocol", ["nntp", "ldap", "doveadm"])
async def test_other_services_open_nothing(tmp_path, protocol):
    async with nginx_site(tmp_path) as site:
        _, secret = await person_with(site)
        assert (await ask(site, "alice", secret, protocol=protocol))["status"].startswith("[AUTHENTICATIONFAILED]")


# Who may ask


async def test_another_mail_server_is_not_told_what_opens_mailboxes_elsewhere(tmp_path):
    async with nginx_site(tmp_path, peer("dovecot", is_nginx=False)) as site:
        _, secret = await person_with(site)
        told = await ask(site, "alice", secret)
        assert told.status == 403
        assert not [key for key in told.headers if key.startswith("auth-")]
        assert not [key for key in site.samples() if "logins" in key]


@pytest.mark.parametrize("bearer", [None, "", "wrong", SECRET + "x", SECRET[:-1]])
async def test_without_the_peers_secret_nothing_is_told_and_nothing_counts(tmp_path, bearer):
    async with nginx_site(tmp_path) as site:
        _, secret = await person_with(site)
        with structlog.testing.capture_logs() as logs:
            told = await ask(site, "alice", secret, bearer=bearer)
        assert told.status == 401
        assert [(one["event"], one["status"], one["address"]) for one in logs] == [("bad_request", 401, LOCALHOST)]
        assert not [key for key in told.headers if key.startswith("auth-")]
        assert not [key for key in site.samples() if "logins" in key]


async def test_only_what_nginx_sends_is_answered(tmp_path):
    async with nginx_site(tmp_path) as site:
        assert (await ask(site, "alice", "x", Auth_Protocol="")).status == 400
        told = await ask(site, "alice", "x", method="POST")
        assert (told.status, told.headers["allow"]) == (405, "GET")
        assert (await ask(site, "alice", "x", method="HEAD")).status == 405


# Limits


async def test_a_session_with_limits_is_refused_where_nobody_holds_it(tmp_path):
    async with nginx_site(tmp_path) as site:
        _, secret = await person_with(site, scope=replaced([Permission.READ]))
        assert (await ask(site, "alice", secret))["status"].startswith("[NOPERM] This mail server cannot hold")


async def test_a_session_with_limits_goes_to_our_gateway_and_others_do_not(tmp_path):
    place = GatewayPlace(IMAP, LOCALHOST, 1143)
    async with nginx_site(tmp_path, peer(gateway=(place,))) as site:
        person, secret = await person_with(site, scope=replaced([Permission.READ]))
        told = await ask(site, "alice", secret)
        assert (told["status"], told.place) == ("OK", (LOCALHOST, "1143"))
        assert not {"auth-user", "auth-pass"} & told.headers.keys()
        usual = (await site.house.issue(person)).secret.shown
        assert (await ask(site, "alice", usual)).place == ("192.0.2.1", "143")
        # No listener is there for it.
        pop3 = (await site.house.issue(person, scope=replaced([Permission.READ]))).secret.shown
        assert (await ask(site, "alice", pop3, protocol="pop3"))["status"].startswith("[AUTH] This mail server cannot")


async def test_what_the_mail_server_holds_itself_is_not_sent_around(tmp_path):
    place = GatewayPlace(SMTP, LOCALHOST, 1025)
    async with nginx_site(tmp_path, peer(gateway=(place,), holds=frozenset({Held.SENDING}))) as site:
        person, secret = await person_with(site, limits=Limits(messages_per_day=3))
        assert (await ask(site, "alice", secret, protocol="smtp")).place == ("192.0.2.2", "25")
        usual = (await site.house.issue(person)).secret.shown
        assert (await ask(site, "alice", usual, protocol="smtp")).place == ("192.0.2.2", "25")


async def test_who_is_not_told_the_app_password_holds_nothing(tmp_path):
    """A session of a master user, or by a stored password, is the same whichever app password opened it."""
    everything = peer(holds=frozenset(Held))
    async with nginx_site(
        tmp_path, everything, backends={"*": {IMAP: MASTER, SMTP: replace(MASTER, port=587)}}
    ) as site:
        person, secret = await person_with(site, scope=replaced([Permission.READ]))
        assert (await ask(site, "alice", secret))["status"].startswith("[NOPERM] This mail server cannot hold")
        folders = (await site.house.issue(person, limits=Limits(folders=("Archive",)))).secret.shown
        assert (await ask(site, "alice", folders))["status"].startswith("[NOPERM] This mail server cannot hold")
        senders = (await site.house.issue(person, limits=Limits(senders=("alice@example.org",)))).secret.shown
        told = await ask(site, "alice", senders, protocol="smtp")
        assert (told["error-code"], told["server"]) == ("535 5.7.8", "")


async def test_where_nginx_can_go_nowhere_nothing_is_held(tmp_path):
    async with nginx_site(tmp_path, peer(holds=frozenset(Held)), backends={}) as site:
        _, secret = await person_with(site, limits=Limits(senders=("alice@example.org",)))
        told = await ask(site, "alice", secret, protocol="smtp")
        assert (told["error-code"], told["server"]) == ("535 5.7.8", "")


async def test_with_our_gateway_there_such_a_session_goes_to_it(tmp_path):
    places = GatewayPlace(IMAP, LOCALHOST, 1143), GatewayPlace(SMTP, LOCALHOST, 1025)
    backends = {"*": {IMAP: MASTER, SMTP: replace(MASTER, port=587)}}
    async with nginx_site(tmp_path, peer(gateway=places, holds=frozenset(Held)), backends=backends) as site:
        person, secret = await person_with(site, scope=replaced([Permission.READ]))
        assert (await ask(site, "alice", secret)).place == (LOCALHOST, "1143")
        senders = (await site.house.issue(person, limits=Limits(senders=("alice@example.org",)))).secret.shown
        assert (await ask(site, "alice", senders, protocol="smtp")).place == (LOCALHOST, "1025")


async def test_a_mail_server_that_nginx_cannot_reach_is_reached_through_our_gateway(tmp_path):
    async with nginx_site(tmp_path, peer(gateway=(GatewayPlace(IMAP, LOCALHOST, 1143),)), backends={}) as site:
        _, secret = await person_with(site)
        assert (await ask(site, "alice", secret)).place == (LOCALHOST, "1143")


# Client certificates


CERTIFICATE = {
    "Auth_Method": "external",
    "Auth_SSL_Verify": "SUCCESS",
    "Auth_SSL_Cert": quote_from_bytes(PEM),
}


async def test_a_certificate_stands_for_an_app_password(tmp_path):
    logins: dict[bytes, CertificateLogin] = {}
    async with nginx_site(tmp_path, certificate_logins=logins) as site:
        person = await site.house.person()
        issued = await site.house.issue(person, scope=replaced(list(Permission), IMAP, SMTP))
        told = await ask(site, "", "", **CERTIFICATE)
        assert told["status"].startswith("[AUTHENTICATIONFAILED]")  # nobody has said so yet
        logins[hashlib.sha256(DER).digest()] = CertificateLogin("alice@example.org", issued.app_password.id)
        for name in ("", "Alice@example.org"):
            told = await ask(site, name, "", **CERTIFICATE)
            assert (told["status"], told["user"]) == ("OK", "alice@example.org*valetkey")
        assert (await ask(site, "bob@example.org", "", **CERTIFICATE))["status"].startswith("[AUTHENTICATIONFAILED]")
        assert (await ask(site, "", "", protocol="pop3", **CERTIFICATE))["status"].startswith(
            "[AUTH] This app password"
        )
        for changed in (
            {"Auth_SSL_Verify": "NONE"},
            {"Auth_SSL_Verify": "FAILED:certificate has expired"},
            {"Auth_SSL_Cert": ""},
            {"Auth_SSL_Cert": quote_from_bytes(PEM.replace(base64.b64encode(DER), base64.b64encode(DER + b".")))},
        ):
            told = await ask(site, "", "", **(CERTIFICATE | changed))
            assert told["status"].startswith("[AUTHENTICATIONFAILED]"), changed
        await app_passwords.revoke(site.house.ports, person.actor, issued.app_password.id)
        assert (await ask(site, "", "", **CERTIFICATE))["status"].startswith("[AUTHENTICATIONFAILED]")


async def test_a_certificate_is_held_to_everything_that_its_app_password_is(tmp_path):
    logins: dict[bytes, CertificateLogin] = {}
    gateway = (GatewayPlace(IMAP, LOCALHOST, 1143),)
    async with nginx_site(tmp_path, peer(gateway=gateway), certificate_logins=logins) as site:
        person = await site.house.person()

        async def stands_for(**wanted):
            issued = await site.house.issue(person, **wanted)
            logins[hashlib.sha256(DER).digest()] = CertificateLogin("alice@example.org", issued.app_password.id)
            return issued.app_password.id

        await stands_for(network_rule=NetworkRule.ALLOWED, allowed_ips=("203.0.113.0/24",))
        assert (await ask(site, "", "", **CERTIFICATE))["status"].startswith("[NOPERM]")
        # nginx has no password to log in to the gateway with.
        await stands_for(scope=replaced([Permission.READ]))
        assert (await ask(site, "", "", **CERTIFICATE))["status"].startswith("[NOPERM] This mail server cannot hold")
        await stands_for(idle_for=timedelta(days=1))
        assert (await ask(site, "", "", Auth_SSL="", **CERTIFICATE))["status"].startswith("[PRIVACYREQUIRED]")
        site.house.clock.move(days=2)
        assert (await ask(site, "", "", **CERTIFICATE))["status"].startswith("[EXPIRED] This app password was not used")
        await stands_for()
        assert (await ask(site, "", "", **CERTIFICATE))["status"] == "OK"
        await accounts.disable(site.house.ports, OPERATOR, person.account.id)
        assert (await ask(site, "", "", **CERTIFICATE))["status"].startswith("[AUTHENTICATIONFAILED]")


async def test_a_certificate_that_cannot_be_looked_up_is_a_matter_of_time(tmp_path):
    logins = {hashlib.sha256(DER).digest(): CertificateLogin("alice@example.org", "ap_aaaaaaaaaaaaaaaa")}
    async with nginx_site(tmp_path, certificate_logins=logins) as site:
        await site.house.person()
        for fault in (Unavailable("the store is away"), RuntimeError("a bug")):

            def fails(*_, fault=fault):
                raise fault

            site.house.store.find_proven = fails
            assert (await ask(site, "", "", **CERTIFICATE))["status"].startswith("[UNAVAILABLE]")


async def test_a_certificate_may_stand_for_an_app_password_of_its_account_only(tmp_path):
    logins: dict[bytes, CertificateLogin] = {}
    async with nginx_site(tmp_path, certificate_logins=logins) as site:
        alice, bob = await site.house.person(), await site.house.person("bob@example.org")
        issued = await site.house.issue(bob)
        for account, credential in (
            (alice.account.address, issued.app_password.id),
            ("nobody@example.org", issued.app_password.id),
            (alice.account.address, "ap_aaaaaaaaaaaaaaaa"),
            (alice.account.address, ""),
        ):
            logins[hashlib.sha256(DER).digest()] = CertificateLogin(account, credential)
            told = await ask(site, "", "", **CERTIFICATE)
            assert told["status"].startswith("[AUTHENTICATIONFAILED]"), (account, credential)


# What is logged


async def test_no_secret_is_logged(tmp_path):
    async with nginx_site(tmp_path, peer(gateway=(GatewayPlace(POP3, LOCALHOST, 1110),))) as site:
        _, secret = await person_with(site)
        typed = "typed by\x1b[31m mistake"
        with structlog.testing.capture_logs() as logs:
            for protocol in ("imap", "pop3", "smtp"):
                await ask(site, "alice", secret, protocol=protocol)
                await ask(site, "alice\x1b[31m", typed, protocol=protocol)
            await ask(site, "alice", secret, bearer="a wrong secret of a peer")
        written = repr(logs)
        for hidden in (secret, "typed by", "master secret", SECRET, "a wrong secret", "\x1b"):
            assert hidden not in written
        assert [one["result"] for one in logs if one["event"] == "login"] == ["allowed", "wrong-secret"] * 3
