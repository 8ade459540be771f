"""Mail servers in a Debian of their own run, and each lets people in: asked directly, without Valetkey."""

import poplib
import smtplib
import stat
from collections.abc import Iterator

import pytest
from tests.servers.certificates import CertificateAuthority
from tests.servers.courier import NO_DAEMON, Courier, running_courier
from tests.servers.cyrus import SASLAUTHD, Cyrus, running_cyrus
from tests.servers.dialogue import dialogue, plain
from tests.servers.dovecot24 import Dovecot24, Dovecot24Options, running_dovecot24
from tests.servers.exim import Exim, running_exim
from tests.servers.maildirs import MAIL_UID, a_message
from tests.servers.people import ALICE, BOB, CAROL
from tests.servers.places import listens
from tests.servers.sendmail import running_sendmail
from tests.servers.sink import running_sink
from tests.servers.unpacked import NAMES, ROOMS, Unpacked, unpacked

pytestmark = pytest.mark.integration

STATIC = """
passdb static {
  password = the-only-password
}
"""
# Dovecot's own Lua, with the JSON library beside it: what a script of ours needs.
BY_LUA = """
passdb lua {
  lua_file = /etc/dovecot/ask.lua
}
"""
LUA = """
local json = require "cjson"
function auth_password_verify(request, password)
  local heard = json.decode('{"password": "known-to-lua"}')
  if password == heard.password then
    return dovecot.auth.PASSDB_RESULT_OK, {}
  end
  return dovecot.auth.PASSDB_RESULT_PASSWORD_MISMATCH, {}
end
"""
ANYBODY = f"""
userdb static {{
  allow_all_users = yes
  fields {{
    uid = {MAIL_UID}
    gid = {MAIL_UID}
  }}
}}
"""


@pytest.fixture(scope="module")
def dovecot24(authority: CertificateAuthority) -> Iterator[Dovecot24]:
    with running_dovecot24(authority) as dovecot:
        yield dovecot


@pytest.fixture(scope="module")
def exim(authority: CertificateAuthority) -> Iterator[Exim]:
    with running_exim(authority) as running:
        yield running


@pytest.fixture(scope="module")
def cyrus(authority: CertificateAuthority) -> Iterator[Cyrus]:
    with running_cyrus(authority) as running:
        yield running


@pytest.fixture(scope="module")
def courier() -> Iterator[Courier]:
    with running_courier() as running:
        yield running


@pytest.fixture
def copy() -> Iterator[Unpacked]:
    with unpacked("exim") as place:
        yield place


@pytest.mark.needs(*NAMES)
@pytest.mark.parametrize(
    ("name", "argv", "said"),
    [
        ("exim", ("exim4", "-bV"), "Exim version 4.96"),
        ("cyrus", ("/usr/lib/cyrus/bin/cyr_info", "version"), "cyrus-imapd 3.6.1"),
        ("courier", ("couriertcpd", "-help"), "couriertcpd"),
        ("sendmail", ("/usr/libexec/sendmail/sendmail", "-C", "/dev/null", "-d0.1", "-bt"), "Version 8.17"),
        ("dovecot24", ("dovecot", "--version"), "2.4."),
    ],
)
def test_each_runs_and_says_which_it_is(name: str, argv: tuple[str, ...], said: str):
    with unpacked(name) as place:
        assert said in place.command(*argv).run().output


@pytest.mark.needs("exim")
def test_a_copy_is_written_to_and_what_all_share_stays_as_it_was(copy: Unpacked):
    copy.write("/etc/hosts", "127.0.0.1 elsewhere\n")
    copy.write("/usr/sbin/exim4", "not exim\n")
    assert copy.path("/etc/hosts").read_text() == "127.0.0.1 elsewhere\n"
    assert (ROOMS / "exim/etc/hosts").read_text() == "127.0.0.1 localhost\n"
    assert (ROOMS / "exim/usr/sbin/exim4").stat().st_size > 1_000_000


@pytest.mark.needs("exim")
def test_files_belong_to_the_users_of_the_copy(copy: Unpacked):
    written = copy.write("/etc/exim4/secret", "x", owner="Debian-exim", mode=0o600).stat()
    assert (written.st_uid, stat.S_IMODE(written.st_mode)) == (copy.numbers("Debian-exim")[0], 0o600)
    assert copy.numbers("vmail") == (MAIL_UID, MAIL_UID)
    with pytest.raises(KeyError):
        copy.numbers("somebody")


@pytest.mark.needs("exim")
@pytest.mark.parametrize("inside", ["/etc/link/passwd", "/../etc/passwd"])
def test_a_path_that_would_lead_out_of_the_copy_is_refused(copy: Unpacked, inside: str):
    copy.path("/etc/link").symlink_to("/etc")
    with pytest.raises(ValueError, match="leads out"):
        copy.path(inside)


