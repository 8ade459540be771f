"""What is taken away ends at a real Dovecot that asked, 2.3 and 2.4: by app password, or by address where it knows no more."""

import asyncio
import datetime as dt
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.servers.asking_dovecot import NEEDS
from tests.servers.certificates import CertificateAuthority
from tests.servers.dialogue import Dialogue
from tests.servers.dovecot import running_dovecot
from tests.servers.dovecot_settings import DovecotOptions
from tests.servers.people import ALICE, BOB, CAROL, Person
from tests.servers.places import free_port
from tests.servers.told_dovecot import Told, doveadm_api, told_dovecot
from tests.servers.valetkey_keys import EVERYTHING, OPERATOR, AppPasswordOf, scope

from valetkey.adapters.doveadm import CommandLine, Doveadm, DovecotServer
from valetkey.adapters.doveadm_http import HttpApi
from valetkey.core.errors import Unavailable
from valetkey.core.policy import Policy
from valetkey.service import accounts, app_passwords, policy
from valetkey.service.closing import AtServer, Closed
from valetkey.service.closing_parts import Sessions
from valetkey.service.closing_upkeep import late_servers

pytestmark = [pytest.mark.integration, pytest.mark.needs(*NEEDS)]

HOME, OFFICE, TRAIN = "127.0.0.1", "127.0.0.2", "127.0.0.3"


@pytest.fixture(scope="module", params=["2.3", "2.4"])
def told(request: pytest.FixtureRequest, authority: CertificateAuthority) -> Iterator[Told]:
    with told_dovecot(request.param, authority) as running:
        yield running


@contextmanager
def idling_at(
    port: int, authority: CertificateAuthority, person: Person, secret: str, source: str
) -> Iterator[Dialogue]:
    """Log in from an address, and wait for mail."""
    raw = socket.create_connection(("127.0.0.1", port), 10, source_address=(source, 0))
    with authority.client_context().wrap_socket(raw, server_hostname="localhost") as tls:
        talk = Dialogue(tls, 10)
        talk.line()
        assert talk.imap("a", f"LOGIN {person.address} {secret}")[-1].startswith("a OK")
        assert talk.imap("b", "SELECT INBOX")[-1].startswith("b OK")
        talk.ask("c IDLE", r"\+")
        yield talk


def idling(told: Told, key: AppPasswordOf, source: str) -> AbstractContextManager[Dialogue]:
    """Do so with an app password."""
    return idling_at(told.dovecot.ports.imaps, told.site.authority, key.person, key.secret, source)


def is_open(talk: Dialogue) -> bool:
    """Whether a session that waits for mail still does."""
    talk.ask("DONE", "c OK")
    return talk.imap("d", "NOOP")[-1].startswith("d OK")


def ended(talk: Dialogue) -> bool:
    """Whether the session was ended with words; new mail may be told before."""
    while (line := talk.line()).startswith("* ") and not line.startswith("* BYE"):
        pass
    return line.startswith("* BYE")


def revoke(told: Told, key: AppPasswordOf) -> Closed:
    return told.valetkey.keys.do(lambda ports: app_passwords.revoke(ports, OPERATOR, key.id)).closed


def is_recorded(told: Told, key: AppPasswordOf) -> bool:
    """Whether it is known from where an app password has logged in."""
    found = told.valetkey.keys.do(lambda ports: app_passwords.get(ports, OPERATOR, key.id))
    return found.last_use is not None


def is_late(told: Told) -> bool:
    """Whether something waits to be told."""
    return bool(told.valetkey.keys.do(lambda ports: late_servers(ports, OPERATOR)))


def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it does not come to pass"
        time.sleep(0.1)


def test_a_revoked_one_ends_and_others_go_on(told: Told) -> None:
    keys = told.valetkey.keys
    phone, laptop = keys.issue(ALICE, EVERYTHING), keys.issue(ALICE, EVERYTHING)
    with ExitStack() as stack:
        lost = [stack.enter_context(idling(told, phone, source)) for source in (OFFICE, OFFICE, TRAIN)]
        kept = stack.enter_context(idling(told, laptop, HOME))
        until(lambda: is_recorded(told, laptop))
        assert revoke(told, phone) == Closed(0, (AtServer("dovecot", 3),))
        assert all(ended(each) for each in lost)
        assert is_open(kept)


