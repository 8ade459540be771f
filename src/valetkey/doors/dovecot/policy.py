"""Answers Dovecot's auth_policy: checks on top of passwords that Dovecot compares by itself, and a record of their use.

No secret comes here. Of what Dovecot says, all is believed that it knows itself: the client's address, TLS, whether
the login passed, and which app password its own database named. What a client calls itself is for the owner's eyes.
"""

import json
from http import HTTPStatus
from urllib.parse import parse_qs

import structlog

from valetkey.core.errors import Unavailable
from valetkey.core.login import Allowed, CannotTell, LoginAttempt, Reason, Refused
from valetkey.doors.asked.attempts import Asking, Question, protocol_of
from valetkey.doors.asked.http import BadRequest, Reply, Sender, peer_by_bearer
from valetkey.doors.asked.settings import Door, Peer
from valetkey.doors.dovecot.facts import Facts, device_of, facts_of_json, is_over_tls
from valetkey.doors.words import printable
from valetkey.service.login import vouched
from valetkey.service.logins_elsewhere import may_begin, note
from valetkey.service.tallies import AskedOutcome
from valetkey.wire.http_requests import HttpRequest

_log = structlog.get_logger("valetkey.doors")

_PASSES = 0
_FAILS = -1  # without a text: the client is told what it is told of a wrong password
_SLOWLY = 5  # seconds; a right password passes even where many were wrong
_NOT_NOW = Reply(HTTPStatus.SERVICE_UNAVAILABLE, b"{}")


class Policy:
    """Answers /dovecot/policy."""

    def __init__(self, asking: Asking, door: Door) -> None:
        self._asking = asking
        self._door = door

    async def __call__(self, request: HttpRequest, sender: Sender) -> Reply:
        """Answer whether a login may go on, or take a report.

        Raises:
            BadRequest: The peer is not known, or the request is none of Dovecot's.
        """
        peer = peer_by_bearer(request, sender)
        facts = facts_of_json(request.body)
        question = _question(facts)
        protocol = protocol_of(question.service, self._door)
        match parse_qs(request.query.decode("latin-1")).get("command"):
            case ["allow"]:
                if protocol is None:
                    return _status(_FAILS)
                # The answer has no fields, so that no session can be held to anything.
                attempt = self._asking.attempt(peer, question, protocol, holds=frozenset())
                return await self._allow(peer, question, attempt, facts)
            case ["report"]:
                if protocol is None:
                    return _status(_PASSES)
                return await self._report(peer, self._asking.attempt(peer, question, protocol), facts)
        raise BadRequest(HTTPStatus.BAD_REQUEST, "the command is allow or report")

    async def _allow(self, peer: Peer, question: Question, attempt: LoginAttempt, facts: Facts) -> Reply:
        """Answer before the password is compared, and again after it, when the app password is known."""
        app_password = facts.get("app")
        verdict = (
            await vouched(self._asking.ports, attempt, app_password)
            if app_password
            else await may_begin(self._asking.ports, attempt)
        )
        match verdict:
            case None | Allowed():
                self._asking.count(peer.name, AskedOutcome.YES)
                return _status(_PASSES)
            case CannotTell():
                self._asking.note(peer, question, attempt.protocol, verdict)
                return _NOT_NOW
            case Refused(reason=Reason.THROTTLED):
                self._asking.count(peer.name, AskedOutcome.NO)
                return _status(_SLOWLY)
            case Refused():
                self._asking.note(peer, question, attempt.protocol, verdict)
                return _status(_FAILS)

    async def _report(self, peer: Peer, attempt: LoginAttempt, facts: Facts) -> Reply:
        if facts.get("policy_reject"):
            return _status(_PASSES)  # our own no
        try:
            mark, success = facts.get("pwhash", ""), bool(facts.get("success"))
            await note(self._asking.ports, attempt, facts.get("app"), success=success, password_mark=mark)
        except Unavailable as fault:
            _log.error("report_lost", door=self._door.name, name=printable(attempt.name), why=str(fault))
            self._asking.count(peer.name, AskedOutcome.CANNOT_TELL)
            return _NOT_NOW
        self._asking.count(peer.name, AskedOutcome.YES)
        return _status(_PASSES)


def _question(facts: Facts) -> Question:
    # Dovecot adds "tls" by itself, true or false; "secured" is its word that also tells its own machine.
    secured = facts.get("secured") or ("TLS" if facts.get("tls") else "")
    place = {"secured": secured, "remote_ip": facts.get("remote", "")}
    return Question(
        name=facts.get("login", ""),
        secret="",
        service=facts.get("protocol", ""),
        address=facts.get("remote", ""),
        tls=is_over_tls(place),
        client=device_of({"client_id": facts.get("device_id", "")}),
        session=facts.get("session_id", ""),
        mechanism=facts.get("mech", ""),
    )


def _status(status: int) -> Reply:
    return Reply(HTTPStatus.OK, json.dumps({"status": status, "msg": ""}).encode())
