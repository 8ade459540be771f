"""The door for what asks a directory: LDAP search and bind, or bind alone."""

import asyncio
import socket

import structlog

from valetkey.core.login import Allowed, Refused
from valetkey.doors.asked.attempts import Answer, Asking, Question
from valetkey.doors.asked.desk import Desk, OpenDoor
from valetkey.doors.asked.peers import only_name, peer_of_secret, peer_without_secret, place_of
from valetkey.doors.asked.settings import Door, Limits, Peer
from valetkey.doors.ldap.context import Context, NotUnderstood, context_of_filter, context_of_name
from valetkey.doors.ldap.tickets import Tickets
from valetkey.doors.serve import Driver, Link
from valetkey.doors.words import decoded, decoded_as_kept
from valetkey.service.tallies import NOBODY_KNOWN, AskedOutcome
from valetkey.wire.ldap import (
    START_TLS,
    WHO_AM_I,
    Asked,
    BindAsked,
    Equal,
    ExtendedAsked,
    LdapServer,
    Present,
    Result,
    SearchAsked,
    UnbindAsked,
)
from valetkey.wire.ldap_names import InvalidName, Part, read_name
from valetkey.wire.machine import PeerError, RefusalKind

_log = structlog.get_logger("valetkey.doors")

_VERSION = 3
_TEXTS = 300  # characters that are told
_SEARCH_FIRST = "prove the peer's secret on this connection, or search for the name to bind as anew"

Judged = tuple[Result, str]


async def open_ldap(desk: Desk, door: Door, sock: socket.socket) -> OpenDoor:
    """Serve a door for LDAP."""
    asking, tickets = desk.asking(door), Tickets(desk.ports)

    async def talk(link: Link, peers: tuple[Peer, ...]) -> None:
        await _Talk(desk, door, link, peers, asking=asking, tickets=tickets).run()

    listening = desk.listening(door, talk)
    listening.start(sock)
    return listening


