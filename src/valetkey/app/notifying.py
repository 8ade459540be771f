"""Tells the service manager that Valetkey answers, so that what is ordered behind it starts no earlier."""

import os
import socket

_DEADLINE = 1.0  # seconds


def tell_ready(address: str | None) -> None:
    """Say READY=1 to systemd, as its `Type=notify` expects (sd_notify(3)).

    Args:
        address: NOTIFY_SOCKET of the environment: a path, or @ and an abstract name. None or empty says nothing.

    Raises:
        OSError: Nobody listens there.
    """
    if not address:
        return
    name = os.fsencode(address)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        link.settimeout(_DEADLINE)
        link.sendto(b"READY=1", b"\0" + name[1:] if name.startswith(b"@") else name)
