"""Real mail clients log in with an app password as their manuals say, work, and are refused when they should be."""

import datetime as dt
import mailbox
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.servers import clients, python_clients
from tests.servers.clients import Login
from tests.servers.commands import Command, Outcome
from tests.servers.maildirs import a_message
from tests.servers.people import ALICE, BOB, CAROL
from tests.servers.slow_path import slow_path
from tests.servers.valetkey import Valetkey
from tests.servers.valetkey_keys import AppPasswordOf, scope

from valetkey.core.restriction import NetworkRule
from valetkey.core.scope import Scope

pytestmark = pytest.mark.integration

Run = Callable[[Path, Login], Command]


def letter(subject: str) -> bytes:
    return a_message(ALICE.address, BOB.address, subject).as_bytes()


def curl_imap(home: Path, login: Login) -> Command:
    return clients.curl(home, login, "imap", "INBOX;MAILINDEX=1")


def curl_pop3(home: Path, login: Login) -> Command:
    return clients.curl(home, login, "pop3", "1")


def fetchmail_imap(home: Path, login: Login) -> Command:
    return clients.fetchmail(home, login, "IMAP")


def fetchmail_pop3(home: Path, login: Login) -> Command:
    return clients.fetchmail(home, login, "POP3")


def getmail_imap(home: Path, login: Login) -> Command:
    return clients.getmail(home, login, "IMAP")


def getmail_pop3(home: Path, login: Login) -> Command:
    return clients.getmail(home, login, "POP3")


def neomutt_read(home: Path, login: Login) -> Command:
    return clients.neomutt_copy(home, login)


def curl_smtp(home: Path, login: Login) -> Command:
    return clients.curl_send(home, login, ALICE.address, [BOB.address], letter("curl_smtp"))


def msmtp(home: Path, login: Login) -> Command:
    return clients.msmtp(home, login, ALICE.address, [BOB.address], letter("msmtp"))


def swaks_plain(home: Path, login: Login) -> Command:
    return clients.swaks(home, login, ALICE.address, BOB.address, "swaks_plain")


def swaks_login(home: Path, login: Login) -> Command:
    return clients.swaks(home, login, ALICE.address, BOB.address, "swaks_login", mechanism="LOGIN")


def neomutt_send(home: Path, login: Login) -> Command:
    return clients.neomutt_send(home, login, ALICE.address, BOB.address, "neomutt_send")


def mbsync(home: Path, login: Login) -> Command:
    return clients.mbsync(home, login, "INBOX", "Pull")


def one(run: Run, program: str, *ports: str) -> list[object]:
    marks = pytest.mark.needs(program)
    return [pytest.param(run, port, marks=marks, id=f"{run.__name__}-{port}") for port in ports]


READERS = [
    *one(curl_imap, "curl", "imaps", "imap"),
    *one(curl_pop3, "curl", "pop3s", "pop3"),
    *one(fetchmail_imap, "fetchmail", "imaps", "imap"),
    *one(fetchmail_pop3, "fetchmail", "pop3s", "pop3"),
    *one(getmail_imap, "getmail", "imaps"),
    *one(getmail_pop3, "getmail", "pop3s"),
    *one(neomutt_read, "neomutt", "imaps"),
    *one(mbsync, "mbsync", "imaps", "imap"),
]
SENDERS = [
    *one(curl_smtp, "curl", "submissions", "submission"),
    *one(msmtp, "msmtp", "submissions", "submission"),
    *one(swaks_plain, "swaks", "submissions", "submission"),
    *one(swaks_login, "swaks", "submissions"),
    *one(neomutt_send, "neomutt", "submissions", "submission"),
]
READ_ONCE = [each for each in READERS if each.values[1] in {"imaps", "pop3s"}]
SEND_ONCE = [each for each in SENDERS if each.values[1] == "submissions"]


@pytest.fixture(scope="module")
def mail_app(valetkey: Valetkey) -> AppPasswordOf:
    return valetkey.keys.issue(ALICE, "mail-app", "Clients")


@pytest.fixture(scope="module")
def read_only(valetkey: Valetkey) -> AppPasswordOf:
    return valetkey.keys.issue(ALICE, "mail-app-read-only", "Archive")


@pytest.fixture
def a_mail(valetkey: Valetkey) -> str:
    valetkey.site.mail.empty(ALICE)
    valetkey.site.mail.deliver(ALICE, a_message(CAROL.address, ALICE.address, "to-be-read"))
    return "to-be-read"


def seen(home: Path, outcome: Outcome) -> str:
    """Give all that a client has fetched, wherever it put it."""
    files = [path for path in home.rglob("*") if path.is_file() and path.name not in {"secret", "stdin"}]
    return outcome.output + "".join(path.read_text(errors="replace") for path in files)


def fetched(home: Path) -> str:
    """Give what a client has kept of messages."""
    kept = [home / "fetched", home / "got", home / "copied", *(home / "mail").rglob("*")]
    return "".join(path.read_text(errors="replace") for path in kept if path.is_file())


