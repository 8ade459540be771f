"""The door for Cyrus IMAP, sendmail and all that ask saslauthd: the socket that libsasl connects to."""

import socket

from valetkey.core.login import Refused
from valetkey.doors.asked.attempts import Question
from valetkey.doors.asked.desk import Desk, OpenDoor
from valetkey.doors.asked.one_question import OneQuestion
from valetkey.doors.asked.peers import peer_without_secret
from valetkey.doors.asked.settings import Door, Peer
from valetkey.doors.serve import Link
from valetkey.doors.words import decoded, decoded_as_kept
from valetkey.wire.saslauthd import SaslauthdAsked, SaslauthdServer, saslauthd_reply

_MISUNDERSTOOD = saslauthd_reply(is_right=False)


async def open_saslauthd(desk: Desk, door: Door, sock: socket.socket) -> OpenDoor:
    """Serve a door for what asks saslauthd."""
    questions = OneQuestion(desk, door)

    async def talk(link: Link, peers: tuple[Peer, ...]) -> None:
        peer = peer_without_secret(peers)
        if peer is None:
            return
        asked = await questions.read(link, peer, SaslauthdServer(), misunderstood=_MISUNDERSTOOD)
        words = await _answer(questions, peer, asked) if asked else None
        if words is not None:
            await questions.say(link, words)

    listening = desk.listening(door, talk)
    listening.start(sock)
    return listening


async def _answer(questions: OneQuestion, peer: Peer, asked: SaslauthdAsked) -> bytes | None:
    """Decide a login. The client's address is not told, so what is bound to a network is refused."""
    question = Question(
        name=decoded_as_kept(asked.login),
        secret=decoded(asked.password),
        service=decoded(asked.service),
        tls=peer.tls_only,
        keeps_name=True,
    )
    answer = await questions.decided(peer, question)
    if answer is None:
        return None  # there is no word for "try again later"
    if answer.refusal is None:
        return saslauthd_reply(is_right=True)
    is_told = isinstance(answer.verdict, Refused) and answer.verdict.proven
    return saslauthd_reply(is_right=False, text=answer.refusal.text if is_told else "")
