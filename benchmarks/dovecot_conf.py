"""Dovecot 2.3 in its high-performance mode, as a server or as a proxy."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.servers.certificates import ServerCertificate

_UID = 20000  # owns the mail


@dataclass(frozen=True, slots=True)
class Setup:
    """Ports, how the password is kept, where a proxy leads (None: no proxy), how many sessions there may be."""

    plain: int
    tls: int
    scheme: str
    upstream: int | None
    sessions: int


def write(room: Path, setup: Setup, certificate: ServerCertificate, user: str, password: str) -> None:
    """Write dovecot.conf and the one user into `room`."""
    (room / "mail").mkdir()
    os.chown(room / "mail", _UID, _UID)
    configuration = room / "dovecot.conf"
    configuration.write_text(_configuration(room, setup, certificate))
    proxied = "" if setup.upstream is None else f"proxy=y host=127.0.0.1 port={setup.upstream}"
    (room / "users").write_text(f"{user}:{_kept(configuration, setup.scheme, password)}::::::{proxied}\n")


def _kept(configuration: Path, scheme: str, password: str) -> str:
    if scheme == "PLAIN":
        return f"{{PLAIN}}{password}"
    command = ["doveadm", "-c", str(configuration), "pw", "-s", scheme, "-p", password]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout.strip()


def _configuration(room: Path, setup: Setup, certificate: ServerCertificate) -> str:
    return f"""
protocols = imap
base_dir = {room}/run
state_dir = {room}/state
log_path = {room}/dovecot.log
auth_failure_delay = 0
auth_mechanisms = plain login
disable_plaintext_auth = no
listen = 127.0.0.1
ssl = yes
ssl_cert = <{certificate.certificate}
ssl_key = <{certificate.key}
ssl_min_protocol = TLSv1.2
mail_max_userip_connections = 0
mail_location = maildir:{room}/mail/%u
mail_uid = {_UID}
mail_gid = {_UID}
first_valid_uid = {_UID}
login_log_format_elements =
passdb {{
  driver = passwd-file
  args = {room}/users
}}
userdb {{
  driver = passwd-file
  args = {room}/users
  override_fields = home={room}/mail/%u
}}
service imap-login {{
  service_count = 0
  process_min_avail = 1
  process_limit = 1
  client_limit = {2 * setup.sessions + 200}
  inet_listener imap {{
    port = {setup.plain}
  }}
  inet_listener imaps {{
    port = {setup.tls}
    ssl = yes
  }}
}}
service imap {{
  service_count = 1000
  process_limit = {setup.sessions + 100}
}}
service auth {{
  client_limit = {setup.sessions + 2000}
}}
service anvil {{
  client_limit = {setup.sessions + 2000}
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""
