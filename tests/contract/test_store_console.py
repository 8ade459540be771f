"""What the console lists, proposals, and answers of the API, in the store."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.contract.values import NOW, an_account, an_app_password, index_of, proof_of

from valetkey.adapters.store import SqliteStore
from valetkey.core.account import AccountKind, AccountState
from valetkey.core.app_password import AppPassword
from valetkey.core.proposal import LASTS, Proposal, ProposalKind, ProposalState
from valetkey.core.restriction import Restrictions
from valetkey.core.role import Role
from valetkey.core.scope import ALL_PROTOCOLS, MailProtocol, Permission, PermissionMode, Scope
from valetkey.service.ports import LoginEvent, Totp, Writer
from valetkey.service.store_parts import AccountFilter, ApiAnswer, AppPasswordFilter, SecondFactorFilter

DAY = timedelta(days=1)


def a_totp(name: str) -> Totp:
    return Totp(f"tp_{name}", f"ac_{name}", "Phone", b"sealed", 0, 0, None, NOW, None)


def add_credential(writer: Writer, value: AppPassword) -> None:
    writer.add_app_password(value, index_of(value.id), proof_of(value.id))


@pytest.fixture
async def people(store: SqliteStore) -> SqliteStore:
    def work(writer: Writer) -> None:
        writer.add_account(an_account("alice", role=Role.ADMIN))
        writer.add_account(an_account("bob", role=Role.HELPDESK))
        writer.add_account(an_account("carol", state=AccountState.DISABLED, role=Role.ADMIN))
        writer.add_account(an_account("dan", address="dan@example.net"))
        writer.add_account(an_account("scanner", kind=AccountKind.SHARED))
        writer.add_alias("ac_bob", "robert_1@example.org")
        writer.add_totp(a_totp("alice"))
        writer.add_totp(a_totp("scanner"))

    await store.write(work)
    return store


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, "dan alice bob carol scanner"),
        ({"search": "ROBERT_1"}, "bob"),
        ({"search": "%"}, ""),
        ({"search": "robertx1"}, ""),
        ({"kind": AccountKind.SHARED}, "scanner"),
        ({"state": AccountState.DISABLED}, "carol"),
        ({"domain": "example.net"}, "dan"),
        ({"domain": "example"}, ""),
        ({"role": Role.ADMIN}, "alice carol"),
        ({"role": Role.ADMIN, "state": AccountState.ACTIVE}, "alice"),
        ({"second_factor": SecondFactorFilter.WITH}, "alice"),
        ({"second_factor": SecondFactorFilter.WITHOUT}, "dan bob carol"),
    ],
)
async def test_accounts_are_filtered(people: SqliteStore, wanted: dict[str, Any], found: str) -> None:
    listed = await people.read(lambda reader: reader.accounts_where(AccountFilter(**wanted)))
    assert {account.id for account in listed} == {f"ac_{name}" for name in found.split()}
    assert [account.address for account in listed] == sorted(account.address for account in listed)


async def test_accounts_are_listed_in_parts(people: SqliteStore) -> None:
    seen: list[str] = []
    after = ""
    while part := await people.read(lambda reader, at=after: reader.accounts_where(AccountFilter(), after=at, limit=2)):
        seen += [account.address for account in part]
        after = part[-1].address
    assert len(seen) == len(set(seen)) == 5


async def test_active_administrators_are_found(people: SqliteStore) -> None:
    assert [a.id for a in await people.read(lambda reader: reader.administrators())] == ["ac_alice"]
    await people.write(lambda writer: writer.set_role("ac_dan", Role.ADMIN))
    assert [a.id for a in await people.read(lambda reader: reader.administrators())] == ["ac_alice", "ac_dan"]
    await people.write(lambda writer: writer.set_role("ac_dan", None))
    assert [a.id for a in await people.read(lambda reader: reader.administrators())] == ["ac_alice"]


async def test_domains_are_counted(people: SqliteStore) -> None:
    def work(writer: Writer) -> None:
        for name in ("phone", "tablet", "old"):
            add_credential(writer, an_app_password(name))
        writer.set_revoked("ap_old", at=NOW, by="cli", reason="")

    await people.write(work)
    net, org = await people.read(lambda reader: reader.domains())
    for wanted, found in (
        ({"limit": 1}, (net,)),
        ({"after": "example.net"}, (org,)),
        ({"search": "E.ORG"}, (org,)),
        ({"search": "%"}, ()),
    ):
        assert await people.read(lambda reader, wanted=wanted: reader.domains(**wanted)) == found, wanted
    assert (net.domain, net.people, net.shared, net.with_second_factor, net.app_passwords) == (
        "example.net",
        1,
        0,
        0,
        0,
    )
    assert (org.domain, org.people, org.shared, org.with_second_factor, org.app_passwords) == (
        "example.org",
        3,
        1,
        1,
        2,
    )


def scoped(mode: PermissionMode, *permissions: Permission) -> Scope:
    return Scope(mode, frozenset(permissions), ALL_PROTOCOLS)


CREDENTIALS = (
    an_app_password("fresh", restrictions=Restrictions(expires_at=NOW + DAY)),
    an_app_password("stale", "bob", created_at=NOW - 91 * DAY),
    an_app_password("used", created_at=NOW - 100 * DAY, restrictions=Restrictions(expires_at=NOW + DAY)),
    an_app_password("inherits", scope=scoped(PermissionMode.INHERIT), restrictions=Restrictions(expires_at=NOW + DAY)),
    an_app_password(
        "restricts",
        scope=scoped(PermissionMode.RESTRICT, Permission.SEND),
        restrictions=Restrictions(expires_at=NOW + DAY),
    ),
    an_app_password(
        "narrow",
        scope=scoped(PermissionMode.RESTRICT, Permission.FILTERS),
        restrictions=Restrictions(expires_at=NOW + DAY),
    ),
    an_app_password(
        "filters",
        scope=scoped(PermissionMode.REPLACE, Permission.FILTERS),
        restrictions=Restrictions(expires_at=NOW + DAY),
    ),
    an_app_password("over", restrictions=Restrictions(expires_at=NOW)),
    an_app_password("lapsed"),
    an_app_password("revoked"),
    an_app_password("refused", restrictions=Restrictions(expires_at=NOW + DAY)),
)


def a_login(name: str, result: str) -> LoginEvent:
    at = NOW - timedelta(minutes=1)
    return LoginEvent("ac_alice", f"ap_{name}", MailProtocol.IMAP, "192.0.2.1", "", result, at, at)


@pytest.fixture
async def credentials(people: SqliteStore) -> SqliteStore:
    def work(writer: Writer) -> None:
        for value in CREDENTIALS:
            add_credential(writer, value)
        writer.set_revoked("ap_revoked", at=NOW, by="cli", reason="")
        writer.set_lapsed("ap_lapsed", NOW)

    await people.write(work)
    await people.add_login_events([a_login("used", "allowed"), a_login("refused", "network")])
    return people


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (AppPasswordFilter.LIVE, "fresh stale used inherits restricts narrow filters refused"),
        (AppPasswordFilter.NEVER_USED, "fresh stale inherits restricts narrow filters refused"),
        (AppPasswordFilter.UNUSED_90_DAYS, "stale"),
        (AppPasswordFilter.NO_EXPIRY, "stale"),
        (AppPasswordFilter.BROAD_SCOPE, "inherits restricts filters"),
        (AppPasswordFilter.REFUSED, "refused"),
        (AppPasswordFilter.REVOKED, "revoked"),
        (AppPasswordFilter.EXPIRED, "over lapsed"),
    ],
)
async def test_app_passwords_are_filtered(credentials: SqliteStore, wanted: AppPasswordFilter, found: str) -> None:
    rows = await credentials.read(lambda reader: reader.app_passwords_where(wanted, now=NOW))
    assert {credential.description for credential, _ in rows} == set(found.split())
    assert all(account.id == credential.account_id for credential, account in rows)


async def test_app_passwords_are_counted_as_they_are_filtered(credentials: SqliteStore) -> None:
    counts = await credentials.read(lambda reader: reader.app_password_counts(NOW))
    for each in AppPasswordFilter:
        rows = await credentials.read(lambda reader, wanted=each: reader.app_passwords_where(wanted, now=NOW))
        assert counts[each] == len(rows) > 0


async def test_a_fresh_store_counts_nothing(store: SqliteStore) -> None:
    assert set((await store.read(lambda reader: reader.app_password_counts(NOW))).values()) == {0}
    assert await store.read(lambda reader: reader.domains()) == ()
    assert await store.read(lambda reader: reader.network_entries_in_use()) == frozenset()


async def test_app_passwords_are_searched_by_name_and_address(credentials: SqliteStore) -> None:
    async def search(text: str) -> set[str]:
        rows = await credentials.read(
            lambda reader: reader.app_passwords_where(AppPasswordFilter.LIVE, now=NOW, search=text)
        )
        return {credential.description for credential, _ in rows}

    assert await search("FRE") == {"fresh"}
    assert await search("Bob@") == {"stale"}
    assert await search("%") == set()


async def test_app_passwords_are_listed_in_parts_newest_first(credentials: SqliteStore) -> None:
    seen: list[AppPassword] = []
    after = None
    while part := await credentials.read(
        lambda reader, at=after: reader.app_passwords_where(AppPasswordFilter.LIVE, now=NOW, after=at, limit=3)
    ):
        seen += [credential for credential, _ in part]
        after = (seen[-1].created_at, seen[-1].id)
    assert len(seen) == len({credential.id for credential in seen}) == 8
    assert [c.created_at for c in seen] == sorted((c.created_at for c in seen), reverse=True)


def a_proposal(name: str = "one", **facts: Any) -> Proposal:
    given: dict[str, Any] = {
        "id": f"pr_{name}",
        "kind": ProposalKind.RESET_SECOND_FACTORS,
        "account_id": "ac_bob",
        "facts": {"a": [1, None, "x"]},
        "reason": "lost the phone",
        "proposed_by": "ac_alice",
        "proposed_at": NOW,
        "expires_at": NOW + LASTS,
    }
    return Proposal(**{**given, **facts})


async def test_proposals_are_kept_and_decided_once(people: SqliteStore) -> None:
    await people.write(lambda writer: writer.add_proposal(a_proposal()))
    assert await people.read(lambda reader: reader.proposal("pr_one")) == a_proposal()
    decided = {"state": ProposalState.COUNTERSIGNED, "by": "ac_carol", "at": NOW + DAY}
    assert await people.write(lambda writer: writer.decide_proposal("pr_one", **decided))
    assert not await people.write(lambda writer: writer.decide_proposal("pr_one", **decided))
    expected = replace(a_proposal(), state=ProposalState.COUNTERSIGNED, decided_by="ac_carol", decided_at=NOW + DAY)
    assert await people.read(lambda reader: reader.proposal("pr_one")) == expected
    assert await people.read(lambda reader: reader.proposals(open_only=True)) == ()
    assert await people.read(lambda reader: reader.proposals(open_only=False)) == (expected,)


async def test_proposals_are_listed_by_pages_and_known_again(people: SqliteStore) -> None:
    one, two = a_proposal("one"), a_proposal("two", account_id=None, kind=ProposalKind.EXPORT_EVERYTHING)
    for each in (one, two):
        await people.write(lambda writer, each=each: writer.add_proposal(each))
    assert await people.read(lambda reader: reader.proposals(open_only=True, limit=1)) == (two,)
    place = (two.proposed_at, two.id)
    assert await people.read(lambda reader: reader.proposals(open_only=True, after=place)) == (one,)
    late = NOW + LASTS
    for kind, account_id, at, is_it in (
        (one.kind, "ac_bob", NOW, True),
        (one.kind, "ac_dan", NOW, False),
        (two.kind, None, NOW, True),
        (one.kind, None, NOW, False),
        (one.kind, "ac_bob", late, False),
    ):
        wanted = (kind, account_id, at)
        assert await people.read(lambda reader, wanted=wanted: reader.is_proposed(*wanted)) is is_it, wanted
    assert await people.read(lambda reader: reader.open_proposal_count(NOW)) == 2
    assert await people.read(lambda reader: reader.open_proposal_count(late)) == 0


async def test_nobody_countersigns_alone(people: SqliteStore) -> None:
    await people.write(lambda writer: writer.add_proposal(a_proposal()))
    state = ProposalState.COUNTERSIGNED
    assert not await people.write(lambda w: w.decide_proposal("pr_one", state=state, by="ac_alice", at=NOW))
    assert await people.write(
        lambda w: w.decide_proposal("pr_one", state=ProposalState.WITHDRAWN, by="ac_alice", at=NOW)
    )


async def test_an_answer_is_begun_once(store: SqliteStore) -> None:
    request = bytes(32)
    assert await store.write(lambda writer: writer.begin_api_answer("at_1", "key", request, NOW))
    assert not await store.write(lambda writer: writer.begin_api_answer("at_1", "key", request, NOW))
    assert await store.write(lambda writer: writer.begin_api_answer("at_2", "key", request, NOW + DAY))
    assert await store.read(lambda reader: reader.api_answer("at_1", "key")) == ApiAnswer(request, None, None)
    await store.write(lambda writer: writer.set_api_answer("at_1", "key", 201, "{}"))
    assert await store.read(lambda reader: reader.api_answer("at_1", "key")) == ApiAnswer(request, 201, "{}")
    assert await store.write(lambda writer: writer.forget_api_answers(NOW + DAY)) == 1
    await store.write(lambda writer: writer.drop_api_answer("at_2", "key"))
    assert await store.read(lambda reader: reader.api_answer("at_2", "key")) is None
