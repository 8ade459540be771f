"""How strong a password is, said honestly: how long somebody who has stolen the database would have to guess."""

from dataclasses import dataclass
from enum import StrEnum

from valetkey.core.errors import InvalidInput
from valetkey.core.sentence import Sentence, counted, say

GUESSES_PER_SECOND = 10_000  # of a rented computer with several graphics cards, against the slow hash that is kept
ENOUGH = 9.0  # decimal logarithm of guesses: about a day; fewer are refused
_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_MONTH = 30 * _DAY
_YEAR = 365 * _DAY
_CENTURY = 100 * _YEAR


class Weakness(StrEnum):
    """What makes a password easy to guess, if one thing does."""

    NONE = "none"
    COMMON = "common"  # it, or the greater part of it, is on the lists that guessers begin with
    PERSONAL = "personal"  # it holds the address or the name of this site
    KEYBOARD = "keyboard"
    REPEATED = "repeated"
    SEQUENCE = "sequence"
    DATE = "date"


@dataclass(frozen=True, slots=True)
class Strength:
    """An estimate of a password."""

    log_guesses: float  # decimal logarithm of how many guesses it takes
    weakness: Weakness = Weakness.NONE

    @property
    def is_enough(self) -> bool:
        """Whether it may be a main password."""
        return self.log_guesses >= ENOUGH


_HINTS = {
    Weakness.NONE: say("Add another word or two that do not belong together."),
    Weakness.COMMON: say("It is on the lists that guessers begin with. Take words of your own that do not belong together."),
    Weakness.PERSONAL: say("It holds your address or the name of this site. Take words that have nothing to do with you."),
    Weakness.KEYBOARD: say("Rows of keys are tried early. Take a few words that do not belong together."),
    Weakness.REPEATED: say("Repeating something adds little. Add other words instead."),
    Weakness.SEQUENCE: say("Sequences such as abc or 6543 are tried early. Add other words instead."),
    Weakness.DATE: say("Dates and years are tried early. Add words that do not belong together."),
}  # fmt: skip


def guessing_time(log_guesses: float) -> Sentence:
    """Say how long a password lasts against somebody who has stolen the database."""
    seconds = 10.0 ** min(log_guesses, 30.0) / GUESSES_PER_SECOND
    for least, said in (
        (_YEAR, counted("about {number} year", "about {number} years", round(seconds / _YEAR))),
        (_MONTH, counted("about {number} month", "about {number} months", round(seconds / _MONTH))),
        (_DAY, counted("about {number} day", "about {number} days", round(seconds / _DAY))),
        (_HOUR, counted("about {number} hour", "about {number} hours", round(seconds / _HOUR))),
        (_MINUTE, counted("about {number} minute", "about {number} minutes", round(seconds / _MINUTE))),
    ):
        if seconds >= _CENTURY:
            return say("centuries")
        if seconds >= least:
            return said
    return say("less than a minute")


def hint(strength: Strength) -> Sentence:
    """Say what would make a password better."""
    return _HINTS[strength.weakness]


def require_enough(strength: Strength) -> None:
    """Refuse a password that is guessed too soon, and say how soon and what would help.

    Raises:
        InvalidInput: It is.
    """
    if not strength.is_enough:
        raise InvalidInput(
            "password",
            "Somebody who stole the database would guess this password in {time}. {hint}",
            time=guessing_time(strength.log_guesses),
            hint=hint(strength),
        )
