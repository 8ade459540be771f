"""The door for Courier: the socket of its authdaemond. Beside logins it asks for facts of users, which are not told."""

import pwd
import socket
from dataclasses import dataclass

import structlog

from valetkey.core.errors import CannotStart
from valetkey.core.login import Allowed
from valetkey.doors.asked.attempts import Question
from valetkey.doors.asked.desk import Desk, OpenDoor
from valetkey.doors.asked.one_question import OneQuestion
from valetkey.doors.asked.peers import peer_without_secret
from valetkey.doors.asked.settings import Door, Peer
from valetkey.doors.courier.mailbox import mailbox_of, require_pattern
from valetkey.doors.serve import Link
from valetkey.doors.words import decoded, printable
from valetkey.service.tallies import AskedOutcome
from valetkey.wire.authdaemon import (
    REFUSED,
    AuthdaemonServer,
    LoginAsked,
    Mailbox,
    OtherAsked,
    mailbox_reply,
)

_log = structlog.get_logger("valetkey.doors")


@dataclass(frozen=True, slots=True)
class _Owner:
    """The system user that mailboxes belong to."""

    uid: int
    gid: int


async def open_courier(desk: Desk, door: Door, sock: socket.socket) -> OpenDoor:
    """Serve a door for Courier.

    Raises:
        CannotStart: There is no such system user as `login_user`, or mailboxes may not be its; or `mailbox` is no path.
    """
    courier = _Courier(OneQuestion(desk, door), door, _owner(door))

    async def talk(link: Link, peers: tuple[Peer, ...]) -> None:
        peer = peer_without_secret(peers)
        if peer is not None:
            await courier.talk(link, peer)

    listening = desk.listening(door, talk)
    listening.start(sock)
    return listening


class _Courier:
    """What is said to Courier."""

    def __init__(self, questions: OneQuestion, door: Door, owner: _Owner) -> None:
        self._questions = questions
        self._door = door
        self._owner = owner

    async def talk(self, link: Link, peer: Peer) -> None:
        """Answer one connection."""
        machine = AuthdaemonServer()
        asked: LoginAsked | OtherAsked | None = await self._questions.read(link, peer, machine, misunderstood=REFUSED)
        words = await self._answer(peer, asked) if asked else None
        if words is not None:
            await self._questions.say(link, words)

    async def _answer(self, peer: Peer, asked: LoginAsked | OtherAsked) -> bytes | None:
        if isinstance(asked, OtherAsked):
            # Whoever could ask for a user without a password could find out who there is.
            _log.info("request_refused", door=self._door.name, peer=peer.name, request=asked.word)
            self._questions.count(peer, AskedOutcome.NO)
            return REFUSED
        if asked.mechanism != b"login":
            mechanism = printable(decoded(asked.mechanism))
            _log.warning("mechanism_refused", door=self._door.name, peer=peer.name, mechanism=mechanism)
            self._questions.count(peer, AskedOutcome.MISUNDERSTOOD)
            return REFUSED
        question = Question(
            name=decoded(asked.name),
            secret=decoded(asked.password),
            service=decoded(asked.service),
            address=decoded(asked.client),
            tls=peer.tls_only,
        )
        answer = await self._questions.decided(peer, question)
        if answer is None:
            return None  # Courier tells its client nothing, which then tries again
        if not isinstance(answer.verdict, Allowed):
            return REFUSED
        return self._mailbox(answer.verdict.grant.address)

    def _mailbox(self, address: str) -> bytes | None:
        try:
            folder = mailbox_of(self._door.mailbox, address)
        except ValueError as fault:
            # The login was right, so it is the mail server that cannot serve it.
            _log.error("mailbox_unknown", door=self._door.name, address=address, why=str(fault))
            return None
        return mailbox_reply(Mailbox(address, self._owner.uid, self._owner.gid, folder))


def _owner(door: Door) -> _Owner:
    try:
        require_pattern(door.mailbox)
    except ValueError as fault:
        raise CannotStart(f"The mailbox of a [[door]] cannot be used: {fault}.") from None
    try:
        found = pwd.getpwnam(door.login_user)
    except KeyError:
        raise CannotStart(f"There is no system user {door.login_user} ([[door]] login_user).") from None
    if found.pw_uid == 0:
        raise CannotStart("Mail sessions must not run as root ([[door]] login_user).")
    return _Owner(found.pw_uid, found.pw_gid)