def test_narrowed_ones_end_too_and_an_account_is_closed_with_one_kick(told: Told) -> None:
    keys = told.valetkey.keys
    one, other = keys.issue(BOB, EVERYTHING), keys.issue(BOB, EVERYTHING)
    with idling(told, one, OFFICE) as narrowed, idling(told, other, HOME) as left:
        until(lambda: is_recorded(told, other))
        assert keys.change_scope(one, scope("read", "imap")) == 1
        assert ended(narrowed)
        closed = keys.do(lambda ports: accounts.disable(ports, OPERATOR, keys.account_id(BOB)))
        assert closed.servers == (AtServer("dovecot", 1),)
        assert ended(left)
    keys.enable(BOB)


def test_one_that_expires_ends_by_itself(told: Told) -> None:
    end = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=3)
    key = told.valetkey.keys.issue(ALICE, EVERYTHING, expires_at=end)
    with idling(told, key, TRAIN) as talk:
        until(lambda: dt.datetime.now(dt.UTC) > end)
        told.valetkey.keys.do(app_passwords.lapse_expired)
        assert ended(talk)


def test_what_a_policy_no_longer_lets_in_ends(told: Told) -> None:
    keys = told.valetkey.keys
    key = keys.issue(CAROL, EVERYTHING)
    too_old = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
    with idling(told, key, HOME) as talk:
        until(lambda: is_recorded(told, key) and dt.datetime.now(dt.UTC) > too_old)
        shown = keys.do(lambda ports: policy.show(ports, OPERATOR)).policy
        strict = Policy(max_lifetime=dt.timedelta(seconds=1), main_password_opens_mail=shown.main_password_opens_mail)
        keys.do(lambda ports: policy.save(ports, OPERATOR, strict))
        assert ended(talk)
    keys.do(lambda ports: policy.reset(ports, OPERATOR))


def test_a_server_that_is_down_is_told_when_it_is_back(told: Told) -> None:
    keys = told.valetkey.keys
    key = keys.issue(ALICE, EVERYTHING)
    told.dovecot.stop()
    assert revoke(told, key) == Closed(0, (), ("dovecot",))
    assert is_late(told)
    told.dovecot.start()
    until(lambda: not is_late(told), 40)


def test_the_command_on_the_same_machine_does_it_too(authority: CertificateAuthority) -> None:
    with running_dovecot(authority) as dovecot:
        servers = Doveadm(
            [DovecotServer("dovecot", "")],
            lambda _: CommandLine(("doveadm", "-c", str(dovecot.directory / "dovecot.conf"))),
        )
        asyncio.run(servers.probe("dovecot"))
        with ExitStack() as stack:
            gone, kept, others = (
                stack.enter_context(idling_at(dovecot.ports.imaps, authority, person, person.password, source))
                for person, source in ((ALICE, OFFICE), (ALICE, HOME), (BOB, OFFICE))
            )
            sessions = Sessions((ALICE.address,), "ap_1", spare=frozenset({HOME}))
            assert asyncio.run(servers.close("dovecot", sessions)) == 1
            assert ended(gone)
            assert is_open(kept)
            assert is_open(others)
            assert asyncio.run(servers.close("dovecot", sessions)) == 0


def test_a_dovecot_that_is_somebody_else_is_not_told(authority: CertificateAuthority, tmp_path: Path) -> None:
    port = free_port()
    api = doveadm_api("2.3", port, "key").replace("address =", "ssl = yes\n    address =")
    with running_dovecot(authority, DovecotOptions(extra=api)):
        for known in (authority, CertificateAuthority(tmp_path, "Somebody else's CA")):
            server = DovecotServer("dovecot", f"https://localhost:{port}", known.file)
            servers = Doveadm([server], lambda one: HttpApi(one, lambda: "key"))
            if known is authority:
                asyncio.run(servers.probe("dovecot"))
                continue
            with pytest.raises(Unavailable, match="certificate verify failed"):
                asyncio.run(servers.probe("dovecot"))
