"""The part of the HTTP door that nginx's mail proxy asks (auth_http): we decide and say where to go, nginx carries the octets."""

import hashlib
import math
import re
from collections.abc import Sequence

import structlog

from valetkey.core.errors import Unavailable
from valetkey.core.limits import EVERYTHING_HELD, Held
from valetkey.core.login import Allowed, Grant, Reason, Refused
from valetkey.core.scope import MailProtocol
from valetkey.core.tagged_name import tagged
from valetkey.doors.asked.attempts import Answer, Question, protocol_of
from valetkey.doors.asked.desk import Desk
from valetkey.doors.asked.http import BadRequest, Reply, Sender, peer_by_bearer
from valetkey.doors.asked.settings import Backend, BackendLogin, Door, GatewayPlace, Peer
from valetkey.doors.replies import TRY_LATER
from valetkey.doors.words import decoded
from valetkey.service.login import check_certificate
from valetkey.service.upstream_passwords import upstream_password
from valetkey.wire.http_requests import HttpRequest
from valetkey.wire.machine import Refusal
from valetkey.wire.nginx_auth import Headers, NginxAsks, NotNginx, passes, read_request, refuses

_log = structlog.get_logger("valetkey.doors")

_ANY_DOMAIN = "*"
_MASTER_SEPARATOR = "*"  # Dovecot's auth_master_user_separator, as its documentation and ours have it
_MOST_TRIES = 10  # of one connection; then nginx is not told to wait, and closes it

# Postfix reads the name in XCLIENT as xtext (RFC 3461 4); nginx 1.22 writes it as it is, newer ones as xtext. What
# both would not write alike could become the name of somebody else.
_UNSURE = re.compile(r"[^!-~]|[+=]")

_PLAIN, _EXTERNAL = "plain", "external"


