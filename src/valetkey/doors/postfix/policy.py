"""The door for Postfix's policy service: each message is held to the app password that its sender logged in with.

Postfix asks at RCPT and when the message is there. Recipients are judged at RCPT, and whether the app password still
opens anything; a message is counted once, at END-OF-MESSAGE, where Postfix knows how many recipients it has.
"""

import socket

import structlog

from valetkey.core.account import AccountState, canonical_or_nobodys
from valetkey.core.errors import Unavailable
from valetkey.core.limits import Held, Overstep
from valetkey.core.login import Allowed, CannotTell, Grant, LoginAttempt, Reason, Refused
from valetkey.core.scope import MailProtocol
from valetkey.core.tagged_name import untagged
from valetkey.doors.asked.attempts import address_of
from valetkey.doors.asked.desk import Desk, OpenDoor
from valetkey.doors.asked.peers import peer_without_secret
from valetkey.doors.asked.settings import Door, Peer
from valetkey.doors.postfix.taking_turns import take_turns
from valetkey.doors.replies import OVERSTEPS, refusal_for
from valetkey.doors.serve import Link
from valetkey.doors.words import printable
from valetkey.service.login import vouched
from valetkey.service.sending import count_message, judge_message, judge_recipient, judge_sender, note_stopped
from valetkey.service.tallies import AskedOutcome
from valetkey.wire.policy import PolicyRequest, PolicyServer, policy_reply

_log = structlog.get_logger("valetkey.doors")

_NOTHING = "DUNNO"
_LATER = "DEFER_IF_PERMIT 4.3.0 Mail cannot be checked right now. Please try again later."
_TOO_LATE = policy_reply(_LATER)
_NO_LONGER = "This app password may no longer be used"
_DISABLED = "This account may not send mail"
# Told in their own words; what looks like a wrong secret at a login is one that is no longer good here.
_TOLD = frozenset({Reason.EXPIRED, Reason.NETWORK, Reason.PROTOCOL, Reason.PERMISSION, Reason.TLS_NEEDED})
_HOLDS = frozenset({Held.SENDING})  # by what is asked here
_OUTCOMES = {"passed": AskedOutcome.YES, "refused": AskedOutcome.NO, "cannot-tell": AskedOutcome.CANNOT_TELL}
_MAIL, _RCPT, _DATA, _END = "MAIL", "RCPT", "DATA", "END-OF-MESSAGE"


async def open_policy(desk: Desk, door: Door, sock: socket.socket) -> OpenDoor:
    """Serve a door for the policy service."""

    async def talk(link: Link, peers: tuple[Peer, ...]) -> None:
        peer = peer_without_secret(peers)
        if peer is not None:
            judge = PolicyJudge(desk, door, peer)
            await take_turns(desk, door, peer, link, PolicyServer(), answer=judge.answer, too_late=_TOO_LATE)

    listening = desk.listening(door, talk)
    listening.start(sock)
    return listening


