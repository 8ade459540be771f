"""What this machine has of the servers, clients and browser that some tests need."""

import functools
import os
import shutil
from pathlib import Path

from tests.servers import unpacked

# What a test may say it needs → the Debian packages that bring it. The names are the programs', or stand in _FILES.
# Besides these it may need "root", and each of unpacked.NAMES.
PACKAGES = {
    "dovecot": "dovecot-imapd dovecot-pop3d dovecot-managesieved dovecot-submissiond",
    "dovecot-lua": "dovecot-auth-lua lua-cjson",
    "dovecot-ldap": "dovecot-ldap",
    "postfix": "postfix",
    "postfix-ldap": "postfix-ldap",
    "nginx": "nginx",
    "nginx-mail": "nginx libnginx-mod-mail",
    "freeradius": "freeradius",
    "pam_radius": "libpam-radius-auth",
    "pamtester": "pamtester",
    "radclient": "freeradius-utils",
    "ldapsearch": "ldap-utils",
    "saslauthd": "sasl2-bin",
    "saslpasswd2": "sasl2-bin",
    "testsaslauthd": "sasl2-bin",
    "curl": "curl",
    "msmtp": "msmtp",
    "mbsync": "isync",
    "fetchmail": "fetchmail",
    "getmail": "getmail6",
    "neomutt": "neomutt",
    "swaks": "swaks",
    "chromium-headless-shell": "chromium-headless-shell",
}
# A test that asks for one of these fixtures, or has one of these marks, needs what stands behind it.
BY_FIXTURE = {
    "own_dovecot": ("dovecot",),
    "mail_site": ("dovecot", "postfix", "root"),
    "fresh_site": ("dovecot", "postfix", "root"),
    "chromium": ("chromium-headless-shell",),
}
BY_MARK = {"browser": ("chromium-headless-shell",)}

_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
# Needs that are no programs, or more than one → files that must be there, as patterns under the root.
_FILES = {
    "dovecot": ("usr/lib*/dovecot/managesieve-login", "usr/lib*/dovecot/submission-login"),
    "dovecot-lua": ("usr/lib/dovecot/modules/auth/libauthdb_lua.so", "usr/lib/*/lua/5.3/cjson.so"),
    "dovecot-ldap": ("usr/lib/dovecot/modules/auth/libauthdb_ldap.so",),
    "postfix-ldap": ("usr/lib/postfix/postfix-ldap.so",),
    "nginx-mail": ("usr/sbin/nginx", "usr/lib/nginx/modules/ngx_mail_module.so"),
    "pam_radius": ("lib/*/security/pam_radius_auth.so",),
}
_NO_PROGRAMS = {"dovecot-lua", "dovecot-ldap", "postfix-ldap", "nginx-mail", "pam_radius"}


@functools.cache
def missing(need: str) -> str | None:
    """Say in words what is missing for a need; None if it is there."""
    if need == "root":
        return None if os.geteuid() == 0 else "to run as root (Postfix demands it)"
    if need in unpacked.NAMES:
        return unpacked.lacking(need)
    there = need in _NO_PROGRAMS or shutil.which(need, path=_PATH) is not None
    there = there and all(any(Path("/").glob(pattern)) for pattern in _FILES.get(need, ()))
    return None if there else f"{need} (Debian: apt-get install {PACKAGES.get(need, need)})"
