"""What this machine has of the servers, clients and browser that some tests need."""

import os
import shutil
from pathlib import Path

# What a test may say it needs → the Debian packages that bring it. The names are the programs'.
PACKAGES = {
    "dovecot": "dovecot-imapd dovecot-pop3d dovecot-managesieved dovecot-submissiond",
    "postfix": "postfix",
    "curl": "curl",
    "msmtp": "msmtp",
    "mbsync": "isync",
    "fetchmail": "fetchmail",
    "getmail": "getmail6",
    "neomutt": "neomutt",
    "swaks": "swaks",
    "chromium": "chromium",
}
# A test that asks for one of these fixtures, or has one of these marks, needs what stands behind it.
BY_FIXTURE = {
    "own_dovecot": ("dovecot",),
    "mail_site": ("dovecot", "postfix", "root"),
    "fresh_site": ("dovecot", "postfix", "root"),
}
BY_MARK = {"browser": ("chromium",)}

_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
_DOVECOT_ROOMS = (Path("/usr/lib/dovecot"), Path("/usr/libexec/dovecot"))


def missing(need: str) -> str | None:
    """Say in words what is missing for a need; None if it is there."""
    if need == "root":
        return None if os.geteuid() == 0 else "to run as root (Postfix demands it)"
    there = shutil.which(need, path=_PATH) is not None
    if need == "dovecot":
        there = there and any((room / "managesieve-login").exists() for room in _DOVECOT_ROOMS)
        there = there and any((room / "submission-login").exists() for room in _DOVECOT_ROOMS)
    return None if there else f"{need} (Debian: apt-get install {PACKAGES.get(need, need)})"
