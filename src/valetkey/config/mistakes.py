"""What is wrong with a configuration file: every mistake at once, each with its line and its mend."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from valetkey.core.errors import CannotStart


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake of a file."""

    line: int
    setting: str  # such as "[server] workers"
    what: str
    mend: str

    @property
    def sentence(self) -> str:
        """What is wrong and how to mend it."""
        end = "" if self.mend.endswith("?") else "."
        return f"{self.setting}: {self.what}; {self.mend}{end}"


class BadConfig(CannotStart):
    """A configuration file cannot be used; `mistakes` are all of them, in the order of their lines."""

    def __init__(self, path: Path, mistakes: Sequence[Mistake]) -> None:
        self.path = path
        self.mistakes = tuple(sorted(mistakes, key=lambda mistake: mistake.line))
        lines = [f"{path}:{mistake.line}: {mistake.sentence}" for mistake in self.mistakes]
        count = len(lines)
        head = f"{path} has {count} mistake{'' if count == 1 else 's'}:"
        super().__init__("\n".join([head, *lines]))
