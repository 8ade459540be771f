"""The estimate of passwords."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from valetkey.adapters.password_gauge import ZxcvbnGauge
from valetkey.core.password_strength import Weakness


@pytest.fixture
def gauge() -> Iterator[ZxcvbnGauge]:
    made = ZxcvbnGauge()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("password", "weakness"),
    [
        ("trustno1trustno1", Weakness.REPEATED),
        ("asdfghjkl;'asdfg", Weakness.KEYBOARD),
        ("abcdefghijklmnop", Weakness.SEQUENCE),
        ("1q2w3e4r5t6y", Weakness.COMMON),
        ("alice.baker.alice", Weakness.PERSONAL),
        ("12.05.1987 ", Weakness.DATE),
        ("Schmetterling1", Weakness.COMMON),
        ("Weihnachten12!", Weakness.COMMON),
    ],
)
async def test_weak_ones_are_not_enough_and_it_says_why(gauge: ZxcvbnGauge, password: str, weakness: Weakness) -> None:
    strength = await gauge.measure(password, ("alice.baker@example.org", "alice.baker"))
    assert not strength.is_enough
    assert strength.weakness is weakness


@pytest.mark.parametrize("password", ["otter lamp bicycle seven", "Der Mond scheint auf Wuppertal", "x7$kQ!pz2@Lm"])
async def test_good_ones_are_enough(gauge: ZxcvbnGauge, password: str) -> None:
    assert (await gauge.measure(password, ("alice@example.org",))).is_enough


async def test_what_is_known_of_one_person_is_not_held_against_another(gauge: ZxcvbnGauge) -> None:
    before = await gauge.measure("zyxwomble krambambuli", ("bob@example.org",))
    await gauge.measure("anything at all", ("zyxwomble", "krambambuli"))
    assert await gauge.measure("zyxwomble krambambuli", ("bob@example.org",)) == before
    assert not (await gauge.measure("krambambuli", ("krambambuli",))).is_enough


async def test_long_ones_take_no_longer(gauge: ZxcvbnGauge) -> None:
    """Only the beginning is looked at; what costs the library most stays far below the deadline."""
    for password in ("a" * 1024, "4@8({[6<3!1|l0$5+7%2" * 50, "ſ" * 1000):
        assert (await gauge.measure(password, ())).log_guesses >= 0


def test_a_process_that_sets_no_password_does_not_load_the_lists() -> None:
    code = "import sys, valetkey.app.join; sys.exit('zxcvbn' in sys.modules or 'zxcvbn.matching' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
