"""Answers Dovecot's Lua passdb: one login, all that Dovecot knows of it, and what its session is to be held to."""

import json
from collections.abc import Mapping
from typing import Any

import structlog

from valetkey.core.limits import EVERYTHING_HELD, Held
from valetkey.core.login import Allowed, Grant, Reason, Refused
from valetkey.core.scope import MailProtocol
from valetkey.core.tagged_name import tagged
from valetkey.doors.asked.attempts import Answer, Asking, Question, protocol_of
from valetkey.doors.asked.http import Reply, Sender, peer_by_bearer
from valetkey.doors.asked.settings import Door, Peer
from valetkey.doors.dovecot.facts import Facts, device_of, facts_of_json, is_over_tls
from valetkey.doors.dovecot.rights import NOTHING_TO_HOLD, Holding, Namespaces, holding_of
from valetkey.doors.words import printable
from valetkey.service.login import check, vouched
from valetkey.wire.http_requests import HttpRequest
from valetkey.wire.machine import RefusalKind

_log = structlog.get_logger("valetkey.doors")

# The services of Dovecot's own login processes, which show the client a reason. Others ask through it, and for them a
# login "with a reason" is simply a login.
_LOGIN_PROCESSES = frozenset({"imap", "pop3", "submission", "sieve"})
_FOR_SENDING = "smtp"  # Postfix and Exim call themselves so
_FOR_TOKENS = frozenset({"XOAUTH2", "OAUTHBEARER"})
_RESULTS = {
    RefusalKind.WRONG: "wrong",
    RefusalKind.EXPIRED: "expired",
    RefusalKind.FORBIDDEN: "told",
    RefusalKind.TLS_NEEDED: "told",
    RefusalKind.TRY_LATER: "later",
}


class Passdb:
    """Answers /dovecot/auth."""

    def __init__(self, asking: Asking, door: Door) -> None:
        self._asking = asking
        self._door = door

    async def __call__(self, request: HttpRequest, sender: Sender) -> Reply:
        """Answer one question of the Lua script.

        Raises:
            BadRequest: The peer is not known, or the body is none of the script's.
        """
        peer = peer_by_bearer(request, sender)
        facts = facts_of_json(request.body)
        question = _question(facts)
        answer = await self._answer(peer, facts, question)
        if answer.refusal is not None:
            return _reply(_refused(answer, facts))
        assert isinstance(answer.verdict, Allowed)  # noqa: S101  what has no refusal is allowed
        return _reply(_allowed(answer.verdict.grant, facts))

    async def _answer(self, peer: Peer, facts: Facts, question: Question) -> Answer:
        protocol = protocol_of(question.service, self._door)
        if protocol is None or question.mechanism in _FOR_TOKENS:
            # An app password is no token, and a token no app password.
            return self._asking.note(peer, question, protocol, Refused(Reason.WRONG_SECRET))
        if facts.get("master_user") or facts.get("vouched"):
            return await self._vouched(peer, facts, question, protocol)
        attempt = self._asking.attempt(peer, question, protocol, holds=_holds(peer, facts))
        return self._asking.note(peer, question, protocol, await check(self._asking.ports, attempt))

    async def _vouched(self, peer: Peer, facts: Facts, question: Question, protocol: MailProtocol) -> Answer:
        """Answer for a login whose password Dovecot has compared itself: only our own gateway's master user counts.

        The gateway has decided this login, and holds its session itself.
        """
        master = facts.get("master_user", "")
        if not facts.get("vouched") or not master or master != peer.master_user:
            _log.warning("vouched_by_nobody", door=self._door.name, peer=peer.name, master_user=printable(master))
            return self._asking.note(peer, question, protocol, Refused(Reason.WRONG_SECRET))
        attempt = self._asking.attempt(peer, question, protocol, holds=EVERYTHING_HELD)
        verdict = await vouched(self._asking.ports, attempt, facts.get("app_password"))
        return self._asking.note(peer, question, protocol, verdict)


