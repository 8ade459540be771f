"""Accounts and who may do what to them."""

from dataclasses import replace

import pytest
from tests.verbs.outbox import Outbox, send_all
from tests.verbs.site import HOME, OPERATOR, PASSWORD, House, attempt

from valetkey.core.account import AccountKind, AccountState
from valetkey.core.errors import Conflict, InvalidInput, NotAllowed, NotFound, ProveAgain, Unavailable
from valetkey.core.event import AccountDisabled, MainPasswordSet, RightsSet
from valetkey.core.login import Allowed, Refused
from valetkey.core.policy import Policy
from valetkey.core.role import Role
from valetkey.core.scope import MailProtocol, Permission
from valetkey.service import accounts, activity, login, sign_in, upstream_passwords
from valetkey.service.ports import Actor, ActorKind, LiveSession
from valetkey.service.store_parts import AccountFilter


async def newest(house: House, account_id: str):
    return (await activity.audit(house.ports, OPERATOR, account_id=account_id, limit=1))[0].event


async def test_an_account_is_made_once_under_its_canonical_address(house: House):
    account = await accounts.create(house.ports, OPERATOR, " ALICE@Example.ORG ", password=PASSWORD, role=Role.ADMIN)
    assert account.address == "alice@example.org"
    assert account.role is Role.ADMIN
    assert account.changed > 0
    for name in ("alice", "Alice@example.org", account.id):
        assert await accounts.find(house.ports, OPERATOR, name) == account
    for kind in AccountKind:
        with pytest.raises(Conflict):
            await accounts.create(house.ports, OPERATOR, "alice", kind=kind)


@pytest.mark.parametrize("name", ["", "nobody", "a@b@c", "\udcff", "x" * 9999, "ac_nothing"])
async def test_who_is_not_there_is_not_found(house: House, name: str):
    with pytest.raises(NotFound):
        await accounts.find(house.ports, OPERATOR, name)


async def test_people_without_a_role_change_no_account(house: House):
    alice, bob = await house.person(), await house.person("bob@example.org")
    ports, actor, other = house.ports, house.acting(alice.account), bob.account.id
    for verb in (
        accounts.create(ports, actor, "new@example.org"),
        accounts.disable(ports, actor, other),
        accounts.enable(ports, actor, alice.account.id),
        accounts.listed(ports, actor),
        accounts.add_alias(ports, actor, alice.account.id, "a2@example.org"),
        accounts.remove_alias(ports, actor, alice.account.id, "a2@example.org"),
        accounts.add_owner(ports, actor, other, alice.account.id),
        accounts.remove_owner(ports, actor, other, alice.account.id),
        accounts.set_rights(ports, actor, alice.account.id, frozenset(Permission)),
        accounts.set_role(ports, actor, other, Role.ADMIN),
    ):
        with pytest.raises(NotAllowed):
            await verb
    for verb in (accounts.find(ports, actor, "bob"), accounts.details(ports, actor, other)):
        with pytest.raises(NotFound):
            await verb


async def test_an_administrator_changes_accounts_and_never_knows_a_password(house: House):
    admin, bob = await house.person(role=Role.ADMIN), await house.person("bob@example.org")
    shared = await house.shared()
    ports, actor, other = house.ports, house.acting(admin.account), bob.account.id
    made = await accounts.create(ports, actor, "new@example.org", role=Role.AUDITOR)
    assert made.role is Role.AUDITOR
    await accounts.add_alias(ports, actor, other, "robert@example.org")
    await accounts.remove_alias(ports, actor, other, "robert@example.org")
    await accounts.add_owner(ports, actor, shared.id, other)
    assert [owner.id for owner in (await accounts.details(ports, actor, shared.id)).owners] == [other]
    await accounts.remove_owner(ports, actor, shared.id, other)
    await accounts.set_rights(ports, actor, other, frozenset({Permission.READ}))
    await accounts.set_role(ports, actor, other, Role.HELPDESK)
    assert (await accounts.find(ports, actor, "bob@example.org")).role is Role.HELPDESK
    await accounts.set_role(ports, actor, other, None)
    await accounts.disable(ports, actor, other)
    await accounts.enable(ports, actor, other)
    with pytest.raises(NotAllowed):
        await accounts.create(ports, actor, "other@example.org", password=PASSWORD)
    for verb in (
        accounts.set_main_password(ports, actor, other, PASSWORD + "!"),
        upstream_passwords.set_upstream_password(ports, actor, other, "x"),
    ):
        with pytest.raises(NotFound):
            await verb


