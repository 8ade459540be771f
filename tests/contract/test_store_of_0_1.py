"""A database and key file that Valetkey 0.1.0 filled by its own verbs: all of it is there and works after the upgrade."""

import json
import shutil
import sqlite3
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.verbs.site import HOME, OPERATOR, House, Person, attempt

from valetkey.core import errors
from valetkey.core.account import AccountState
from valetkey.core.login import Allowed, Reason, Refused
from valetkey.core.role import Action, Role
from valetkey.core.scope import MailProtocol, Permission
from valetkey.service import (
    accounts,
    activity,
    app_passwords,
    history,
    login,
    second_factors,
    sign_in,
    upstream_passwords,
)
from valetkey.service.authority import require

OLD = Path(__file__).parent / "of_0_1"
KNOWN = SimpleNamespace(**json.loads((OLD / "known.json").read_text()))


@pytest.fixture
def house(tmp_path):
    with sqlite3.connect(tmp_path / "valetkey.db") as connection:
        connection.executescript((OLD / "database.sql").read_text())
    connection.close()
    shutil.copy(OLD / "keys.toml", tmp_path)
    (tmp_path / "keys.toml").chmod(0o600)
    found = House(tmp_path)
    found.clock.time = datetime.fromisoformat(KNOWN.now)
    yield found
    found.close()


async def person(house, account_id, seed=None):
    account = await accounts.find(house.ports, OPERATOR, account_id)
    return Person(account, house.acting(account), seed and bytes.fromhex(seed))


async def test_the_flag_of_administrators_became_a_role(house):
    alice = await person(house, KNOWN.alice)
    bob = await person(house, KNOWN.bob)
    assert (alice.account.role, bob.account.role) == (Role.ADMIN, None)
    await house.store.read(lambda reader: require(reader, alice.actor, Action.SEE_ACCOUNTS, house.clock.now()))


async def test_accounts_keep_their_names_owners_and_states(house):
    bob = await person(house, KNOWN.bob)
    found = await accounts.details(house.ports, OPERATOR, KNOWN.bob)
    assert found.aliases == ("robert@example.org",)
    assert [each.address for each in found.owned] == ["info@example.org"]
    assert await upstream_passwords.upstream_password(house.ports, KNOWN.bob) == "upstream of Bob"
    assert [each.account.id for each in await history.shared_accounts(house.ports, bob.actor)] == [KNOWN.info]
    assert (await person(house, KNOWN.carl)).account.state is AccountState.DISABLED


async def test_app_passwords_open_what_they_opened(house):
    for name in ("bob@example.org", "robert@example.org"):
        verdict = await login.check(house.ports, attempt(name, KNOWN.phone_secret))
        assert isinstance(verdict, Allowed)
    verdict = await login.check(
        house.ports, attempt("bob@example.org", KNOWN.scanner_secret, protocol=MailProtocol.SMTP)
    )
    assert isinstance(verdict, Allowed)
    assert verdict.grant.permissions == {Permission.SEND}


async def test_app_passwords_stay_shut_where_they_were_shut(house):
    verdicts = {
        "another network": attempt(
            "bob@example.org", KNOWN.scanner_secret, protocol=MailProtocol.SMTP, address="192.0.2.9"
        ),
        "another protocol": attempt("bob@example.org", KNOWN.scanner_secret),
        "revoked": attempt("bob@example.org", KNOWN.lost_secret),
        "another's": attempt("alice@example.org", KNOWN.phone_secret),
    }
    for why, each in verdicts.items():
        assert isinstance(await login.check(house.ports, each), Refused), why


async def test_sign_in_goes_on_with_the_same_password_factor_and_session(house):
    alice = await person(house, KNOWN.alice, KNOWN.alice_seed)
    there = await sign_in.current(house.ports, KNOWN.session)
    assert there is not None
    assert there.account.id == KNOWN.alice
    assert there.is_complete
    assert (await house.signed_in(alice)).next is sign_in.NextStep.DONE


async def test_a_recovery_code_works_once(house):
    async def with_code():
        started = await sign_in.start(house.ports, "alice@example.org", KNOWN.password, address=HOME, client="Firefox")
        return await sign_in.prove_recovery_code(house.ports, started.token, KNOWN.alice_recovery_code, address=HOME)

    assert (await with_code()).next is not sign_in.NextStep.SECOND_FACTOR
    with pytest.raises(errors.Refused):
        await with_code()


async def test_the_audit_log_goes_on_in_one_chain(house):
    before = await activity.verify_audit(house.ports)
    assert isinstance(before, tuple)
    bob = await person(house, KNOWN.bob)
    await app_passwords.revoke(house.ports, bob.actor, KNOWN.phone)
    after = await activity.verify_audit(house.ports)
    assert isinstance(after, tuple)
    assert after[0] == before[0] + 1


async def test_the_history_of_an_app_password_is_there(house):
    bob = await person(house, KNOWN.bob)
    detail = await history.of_app_password(house.ports, bob.actor, KNOWN.scanner, since=house.clock.now().date())
    assert detail.app_password.restrictions.pinned_network is not None
    assert detail.app_password.last_refusal.reason == Reason.PROTOCOL
    assert len(detail.history.entries) == 4  # made, pinned, used, refused
    assert detail.days == ()  # 0.1 did not count by day


async def test_what_is_new_works_on_what_is_old(house):
    bob = await person(house, KNOWN.bob, KNOWN.bob_seed)
    await accounts.set_role(house.ports, OPERATOR, KNOWN.bob, Role.AUDITOR)
    assert (await person(house, KNOWN.bob)).account.role is Role.AUDITOR
    (totp,) = (await accounts.details(house.ports, OPERATOR, KNOWN.bob)).totps
    await second_factors.rename_totp(house.ports, bob.actor, totp.id, "Old phone")
    assert (await house.signed_in(bob)).next is sign_in.NextStep.DONE
