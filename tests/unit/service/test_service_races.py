"""The same thing asked many times at once happens once."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

from tests.verbs.outbox import Outbox, send_all, token_in
from tests.verbs.site import HOME, OPERATOR, House

from valetkey.core.errors import Refused
from valetkey.core.role import Role
from valetkey.service import (
    accounts,
    exporting,
    invitations,
    notice_addresses,
    proposals,
    recovery,
    second_factors,
    sign_in,
)

NEW = "violet ladder nineteen spoons"
AT_ONCE = 8


async def went_well(attempts: list[Awaitable[Any]]) -> list[Any]:
    """Run attempts at once and give what came of those that were not refused."""
    ended = await asyncio.gather(*attempts, return_exceptions=True)
    failed = [one for one in ended if isinstance(one, BaseException)]
    assert all(isinstance(one, Refused) for one in failed), failed
    return [one for one in ended if not isinstance(one, BaseException)]


async def test_an_invitation_is_used_once(house: House) -> None:
    new = await accounts.create(house.ports, OPERATOR, "new@example.org")
    link = (await invitations.invite(house.ports, OPERATOR, new.id)).token
    attempts = [
        invitations.accept(house.ports, link, f"{NEW} {number}", address=HOME, client="") for number in range(AT_ONCE)
    ]
    assert len(await went_well(attempts)) == 1
    assert len(await house.store.read(lambda reader: reader.portal_sessions(new.id))) == 1


async def test_a_proposal_is_countersigned_and_its_export_fetched_once(house: House) -> None:
    root, *others = [await house.person(f"{name}@example.org", role=Role.ADMIN) for name in ("root", "b", "c", "d")]
    acting = house.acting(root.account)
    wanted = await proposals.propose_export(house.ports, acting, "Move")
    signers = [proposals.countersign(house.ports, house.acting(each.account), wanted.id) for each in others]
    signers.append(proposals.withdraw(house.ports, acting, wanted.id))
    done = await went_well(signers)
    assert len(done) == 1
    if isinstance(done[0], proposals.Countersigned):
        fetched = [exporting.export_everything(house.ports, acting, wanted.id) for _ in range(AT_ONCE)]
        assert len(await went_well(fetched)) == 1


async def test_two_factors_removed_at_once_leave_one(house: House) -> None:
    alice = await house.person()
    await house.set_up_authenticator(alice)
    totps = await house.store.read(lambda reader: reader.totps(alice.account.id))
    acting = house.acting(alice.account)
    assert len(await went_well([second_factors.remove_totp(house.ports, acting, each.id) for each in totps])) == 1
    assert len(await house.store.read(lambda reader: reader.totps(alice.account.id))) == 1


async def test_one_code_finishes_one_sign_in(house: House) -> None:
    alice = await house.person()
    halves = [
        await sign_in.start(house.ports, "alice@example.org", alice.password, address=HOME, client="")
        for _ in range(AT_ONCE)
    ]
    code = house.code(alice.seed)
    attempts = [sign_in.prove_code(house.ports, each.token, code, address=HOME) for each in halves]
    assert len(await went_well(attempts)) == 1


async def test_a_recovery_is_begun_and_finished_once(house: House) -> None:
    outbox = Outbox()
    house.with_ports(mailer=outbox)
    alice = await house.person()
    acting = house.acting(alice.account)
    await notice_addresses.ask_for(house.ports, acting, "alice@elsewhere.net")
    await send_all(house)
    await notice_addresses.confirm(
        house.ports, acting, token_in(outbox.to("alice@elsewhere.net")[-1], "/account/notices/confirm/")
    )

    async def half() -> str:
        return (await sign_in.start(house.ports, "alice@example.org", alice.password, address=HOME, client="")).token

    async def link(half_token: str) -> str:
        await recovery.mail_link(house.ports, half_token, address=HOME)
        await send_all(house)
        return token_in(outbox.to("alice@elsewhere.net")[-1], "/recover/link/")

    tokens = [await half() for _ in range(AT_ONCE)]
    first = await link(tokens[0])
    assert len(await went_well([recovery.begin(house.ports, each, first, address=HOME) for each in tokens])) == 1
    house.clock.move(hours=73)
    tokens = [await half() for _ in range(AT_ONCE)]
    last = await link(tokens[0])
    attempts = [recovery.finish(house.ports, each, last, address=HOME, client="") for each in tokens]
    assert len(await went_well(attempts)) == 1
    assert len(await house.store.read(lambda reader: reader.portal_sessions(alice.account.id))) == 1
    assert timedelta(hours=72) <= house.ports.policy.recovery_wait