async def test_what_widens_needs_a_proof_and_what_narrows_does_not(house: House):
    admin, bob = await house.person(role=Role.ADMIN), await house.person("bob@example.org")
    shared = await house.shared(owner=bob)
    ports, actor, other = house.ports, replace(admin.actor, proven_at=None), bob.account.id
    await accounts.add_alias(ports, OPERATOR, other, "robert@example.org")
    await accounts.remove_alias(ports, actor, other, "robert@example.org")
    await accounts.set_rights(ports, actor, other, frozenset({Permission.READ}))
    await accounts.disable(ports, actor, other)
    await accounts.remove_owner(ports, actor, shared.id, other)
    for verb in (
        accounts.create(ports, actor, "new@example.org"),
        accounts.enable(ports, actor, other),
        accounts.add_alias(ports, actor, other, "robert@example.org"),
        accounts.add_owner(ports, actor, shared.id, other),
        accounts.set_rights(ports, actor, other, frozenset({Permission.SEND})),
        accounts.set_role(ports, actor, other, Role.ADMIN),
    ):
        with pytest.raises(ProveAgain):
            await verb


async def test_the_last_administrator_stays_one(house: House):
    admin, other = await house.person(role=Role.ADMIN), await house.person("root@example.org", role=Role.ADMIN)
    ports = house.ports
    with pytest.raises(NotAllowed):
        await accounts.set_role(ports, house.acting(admin.account), admin.account.id, Role.AUDITOR)
    with pytest.raises(NotAllowed):
        await accounts.disable(ports, admin.actor, admin.account.id)
    await accounts.disable(ports, admin.actor, other.account.id)
    for verb in (
        accounts.disable(ports, OPERATOR, admin.account.id),
        accounts.set_role(ports, OPERATOR, admin.account.id, None),
    ):
        with pytest.raises(Conflict, match="last administrator"):
            await verb
    await accounts.set_role(ports, OPERATOR, other.account.id, None)  # disabled, and so none that counts


async def test_helpers_do_not_touch_people_with_a_role(house: House):
    helper = await house.person("help@example.org", role=Role.HELPDESK)
    auditor, bob = await house.person("audit@example.org", role=Role.AUDITOR), await house.person("bob@example.org")
    await accounts.disable(house.ports, helper.actor, bob.account.id)
    with pytest.raises(NotAllowed, match="Only an administrator"):
        await accounts.disable(house.ports, helper.actor, auditor.account.id)


async def test_only_people_have_roles(house: House):
    shared = await house.shared()
    for verb in (
        accounts.set_role(house.ports, OPERATOR, shared.id, Role.AUDITOR),
        accounts.create(house.ports, OPERATOR, "x@example.org", kind=AccountKind.SHARED, role=Role.ADMIN),
    ):
        with pytest.raises(InvalidInput):
            await verb


async def test_disabling_ends_everything_at_once(house: House):
    alice = await house.person()
    secret = (await house.issue(alice)).secret.text
    started = await house.signed_in(alice)
    house.live.sessions.append(
        LiveSession("s", alice.account.id, "ap", MailProtocol.IMAP, HOME, "", house.clock.now(), "1")
    )
    house.live.fails = lambda _: True
    assert (await accounts.disable(house.ports, OPERATOR, alice.account.id)).total == 1
    assert await newest(house, alice.account.id) == AccountDisabled()
    assert await sign_in.current(house.ports, started.token) is None
    assert isinstance(await login.check(house.ports, attempt("alice", secret)), Refused)
    number = house.store.change_number()
    assert (await accounts.disable(house.ports, OPERATOR, alice.account.id)).total == 0
    assert house.store.change_number() == number
    await accounts.enable(house.ports, OPERATOR, alice.account.id)
    await accounts.enable(house.ports, OPERATOR, alice.account.id)
    assert (await accounts.find(house.ports, OPERATOR, "alice")).state is AccountState.ACTIVE


