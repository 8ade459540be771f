"""The people who have mailboxes on the test servers."""

from dataclasses import dataclass, field

DOMAIN = "example.test"


@dataclass(frozen=True, slots=True)
class Person:
    """One mailbox: its address and the password that the mail server itself knows."""

    address: str
    password: str = field(repr=False)

    @property
    def local_part(self) -> str:
        """The address without its domain."""
        return self.address.partition("@")[0]


ALICE = Person(f"alice@{DOMAIN}", "alice-upstream-Password-1")
BOB = Person(f"bob@{DOMAIN}", "bob-upstream-Password-2")
CAROL = Person(f"carol@{DOMAIN}", "carol-upstream-Password-3")
SCANNER = Person(f"scanner@{DOMAIN}", "scanner-upstream-Password-4")
EVERYBODY = (ALICE, BOB, CAROL, SCANNER)
