"""What the console lists, and revoking many at once."""

from datetime import timedelta

import pytest
from tests.verbs.site import HOME, OPERATOR, House, Person, attempt

from valetkey.core.errors import InvalidInput, NotAllowed, NotFound
from valetkey.core.event import AppPasswordRevoked, Exported
from valetkey.core.login import Refused
from valetkey.core.role import Role
from valetkey.core.scope import MailProtocol
from valetkey.service import accounts, console, exporting, login
from valetkey.service.closing import Closed
from valetkey.service.ports import LiveSession
from valetkey.service.store_parts import AppPasswordFilter, AuditFilter

NEVER = AppPasswordFilter.NEVER_USED


@pytest.fixture
async def root(house: House) -> Person:
    return await house.person("root@example.org", role=Role.ADMIN)


@pytest.fixture
async def auditor(house: House) -> Person:
    return await house.person("audit@example.org", role=Role.AUDITOR)


@pytest.fixture
async def helper(house: House) -> Person:
    return await house.person("help@example.org", role=Role.HELPDESK)


def opened(house: House, account_id: str, credential_id: str, name: str) -> LiveSession:
    return LiveSession(name, account_id, credential_id, MailProtocol.IMAP, HOME, "", house.clock.now(), "1")


async def test_many_are_revoked_in_one_go_and_their_owners_are_told(house: House, root: Person) -> None:
    alice, bob = await house.person(), await house.person("bob@example.org")
    issued = [await house.issue(alice, "Phone"), await house.issue(alice, "Tablet"), await house.issue(bob, "Phone")]
    ids = [each.app_password.id for each in issued]
    house.live.sessions = [opened(house, alice.account.id, ids[0], "one"), opened(house, bob.account.id, "ap_x", "two")]
    house.live.fails = lambda session: session.credential_id in ids
    planned = await console.what_would_be_revoked(house.ports, root.actor, [*ids, ids[0], "ap_none", "\udcff"])
    assert planned == console.Planned(app_passwords=3, people=2, connections=1, skipped=2)
    done = await console.revoke_many(house.ports, root.actor, [*ids, "ap_none"], "Stolen")
    assert done == console.RevokedMany(revoked=3, people=2, closed=Closed(here=1), skipped=1)
    for name, each in zip(("alice", "alice", "bob"), issued, strict=True):
        assert isinstance(await login.check(house.ports, attempt(name, each.secret.text)), Refused)
    records = await house.store.read(lambda reader: reader.audit(limit=3))
    assert {record.credential_id for record in records} == set(ids)
    assert all(isinstance(record.event, AppPasswordRevoked) and record.event.reason == "Stolen" for record in records)
    at = house.clock.now() + timedelta(days=1)
    told = await house.store.read(
        lambda reader: [
            (notice.account_id, notice.facts["names"])
            for notice in reader.due_notices(at)
            if notice.kind == "revoked-by-administrator"
        ]
    )
    assert sorted(told, key=str) == sorted(
        [(alice.account.id, ["Phone", "Tablet"]), (bob.account.id, ["Phone"])], key=str
    )
    assert (await console.revoke_many(house.ports, root.actor, ids)).revoked == 0


async def test_helpers_leave_out_who_has_a_role(house: House, root: Person, helper: Person) -> None:
    alice = await house.person()
    ids = [(await house.issue(person)).app_password.id for person in (alice, root)]
    assert await console.revoke_many(house.ports, helper.actor, ids) == console.RevokedMany(1, 1, Closed(), 1)


async def test_who_may_not_revoke_and_how_many_at_once(house: House, root: Person, auditor: Person) -> None:
    for actor in (auditor.actor, (await house.person()).actor):
        for verb in (console.revoke_many, console.what_would_be_revoked):
            with pytest.raises(NotAllowed):
                await verb(house.ports, actor, ["ap_1"])
    for ids in ([], [f"ap_{number}" for number in range(501)]):
        with pytest.raises(InvalidInput):
            await console.revoke_many(house.ports, root.actor, ids)


async def test_workers_that_cannot_be_asked_make_no_wrong_number(house: House, root: Person) -> None:
    alice = await house.person()
    issued = await house.issue(alice)
    house.live.broken = OSError("away")
    planned = await console.what_would_be_revoked(house.ports, root.actor, [issued.app_password.id])
    assert planned.connections is None