class NginxPart:
    """Answers `GET /nginx`."""

    def __init__(self, desk: Desk, door: Door) -> None:
        """Prepare."""
        self._asking = desk.asking(door)
        self._door = door
        self._settings = desk.settings
        self._wait = max(1, math.ceil(desk.settings.limits.failure_delay))

    async def __call__(self, request: HttpRequest, sender: Sender) -> Reply:
        """Answer one request.

        Raises:
            BadRequest: The peer is not known, or is no nginx, or does not ask as one.
        """
        if request.method != "GET":
            return Reply(405, b'{"error":"nginx asks with GET"}', ((b"allow", b"GET"),))
        peer = peer_by_bearer(request, sender)
        if not peer.is_nginx:
            # The answer holds what opens mailboxes elsewhere, which is no other mail server's business.
            raise BadRequest(403, "this peer is no nginx: its [[peer]] does not say nginx = true")
        try:
            asked = read_request(request.headers)
        except NotNginx as error:
            raise BadRequest(400, str(error)) from None
        return Reply(200, headers=await self._headers(peer, asked))

    async def _headers(self, peer: Peer, asked: NginxAsks) -> Headers:
        place = self._gateway(peer, asked)
        answer = await self._answer(peer, asked, can_go_to_gateway=place is not None)
        refusal = answer.refusal
        if isinstance(answer.verdict, Allowed):
            led = await self._led(peer, answer.verdict.grant, place)
            if not isinstance(led, Refusal):
                return led
            refusal = led
        wait = self._wait if asked.attempt < _MOST_TRIES else None
        return refuses(asked.protocol, refusal or TRY_LATER, wait)

    # The decision

    async def _answer(self, peer: Peer, asked: NginxAsks, *, can_go_to_gateway: bool) -> Answer:
        question = Question(
            name=decoded(asked.name),
            secret=decoded(asked.secret),
            service=asked.protocol,
            address=asked.address,
            tls=asked.is_tls,
            client=asked.host,
            mechanism=asked.method,
        )
        if asked.method == _EXTERNAL:
            return await self._answer_certificate(peer, asked, question)
        protocol = protocol_of(question.service, self._door)
        if asked.method != _PLAIN or protocol is None:
            # Digests of passwords that nobody here knows, or no login at all.
            return self._asking.note(peer, question, protocol, Refused(Reason.WRONG_SECRET))
        holds = EVERYTHING_HELD if can_go_to_gateway else self._held_by_all(peer, protocol)
        return await self._asking.ask(peer, question, holds=holds)

    async def _answer_certificate(self, peer: Peer, asked: NginxAsks, question: Question) -> Answer:
        """Decide by the client's certificate, which nginx has verified; the client may name nobody else."""
        shown = b"" if asked.certificate is None else hashlib.sha256(asked.certificate).digest()
        login = self._settings.certificate_logins.get(shown)
        protocol = protocol_of(question.service, self._door)
        names_another = login is not None and question.name.casefold() not in {"", login.account.casefold()}
        if login is None or names_another or protocol is None:
            return self._asking.note(peer, question, protocol, Refused(Reason.WRONG_SECRET))
        named = Question(login.account, "", question.service, question.address, question.tls, question.client)
        attempt = self._asking.attempt(peer, named, protocol, holds=self._held_by_all(peer, protocol))
        verdict = await check_certificate(self._asking.ports, attempt, login.app_password)
        return self._asking.note(peer, named, protocol, verdict)

    def _held_by_all(self, peer: Peer, protocol: MailProtocol) -> frozenset[Held]:
        """Give what the session can be held to whichever mail server behind nginx it goes to."""
        return _held(peer, [domain[protocol] for domain in self._settings.backends.values() if protocol in domain])

    # The way on

    def _gateway(self, peer: Peer, asked: NginxAsks) -> GatewayPlace | None:
        """Give our gateway's listener where nginx can send this client to: it logs in there with what it has typed."""
        if asked.method != _PLAIN:
            return None
        return next((place for place in peer.gateway if place.protocol.value == asked.protocol), None)

    async def _led(self, peer: Peer, grant: Grant, gateway: GatewayPlace | None) -> Headers | Refusal:
        backend = self._backend(grant)
        if gateway is not None and (backend is None or not grant.must_hold <= _held(peer, [backend])):
            return passes(gateway.host, gateway.port)
        why = "no mail server is configured for this domain and protocol that nginx can go to (an address, no TLS)"
        if backend is not None:
            try:
                user, secret = await self._credentials(backend, grant)
                return passes(backend.host, backend.port, user, secret)
            except Unavailable as fault:
                why = str(fault)
            except ValueError:
                why = "the mail server's secret has characters that no header can carry"
        _log.error(
            "upstream_failed",
            door=self._door.name,
            peer=peer.name,
            protocol=grant.protocol.value,
            account=grant.account_id,
            why=why,
        )
        return TRY_LATER

    def _backend(self, grant: Grant) -> Backend | None:
        for name in (grant.address.rpartition("@")[2], _ANY_DOMAIN):
            if (domain := self._settings.backends.get(name)) is not None:
                return domain.get(grant.protocol)
        return None

    async def _credentials(self, backend: Backend, grant: Grant) -> tuple[bytes, bytes | None]:
        user = grant.address.rpartition("@")[0] if backend.local_part else grant.address
        match backend.login:
            case BackendLogin.MASTER_USER:
                if _MASTER_SEPARATOR in user:
                    raise Unavailable(
                        "Dovecot would read another name out of one with the separator of its master users"
                    )
                name = f"{user}{_MASTER_SEPARATOR}{backend.master_user}"
                return name.encode(), backend.master_secret.encode()
            case BackendLogin.XCLIENT:
                if _UNSURE.search(user):
                    raise Unavailable("nginx of some versions would tell Postfix another name by XCLIENT than this one")
                return tagged(user, grant.credential_id).encode(), None
            case BackendLogin.STORED_PASSWORD:
                password = await upstream_password(self._asking.ports, grant.account_id)
                if password is None:
                    raise Unavailable("this account has no stored upstream password")
                return user.encode(), password.encode()


def _held(peer: Peer, backends: Sequence[Backend]) -> frozenset[Held]:
    """Give what mail servers behind nginx can hold a session to: sending, where each is told the app password, by XCLIENT.

    A session of a master user, or by a stored password, is the same whichever app password opened it. What nginx does
    not hold, our gateway does, where nginx can go there.
    """
    is_told = bool(backends) and all(one.login is BackendLogin.XCLIENT for one in backends)
    return frozenset({Held.SENDING, Held.RECIPIENTS}) if is_told and Held.SENDING in peer.holds else frozenset()