async def test_a_session_from_before_an_account_was_disabled_stays_ended(house: House):
    alice = await house.person()
    started = await house.signed_in(alice)
    await accounts.disable(house.ports, OPERATOR, alice.account.id)
    await accounts.enable(house.ports, OPERATOR, alice.account.id)
    assert await sign_in.current(house.ports, started.token) is None


async def test_aliases_log_in_and_belong_to_one_account(house: House):
    alice, bob = await house.person(), await house.person("bob@example.org")
    secret = (await house.issue(alice)).secret.text
    await accounts.add_alias(house.ports, OPERATOR, alice.account.id, "Wonder@Example.org")
    assert isinstance(await login.check(house.ports, attempt("wonder", secret)), Allowed)
    for address in ("wonder", "bob", "alice"):
        with pytest.raises(Conflict):
            await accounts.add_alias(house.ports, OPERATOR, bob.account.id, address)
    with pytest.raises(NotFound):
        await accounts.remove_alias(house.ports, OPERATOR, alice.account.id, "alice")
    with pytest.raises(NotFound):
        await accounts.remove_alias(house.ports, OPERATOR, bob.account.id, "wonder")
    await accounts.remove_alias(house.ports, OPERATOR, alice.account.id, "WONDER")
    assert isinstance(await login.check(house.ports, attempt("wonder", secret)), Refused)


async def test_shared_accounts_have_people_as_owners_and_no_main_password(house: House):
    alice, bob = await house.person(), await house.person("bob@example.org")
    scanner = await house.shared(owner=alice)
    await accounts.add_owner(house.ports, OPERATOR, scanner.id, alice.account.id)
    details = await accounts.details(house.ports, alice.actor, scanner.id)
    assert [owner.id for owner in details.owners] == [alice.account.id]
    assert not details.has_main_password
    assert [one.id for one in (await accounts.details(house.ports, alice.actor, alice.account.id)).owned] == [
        scanner.id
    ]
    with pytest.raises(InvalidInput):
        await accounts.add_owner(house.ports, OPERATOR, bob.account.id, alice.account.id)
    with pytest.raises(InvalidInput):
        await accounts.add_owner(house.ports, OPERATOR, scanner.id, scanner.id)
    with pytest.raises(InvalidInput):
        await accounts.set_main_password(house.ports, OPERATOR, scanner.id, PASSWORD)
    with pytest.raises(InvalidInput):
        await accounts.create(house.ports, OPERATOR, "s2", kind=AccountKind.SHARED, password=PASSWORD)
    with pytest.raises(NotFound):
        await accounts.remove_owner(house.ports, OPERATOR, scanner.id, bob.account.id)
    await accounts.remove_owner(house.ports, OPERATOR, scanner.id, alice.account.id)
    with pytest.raises(NotFound):
        await accounts.details(house.ports, alice.actor, scanner.id)


async def test_rights_bound_every_credential_at_use(house: House):
    alice = await house.person()
    secret = (await house.issue(alice)).secret.text
    await accounts.set_rights(house.ports, OPERATOR, alice.account.id, frozenset({Permission.SEND}))
    assert isinstance(await login.check(house.ports, attempt("alice", secret)), Refused)
    verdict = await login.check(house.ports, attempt("alice", secret, protocol=MailProtocol.SMTP))
    assert isinstance(verdict, Allowed)
    assert verdict.grant.permissions == {Permission.SEND}
    assert await newest(house, alice.account.id) == RightsSet(("send",))


async def test_setting_the_main_password_ends_other_sessions_and_mail_that_it_opened(house: House):
    house.with_ports(policy=Policy(main_password_opens_mail=True))
    alice = await house.person()
    kept, other = await house.signed_in(alice), await house.signed_in(alice)
    for name, credential in (("by-main", None), ("by-app", "ap_1")):
        house.live.sessions.append(
            LiveSession(name, alice.account.id, credential, MailProtocol.IMAP, HOME, "", house.clock.now(), "1")
        )
    signed_in = await sign_in.current(house.ports, kept.token)
    actor = sign_in.actor_of(signed_in, HOME)
    await accounts.set_main_password(house.ports, actor, alice.account.id, "walrus teapot ladder")
    assert await newest(house, alice.account.id) == MainPasswordSet()
    assert await sign_in.current(house.ports, kept.token) is not None
    assert await sign_in.current(house.ports, other.token) is None
    assert [session.id for session in house.live.sessions] == ["by-app"]
    house.live.broken = Unavailable("No worker answers.")
    await accounts.set_main_password(house.ports, OPERATOR, alice.account.id, "walrus teapot ladder two")
    assert await sign_in.current(house.ports, kept.token) is None


