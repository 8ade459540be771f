"""From a verdict to a running relay: the upstream is logged in to, the session registered, the client answered."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import structlog

from valetkey.core.errors import Unavailable
from valetkey.core.login import Allowed, CannotTell, Grant, LoginAttempt
from valetkey.core.scope import MailProtocol
from valetkey.doors.gateway.counting import MessageCounting
from valetkey.doors.gateway.desk import Desk
from valetkey.doors.gateway.filtered_relay import FilteredRelay
from valetkey.doors.gateway.live import Live
from valetkey.doors.gateway.machines import announced, session_filter
from valetkey.doors.gateway.relay import RawRelay, Relay
from valetkey.doors.gateway.settings import Upstream, UpstreamLogin
from valetkey.doors.gateway.upstream import OpenUpstream, UpstreamFailed, credentials_for
from valetkey.doors.replies import REVOKED_MEANWHILE, TRY_LATER
from valetkey.doors.serve import Link
from valetkey.doors.words import printable
from valetkey.service.ports import LiveSession
from valetkey.service.sending import note_stopped
from valetkey.service.upstream_passwords import upstream_password
from valetkey.wire.machine import ClientFacts, LoginMachine, Refusal
from valetkey.wire.smtp_command import SmtpRefusal
from valetkey.wire.smtp_filter import SmtpFilter

_log = structlog.get_logger("valetkey.gateway")


@dataclass(frozen=True, slots=True)
class Client:
    """The client's side of a login that passed."""

    link: Link
    session_id: str
    facts: ClientFacts


@dataclass(frozen=True, slots=True)
class Passed:
    """A login that passed."""

    attempt: LoginAttempt
    grant: Grant


async def open_upstream(desk: Desk, client: Client, grant: Grant) -> OpenUpstream | Refusal:
    """Log in upstream; a failure is the operator's to mend, and for the client a reason to come again later."""
    upstream = desk.upstreams.find(grant.address, grant.protocol)
    why = "no upstream is configured for this domain and protocol"
    if upstream is not None:
        try:
            credentials = credentials_for(upstream, grant.address, await _stored_password(desk, upstream, grant))
            opened = await desk.upstreams.log_in(upstream, grant.protocol, credentials, _facts(client, grant))
            desk.announcements.learn(grant.protocol, upstream, opened.capabilities)
            return opened
        except (UpstreamFailed, Unavailable) as failure:
            why = printable(str(failure), 200)
    desk.metrics.count("valetkey_upstream_failures_total", protocol=grant.protocol.value)
    _log.error(
        "upstream_failed",
        upstream=f"{upstream.host}:{upstream.port}" if upstream else "none",
        protocol=grant.protocol.value,
        account=grant.account_id,
        session=client.session_id,
        why=why,
    )
    return TRY_LATER


async def _stored_password(desk: Desk, upstream: Upstream, grant: Grant) -> str | None:
    if upstream.login is not UpstreamLogin.STORED_PASSWORD:
        return None
    return await upstream_password(desk.ports, grant.account_id)


def _facts(client: Client, grant: Grant) -> ClientFacts:
    return replace(client.facts, forward={"app_password": grant.credential_id} if grant.credential_id else {})


def register(desk: Desk, client: Client, passed: Passed, opened: OpenUpstream) -> Relay | Refusal:
    """Register the session, and look once more whether it may begin; gives the refusal if it may not.

    From a relay's end on the connection is no longer counted; its owner has nothing more to do.
    """
    grant = passed.grant
    relay = _new_relay(desk, client, grant, opened)
    attempt = replace(passed.attempt, secret="")
    live = Live(_live_session(desk, client, attempt, grant), attempt, grant, relay.dismiss)
    desk.live.add(live)
    verdict = desk.live.still_passes(live)
    if not isinstance(verdict, Allowed):
        desk.live.remove(client.session_id)
        opened.link.close("changed during the login")
        return TRY_LATER if isinstance(verdict, CannotTell) else REVOKED_MEANWHILE
    desk.relays.add(relay)
    return relay


async def start(relay: Relay, machine: LoginMachine, grant: Grant, opened: OpenUpstream) -> None:
    """Answer the client, and let octets pass.

    Raises:
        LinkClosed: The client is gone. The relay has ended.
    """
    try:
        machine.allow(announced(grant, opened.capabilities))
        await relay.client.send(machine.take_output())
    except BaseException:
        relay.end("lost during the login")
        raise
    relay.client.release()
    relay.server.release()
    relay.start(machine.take_rest(), opened.rest)


def _new_relay(desk: Desk, client: Client, grant: Grant, opened: OpenUpstream) -> Relay:
    on_end = partial(_ended, desk, client.session_id, grant.protocol)
    stopped = partial(note_stopped, desk.ports, grant.credential_id)
    counting = None
    if grant.protocol is MailProtocol.SMTP and grant.limits.limit_counts:
        counting = MessageCounting(desk.ports, grant, client.session_id)
    parsed = session_filter(grant, opened.capabilities, desk.settings.hostname, counting, stopped=stopped)
    if parsed is None:
        return RawRelay(desk.driver, client.link, opened.link, on_end)
    relay = FilteredRelay(desk.driver, client.link, opened.link, on_end, parsed)
    if counting is not None and isinstance(parsed, SmtpFilter):
        counting.answer = partial(_answer_message, parsed, relay)
    return relay


def _answer_message(parsed: SmtpFilter, relay: FilteredRelay, refusal: SmtpRefusal | None) -> None:
    parsed.begin(refusal)
    relay.go_on()


def _live_session(desk: Desk, client: Client, attempt: LoginAttempt, grant: Grant) -> LiveSession:
    return LiveSession(
        id=client.session_id,
        account_id=grant.account_id,
        credential_id=grant.credential_id,
        protocol=grant.protocol,
        address=client.facts.address or "unknown",
        client=attempt.client,
        opened_at=desk.ports.clock.now(),
        worker=desk.worker,
    )


def _ended(desk: Desk, session_id: str, protocol: MailProtocol, relay: Relay, reason: str) -> None:
    desk.relays.discard(relay)
    desk.live.remove(session_id)
    desk.acceptor.left()
    desk.metrics.count("valetkey_sessions_closed_total", protocol=protocol.value, reason=_kind(reason))
    desk.metrics.count("valetkey_relayed_octets_total", relay.octets, protocol=protocol.value)
    details: dict[str, Any] = {"session": session_id, "reason": reason, "octets": relay.octets}
    _log.info("session_closed", **details)


def _kind(reason: str) -> str:
    """Keep labels few: what ended a session that nobody wanted to end is counted as "broken"."""
    return reason if reason in _KINDS else "broken"


_KINDS = frozenset(
    {
        *(
            "closed",
            "idle",
            "stuck",
            "shutdown",
            "narrowed",
            "the upstream closed the connection",
            "closed by its owner",
        ),
        *("revoked", "expired", "account-disabled", "kind-not-allowed", "network", "protocol", "permission"),
    }
)
