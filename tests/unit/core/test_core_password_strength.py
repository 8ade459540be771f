"""What is said of a password's strength."""

import pytest

from valetkey.core.errors import InvalidInput
from valetkey.core.passkey import counter_went_back
from valetkey.core.password_strength import ENOUGH, Strength, Weakness, guessing_time, hint, require_enough


@pytest.mark.parametrize(
    ("log_guesses", "said"),
    [
        (0, "less than a minute"),
        (4, "less than a minute"),
        (6, "about 2 minutes"),
        (8, "about 3 hours"),
        (9, "about 1 day"),
        (9.6, "about 5 days"),
        (11, "about 4 months"),
        (12, "about 3 years"),
        (14, "centuries"),
        (300, "centuries"),
        (1e9, "centuries"),
    ],
)
def test_the_time_of_guessing_is_said_in_words(log_guesses: float, said: str) -> None:
    assert str(guessing_time(log_guesses)) == said


def test_what_takes_a_day_is_enough_and_less_is_refused_with_what_would_help() -> None:
    require_enough(Strength(ENOUGH))
    with pytest.raises(InvalidInput) as refusal:
        require_enough(Strength(8.0, Weakness.KEYBOARD))
    assert refusal.value.field == "password"
    assert "about 3 hours" in str(refusal.value)
    assert "Rows of keys" in str(refusal.value)


def test_there_is_a_hint_for_each_weakness() -> None:
    hints = {str(hint(Strength(1.0, weakness))) for weakness in Weakness}
    assert len(hints) == len(Weakness)


@pytest.mark.parametrize(
    ("kept", "given", "went_back"),
    [(0, 0, False), (0, 1, False), (5, 6, False), (5, 5, True), (5, 4, True), (5, 0, True)],
)
def test_a_counter_goes_on_or_is_not_there_at_all(kept: int, given: int, *, went_back: bool) -> None:
    assert counter_went_back(kept, given) is went_back
