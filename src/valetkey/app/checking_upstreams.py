"""Checks of the mail servers behind the gateway: reachable, who they should be, and, for one account, the login itself."""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from valetkey.app.findings import good, problem, warning
from valetkey.app.join import opened
from valetkey.app.settings import PLACEHOLDER, gateway_settings
from valetkey.config.sections import Config
from valetkey.core.errors import CannotStart, ValetkeyError
from valetkey.core.scope import MailProtocol
from valetkey.doors.cli.front import Finding
from valetkey.doors.gateway.announcing import smtp_size
from valetkey.doors.gateway.settings import Limits, Settings, TlsMode, Upstream
from valetkey.doors.gateway.upstream import UpstreamFailed, Upstreams, credentials_for
from valetkey.doors.serve.link import Driver
from valetkey.service import accounts, upstream_passwords
from valetkey.service.ports import OPERATOR
from valetkey.wire.machine import ClientFacts

_WITHIN = 5.0  # seconds
_QUICK = Limits(upstream_connect=_WITHIN, upstream_login=_WITHIN)
_GREETING = 512
_SHOWN = 60
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def upstream_findings(config: Config, account: str | None) -> Iterator[Finding]:
    """Look at every mail server; with an account, log in for it as the gateway would."""
    try:
        settings = gateway_settings(config, None)
    except CannotStart as error:
        yield problem("secrets", str(error))
        return
    seen: set[Upstream] = set()
    for domain in settings.domains:
        for protocol, upstream in domain.upstreams.items():
            if upstream not in seen:
                seen.add(upstream)
                yield from _secret(f"{protocol.value} of {domain.name}", upstream)
                yield from _reach(f"{protocol.value} of {domain.name}", upstream)
    yield from asyncio.run(_sizes(settings))
    if account:
        yield from asyncio.run(_log_in(config, settings, account))


def _secret(name: str, upstream: Upstream) -> Iterator[Finding]:
    if upstream.master_secret == PLACEHOLDER:
        yield problem(
            name, "its master_secret_file still holds the placeholder", "Put the master user's password into it."
        )


def _reach(name: str, upstream: Upstream) -> Iterator[Finding]:
    place = f"{upstream.host}:{upstream.port}"
    if upstream.tls is TlsMode.NONE and upstream.host not in _LOOPBACK:
        mend = "Use implicit or starttls, unless the link is private."
        yield warning(name, f"{place} is reached without TLS, and is not this machine", mend)
    if upstream.ca_file is not None and not upstream.ca_file.is_file():
        yield problem(name, f"there is no ca_file {upstream.ca_file}", "Name the PEM file of its authority.")
        return
    try:
        greeting = _greeting(upstream)
    except ssl.SSLCertVerificationError as error:
        mend = "Set ca_file to its authority, or server_name to the name in its certificate."
        yield problem(name, f"the certificate of {place} is not accepted: {error.verify_message}", mend)
    except ssl.SSLError as error:
        mend = 'Is this port STARTTLS? Then use tls = "starttls".'
        yield problem(name, f"no TLS with {place}: {error.reason or error}", mend)
    except OSError as error:
        yield problem(
            name, f"{place} cannot be reached: {error.strerror or error}", "Is it running, and is the port right?"
        )
    else:
        text = "".join(c for c in greeting.decode("ascii", "replace") if c.isprintable())[:_SHOWN]
        yield good(name, f"{place} answers: {text}")


def _greeting(upstream: Upstream) -> bytes:
    with socket.create_connection((upstream.host, upstream.port), _WITHIN) as plain:
        if upstream.tls is not TlsMode.IMPLICIT:
            return plain.recv(_GREETING)
        context = ssl.create_default_context(cafile=upstream.ca_file)
        with context.wrap_socket(plain, server_hostname=upstream.server_name or upstream.host) as secure:
            return secure.recv(_GREETING)


async def _sizes(settings: Settings) -> list[Finding]:
    """Note where a mail server takes less than `message_size`. What else is wrong with it is said elsewhere."""
    found: list[Finding] = []
    most = settings.limits.message_size
    driver = Driver(asyncio.get_running_loop())
    with suppress(OSError):
        upstreams = Upstreams(replace(settings, limits=_QUICK), driver)
        for upstream in upstreams.by_protocol[MailProtocol.SMTP]:
            with suppress(UpstreamFailed):
                size = smtp_size(await upstreams.look(upstream, MailProtocol.SMTP))
                if size is not None and size < most:
                    what = f"{upstream.host}:{upstream.port} takes messages of {size} octets at most"
                    found.append(good("message size", f"{what}, less than message_size ({most}); clients are told so"))
    driver.close()
    return found


async def _log_in(config: Config, settings: Settings, name: str) -> list[Finding]:
    found: list[Finding] = []
    try:
        async with opened(config) as ports:
            account = await accounts.find(ports, OPERATOR, name)
            stored = await upstream_passwords.upstream_password(ports, account.id)
    except ValetkeyError as error:
        return [problem("account", f"{name}: {error}")]
    driver = Driver(asyncio.get_running_loop())
    try:
        upstreams = Upstreams(settings, driver)
        for protocol in MailProtocol:
            upstream = upstreams.find(account.address, protocol)
            if upstream is not None:
                found.append(await _log_in_to(upstreams, upstream, protocol, account.address, stored))
    except OSError as error:
        found.append(problem("mail servers", f"a ca_file cannot be used: {error}", "Name a PEM file."))
    finally:
        driver.close()
    return found or [problem("account", f"no mail server serves {account.address}", "Add its [[domain]].")]


async def _log_in_to(
    upstreams: Upstreams, upstream: Upstream, protocol: MailProtocol, address: str, stored: str | None
) -> Finding:
    subject = f"{protocol.value} login"
    facts = ClientFacts("127.0.0.1", 0, "127.0.0.1", upstream.port, "valetkey-check")
    try:
        opened_upstream = await upstreams.log_in(upstream, protocol, credentials_for(upstream, address, stored), facts)
    except UpstreamFailed as error:
        mend = "Check master_user and its secret, or the stored password, and what the mail server's log says."
        return problem(subject, f"{upstream.host}:{upstream.port} does not let the gateway in: {error}", mend)
    opened_upstream.link.close("checked")
    offered = b" ".join(opened_upstream.capabilities).decode("ascii", "replace")
    return good(subject, f"as {address} at {upstream.host}:{upstream.port}; offers {offered[: _SHOWN * 2]}")