class _Talk:
    """One connection. Requests are answered in their order: a bind has to end before the next request (RFC 4511 4.2.1)."""

    def __init__(
        self, desk: Desk, door: Door, link: Link, peers: tuple[Peer, ...], *, asking: Asking, tickets: Tickets
    ) -> None:
        self._driver: Driver = desk.driver
        self._limits: Limits = desk.settings.limits
        self._door = door
        self._asking = asking
        self._tickets = tickets
        self._link = link
        self._peers = peers
        self._machine = LdapServer()
        self._proven: Peer | None = None  # whose secret was proven on this connection
        self._searches: Peer | None = None  # who is bound now, if it is a peer
        self._bound = b""  # the name that is bound now; empty: nobody
        self._logins = 0  # of people, on this connection
        self._messages = 0  # that had come when we began to wait

    async def run(self) -> None:
        """Talk until the client has closed the connection, or is not understood."""
        try:
            while await self._take():
                data = await self._receive()
                if not data:
                    return
                self._machine.receive(data)
        except PeerError as error:
            _log.warning("peer_misunderstood", door=self._door.name, peer=self._peers[0].name, why=str(error))
            self._misunderstood(self._proven)
            self._machine.disconnect(str(error))
            await self._flush()

    async def _take(self) -> bool:
        """Answer what has arrived; False at the end."""
        while (asked := self._machine.next_event()) is not None:
            if isinstance(asked, UnbindAsked):
                return False
            self._link.limit(self._now() + self._limits.answer + self._limits.failure_delay, "too slow to answer")
            await self._answer(asked)
            await self._flush()
            await asyncio.sleep(0)  # however much has arrived at once, others have their turn
        await self._flush()
        return True

    async def _receive(self) -> bytes:
        now, messages = self._now(), self._machine.messages
        if not self._machine.has_pending:
            self._link.limit(now + self._limits.idle, "idle")
        elif messages != self._messages or self._link.deadline > now + self._limits.request:
            # Else the beginning of the same message was there before.
            self._link.limit(now + self._limits.request, "a request too slow")
        self._messages = messages
        return await self._link.receive()

    async def _flush(self) -> None:
        output = self._machine.take_output()
        if output:
            self._link.limit(self._now() + self._limits.send, "the peer takes no answer")
            await self._link.send(output)

    def _now(self) -> float:
        return self._driver.loop.time()

    def _misunderstood(self, peer: Peer | None) -> None:
        """Count what is not understood."""
        self._asking.count(peer.name if peer else only_name(self._peers), AskedOutcome.MISUNDERSTOOD)

    # Requests

    async def _answer(self, asked: Asked) -> None:
        match asked:
            case BindAsked():
                self._searches, self._bound = None, b""
                result, text = await self._bind(asked)
                if result is Result.SUCCESS:
                    self._bound = asked.name
                self._machine.answer(asked, result, text)
            case SearchAsked():
                result, text = self._search(asked)
                self._machine.answer(asked, result, text)
            case ExtendedAsked(operation=operation) if operation == WHO_AM_I:
                self._machine.answer_who(asked, self._bound)
            case ExtendedAsked(operation=operation) if operation == START_TLS:
                self._machine.answer(asked, Result.UNWILLING_TO_PERFORM, "TLS begins at the first octet here: ldaps.")
            case ExtendedAsked():
                self._machine.answer(asked, Result.PROTOCOL_ERROR, "This operation is not known.")

    def _search(self, asked: SearchAsked) -> Judged:
        """Search. What is found is found whether there is such an account or not."""
        if not asked.base and asked.is_of_base_alone:
            self._give_root(asked)
            return Result.SUCCESS, ""
        if self._searches is None:
            return Result.INSUFFICIENT_ACCESS_RIGHTS, "Only a mail server may search, once it is bound as itself."
        try:
            context = context_of_filter(asked.filter)
            base = read_name(asked.base)
        except NotUnderstood as why:
            _log.warning("peer_misunderstood", door=self._door.name, peer=self._searches.name, why=str(why))
            self._misunderstood(self._searches)
            return Result.UNWILLING_TO_PERFORM, _told(str(why))
        except InvalidName:
            return Result.INVALID_DN_SYNTAX, "The base is not a distinguished name."
        if context.is_name:
            attributes = {"uid": (context.name,)} if asked.wants("uid") else {}
            self._machine.give(asked, self._tickets.name_with_ticket(self._searches.name, context, base), attributes)
        return Result.SUCCESS, ""

    def _give_root(self, asked: SearchAsked) -> None:
        """Give the one entry that everybody may see: what this server can (RFC 4512 5.1)."""
        match asked.filter:
            case Present(attribute="objectclass") | Equal(attribute="objectclass", value=b"top"):
                facts = {
                    "objectClass": (b"top",),
                    "supportedLDAPVersion": (b"%d" % _VERSION,),
                    "supportedExtension": (WHO_AM_I.encode(),),
                }
                wanted = {key: value for key, value in facts.items() if asked.wants(key.lower()) or _is_all(asked)}
                self._machine.give(asked, b"", wanted)

    # Bind

    async def _bind(self, asked: BindAsked) -> Judged:
        if asked.version != _VERSION:
            return Result.PROTOCOL_ERROR, "Only LDAP version 3 is spoken here."
        if asked.password is None:
            return Result.AUTH_METHOD_NOT_SUPPORTED, "Only simple binds are answered here."
        if not asked.password:
            # A name without a password would pass as nobody, and careless clients take that for a login (RFC 4513 5.1.2).
            return (Result.UNWILLING_TO_PERFORM, "A password is needed.") if asked.name else (Result.SUCCESS, "")
        try:
            parts = read_name(asked.name)
        except InvalidName:
            return Result.INVALID_DN_SYNTAX, "This is not a distinguished name."
        if parts and parts[0][0] == "cn":
            return await self._bind_peer(parts[0], asked.password)
        return await self._bind_user(parts, asked.password)

    async def _bind_peer(self, part: Part, secret: bytes) -> Judged:
        peer = peer_of_secret([one for one in self._peers if one.name == decoded(part[1])], decoded(secret))
        if peer is None:
            _log.warning(
                "turned_away", door=self._door.name, place=self._door.place, why="not a peer's name and secret"
            )
            self._asking.count(NOBODY_KNOWN, AskedOutcome.TURNED_AWAY, place_of(self._link))
            await asyncio.sleep(self._limits.failure_delay)
            return Result.INVALID_CREDENTIALS, ""
        self._proven = self._searches = peer
        return Result.SUCCESS, ""

    async def _bind_user(self, parts: tuple[Part, ...], secret: bytes) -> Judged:
        try:
            peer, context = self._described(parts)
        except NotUnderstood as why:
            _log.warning("peer_misunderstood", door=self._door.name, peer=self._peers[0].name, why=str(why))
            self._misunderstood(self._proven)
            return Result.UNWILLING_TO_PERFORM, _told(str(why))
        begun = self._now()
        is_shared = self._proven is not None or self._logins > 0
        self._logins += 1
        answer = await self._decide(peer, context, secret)
        if answer is not None and isinstance(answer.verdict, Allowed):
            return Result.SUCCESS, ""
        if not is_shared:
            # The same wait whatever the reason. But a mail server has the logins of many on one connection, one behind
            # the other; it makes who fails wait, and we do not make the next one wait.
            await asyncio.sleep(begun + self._limits.failure_delay - self._now())
        if answer is None or answer.refusal is None or answer.refusal.kind is RefusalKind.TRY_LATER:
            return Result.UNAVAILABLE, _told(answer.refusal.text if answer and answer.refusal else "")
        is_told = isinstance(answer.verdict, Refused) and answer.verdict.proven
        return Result.INVALID_CREDENTIALS, _told(answer.refusal.text if is_told else "")

    def _described(self, parts: tuple[Part, ...]) -> tuple[Peer, Context]:
        """Tell who describes a login, and how. Believed is who has proven a secret, or has none and is at its place."""
        named = context_of_name(parts)
        if named.ticket is not None:
            peer = next((one for one in self._peers if self._tickets.is_good(one.name, named)), None)
        else:
            peer = self._proven or peer_without_secret([one for one in self._peers if not one.secret])
        if peer is None:
            raise NotUnderstood(_SEARCH_FIRST)
        return peer, named.context

    async def _decide(self, peer: Peer, context: Context, secret: bytes) -> Answer | None:
        """Have a login decided; None if it took too long.

        The answer does not say which app password it was. So whatever `holds` says of this peer, which may ask at other
        doors as well, a login through this one is held to nothing.
        """
        question = Question(
            name=decoded_as_kept(context.name),
            secret=decoded(secret),
            service=decoded(context.service),
            address=decoded(context.address),
            tls=context.is_over_tls(otherwise=peer.tls_only),
            session=decoded(context.session),
            mechanism="SIMPLE",
            keeps_name=True,
        )
        try:
            async with asyncio.timeout(self._limits.answer):
                return await self._asking.ask(peer, question, holds=frozenset())
        except TimeoutError:
            self._asking.note_late(peer)
            return None


def _is_all(asked: SearchAsked) -> bool:
    return "+" in asked.attributes


def _told(text: str) -> str:
    return text[:_TEXTS]
