"""One connection of a client, from accept to the end of its login: PROXY header, TLS, dialogue, verdict.

After that a relay takes over, and nothing of this remains.
"""

import asyncio
import secrets

import structlog

from valetkey.core.limits import EVERYTHING_HELD
from valetkey.core.login import Allowed, CannotTell, LoginAttempt, Reason, Refused, Verdict
from valetkey.core.network import Address, canonical_address
from valetkey.doors.gateway.desk import Desk
from valetkey.doors.gateway.machines import ALPN, login_machine
from valetkey.doors.gateway.opening import Client, Passed, open_upstream, register, start
from valetkey.doors.gateway.settings import Listener, TlsMode
from valetkey.doors.replies import LAST_WORDS, REVOKED_MEANWHILE, TOO_MANY, TOO_SLOW, refusal_for
from valetkey.doors.serve import Accepted, Link, LinkClosed, is_listed, read_proxy_header
from valetkey.doors.serve.accepting import address_of
from valetkey.doors.words import decoded, name_of_device, printable
from valetkey.service.faults import place_of
from valetkey.service.login import check
from valetkey.wire.machine import (
    ClientFacts,
    CloseAsked,
    DeviceNamed,
    LoginAsked,
    LoginMachine,
    PeerError,
    Refusal,
    Security,
    StartTlsAsked,
)
from valetkey.wire.proxy import Proxied

_log = structlog.get_logger("valetkey.gateway")

_TOO_SLOW = "too slow to log in"


# How a login that was allowed ended all the same, in the log's words.
_ENDS = {TOO_MANY: "too-many-sessions", REVOKED_MEANWHILE: "revoked"}


