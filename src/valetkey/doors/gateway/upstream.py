"""The mail servers behind the gateway: which one serves an address, and logging in there.

Certificates are always verified. TLS sessions are resumed, because a full handshake costs more than all the rest of a
login. A failure is never the client's: it is told to try later, and the operator is told why.
"""

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from valetkey.core.errors import CannotStart
from valetkey.core.scope import MailProtocol
from valetkey.doors.gateway.machines import client_machine, looking_machine
from valetkey.doors.gateway.resolving import Resolver
from valetkey.doors.gateway.seen import Seen
from valetkey.doors.gateway.settings import Domain, Limits, Settings, TlsMode, Upstream, UpstreamLogin, UserForm
from valetkey.doors.serve.link import Driver, Link, LinkClosed
from valetkey.wire.machine import ClientFacts, ClientMachine, Credentials, LoggedIn, LoginFailed, StartTlsAsked

_ANY_DOMAIN = "*"


class UpstreamFailed(Exception):  # noqa: N818  the word of the operator's log
    """The upstream could not be logged in to; the text is for the operator."""


@dataclass(slots=True)
class OpenUpstream:
    """A connection that is logged in."""

    link: Link
    capabilities: tuple[bytes, ...]
    rest: bytes  # what the upstream said behind the login's answer


@dataclass(slots=True)
class _Known:
    """What is kept of an upstream between logins."""

    context: ssl.SSLContext | None
    session: ssl.SSLSession | None = None


