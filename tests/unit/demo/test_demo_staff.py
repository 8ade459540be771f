"""The made-up staff of the demo: there is something of everything that the console shows."""

from datetime import timedelta
from pathlib import Path

from tests.verbs.site import OPERATOR, House

from valetkey.core.app_password import read
from valetkey.core.role import Role
from valetkey.demo.people import draw_people
from valetkey.demo.screen import code_now
from valetkey.demo.seeding import seed
from valetkey.demo.staff import make_history, make_staff
from valetkey.service import api_tokens, console, proposals
from valetkey.service.store_parts import AppPasswordFilter


async def test_the_console_of_the_demo_has_something_to_show(tmp_path: Path) -> None:
    house = House(tmp_path, default_domain="example.test")
    try:
        staff = await make_staff(house.ports)
        people = await seed(house.ports, draw_people())
        await make_history(house.ports, people, staff)
        seen = await console.overview(house.ports, OPERATOR)
        assert seen.adoption is not None
        assert 0 < seen.adoption.with_second_factor < seen.adoption.people
        assert seen.app_passwords is not None
        for kind in (AppPasswordFilter.NEVER_USED, AppPasswordFilter.UNUSED_90_DAYS, AppPasswordFilter.BROAD_SCOPE):
            assert seen.app_passwords[kind], kind
        assert seen.open_proposals == 1
        counts = await console.logins(house.ports, OPERATOR, house.clock.now() - timedelta(days=31))
        assert len({one.hour.date() for one in counts}) > 28
        assert len({one.result for one in counts}) >= 4
        assert len({one.protocol for one in counts}) >= 3
        assert len(await console.domains(house.ports, OPERATOR)) == 2
        assert len(await api_tokens.all_of(house.ports, OPERATOR)) == 1
        shown = (await proposals.listed(house.ports, OPERATOR))[0][0]
        assert shown.proposer is not None
        assert shown.proposer.address == people["chief"].address
        assert isinstance(await console.verify_audit(house.ports, OPERATOR), tuple)
    finally:
        house.close()


async def test_everybody_with_a_role_can_sign_in_to_the_demo(tmp_path: Path) -> None:
    house = House(tmp_path, default_domain="example.test")
    try:
        people = await seed(house.ports, draw_people())
        for name, role in (
            ("admin", Role.ADMIN),
            ("chief", Role.ADMIN),
            ("helpdesk", Role.HELPDESK),
            ("auditor", Role.AUDITOR),
        ):
            person = people[name]
            assert person.role is role
            assert person.main_password
            assert len(code_now(person)) == 6
        assert read(people.app_password("mail-app").secret) is not None
    finally:
        house.close()