async def test_a_main_password_needs_a_fresh_proof_and_some_length(house: House):
    alice = await house.person()
    for password in ("short", "password1234", "vkey-abcd-efgh-ijkl-mnop-qrst-uvwx", "x" * 1025, "\udcff" * 20):
        with pytest.raises(InvalidInput):
            await accounts.set_main_password(house.ports, house.acting(alice.account), alice.account.id, password)
    house.clock.move(minutes=6)
    with pytest.raises(ProveAgain):
        await accounts.set_main_password(house.ports, alice.actor, alice.account.id, "walrus teapot ladder")


async def test_upstream_passwords_are_sealed_for_their_account(house: House, tmp_path):
    alice, bob = await house.person(), await house.person("bob@example.org")
    await upstream_passwords.set_upstream_password(house.ports, OPERATOR, alice.account.id, "päss wörd\t")
    assert await upstream_passwords.upstream_password(house.ports, alice.account.id) == "päss wörd\t"
    assert (await accounts.details(house.ports, OPERATOR, alice.account.id)).has_upstream_password
    sealed = await house.store.read(lambda reader: reader.upstream_password(alice.account.id))
    assert "päss".encode() not in sealed
    await house.store.write(lambda writer: writer.set_upstream_password(bob.account.id, sealed))
    with pytest.raises(Unavailable):
        await upstream_passwords.upstream_password(house.ports, bob.account.id)
    for unfit in ("", "a\r\nb", "a\0", "x" * 1025, "\udcff"):
        with pytest.raises(InvalidInput):
            await upstream_passwords.set_upstream_password(house.ports, OPERATOR, alice.account.id, unfit)
    await upstream_passwords.set_upstream_password(house.ports, OPERATOR, alice.account.id, None)
    assert await upstream_passwords.upstream_password(house.ports, alice.account.id) is None


async def test_accounts_are_listed_in_pages(house: House):
    for n in range(5):
        await accounts.create(house.ports, OPERATOR, f"p{n}@example.org")
    page = await accounts.listed(house.ports, OPERATOR, limit=3)
    rest = await accounts.listed(house.ports, OPERATOR, after=page[-1].address)
    assert [one.address for one in (*page, *rest)] == [f"p{n}@example.org" for n in range(5)]
    assert [one.address for one in await accounts.listed(house.ports, OPERATOR, AccountFilter(search="p3"))] == [
        "p3@example.org"
    ]


async def test_the_system_itself_acts_only_where_it_must(house: House):
    alice = await house.person()
    system = Actor(ActorKind.SYSTEM)
    with pytest.raises(NotAllowed):
        await accounts.disable(house.ports, system, alice.account.id)
    with pytest.raises(ProveAgain):
        await accounts.set_main_password(house.ports, system, alice.account.id, "walrus teapot ladder")


async def test_the_other_administrators_are_told_who_has_a_role_now(house: House):
    house.with_ports(mailer=Outbox())
    root, second = (
        await house.person("root@example.org", role=Role.ADMIN),
        await house.person("two@example.org", role=Role.ADMIN),
    )
    bob = await house.person("bob@example.org")
    await send_all(house)
    actor = house.acting(root.account)
    await accounts.set_role(house.ports, actor, bob.account.id, Role.HELPDESK)
    await accounts.create(house.ports, actor, "puppet@example.org", role=Role.ADMIN)
    await accounts.set_role(house.ports, actor, bob.account.id, None)
    sent = await send_all(house)
    assert sent.subjects(second.account.address) == [
        "bob@example.org has another role in the console",
        "puppet@example.org has another role in the console",
    ]
    assert not sent.to(root.account.address)