@pytest.mark.parametrize(("run", "port"), READERS)
def test_it_reads(valetkey: Valetkey, client_home: Path, mail_app: AppPasswordOf, a_mail: str, run: Run, port: str):  # noqa: PLR0917 - fixtures
    outcome = run(client_home, valetkey.login(mail_app, port)).run()
    assert outcome.code == 0, outcome.output
    assert a_mail in seen(client_home, outcome)


@pytest.mark.parametrize(("run", "port"), READ_ONCE)
def test_it_reads_with_a_read_only_app_password_and_changes_nothing(  # noqa: PLR0917 - fixtures
    valetkey: Valetkey, client_home: Path, read_only: AppPasswordOf, a_mail: str, run: Run, port: str
):
    before = flags(valetkey)
    outcome = run(client_home, valetkey.login(read_only, port)).run()
    assert a_mail in seen(client_home, outcome), outcome.output
    assert flags(valetkey) == before == [""]


def flags(valetkey: Valetkey) -> list[str]:
    """Give each message's flags. Whether a file is in new or cur tells only whether a server has looked."""
    return [name.partition(":2,")[2] for name in valetkey.site.mail.file_names(ALICE)]


@pytest.mark.parametrize(("run", "port"), SENDERS)
def test_it_sends(valetkey: Valetkey, client_home: Path, mail_app: AppPasswordOf, run: Run, port: str):
    valetkey.site.mail.empty(BOB)
    outcome = run(client_home, valetkey.login(mail_app, port)).run()
    assert outcome.code == 0, outcome.output
    valetkey.site.mail.wait_for(BOB, run.__name__)


@pytest.mark.parametrize(("run", "port"), [*READ_ONCE, *SEND_ONCE])
def test_it_is_refused_with_a_wrong_secret(  # noqa: PLR0917 - fixtures
    valetkey: Valetkey, client_home: Path, mail_app: AppPasswordOf, a_mail: str, run: Run, port: str
):
    login = valetkey.login(mail_app, port, secret="vkey-aaaa-bbbb-cccc-dddd-eeee-ffff")
    assert_refused(run, client_home, login, a_mail)


def assert_refused(run: Run, home: Path, login: Login, subject: str) -> Outcome:
    """Expect that a client gives up by itself, with an exit code that says so, and has read nothing."""
    command = run(home, login)
    if run is neomutt_read:  # it asks its user what to do now
        with command.start() as running:
            running.wait_for("AUTHENTICATIONFAILED" if login.secret.startswith("vkey-aaaa") else "failed")
        return Outcome(1, running.output)
    outcome = command.run()
    assert outcome.code != 0, outcome.output
    assert subject not in seen(home, outcome)
    return outcome


@pytest.fixture(scope="module")
def unfit(valetkey: Valetkey) -> dict[str, AppPasswordOf]:
    """Give app passwords that are right, and must not pass here."""
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
    office = {"network_rule": NetworkRule.ALLOWED, "allowed_ips": ("office",)}
    made = {
        "expired": valetkey.keys.issue(ALICE, "mail-app", "Old", expires_at=soon),
        "network": valetkey.keys.issue(ALICE, "mail-app", "Office", **office),
        "only-smtp": valetkey.keys.issue(ALICE, "send-only", "Scanner"),
        "no-pop3": valetkey.keys.issue(ALICE, scope("read flag write delete send", "imap smtp"), "No POP3"),
        "read-only": valetkey.keys.issue(ALICE, "mail-app-read-only", "Archive"),
        "revoked": valetkey.keys.issue(ALICE, "mail-app", "Lost"),
    }
    assert valetkey.keys.revoke(made["revoked"]) == 0
    time.sleep(max(0.0, (soon - dt.datetime.now(dt.UTC)).total_seconds()))  # what is tested is that time passes
    return made


@pytest.mark.parametrize(
    ("which", "run", "port", "says", "reason"),
    [
        ("expired", curl_imap, "imaps", "", "expired"),
        ("expired", curl_pop3, "pop3s", "", "expired"),
        ("expired", msmtp, "submissions", "535", "expired"),
        ("expired", fetchmail_imap, "imaps", "EXPIRED", "expired"),
        ("network", mbsync, "imaps", "from this network", "network"),
        ("network", swaks_plain, "submissions", "535 5.7.8", "network"),
        ("network", getmail_pop3, "pop3s", "", "network"),
        ("only-smtp", mbsync, "imaps", "may not be used for IMAP", "protocol"),
        ("only-smtp", fetchmail_pop3, "pop3s", "may not be used for POP3", "protocol"),
        ("no-pop3", fetchmail_pop3, "pop3s", "may not be used for POP3", "protocol"),
        ("no-pop3", curl_pop3, "pop3s", "", "protocol"),
        ("read-only", msmtp, "submissions", "535", "protocol"),
        ("read-only", swaks_plain, "submissions", "may not be used for sending mail", "protocol"),
        ("read-only", curl_smtp, "submissions", "", "protocol"),
        ("revoked", mbsync, "imaps", "AUTHENTICATIONFAILED", "wrong-secret"),
        ("revoked", msmtp, "submissions", "535", "wrong-secret"),
    ],
)
def test_it_is_refused_where_its_app_password_may_not_be_used(  # noqa: PLR0917 - a table's columns
    valetkey: Valetkey, client_home: Path, unfit, a_mail: str, which: str, run: Run, port: str, says: str, reason: str
):
    outcome = assert_refused(run, client_home, valetkey.login(unfit[which], port), a_mail)
    assert says in outcome.output
    assert {entry["result"] for entry in valetkey.events("login")} == {reason}