class PolicyJudge:
    """Answers the requests of one connection."""

    def __init__(self, desk: Desk, door: Door, peer: Peer) -> None:
        self._desk = desk
        self._ports = desk.ports
        self._metrics = desk.metrics
        self._help_url = desk.settings.help_url
        self._door = door
        self._peer = peer
        # The last message: instance, name, number of recipients, and what was answered.
        self._counted: tuple[tuple[str, str, int], str] | None = None

    async def answer(self, request: PolicyRequest) -> bytes:
        """Give the answer to one request."""
        name = request["sasl_username"]
        if not name:
            return self._said("passed", _NOTHING)  # not a login's mail
        address, credential_id = untagged(name)
        if credential_id is None:
            return await self._untagged(name)
        verdict = await vouched(self._ports, _attempt(request, address), credential_id)
        if not isinstance(verdict, Allowed):
            return self._refused(request, credential_id, verdict)
        if request["protocol_state"] == _END:
            return await self._counted_once(request, verdict.grant)
        return self._judged(request, verdict.grant, await self._judge(request, verdict.grant))

    async def _judge(self, request: PolicyRequest, grant: Grant) -> Overstep | CannotTell | None:
        """Judge what is known before the message is there; nothing is counted."""
        sender, state = request["sender"], request["protocol_state"]
        if state == _MAIL:
            return judge_sender(grant.limits, sender)
        if state == _RCPT:
            return await judge_recipient(self._ports, grant, sender, request["recipient"])
        if state == _DATA:
            return judge_sender(grant.limits, sender) or await judge_message(
                self._ports, grant, max(1, request.recipients)
            )
        return None

    async def _counted_once(self, request: PolicyRequest, grant: Grant) -> bytes:
        """Judge and count a message; asked twice about the same one, as two lists of Postfix do, answer the same."""
        instance, recipients = request["instance"], max(1, request.recipients)
        message = (instance, request["sasl_username"], recipients)
        if instance and self._counted is not None and self._counted[0] == message:
            return policy_reply(self._counted[1])
        overstep: Overstep | CannotTell | None = judge_sender(grant.limits, request["sender"])
        if overstep is None:
            overstep = await count_message(self._ports, grant, recipients)
        reply = self._judged(request, grant, overstep)
        if not isinstance(overstep, CannotTell):
            self._counted = (message, _action(reply))
        return reply

    async def _untagged(self, name: str) -> bytes:
        """Answer for a name without an app password: a main password's, or one that somebody else let in.

        Our own gateway gives such names to Postfix (XCLIENT), and has held the message to its limits itself.
        """
        canonical = canonical_or_nobodys(name, self._ports.default_domain)
        try:
            account = await self._ports.store.read(lambda reader: reader.account_by_address(canonical))
        except Unavailable as fault:
            return self._undecided(str(fault))
        if account is not None and account.state is not AccountState.ACTIVE:
            _log.info("sending_refused", door=self._door.name, peer=self._peer.name, account=account.id, why="disabled")
            return self._said("refused", f"REJECT 5.7.1 {_DISABLED}")
        return self._said("passed", _NOTHING)

    # Answers

    def _judged(self, request: PolicyRequest, grant: Grant, overstep: Overstep | CannotTell | None) -> bytes:
        if overstep is None:
            return self._said("passed", _NOTHING)
        if isinstance(overstep, CannotTell):
            return self._undecided(overstep.why)
        self._note(request, grant.credential_id, overstep.value)
        note_stopped(self._ports, grant.credential_id, overstep)
        status = "5.5.3" if overstep is Overstep.RECIPIENTS_PER_MESSAGE else "5.7.1"
        return self._said("refused", f"REJECT {status} {OVERSTEPS[overstep]}")

    def _refused(self, request: PolicyRequest, credential_id: str, verdict: Refused | CannotTell) -> bytes:
        if isinstance(verdict, CannotTell):
            return self._undecided(verdict.why)
        self._note(request, credential_id, verdict.reason.value)
        text = _NO_LONGER
        if verdict.reason in _TOLD:
            text = refusal_for(verdict, MailProtocol.SMTP, self._help_url).text
        return self._said("refused", f"REJECT 5.7.1 {text}")

    def _undecided(self, why: str) -> bytes:
        _log.error("sending_undecided", door=self._door.name, peer=self._peer.name, why=why)
        return self._said("cannot-tell", _LATER)

    def _note(self, request: PolicyRequest, credential_id: str | None, why: str) -> None:
        _log.info(
            "sending_refused",
            door=self._door.name,
            peer=self._peer.name,
            credential=credential_id,
            address=str(address_of(request["client_address"]) or "unknown"),
            state=printable(request["protocol_state"]),
            context=printable(request["policy_context"]),
            why=why,
        )

    def _said(self, result: str, action: str) -> bytes:
        self._metrics.count("valetkey_door_requests_total", door=self._door.name, result=result)
        self._desk.count(self._door, _OUTCOMES[result], self._peer.name)
        return policy_reply(action)


def _attempt(request: PolicyRequest, address: str) -> LoginAttempt:
    """Give the attempt that the session stands on, as things are now.

    Whether its client has TLS Postfix knows only of clients of its own; who came by XCLIENT was judged at the login.
    """
    return LoginAttempt(
        name=address,
        secret="",
        protocol=MailProtocol.SMTP,
        address=address_of(request["client_address"]),
        tls=bool(request["encryption_protocol"]) or request["sasl_method"] == "XCLIENT",
        door="policy",
        holds=_HOLDS,
    )


def _action(reply: bytes) -> str:
    return reply.decode().strip().removeprefix("action=")