class _Ended(Exception):  # noqa: N818  how a connection ends before its login
    """The connection is over. The reason is one of our own few, for counting."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


class Session:
    """One connection until it is logged in or over."""

    def __init__(self, desk: Desk, listener: Listener, accepted: Accepted) -> None:
        self._desk = desk
        self._listener = listener
        self._link = Link(desk.driver, accepted.sock)
        self._peer: Address = accepted.address
        self._address: Address | None = self._peer  # None: behind a proxy that does not say
        self._port = accepted.port
        self._local: tuple[str, int] | None = None  # where the client connected to, if a proxy says so
        self._counted: Address | None = None
        self._login_at = desk.driver.loop.time() + desk.settings.limits.login
        self._is_relayed = False  # the relay answers for the connection now
        self._device: dict[str, str] = {}
        # A letter first: on a command line a name that begins with a hyphen would be an option.
        self._id = f"s{secrets.token_urlsafe(9)}"

    async def run(self) -> None:
        """Lead the connection up to its relay, or to its end."""
        desk = self._desk
        desk.metrics.count("valetkey_connections_total", protocol=self._listener.protocol.value)
        self._link.limit(self._login_at, _TOO_SLOW)
        try:
            await self._lead()
        except _Ended as end:
            self._note_end(end.reason, end.detail)
        except LinkClosed as closed:
            self._note_end("connection lost", str(closed))
        except Exception as bug:  # noqa: BLE001  a bug costs this connection and no other, and never looks like a wrong password
            _log.error("session_failed", session=self._id, bug=place_of(bug))
        finally:
            if self._counted is not None:
                desk.acceptor.waits_no_more(self._counted)
            if not self._is_relayed:
                await self._link.finish("over")
                desk.acceptor.left()

    def shut_down(self) -> None:
        """Close because the worker ends."""
        if self._is_relayed:
            return
        if self._link.last_words:
            self._link.try_send(LAST_WORDS[self._listener.protocol])
        self._link.close("shutdown")

    def _hurry(self, late: str) -> None:
        """Give the next step its own short time, within the time for the login."""
        loop, limits = self._desk.driver.loop, self._desk.settings.limits
        self._link.last_words = b""
        self._link.limit(min(self._login_at, loop.time() + limits.handshake), late)

    def _take_time(self) -> None:
        """Go on within the time for the login, in a dialogue where a word can be said at its end."""
        self._link.limit(self._login_at, _TOO_SLOW)
        self._link.last_words = TOO_SLOW[self._listener.protocol]

    # Up to the dialogue

    async def _lead(self) -> None:
        if self._listener.proxy_peers:
            await self._hear_proxy()
        network_of = self._address or self._peer
        if not self._desk.acceptor.may_wait(network_of):
            raise _Ended("too many waiting")
        self._counted = network_of
        if self._listener.tls is TlsMode.IMPLICIT:
            await self._start_tls()
        security = Security(
            tls=self._link.is_tls,
            starttls=self._listener.tls is TlsMode.STARTTLS,
            plaintext_login=self._listener.plaintext_login or self._listener.tls_before,
        )
        machine = login_machine(
            self._listener.protocol, security, self._desk.settings.hostname, self._desk.announcements.now
        )
        self._take_time()
        machine.greet()
        await self._converse(machine)

    async def _hear_proxy(self) -> None:
        if not is_listed(self._peer, self._listener.proxy_peers):
            raise _Ended("no listed proxy", str(self._peer))
        self._hurry("no PROXY header")
        try:
            header = await read_proxy_header(self._link)
        except PeerError as error:
            raise _Ended("bad PROXY header", str(error)) from None
        if isinstance(header, Proxied):
            self._address = canonical_address(header.source)
            self._port = header.source_port
            self._local = (header.destination, header.destination_port)
        else:
            self._address = None

    async def _start_tls(self) -> None:
        desk, name = self._desk, ALPN[self._listener.protocol]
        if desk.certificates is None:
            raise _Ended("no certificate")
        self._hurry("handshake too slow")
        try:
            await self._link.serve_tls(desk.certificates.context(name))
        except LinkClosed as closed:
            desk.metrics.count("valetkey_handshake_failures_total")
            raise _Ended("handshake failed", str(closed)) from None
        if not desk.certificates.may_speak(self._link.sock, name):
            desk.metrics.count("valetkey_handshake_failures_total")
            raise _Ended("another protocol was wanted")

    # The dialogue

    async def _converse(self, machine: LoginMachine) -> None:
        while not self._is_relayed:
            event = machine.next_event()
            if isinstance(event, StartTlsAsked):
                await self._upgrade(machine)
                continue
            output = machine.take_output()
            if output:
                await self._link.send(output)
            match event:
                case None:
                    data = await self._link.receive()
                    if not data:
                        raise _Ended("closed by the client")
                    machine.receive(data)
                case LoginAsked():
                    await self._answer(machine, event)
                case DeviceNamed(facts=facts):
                    self._device.update(facts)
                case CloseAsked(reason=reason):
                    raise _Ended("closed by us", reason)

    async def _upgrade(self, machine: LoginMachine) -> None:
        """Begin TLS, unless anything was sent behind STARTTLS: it must not pass for something sent inside TLS."""
        # What is there before we agree was sent in the clear; what comes after it, OpenSSL has to understand.
        if machine.has_pending or self._link.has_waiting_octets():
            raise _Ended("octets behind STARTTLS")
        await self._link.send(machine.take_output())
        await self._start_tls()
        self._take_time()
        machine.tls_started()
        self._device.clear()

    # The verdict

    async def _answer(self, machine: LoginMachine, asked: LoginAsked) -> None:
        desk = self._desk
        asked_at = desk.driver.loop.time()
        attempt = self._attempt(asked)
        verdict = await self._verdict(attempt, asked)
        refusal = await self._pass_or_refuse(machine, attempt, verdict)
        self._note_login(attempt, verdict, refusal)
        if refusal is not None:
            # The same wait whatever the reason, so that the time tells nothing.
            await asyncio.sleep(asked_at + desk.settings.limits.failure_delay - desk.driver.loop.time())
            machine.refuse(refusal)

    def _attempt(self, asked: LoginAsked) -> LoginAttempt:
        return LoginAttempt(
            name=decoded(asked.name),
            secret=decoded(asked.secret),
            protocol=self._listener.protocol,
            address=self._address,
            tls=self._link.is_tls or self._listener.tls_before,
            door="gateway",
            client=name_of_device(self._device),
            holds=EVERYTHING_HELD,  # by reading along: `rules`, `counting`
        )

    async def _verdict(self, attempt: LoginAttempt, asked: LoginAsked) -> Verdict:
        wanted = decoded(asked.authorization_id)
        if wanted and wanted.casefold() != attempt.name.casefold():
            # RFC 4616 2: acting for somebody else is not offered.
            return Refused(Reason.WRONG_SECRET)
        return await check(self._desk.ports, attempt)

    async def _pass_or_refuse(self, machine: LoginMachine, attempt: LoginAttempt, verdict: Verdict) -> Refusal | None:
        if not isinstance(verdict, Allowed):
            return refusal_for(verdict, self._listener.protocol, self._desk.settings.help_url)
        if self._desk.live.count_of(verdict.grant.account_id) >= self._desk.settings.limits.sessions_per_account:
            return TOO_MANY
        client = Client(self._link, self._id, self._facts())
        opened = await open_upstream(self._desk, client, verdict.grant)
        if isinstance(opened, Refusal):
            return opened
        if not self._link.is_open:
            opened.link.close("the client is gone")
            raise _Ended("connection lost", "during the upstream's login")
        relay = register(self._desk, client, Passed(attempt, verdict.grant), opened)
        if isinstance(relay, Refusal):
            return relay
        self._is_relayed = True
        await start(relay, machine, verdict.grant, opened)
        return None

    def _facts(self) -> ClientFacts:
        local = self._local or self._own_place()
        helo = self._device.get("ehlo", "")
        # A proxy that does not say who is behind it must not itself be taken for the client.
        address, port = ("", 0) if self._address is None else (str(self._address), self._port)
        return ClientFacts(address, port, local[0], local[1], self._id, {}, helo)

    def _own_place(self) -> tuple[str, int]:
        """Say where the client has connected to; a socket for both kinds of addresses writes IPv4 in IPv6's way."""
        host, port = self._link.sock.getsockname()[:2]
        return str(address_of(host.partition("%")[0])), port

    def _note_login(self, attempt: LoginAttempt, verdict: Verdict, refusal: Refusal | None) -> None:
        account: str | None = None
        credential: str | None = None
        match verdict:
            case Allowed(grant=grant):
                result = "allowed" if refusal is None else _ENDS.get(refusal, "upstream-failed")
                account, credential = grant.account_id, grant.credential_id
            case Refused(reason=reason):
                result, credential = reason.value, verdict.credential_id
            case CannotTell(why=why):
                result = "cannot-tell"
                _log.error("login_undecided", session=self._id, why=why)
        protocol = self._listener.protocol.value
        self._desk.metrics.count("valetkey_logins_total", protocol=protocol, result=result)
        _log.info(
            "login",
            result=result,
            protocol=protocol,
            session=self._id,
            name=printable(attempt.name),
            account=account,
            credential=credential,
            address=str(self._address or "unknown"),
            client=attempt.client,
            tls=attempt.tls,
        )

    def _note_end(self, reason: str, detail: str) -> None:
        protocol = self._listener.protocol.value
        self._desk.metrics.count("valetkey_closed_before_login_total", protocol=protocol, reason=reason)
        _log.debug("connection_ended", session=self._id, protocol=protocol, reason=reason, detail=detail)
