"""Binds the sockets of the portal and of the operator's listener, before anything else starts."""

import errno
import os
import socket

from valetkey.config.kinds import Endpoint
from valetkey.core.errors import CannotStart

_BACKLOG = 1024


def bind(endpoint: Endpoint, what: str) -> list[socket.socket]:
    """Listen on an endpoint, on every address that its host has.

    Raises:
        CannotStart: The port is taken, or the host is not this machine; the text names it.
    """
    bound: list[socket.socket] = []
    missing: OSError | None = None
    for family, place in _places(endpoint, what):
        try:
            bound.append(_listening(family, place))
        except OSError as error:
            if error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
                missing = error  # such as ::1 of localhost on a machine without IPv6
                continue
            for sock in bound:
                sock.close()
            raise CannotStart(_sentence(error, endpoint, what)) from None
    if not bound:
        reason = os.strerror(missing.errno or 0) if missing else "it has no address"
        raise CannotStart(f"{what} cannot listen on {endpoint}: {reason}.")
    return bound


def _places(endpoint: Endpoint, what: str) -> list[tuple[socket.AddressFamily, tuple[str, int]]]:
    if not endpoint.host:
        if socket.has_dualstack_ipv6():
            return [(socket.AF_INET6, ("::", endpoint.port))]
        return [(socket.AF_INET, ("0.0.0.0", endpoint.port))]  # noqa: S104  (every address was asked for)
    try:
        found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        raise CannotStart(f"{what} cannot listen on {endpoint}: there is no host {endpoint.host}.") from None
    return [(family, (str(place[0]), endpoint.port)) for family, _, _, _, place in found]


def _listening(family: socket.AddressFamily, place: tuple[str, int]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if place[0] == "::" else 1)
        sock.bind(place)
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def _sentence(error: OSError, endpoint: Endpoint, what: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {endpoint.port} is in use already, so {what} cannot listen on {endpoint}."
    if error.errno == errno.EACCES:
        return f"{what} may not listen on {endpoint}: ports below 1024 need root, or the capability to bind them."
    return f"{what} cannot listen on {endpoint}: {error.strerror}."
