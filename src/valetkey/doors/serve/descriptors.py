"""The file descriptors that a process may have: each connection needs one."""

import resource
from contextlib import suppress

_BESIDE = 256  # for everything that is no connection


def raise_file_limit(connections: int) -> None:
    """Ask for as many file descriptors as the connections need, and some; less is used as it is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _BESIDE
    if soft < wanted:
        with suppress(ValueError, OSError):
            most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
