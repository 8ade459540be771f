from contextlib import closing
from pathlib import Path

from tests.verbs.site import House

from valetkey.app.checking_clock import clock_finding
from valetkey.doors.cli.front import Level


async def test_a_clock_that_was_set_back_is_told(tmp_path: Path):
    with closing(House(tmp_path)) as house:
        assert await clock_finding(house.ports) is None
        await house.person("alice@example.org")  # whose second factor takes 30 seconds
        house.clock.move(seconds=-50)  # as two machines of one store may differ
        assert await clock_finding(house.ports) is None
        house.clock.move(minutes=-2)
        finding = await clock_finding(house.ports)
        assert finding is not None
        assert finding.level is Level.PROBLEM
        assert "140 seconds before the newest audit record" in finding.what
