"""From what a mail server says of a login to the verdict, and to the words that its client is told."""

from dataclasses import dataclass, field

import structlog

from valetkey.core.errors import InvalidInput
from valetkey.core.limits import Held
from valetkey.core.login import Allowed, CannotTell, LoginAttempt, Reason, Refused, Verdict
from valetkey.core.network import Address
from valetkey.core.scope import MailProtocol
from valetkey.doors.asked.settings import Door, Peer
from valetkey.doors.replies import refusal_for
from valetkey.doors.serve.accepting import address_of as known_address
from valetkey.doors.serve.metrics import Metrics
from valetkey.doors.words import printable
from valetkey.service.login import check
from valetkey.service.ports import Ports
from valetkey.service.tallies import Asked, AskedOutcome
from valetkey.wire.machine import Refusal

_log = structlog.get_logger("valetkey.doors")

_LONGEST_ADDRESS = 64  # characters; of IPv6 with a mapped IPv4 45
_PROTOCOLS = {
    "imap": MailProtocol.IMAP,
    "imaps": MailProtocol.IMAP,
    "pop3": MailProtocol.POP3,
    "pop3s": MailProtocol.POP3,
    "pop": MailProtocol.POP3,
    "smtp": MailProtocol.SMTP,
    "smtps": MailProtocol.SMTP,
    "submission": MailProtocol.SMTP,
    "submissions": MailProtocol.SMTP,
    "sieve": MailProtocol.SIEVE,
    "managesieve": MailProtocol.SIEVE,
}


@dataclass(slots=True)  # not frozen: made for each login, and a frozen one costs three times as much
class Question:
    """What a mail server says of one try to log in."""

    name: str
    secret: str = field(repr=False)
    service: str  # as the server calls the protocol
    address: str = ""  # the client's; empty or not an address: not known
    tls: bool = False
    client: str = ""  # what the client calls itself
    session: str = ""  # the server's name for the connection
    mechanism: str = ""
    keeps_name: bool = False  # the server goes on with the name as it was typed, and cannot be told another


@dataclass(slots=True)
class Answer:
    """A verdict, and what the client is told if it does not pass."""

    verdict: Verdict
    refusal: Refusal | None  # None: allowed


def protocol_of(service: str, door: Door) -> MailProtocol | None:
    """Tell the mail protocol that a server's word means; where it has no word, the door's own. None: none of ours."""
    return _PROTOCOLS.get(service.lower()) if service else door.protocol


def address_of(text: str) -> Address | None:
    """Read a client's address as a peer wrote it; None if it is none, and then every network rule fails."""
    if len(text) > _LONGEST_ADDRESS:
        return None
    try:
        return known_address(text)  # who logs in does so again: parsing costs more than finding
    except InvalidInput:
        return None


class Asking:
    """Asks the one decision on behalf of one door."""

    def __init__(self, ports: Ports, metrics: Metrics, door: Door, help_url: str) -> None:
        self.ports = ports
        self._metrics = metrics
        self._door = door
        self._help_url = help_url
        self._name = door.name
        self._counted_as = door.counted_as

    async def ask(self, peer: Peer, question: Question, *, holds: frozenset[Held] | None = None) -> Answer:
        """Decide one login; `holds` in the place of what the peer holds sessions to. Never raises."""
        protocol = protocol_of(question.service, self._door)
        if protocol is None:
            # Absent means deny; which services there are is no secret, and nothing of the secret is looked at.
            return self.note(peer, question, None, Refused(Reason.WRONG_SECRET))
        attempt = self.attempt(peer, question, protocol, holds=holds)
        return self.note(peer, question, protocol, await check(self.ports, attempt))

    def attempt(
        self, peer: Peer, question: Question, protocol: MailProtocol, *, holds: frozenset[Held] | None = None
    ) -> LoginAttempt:
        """Give the attempt that a question means; `holds` in the place of what the peer holds sessions to."""
        return LoginAttempt(
            name=question.name,
            secret=question.secret,
            protocol=protocol,
            address=address_of(question.address),
            tls=question.tls,
            door=self._name,
            client=printable(question.client),
            holds=peer.holds if holds is None else holds,
            peer=peer.name,
            keeps_name=question.keeps_name,
        )

    def note(self, peer: Peer, question: Question, protocol: MailProtocol | None, verdict: Verdict) -> Answer:
        """Log and count a verdict, and give it with its words."""
        account: str | None = None
        credential: str | None = None
        match verdict:
            case Allowed(grant=grant):
                result, account, credential = "allowed", grant.account_id, grant.credential_id
                self.count(peer.name, AskedOutcome.YES)
            case Refused(reason=reason):
                result, credential = reason.value, verdict.credential_id
                self.count(peer.name, AskedOutcome.NO)
            case CannotTell(why=why):
                result = "cannot-tell"
                self.count(peer.name, AskedOutcome.CANNOT_TELL)
                _log.error("login_undecided", door=self._name, peer=peer.name, why=why)
        spoken = protocol.value if protocol else "unknown"
        self._metrics.count("valetkey_door_logins_total", door=self._name, protocol=spoken, result=result)
        _log.info(
            "login",
            result=result,
            door=self._name,
            peer=peer.name,
            protocol=spoken,
            session=printable(question.session),
            name=printable(question.name),
            account=account,
            credential=credential,
            address=str(address_of(question.address) or "unknown"),
            client=printable(question.client),
            tls=question.tls,
        )
        if isinstance(verdict, Allowed):
            return Answer(verdict, None)
        return Answer(verdict, refusal_for(verdict, protocol or MailProtocol.IMAP, self._help_url))

    def note_late(self, peer: Peer) -> None:
        """Log and count a login that was not decided in time."""
        _log.error("login_undecided", door=self._name, peer=peer.name, why="it took too long")
        self.count(peer.name, AskedOutcome.CANNOT_TELL)

    def count(self, peer: str, outcome: AskedOutcome, place: str = "") -> None:
        """Count what came of a question, for the page that shows who asks."""
        self.ports.recorder.count(Asked(self._counted_as, peer, outcome), self.ports.clock.now(), place)
