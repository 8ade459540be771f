"""The sample people, and the file that remembers their secrets between two starts."""

import json
import secrets
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from valetkey.app import private_files
from valetkey.core.errors import CannotStart
from valetkey.core.role import Role
from valetkey.demo.layout import DOMAIN

_WORDS = [
    "acorn",
    "amber",
    "anchor",
    "apple",
    "aspen",
    "badger",
    "bamboo",
    "barley",
    "beacon",
    "birch",
    "bramble",
    "brook",
    "candle",
    "canoe",
    "cedar",
    "cherry",
    "clover",
    "cobalt",
    "comet",
    "copper",
    "coral",
    "crane",
    "daisy",
    "drift",
    "ember",
    "falcon",
    "fern",
    "fjord",
    "flint",
    "garnet",
    "ginger",
    "glacier",
    "grove",
    "harbor",
    "hazel",
    "heron",
    "hollow",
    "indigo",
    "ivory",
    "juniper",
    "kelp",
    "lagoon",
    "lantern",
    "larch",
    "linen",
    "maple",
    "marble",
    "meadow",
    "mellow",
    "minnow",
    "nectar",
    "oaken",
    "olive",
    "opal",
    "otter",
    "pebble",
    "pepper",
    "pine",
    "plum",
    "prairie",
    "quartz",
    "raven",
    "russet",
    "saffron",
]
_COUNT = 5


@dataclass(frozen=True, slots=True)
class SampleAppPassword:
    """An app password that is ready to be pasted."""

    account: str
    description: str
    kind: str  # a core.scope.ReadyMade key
    secret: str = field(repr=False)
    id: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """A sample account."""

    address: str
    name: str
    upstream_password: str = field(repr=False)
    main_password: str | None = field(default=None, repr=False)
    totp_secret: str | None = field(default=None, repr=False)  # base32
    recovery_codes: tuple[str, ...] = field(default=(), repr=False)
    role: Role | None = None
    owner: str | None = None  # of a shared account


@dataclass(frozen=True, slots=True)
class People:
    """All of them, and the app passwords made for them."""

    persons: tuple[Person, ...]
    app_passwords: tuple[SampleAppPassword, ...] = ()

    def __getitem__(self, name: str) -> Person:
        """Find one by the part before the @."""
        return next(person for person in self.persons if person.address == f"{name}@{DOMAIN}")

    def app_password(self, kind: str) -> SampleAppPassword:
        """Give the sample app password of a kind."""
        return next(entry for entry in self.app_passwords if entry.kind == kind)

    def with_person(self, changed: Person) -> "People":
        """Give them with one replaced."""
        persons = tuple(changed if person.address == changed.address else person for person in self.persons)
        return replace(self, persons=persons)

    @property
    def upstream_passwords(self) -> dict[str, str]:
        """What the embedded mailbox knows each by."""
        return {person.address: person.upstream_password for person in self.persons}


def draw_people() -> People:
    """Draw the sample people with fresh passwords."""
    return People(
        (
            Person(f"alice@{DOMAIN}", "Alice Archer", _upstream(), _main()),
            Person(f"bob@{DOMAIN}", "Bob Baker", _upstream(), _main()),
            Person(f"admin@{DOMAIN}", "Ada Admin", _upstream(), _main(), role=Role.ADMIN),
            Person(f"chief@{DOMAIN}", "Cleo Chief", _upstream(), _main(), role=Role.ADMIN),
            Person(f"helpdesk@{DOMAIN}", "Hal Helper", _upstream(), _main(), role=Role.HELPDESK),
            Person(f"auditor@{DOMAIN}", "Una Auditor", _upstream(), _main(), role=Role.AUDITOR),
            Person(f"scanner@{DOMAIN}", "Office scanner", _upstream(), owner=f"alice@{DOMAIN}"),
        )
    )


def _main() -> str:
    return "-".join(secrets.choice(_WORDS) for _ in range(_COUNT))


def _upstream() -> str:
    return secrets.token_urlsafe(24)


def load_people(path: Path) -> People | None:
    """Read the file of an earlier start; None if there was none.

    Raises:
        CannotStart: The file is damaged.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return People(
            tuple(map(_person, raw["persons"])), tuple(SampleAppPassword(**entry) for entry in raw["app_passwords"])
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, OSError):
        raise CannotStart(
            f"{path} cannot be read. Remove the folder {path.parent}, and the demo begins anew."
        ) from None


def _person(entry: dict[str, Any]) -> Person:
    role = Role(entry["role"]) if entry["role"] else None
    return Person(**{**entry, "recovery_codes": tuple(entry["recovery_codes"]), "role": role})


def save_people(path: Path, people: People) -> None:
    """Write the file, in one step."""
    write_json(path, asdict(people))


def write_json(path: Path, content: object) -> None:
    """Write a file that only its owner can read, in one step."""
    private_files.replace(path, json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n")