class Upstreams:
    """Finds upstreams and logs in to them."""

    def __init__(self, settings: Settings, driver: Driver, resolver: Resolver | None = None) -> None:
        """Read the CA files.

        Args:
            settings: The gateway's settings.
            driver: The worker's driver.
            resolver: What looks names up, if not the system.

        Raises:
            OSError: A CA file cannot be read or holds no certificate.
        """
        self._driver = driver
        self._loop = driver.loop
        self._resolver = resolver or Resolver(driver.loop)
        self._hostname = settings.hostname
        self._limits: Limits = settings.limits
        self._domains: dict[str, Domain] = {domain.name.lower(): domain for domain in settings.domains}
        self.by_protocol: Mapping[MailProtocol, frozenset[Upstream]] = {
            protocol: frozenset(each.upstreams[protocol] for each in settings.domains if protocol in each.upstreams)
            for protocol in MailProtocol
        }
        every = frozenset().union(*self.by_protocol.values())
        self._seen: dict[tuple[Upstream, MailProtocol], Seen] = {}
        self._known = {upstream: _Known(_new_context(upstream)) for upstream in every}

    def find(self, address: str, protocol: MailProtocol) -> Upstream | None:
        """Give the upstream that serves this address through this protocol, if there is one."""
        for name in (address.rpartition("@")[2], _ANY_DOMAIN):
            domain = self._domains.get(name)
            if domain is not None:
                return domain.upstreams.get(protocol)
        return None

    async def log_in(
        self, upstream: Upstream, protocol: MailProtocol, credentials: Credentials, facts: ClientFacts
    ) -> OpenUpstream:
        """Connect, verify, log in.

        Raises:
            UpstreamFailed: It is down, too slow, not who it should be, or does not let the gateway in.
        """
        told = facts if upstream.forward_client or upstream.login is UpstreamLogin.XCLIENT else None
        starttls = upstream.tls is TlsMode.STARTTLS
        machine = client_machine(protocol, credentials, told, starttls=starttls, hostname=self._hostname)
        return await self._noted(upstream, protocol, machine)

    def seen(self, upstream: Upstream, protocol: MailProtocol) -> Seen:
        """Tell when an upstream was reached and when it failed last, through a protocol."""
        return self._seen.setdefault((upstream, protocol), Seen())

    async def look(self, upstream: Upstream, protocol: MailProtocol) -> tuple[bytes, ...]:
        """Connect, verify, and hear what is announced before a login; nothing of interest for IMAP.

        Raises:
            UpstreamFailed: It is down, too slow or not who it should be.
        """
        starttls = upstream.tls is TlsMode.STARTTLS
        machine = looking_machine(protocol, starttls=starttls, hostname=self._hostname)
        if machine is None:
            return ()
        opened = await self._noted(upstream, protocol, machine)
        opened.link.close("looked at")
        return opened.capabilities

    async def _noted(self, upstream: Upstream, protocol: MailProtocol, machine: ClientMachine) -> OpenUpstream:
        seen = self.seen(upstream, protocol)
        try:
            opened = await self._lead(upstream, machine)
        except UpstreamFailed as failure:
            seen.failed(str(failure))
            raise
        seen.reached()
        return opened

    async def _lead(self, upstream: Upstream, machine: ClientMachine) -> OpenUpstream:
        link = await self._connect(upstream)
        link.limit(self._loop.time() + self._limits.upstream_login, "too slow to log in")
        try:
            if upstream.tls is TlsMode.IMPLICIT:
                await self._start_tls(link, upstream)
            capabilities = await self._converse(link, upstream, machine)
        except LinkClosed as closed:
            link.close(str(closed))
            raise UpstreamFailed(str(closed)) from None
        except BaseException:
            link.close("the login failed")
            raise
        link.unlimit()
        self._keep_session(link, upstream)
        return OpenUpstream(link, capabilities, machine.take_rest())

    async def _converse(self, link: Link, upstream: Upstream, machine: ClientMachine) -> tuple[bytes, ...]:
        while True:
            event = machine.next_event()
            output = machine.take_output()
            if output:
                await link.send(output)
            match event:
                case None:
                    data = await link.receive()
                    if not data:
                        raise UpstreamFailed("the upstream closed the connection during the login")
                    machine.receive(data)
                case StartTlsAsked():
                    if machine.has_pending or link.has_waiting_octets():
                        raise UpstreamFailed("the upstream sent octets between STARTTLS and the handshake")
                    await self._start_tls(link, upstream)
                    machine.tls_started()
                case LoginFailed(text=text):
                    raise UpstreamFailed(text)
                case LoggedIn(capabilities=capabilities):
                    return capabilities

    # TLS

    async def _start_tls(self, link: Link, upstream: Upstream) -> None:
        known = self._known[upstream]
        if known.context is None:
            raise UpstreamFailed("TLS is off for this upstream")
        await link.start_tls(known.context, upstream.server_name or upstream.host, known.session)

    def _keep_session(self, link: Link, upstream: Upstream) -> None:
        """Keep the TLS session for the next login; the ticket of TLS 1.3 came with the first answers."""
        if isinstance(link.sock, ssl.SSLSocket):
            session = link.sock.session
            if session is not None and session.has_ticket:
                self._known[upstream].session = session

    # Connecting

    async def _connect(self, upstream: Upstream) -> Link:
        deadline = self._loop.time() + self._limits.upstream_connect
        addresses = await self._resolver.addresses(upstream.host, self._limits.upstream_connect)
        why = f"the name {upstream.host} cannot be resolved"
        for position, (family, address) in enumerate(addresses):
            # Each address gets its share of the time, so that a dead one does not hide a live one.
            share = (deadline - self._loop.time()) / (len(addresses) - position)
            try:
                return await self._connect_to(family, (address, upstream.port), max(share, 0.0))
            except (LinkClosed, OSError) as error:
                why = str(error)
        raise UpstreamFailed(why)

    async def _connect_to(self, family: socket.AddressFamily, place: tuple[str, int], seconds: float) -> Link:
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        link = Link(self._driver, sock)
        link.limit(self._loop.time() + seconds, "too slow to connect")
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await link.connect(place)
        except BaseException:
            link.close("cannot connect")
            raise
        return link


def credentials_for(upstream: Upstream, address: str, stored_password: str | None) -> Credentials:
    """Say how the gateway proves itself for the mailbox of `address`.

    Raises:
        UpstreamFailed: This account has no stored password, and the upstream needs one.
    """
    user = address.rpartition("@")[0] if upstream.user_form is UserForm.LOCAL_PART else address
    match upstream.login:
        case UpstreamLogin.MASTER_USER:
            return Credentials(user, upstream.master_user, upstream.master_secret)
        case UpstreamLogin.XCLIENT:
            return Credentials(user, user, None)
        case UpstreamLogin.STORED_PASSWORD:
            if stored_password is None:
                raise UpstreamFailed("this account has no stored upstream password")
            return Credentials(user, user, stored_password)


def _new_context(upstream: Upstream) -> ssl.SSLContext | None:
    if upstream.tls is TlsMode.NONE:
        return None
    try:
        context = ssl.create_default_context(cafile=None if upstream.ca_file is None else str(upstream.ca_file))
    except OSError as error:
        why = error.strerror or "it holds no certificate"
        raise CannotStart(f"The ca_file {upstream.ca_file} of {upstream.host} cannot be used: {why}.") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
