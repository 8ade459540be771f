"""Answers Dovecot's oauth2 passdb: names and secrets as a password grant (RFC 6749 4.3), and tokens, which are nobody's.

Less comes this way than through Lua: no session, no word on TLS, and nothing that a session could be held to. A
refusal is written so that Dovecot 2.3 and 2.4 both take it for a wrong password; what cannot be told is an error of
the server, which both take for "try again later".
"""

import json
from http import HTTPStatus

import structlog

from valetkey.core.login import Allowed
from valetkey.doors.asked.attempts import Asking, Question, protocol_of
from valetkey.doors.asked.http import BadRequest, Reply, Sender, header
from valetkey.doors.asked.peers import peer_of_secret
from valetkey.doors.asked.settings import Door, Peer
from valetkey.doors.dovecot.facts import Facts, facts_of_form
from valetkey.service.login import check
from valetkey.service.tallies import NOBODY_KNOWN, AskedOutcome
from valetkey.wire.http_requests import HttpRequest
from valetkey.wire.machine import RefusalKind

_log = structlog.get_logger("valetkey.doors")

_NOT_NOW = Reply(HTTPStatus.SERVICE_UNAVAILABLE, b"{}")
_NO_TOKEN = "-"  # noqa: S105  (Dovecot wants one, and uses it for nothing)


class Token:
    """Answers /dovecot/token."""

    def __init__(self, asking: Asking, door: Door) -> None:
        self._asking = asking
        self._door = door

    async def __call__(self, request: HttpRequest, sender: Sender) -> Reply:
        """Answer one password grant.

        Raises:
            BadRequest: The form is none of Dovecot's.
        """
        form = facts_of_form(request.body)
        if form.get("grant_type") != "password":
            raise BadRequest(HTTPStatus.BAD_REQUEST, "only the password grant is answered here")
        peer = _peer(sender, form)
        if peer is None:
            # An error of this kind (401 invalid_client) Dovecot would take for the person's wrong password.
            _log.warning("bad_request", door=self._door.name, address=sender.place or "unix", what="no such client")
            self._asking.count(NOBODY_KNOWN, AskedOutcome.TURNED_AWAY, sender.place)
            return _NOT_NOW
        question = _question(peer, request, form)
        protocol = protocol_of(question.service, self._door)
        if protocol is None:
            _log.warning("bad_request", door=self._door.name, peer=peer.name, what="no protocol of ours is named")
            self._asking.count(peer.name, AskedOutcome.MISUNDERSTOOD)
            return _refusal(question.name)
        # Its fields cannot depend on the login, so that no session can be held to anything.
        attempt = self._asking.attempt(peer, question, protocol, holds=frozenset())
        answer = self._asking.note(peer, question, protocol, await check(self._asking.ports, attempt))
        if isinstance(answer.verdict, Allowed):
            return _token(question.name, answer.verdict.grant.credential_id)
        is_for_later = answer.refusal is not None and answer.refusal.kind is RefusalKind.TRY_LATER
        return _NOT_NOW if is_for_later else _refusal(question.name)


class Introspection:
    """Answers /dovecot/introspect (RFC 7662): an app password is no token, so none is active."""

    async def __call__(self, request: HttpRequest, sender: Sender) -> Reply:
        """Answer about any token."""
        del request, sender
        return Reply(HTTPStatus.OK, b'{"active":false}')


def _peer(sender: Sender, form: Facts) -> Peer | None:
    peer = peer_of_secret(sender.peers, form.get("client_secret", ""))
    return peer if peer is not None and peer.name == form.get("client_id") else None


def _question(peer: Peer, request: HttpRequest, form: Facts) -> Question:
    service = header(request, b"x-dovecot-auth-service") or header(request, b"x-dovecot-auth-protocol")
    return Question(
        name=form.get("username", ""),
        secret=form.get("password", ""),
        service=service.decode("latin-1"),
        address=_address(header(request, b"x-dovecot-auth-remote").decode("latin-1")),
        tls=peer.tls_only,  # of a login nothing is said
        mechanism="PLAIN",
        keeps_name=True,
    )


def _address(place: str) -> str:
    """Take the address out of 192.0.2.1:143 or [2001:db8::1]:143; Dovecot leaves the brackets out."""
    return place.rpartition(":")[0].strip("[]")


def _token(name: str, credential_id: str | None) -> Reply:
    said = {"access_token": _NO_TOKEN, "token_type": "Bearer", "username": name, "active": "true"}
    return Reply(HTTPStatus.OK, json.dumps(said | {"app_id": credential_id or ""}).encode())


def _refusal(name: str) -> Reply:
    return Reply(HTTPStatus.OK, json.dumps({"access_token": _NO_TOKEN, "username": name, "active": "false"}).encode())