async def test_lists_of_everybodys_app_passwords(house: House, root: Person, auditor: Person) -> None:
    alice = await house.person()
    await house.issue(alice, "Phone")
    rows = await console.app_passwords(house.ports, auditor.actor, NEVER, search="alice")
    assert [(credential.description, account.address) for credential, account in rows] == [
        ("Phone", "alice@example.org")
    ]
    assert (await console.app_password_counts(house.ports, auditor.actor))[NEVER] == 1
    (domain,) = await console.domains(house.ports, auditor.actor)
    assert (domain.domain, domain.people, domain.with_second_factor, domain.app_passwords) == ("example.org", 3, 3, 1)


async def test_the_audit_log_is_listed_shown_and_verified(house: House, auditor: Person) -> None:
    alice = await house.person()
    wanted = AuditFilter(account_id=alice.account.id)
    records = await console.audit(house.ports, auditor.actor, wanted, limit=2)
    assert len(records) == 2
    assert records[0].number > records[1].number
    near = await console.audit_record(house.ports, auditor.actor, records[1].number)
    assert near.record == records[1]
    assert near.before is not None and near.after is not None
    assert near.before.number + 1 == near.record.number == near.after.number - 1
    first = await console.audit_record(house.ports, auditor.actor, 1)
    assert first.before is None
    with pytest.raises(NotFound):
        await console.audit_record(house.ports, auditor.actor, 10_000)
    count, _ = await console.verify_audit(house.ports, auditor.actor)  # type: ignore[misc]
    assert count == house.store.change_number()


async def test_the_audit_log_is_exported_in_parts_and_that_is_recorded(
    house: House, auditor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "_PART", 2)
    before = house.store.change_number()
    parts = await exporting.export_audit(house.ports, auditor.actor, AuditFilter())
    found = [record.number async for part in parts for record in part]
    assert found == list(range(before, 0, -1))
    (record,) = await house.store.read(lambda reader: reader.audit(limit=1))
    assert record.event == Exported("audit log", before)


async def test_the_overview_shows_what_the_role_permits(
    house: House, root: Person, helper: Person, auditor: Person
) -> None:
    whole = await console.overview(house.ports, root.actor)
    assert None not in (whole.adoption, whole.app_passwords, whole.refusals, whole.open_proposals, whole.last_record)
    assert (await console.overview(house.ports, helper.actor)).last_record is None
    assert (await console.overview(house.ports, auditor.actor)).last_record is not None
    assert (await console.overview(house.ports, OPERATOR)).open_proposals == 0
    with pytest.raises(NotAllowed):
        await console.overview(house.ports, (await house.person()).actor)


async def test_many_refusals_are_seen(house: House, root: Person) -> None:
    alice = await house.person()
    issued = await house.issue(alice)
    for number in range(25):
        await login.check(house.ports, attempt("alice", f"vkey{'a' * 23}{chr(97 + number)}"))
    await login.check(house.ports, attempt("alice", issued.secret.text))
    await house.recorder.flush()
    shown = (await console.overview(house.ports, root.actor)).refusals
    assert shown is not None
    assert (shown.logins, shown.refusals, shown.is_unusual) == (1, 25, True)
    hours = await console.logins(house.ports, root.actor, house.clock.now() - timedelta(hours=2))
    assert sum(each.count for each in hours) == 26


async def test_who_sees_nothing(house: House, helper: Person) -> None:
    alice = await house.person()
    since = house.clock.now()
    for verb in (
        console.domains(house.ports, alice.actor),
        console.app_passwords(house.ports, alice.actor),
        console.app_password_counts(house.ports, alice.actor),
        console.adoption(house.ports, alice.actor),
        console.logins(house.ports, alice.actor, since),
        console.audit(house.ports, helper.actor, AuditFilter()),
        console.audit_record(house.ports, helper.actor, 1),
        console.verify_audit(house.ports, helper.actor),
        exporting.export_audit(house.ports, helper.actor, AuditFilter()),
    ):
        with pytest.raises(NotAllowed):
            await verb


async def test_adoption_is_counted(house: House, root: Person) -> None:
    await house.person(two_factor=False)
    shown = await console.adoption(house.ports, root.actor)
    assert (shown.now.people, shown.now.with_second_factor) == (2, 1)
    assert await accounts.listed(house.ports, root.actor, limit=1)
