"""What people are told by mail: to whom it goes, and what goes into the queue."""

from dataclasses import replace

import pytest
from tests.verbs.site import HOME, OPERATOR, PASSWORD, START, House

from valetkey.core.errors import Refused, Unavailable
from valetkey.core.notice import FACTS, WITH_LINK, NoticeKind, notice_text
from valetkey.core.role import Role
from valetkey.service import accounts, sign_in
from valetkey.service.codes import TOTP_LIMITS
from valetkey.service.notices import seal_token, tell, tell_at, tell_with_link, unseal_token


@pytest.fixture
def house(tmp_path):
    house = House(tmp_path)
    yield house
    house.close()


async def queued(house):
    return await house.store.read(lambda reader: reader.due_notices(house.clock.now()))


async def told(house, account, kind=NoticeKind.ACCOUNT_DISABLED, **facts):
    await house.store.write(lambda writer: tell(writer, account.id, kind, START, **facts))
    return await queued(house)


async def test_the_mailbox_is_told(house):
    alice = await house.person(two_factor=False)
    (notice,) = await told(house, alice.account)
    assert (notice.recipient, notice.kind, notice.sealed) == ("alice@example.org", "account-disabled", None)


async def test_the_notice_address_is_told_once_it_is_confirmed(house):
    alice = (await house.person(two_factor=False)).account
    await house.store.write(lambda writer: writer.set_notice_address(alice.id, "alice@elsewhere.example", None))
    assert {one.recipient for one in await told(house, alice)} == {"alice@example.org"}
    await house.store.write(lambda writer: writer.set_notice_address(alice.id, "alice@elsewhere.example", START))
    assert {one.recipient for one in await told(house, alice)} == {"alice@example.org", "alice@elsewhere.example"}


async def test_the_owners_of_a_shared_account_are_told(house):
    alice = await house.person(two_factor=False)
    shared = await house.shared(owner=alice)
    assert {one.recipient for one in await told(house, shared)} == {"scanner@example.org", "alice@example.org"}


async def test_nobody_is_told_of_what_is_undone(house):
    alice = (await house.person(two_factor=False)).account

    def fail(writer):
        tell(writer, alice.id, NoticeKind.ACCOUNT_DISABLED, START)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await house.store.write(fail)
    assert await queued(house) == ()


@pytest.mark.parametrize("facts", [{}, {"name": "Phone"}, {"name": "Phone", "address": "", "more": 1}])
async def test_facts_that_do_not_fit_are_found_at_once(house, facts):
    alice = (await house.person(two_factor=False)).account
    with pytest.raises(ValueError, match="is told with"):
        await told(house, alice, NoticeKind.FACTOR_ADDED, **facts)


async def test_a_kind_with_a_link_is_not_told_without_one_nor_the_other_way_round(house):
    alice = (await house.person(two_factor=False)).account
    with pytest.raises(ValueError, match="needs a link"):
        await told(house, alice, NoticeKind.RECOVERY_LINK, address="")
    token = seal_token(house.ports, alice.id, NoticeKind.RECOVERY_LINK, "secret")
    with pytest.raises(ValueError, match="has no link"):
        await house.store.write(
            lambda writer: tell_with_link(writer, alice.id, NoticeKind.ACCOUNT_DISABLED, START, token)
        )


async def test_a_token_lies_sealed_in_the_queue_and_belongs_to_one_account_and_kind(house):
    alice = (await house.person(two_factor=False)).account
    link = seal_token(house.ports, alice.id, NoticeKind.RECOVERY_LINK, "the-token", to=("a@elsewhere.example",))
    await house.store.write(
        lambda writer: tell_with_link(writer, alice.id, NoticeKind.RECOVERY_LINK, START, link, address="")
    )
    (notice,) = await queued(house)
    assert notice.recipient == "a@elsewhere.example"
    assert b"the-token" not in notice.sealed
    assert "the-token" not in repr(notice)
    assert unseal_token(house.ports, alice.id, NoticeKind.RECOVERY_LINK, notice.sealed) == "the-token"
    for account_id, kind in ((alice.id, NoticeKind.INVITATION), ("ac_other", NoticeKind.RECOVERY_LINK)):
        with pytest.raises(Unavailable):
            unseal_token(house.ports, account_id, kind, notice.sealed)