@pytest.mark.needs("exim")
def test_a_program_sees_the_copy_alone_and_what_it_tells_syslog_is_kept(copy: Unpacked):
    perl = "use Sys::Syslog; openlog('here', '', 'mail'); syslog('info', 'said-by-%s', getpwuid($<))"
    done = copy.command("perl", "-e", perl, user="Debian-exim").run()
    assert done.code == 0, done.output
    assert "said-by-Debian-exim" in copy.log.wait_for("here")
    assert copy.command("ls", __file__).run().code != 0


@pytest.mark.needs("exim")
def test_the_copys_var_run_is_its_run(copy: Unpacked):
    assert copy.write("/var/run/exim4/here", "x").samefile(copy.path("/run/exim4/here"))


@pytest.mark.needs("exim")
def test_what_was_started_in_a_copy_ends_with_it():
    with unpacked("exim") as place:
        process = place.start("sh", "-c", "sleep 60 & sleep 60")
        root = place.root
    assert process.returncode is not None
    assert not root.exists()


@pytest.mark.needs("dovecot24")
def test_dovecot_24_lets_alice_in_over_every_protocol(dovecot24: Dovecot24, authority: CertificateAuthority):
    with dialogue(dovecot24.ports.imaps, authority.client_context()) as talk:
        talk.until(r"\* OK")
        assert talk.imap("a", f"LOGIN {ALICE.address} wrong")[-1].startswith("a NO [AUTHENTICATIONFAILED]")
        assert talk.imap("b", f"LOGIN {ALICE.address} {ALICE.password}")[-1].startswith("b OK")
        assert talk.imap("c", "SELECT INBOX")[-1].startswith("c OK")
    pop3 = poplib.POP3_SSL("localhost", dovecot24.ports.pop3s, context=authority.client_context(), timeout=10)
    pop3.user(ALICE.address)
    assert pop3.pass_(ALICE.password).startswith(b"+OK")
    pop3.quit()
    with dialogue(dovecot24.ports.sieve) as talk:
        talk.until(r"OK")
        assert talk.sieve(f'AUTHENTICATE "PLAIN" "{plain(ALICE.address, ALICE.password)}"')[-1].startswith("OK")


@pytest.mark.needs("dovecot24")
def test_dovecot_24_lets_the_master_user_in_and_takes_the_clients_address(dovecot24: Dovecot24):
    dovecot24.log.mark()
    login = plain(dovecot24.master_name, dovecot24.master_password, BOB.address)
    with dialogue(dovecot24.ports.imap) as talk:
        talk.until(r"\* OK")
        talk.imap("a", 'ID ("x-originating-ip" "203.0.113.9" "x-originating-port" "50123" "x-session-id" "gw-imap")')
        assert talk.imap("b", f"AUTHENTICATE PLAIN {login}")[-1].startswith("b OK")
        assert BOB.address in dovecot24.doveadm("who").output
    logged = dovecot24.log.wait_for("session=<gw-imap>")
    assert f"user=<{BOB.address}>" in logged
    assert "rip=203.0.113.9, real_rip=127.0.0.1" in logged


@pytest.mark.needs("dovecot24")
def test_dovecot_24_with_one_static_password_opens_anybodys_mailbox(authority: CertificateAuthority):
    options = Dovecot24Options(passdbs=STATIC, userdbs=ANYBODY)
    with running_dovecot24(authority, options) as dovecot, dialogue(dovecot.ports.imap) as talk:
        talk.until(r"\* OK")
        assert talk.imap("a", f"LOGIN {CAROL.address} {CAROL.password}")[-1].startswith("a NO")
        assert talk.imap("b", f"LOGIN {CAROL.address} the-only-password")[-1].startswith("b OK")


@pytest.mark.needs("dovecot24")
def test_dovecot_24_asks_a_lua_script_and_submits_through_a_relay(authority: CertificateAuthority):
    with running_sink() as sink:
        files = (("/etc/dovecot/ask.lua", LUA),)
        options = Dovecot24Options(passdbs=BY_LUA, userdbs=ANYBODY, files=files, relay_port=sink.port)
        with running_dovecot24(authority, options) as dovecot:
            context = authority.client_context()
            with smtplib.SMTP_SSL("localhost", dovecot.ports.submissions, context=context, timeout=10) as smtp:
                with pytest.raises(smtplib.SMTPAuthenticationError):
                    smtp.login(ALICE.address, "unknown-to-lua")
                smtp.login(ALICE.address, "known-to-lua")
                smtp.send_message(a_message(ALICE.address, BOB.address, "through-2.4"))
            assert b"Subject: through-2.4\r\n" in sink.wait().octets


