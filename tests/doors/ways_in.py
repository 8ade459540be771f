"""Every way in: each door by each mechanism, as the mail server or the client before it asks. Used by tests of all doors at once."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from valetkey.core.limits import Held
from valetkey.core.scope import MailProtocol

if TYPE_CHECKING:
    from tests.doors.every_door import EveryDoor

IMAP, POP3, SMTP, SIEVE = MailProtocol
ALL_PROTOCOLS = tuple(MailProtocol)
OF_CLIENTS = (IMAP, POP3, SMTP)
PEER = "mx1"
SECRET = "secret of the peer"
SOMEWHERE = "198.51.100.7"


class Asker(Enum):
    """Who asks, of those that the same door is open to."""

    HOLDING = "holding"  # it holds sessions to whatever it is asked to, and takes passwords over TLS alone
    BARE = "bare"  # it holds nothing, and takes passwords without TLS too
    STRANGER = "stranger"  # it is not listed


@dataclass(frozen=True)
class Login:
    """One try to log in."""

    name: str
    secret: str = field(repr=False)
    protocol: MailProtocol
    address: str = SOMEWHERE  # the client's; empty: nobody says
    tls: bool = True
    app_password: str = ""  # where no secret is shown: whose secret was proven elsewhere
    peer_secret: str = SECRET


def octets_of(text: str) -> bytes:
    """Give the octets of a text; any that are no UTF-8 stand in it as surrogates do (PEP 383)."""
    return text.encode(errors="surrogateescape")


class Shown(Enum):
    """What stands for the person."""

    SECRET = "secret"
    PROVEN = "proven"  # an app password, named by whoever has compared its secret
    NAME = "name"  # nothing yet


Ask = Callable[["EveryDoor", Asker, Login], Awaitable[str]]
_NOTHING: frozenset[Held] = frozenset()
EVERYTHING = frozenset(Held)


@dataclass(frozen=True)
class Way:
    """A way in, and all that makes it different from others."""

    door: str  # the part of the code that answers: "gateway imap", "http /dovecot/auth", "radius" …
    mechanism: str
    row: str  # of the table of expectations
    protocols: tuple[MailProtocol, ...]
    ask: Ask = field(repr=False)
    shown: Shown = Shown.SECRET
    holds: Mapping[MailProtocol, frozenset[Held]] = field(default_factory=dict)  # with an asker that holds everything
    holds_itself: bool = False  # whoever asks
    tells_address: bool = True
    tells_tls: bool = True  # of each login; else it is the asker's setting
    is_always_tls: bool = False
    keeps_name: bool = False  # whoever asks goes on with the name as it was typed
    opens: bool = True  # False: nobody comes in this way, whatever is shown
    is_for_listed: bool = True  # False: clients themselves come this way, or a unix socket's place alone says who asks
    has_peer_secret: bool = False
    is_in_use: bool = False  # of a session that is open: what is in use is not idle

    def __str__(self) -> str:
        return f"{self.door} {self.mechanism}"

    def held(self, asker: Asker, protocol: MailProtocol) -> frozenset[Held]:
        """Give what a session can be held to."""
        return self.holds.get(protocol, _NOTHING) if self.holds_itself or asker is Asker.HOLDING else _NOTHING

    def is_over_tls(self, asker: Asker, login: Login) -> bool:
        """Tell whether Valetkey can know that this login goes over TLS."""
        return self.is_always_tls or (login.tls if self.tells_tls else asker is Asker.HOLDING)


def holding(*held: Held, protocols: tuple[MailProtocol, ...] = ALL_PROTOCOLS) -> dict[MailProtocol, frozenset[Held]]:
    """Give the same for each protocol."""
    return dict.fromkeys(protocols, frozenset(held))