def _question(facts: Facts) -> Question:
    is_vouched = bool(facts.get("vouched"))
    return Question(
        name=facts.get("user", ""),
        secret="" if is_vouched else facts.get("password", ""),
        service=facts.get("service", ""),
        address=facts.get("remote_ip", ""),
        tls=is_vouched or is_over_tls(facts),  # the gateway has seen to its client's
        client=device_of(facts),
        session=facts.get("session", ""),
        mechanism=facts.get("mechanism", "").upper(),
        keeps_name=not _is_for_sending(facts),
    )


def _is_login_process(facts: Facts) -> bool:
    """Tell whether one of Dovecot's own login processes asks: Postfix and Exim say neither session nor port."""
    has_place = bool(facts.get("session")) and facts.get("remote_port", "0") != "0"
    return has_place and facts.get("service") in _LOGIN_PROCESSES


def _is_for_sending(facts: Facts) -> bool:
    """Tell whether Postfix or Exim asks, to whom the account's own name is told."""
    return not _is_login_process(facts) and facts.get("service") == _FOR_SENDING


def _holds(peer: Peer, facts: Facts) -> frozenset[Held]:
    """Give what the session can be held to there.

    Sending is held by who learns the app password from the name, which only who asks for sending is given. All else is
    held by fields of the answer, which only Dovecot's own login processes are given.
    """
    if _is_login_process(facts):
        return peer.holds - {Held.SENDING}
    return peer.holds & {Held.SENDING} if _is_for_sending(facts) else frozenset()


def _refused(answer: Answer, facts: Facts) -> Mapping[str, Any]:
    assert answer.refusal is not None  # noqa: S101  asked by the caller
    result = _RESULTS[answer.refusal.kind]
    if result != "told":
        return {"result": result}
    if not _is_login_process(facts):
        return {"result": "wrong"}
    return {"result": "told", "reason": answer.refusal.text}


def _allowed(grant: Grant, facts: Facts) -> Mapping[str, Any]:
    if not _is_login_process(facts):
        # Where Dovecot itself opens the mailbox the name has to stay: it is in the mailbox's path.
        is_for_sending = facts.get("service") == _FOR_SENDING
        return {
            "result": "ok",
            "fields": {"user": tagged(grant.address, grant.credential_id)} if is_for_sending else {},
        }
    is_new = facts.get("dovecot") != "2.3"
    holding = NOTHING_TO_HOLD
    if not facts.get("vouched"):
        holding = holding_of(grant, _namespaces(facts), is_new=is_new)
    fields = _known_as(grant, is_new=is_new) | dict(holding.fields) | _recipients(grant)
    return {"result": "ok", "fields": fields, **_file(holding)}


def _namespaces(facts: Facts) -> Namespaces:
    shared = tuple(prefix.strip() for prefix in facts.get("shared", "").split(",") if prefix.strip())
    return Namespaces(facts.get("separator") or "/", shared)  # an empty one would make one level of two


def _known_as(grant: Grant, *, is_new: bool) -> dict[str, str]:
    """Give the fields by which Dovecot knows the session's app password, so that it can be told to close it."""
    if grant.credential_id is None:
        return {}
    if is_new:
        return {"user_app": grant.credential_id, "userdb_user_app": grant.credential_id}
    return {"userdb_app_id": grant.credential_id}


def _recipients(grant: Grant) -> dict[str, str]:
    most = grant.limits.recipients_per_message
    is_for_sending = grant.protocol is MailProtocol.SMTP and most is not None
    return {"userdb_submission_max_recipients": str(most)} if is_for_sending else {}


def _file(holding: Holding) -> Mapping[str, Any]:
    return {"rights": {"name": holding.file.name, "text": holding.file.text}} if holding.file else {}


def _reply(said: Mapping[str, Any]) -> Reply:
    return Reply(200, json.dumps(said).encode())