@pytest.mark.needs("dovecot24")
def test_dovecot_24_stops_and_starts_again_on_the_same_ports(authority: CertificateAuthority):
    with running_dovecot24(authority) as dovecot:
        dovecot.stop()
        assert not listens(dovecot.ports.imaps)
        dovecot.start()
        assert listens(dovecot.ports.imaps)


@pytest.mark.needs("exim")
def test_exim_takes_alices_mail_after_her_login_alone(exim: Exim, authority: CertificateAuthority):
    with smtplib.SMTP_SSL("localhost", exim.ports.submissions, context=authority.client_context(), timeout=10) as smtp:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            smtp.send_message(a_message(ALICE.address, BOB.address, "without-login"))
        with pytest.raises(smtplib.SMTPAuthenticationError):
            smtp.login(ALICE.address, "wrong")
        smtp.login(ALICE.address, ALICE.password)
        smtp.send_message(a_message(ALICE.address, BOB.address, "through-exim"))
    exim.mail.wait_for(BOB, "through-exim")


@pytest.mark.needs("cyrus", "saslpasswd2")
def test_cyrus_lets_alice_in_over_every_protocol(cyrus: Cyrus, authority: CertificateAuthority):
    with dialogue(cyrus.ports.imaps, authority.client_context()) as talk:
        talk.until(r"\* OK")
        assert talk.imap("a", f"LOGIN {ALICE.address} wrong")[-1].startswith("a NO")
        assert talk.imap("b", f"LOGIN {ALICE.address} {ALICE.password}")[-1].startswith("b OK")
        assert talk.imap("c", "SELECT INBOX")[-1].startswith("c OK")
    with dialogue(cyrus.ports.pop3) as talk:
        talk.until(r"\+OK")
        talk.ask(f"USER {ALICE.address}", r"\+OK")
        talk.ask(f"PASS {ALICE.password}", r"\+OK")
    with dialogue(cyrus.ports.sieve) as talk:
        talk.until(r"OK")
        assert talk.sieve(f'AUTHENTICATE "PLAIN" "{plain(ALICE.address, ALICE.password)}"')[-1].startswith("OK")


@pytest.mark.needs("cyrus", "saslpasswd2")
def test_cyrus_lets_nobody_in_while_nobody_serves_its_saslauthd_socket(authority: CertificateAuthority):
    with running_cyrus(authority, SASLAUTHD) as cyrus, dialogue(cyrus.ports.imap) as talk:
        talk.until(r"\* OK")
        assert talk.imap("a", f"LOGIN {ALICE.address} {ALICE.password}")[-1].startswith("a NO")
        assert "cannot connect to saslauthd server" in cyrus.log.wait_for("saslauthd")


@pytest.mark.needs("sendmail", "saslpasswd2")
def test_sendmail_takes_alices_mail_after_her_login_alone():
    with running_sink() as sink, running_sendmail(sink.port) as sendmail:
        with smtplib.SMTP("localhost", sendmail.port, timeout=10) as smtp:
            with pytest.raises(smtplib.SMTPSenderRefused):
                smtp.sendmail(ALICE.address, BOB.address, "Subject: without-login\r\n\r\n")
            with pytest.raises(smtplib.SMTPAuthenticationError):
                smtp.login(ALICE.address, "wrong")
            smtp.login(ALICE.address, ALICE.password)
            smtp.send_message(a_message(ALICE.address, BOB.address, "through-sendmail"))
        assert b"Subject: through-sendmail\r\n" in sink.wait().octets


@pytest.mark.needs("courier")
def test_courier_asks_its_authdaemon_and_lets_alice_in(courier: Courier):
    with dialogue(courier.port) as talk:
        talk.until(r"\* OK")
        assert talk.imap("a", f"LOGIN {ALICE.address} wrong")[-1].startswith("a NO")
        assert talk.imap("b", f"LOGIN {ALICE.address} {ALICE.password}")[-1].startswith("b OK")
        assert talk.imap("c", "SELECT INBOX")[-1].startswith("c OK")


@pytest.mark.needs("courier")
def test_courier_without_authdaemon_lets_nobody_in():
    with running_courier(NO_DAEMON) as courier, dialogue(courier.port) as talk:
        talk.until(r"\* OK")
        talk.send(f"a LOGIN {ALICE.address} {ALICE.password}")
        with pytest.raises(EOFError):
            talk.until(r"a OK")


@pytest.mark.needs("courier")
def test_couriers_authdaemon_asks_pam():
    with unpacked("courier") as place:
        place.write("/etc/pam.d/imap", "auth required pam_permit.so\naccount required pam_permit.so\n")
        courier = Courier(place, "authpam")
        courier.start()
        with dialogue(courier.port) as talk:
            talk.until(r"\* OK")
            assert talk.imap("a", f"LOGIN {ALICE.address} whatever")[-1].startswith("a OK")