def test_python_hears_why_in_each_protocol(valetkey: Valetkey, unfit: dict[str, AppPasswordOf]):
    with (
        pytest.raises(python_clients.GONE, match=r"EXPIRED.*has expired"),
        python_clients.imap(valetkey.login(unfit["expired"], "imaps")),
    ):
        pass
    with (
        pytest.raises(python_clients.GONE, match=r"NOPERM.*network"),
        python_clients.imap(valetkey.login(unfit["network"], "imaps")),
    ):
        pass
    with (
        pytest.raises(python_clients.GONE, match=r"-ERR \[AUTH\].*POP3"),
        python_clients.pop3(valetkey.login(unfit["no-pop3"], "pop3s")),
    ):
        pass
    with (
        pytest.raises(python_clients.GONE, match=r"535, b'5\.7\.8.*sending"),
        python_clients.smtp(valetkey.login(unfit["read-only"], "submissions")),
    ):
        pass
    with (
        pytest.raises(PermissionError, match=r"^NO .*filters"),
        python_clients.sieve(valetkey.login(unfit["read-only"], "sieve")),
    ):
        pass


@pytest.mark.needs("mbsync")
def test_mbsync_syncs_both_ways(valetkey: Valetkey, client_home: Path, mail_app: AppPasswordOf, a_mail: str):
    command = clients.mbsync(client_home, valetkey.login(mail_app, "imaps"))
    assert command.run().code == 0
    inbox = mailbox.Maildir(client_home / "mail" / "INBOX", create=False)
    assert [message["Subject"] for message in inbox] == [a_mail]
    inbox.add(letter("put-here-by-mbsync"))
    outcome = command.run()
    assert outcome.code == 0, outcome.output
    valetkey.site.mail.wait_for(ALICE, "put-here-by-mbsync")


@pytest.mark.needs("fetchmail")
@pytest.mark.parametrize("choice", ["mail-app", scope("read flag", "imap")], ids=["unlimited", "limited"])
def test_fetchmail_waits_in_idle_and_is_cut_off_at_revocation(
    valetkey: Valetkey, client_home: Path, a_mail: str, choice: str | Scope
):
    key = valetkey.keys.issue(ALICE, choice, "fetchmail")
    with clients.fetchmail(client_home, valetkey.login(key, "imaps"), idle=True).start() as running:
        running.wait_for("+ idling")
        valetkey.site.mail.deliver(ALICE, a_message(CAROL.address, ALICE.address, "came-while-idle"))
        running.wait_for("localhost:2 of 2")
        running.wait_for("+ idling")
        assert valetkey.keys.revoke(key) == 1
        ended = running.wait(5)
    assert ended.code != 0
    assert "came-while-idle" in (client_home / "fetched").read_text()


@pytest.mark.needs("neomutt")
def test_neomutt_is_cut_off_at_revocation(valetkey: Valetkey, client_home: Path, a_mail: str):
    key = valetkey.keys.issue(ALICE, "mail-app", "NeoMutt")
    with clients.neomutt_open(client_home, valetkey.login(key, "imaps")).start() as running:
        running.wait_for(a_mail)
        assert valetkey.keys.revoke(key) == 1
        running.type("$")
        running.wait_for("closed")


@pytest.mark.parametrize(("run", "port"), [*READ_ONCE, *SEND_ONCE])
def test_it_is_cut_off_in_the_middle_of_its_work(
    valetkey: Valetkey, client_home: Path, a_mail: str, run: Run, port: str
):
    key = valetkey.keys.issue(ALICE, "mail-app", "Lost")
    with slow_path(getattr(valetkey.ports, port)) as slow:
        login = replace(valetkey.login(key, port), port=slow)
        with run(client_home, login).start() as running:
            end = time.monotonic() + 20
            while not valetkey.keys.opened_by(key):
                assert time.monotonic() < end, "it does not log in"
            assert valetkey.keys.revoke(key) == 1
            if run is neomutt_read:  # it says so, and waits for its user
                running.wait_for("closed", 20)
            else:
                ended = running.wait(20)
                assert ended.code != 0, ended.output
    assert a_mail not in fetched(client_home)