async def test_an_old_address_is_told_where_notices_go_now(house):
    alice = (await house.person(two_factor=False)).account
    await house.store.write(
        lambda writer: tell_at(
            writer, alice.id, NoticeKind.NOTICE_ADDRESS_REMOVED, START, ("old@elsewhere.example",), old="x@y.example"
        )
    )
    assert [one.recipient for one in await queued(house)] == ["old@elsewhere.example"]


async def test_what_strangers_choose_stays_on_one_line(house):
    alice = (await house.person(two_factor=False)).account
    name = "Phone\r\nBcc: everybody@example.net\n\nbody\u202e\x00" + "x" * 1000
    (notice,) = await told(house, alice, NoticeKind.FACTOR_ADDED, name=name, address="192.0.2.1")
    assert notice.facts["name"].isprintable()
    assert len(notice.facts["name"]) == 320


@pytest.mark.parametrize("kind", NoticeKind)
def test_every_kind_can_be_said_and_says_what_to_do(kind):
    facts = {name: START.isoformat() if name.endswith("_at") else f"<{name}>" for name in FACTS[kind]}
    if "names" in facts:
        facts["names"] = ["Phone", "Scanner"]
    link = "https://portal.example/link" if kind in WITH_LINK else ""
    text = notice_text(kind, facts, account="alice@example.org", at=START, portal="https://portal.example", link=link)
    said = "\n".join(str(one) for one in text.paragraphs)
    assert "\n" not in str(text.subject)
    assert ("<other>" if "other" in facts else "alice@example.org") in str(text.subject)
    assert (link in said) is (kind in WITH_LINK or bool(link) is False)
    assert len(text.paragraphs) >= 2
    assert "{" not in said + str(text.subject)


async def test_a_notice_of_nobody_is_not_queued(house):
    alice = (await house.person(two_factor=False)).account
    assert await told(house, replace(alice, id="ac_nobody")) == ()
    await accounts.disable(house.ports, OPERATOR, alice.id)


async def test_a_used_recovery_code_and_too_many_wrong_codes_are_told(house):
    alice = await house.person()
    await house.store.write(lambda writer: writer.remove_notices())
    started = await sign_in.start(house.ports, "alice@example.org", PASSWORD, address=HOME, client="")
    await sign_in.prove_recovery_code(house.ports, started.token, alice.recovery_codes[0], address=HOME)
    (notice,) = await queued(house)
    assert (notice.kind, notice.facts) == ("recovery-code-used", {"left": "9"})
    for _ in range(TOTP_LIMITS.disable_after):
        started = await sign_in.start(house.ports, "alice@example.org", PASSWORD, address=HOME, client="")
        with pytest.raises(Refused):
            await sign_in.prove_code(house.ports, started.token, "000000", address=HOME)
        house.clock.move(minutes=1)
    assert [one.kind for one in await queued(house)] == ["recovery-code-used", "code-entry-disabled"]


async def test_who_gets_or_loses_a_role_is_told(house):
    bob = (await house.person("bob@example.org", two_factor=False)).account
    await accounts.set_role(house.ports, OPERATOR, bob.id, Role.HELPDESK)
    await accounts.set_role(house.ports, OPERATOR, bob.id, Role.HELPDESK)  # changes nothing
    await accounts.set_role(house.ports, OPERATOR, bob.id, None)
    assert [(one.kind, one.facts) for one in await queued(house)] == [
        ("role-given", {"role": "helpdesk"}),
        ("role-taken", {}),
    ]
