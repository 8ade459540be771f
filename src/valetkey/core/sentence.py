"""Text for people, kept apart from its values so that it can still be translated where it is shown.

The English text is the source: it is what `str()` gives, what operators read in logs and on the command line, and what
catalogues are keyed by. Placeholders are written as in `str.format`, by name only: `{minutes}`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Sentence:
    """A template with its values; `plural` and `number` if its form depends on how many there are.

    A value may be text, a whole number, a date or time, a tuple (shown as a list in words) or another sentence, which is
    translated too. What looks like a number but counts nothing, such as a port, is given as text.
    """

    message: str
    values: Mapping[str, object] = field(default_factory=dict, hash=False)
    plural: str = ""
    number: int = 1

    def __str__(self) -> str:
        """Give the English text."""
        return self.filled(self.message if self.number == 1 or not self.plural else self.plural, in_english)

    def filled(self, template: str, show: Callable[[object], str]) -> str:
        """Put the values into a template, which is the message or a translation of it."""
        return (
            template.format_map({name: show(value) for name, value in self.values.items()}) if self.values else template
        )


def say(message: str, /, **values: object) -> Sentence:
    """Make a sentence."""
    return Sentence(message, values)


def counted(singular: str, plural: str, number: int, /, **values: object) -> Sentence:
    """Make a sentence that depends on a number, which is one of its values as `{number}`."""
    return Sentence(singular, {"number": number, **values}, plural, number)


def in_english(value: object) -> str:
    """Show a value of a sentence in English; tuples as "a, b and c"."""
    if not isinstance(value, tuple):
        return str(value)
    shown = [in_english(one) for one in value]
    return f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else "".join(shown)
