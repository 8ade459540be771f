"""A Postfix that asks Valetkey for every login and message, and has no Dovecot for it."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.certificates import CertificateAuthority
from tests.servers.places import LOCALHOST, free_ports, own_directory
from tests.servers.postfix import DAEMONS, Postfix


@dataclass(frozen=True, slots=True)
class DoorPorts:
    """The ports of 127.0.0.1 on which one Valetkey is asked."""

    sasl: int = 0
    policy: int = 0
    socketmap: int = 0


@dataclass
class AskingPostfix(Postfix):
    """Its port `submission` asks over TCP, `submissions` by a unix socket in its chroot, as Debian runs smtpd.

    `relay` has no TLS: what a client there sends is refused by who demands TLS. `more` are settings beside the usual.
    """

    doors: DoorPorts = field(default_factory=lambda: DoorPorts(*free_ports(3)))
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def socket(self) -> Path:
        """Give the place of the unix socket."""
        return self.directory / "queue" / "private" / "valetkey"

    @property
    def usual(self) -> dict[str, str]:
        """Give the settings by which it asks, as docs/servers/postfix.md has them."""
        policy = f"check_policy_service {{ inet:{LOCALHOST}:{self.doors.policy}, timeout=10s, default_action=DEFER_IF_PERMIT }}"
        return {
            "smtpd_sasl_type": "dovecot",
            "smtpd_sasl_path": f"inet:{LOCALHOST}:{self.doors.sasl}",
            "smtpd_sasl_local_domain": "",
            "smtpd_sender_login_maps": f"socketmap:inet:{LOCALHOST}:{self.doors.socketmap}:login",
            "smtpd_recipient_restrictions": policy,
            "smtpd_end_of_data_restrictions": policy,
        }

    def sections(self, peer: str = 'holds = ["sending"]') -> tuple[str, ...]:
        """Write what Valetkey's configuration says of it."""
        peer_section = f'[[peer]]\nname = "postfix"\n{peer}\n'
        over_tcp = [
            f'[[door]]\nkind = "{kind}"\nlisten = "{LOCALHOST}:{getattr(self.doors, kind)}"\n'
            for kind in ("sasl", "policy", "socketmap")
        ]
        unix = f'[[door]]\nkind = "sasl"\nsocket = "{self.socket}"\nsocket_group = "postfix"\n'
        return (peer_section, *over_tcp, unix)

    def _main(self, certificate: object) -> str:
        given = {**self.usual, **self.more}
        lines = super()._main(certificate).splitlines()  # type: ignore[arg-type]
        kept = [line for line in lines if line.partition(" = ")[0] not in given]
        return "\n".join([*kept, *(f"{name} = {value}" for name, value in given.items()), ""])

    def _master(self) -> str:
        login = (
            "  -o smtpd_sender_restrictions=reject_sender_login_mismatch\n"
            "  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject\n"
            "  -o smtpd_sasl_service=submission\n"
        )
        submission = f"{LOCALHOST}:{self.ports.submission} inet n - n - - smtpd\n{login}"
        unix = "  -o smtpd_sasl_path=private/valetkey\n"
        submissions = f"{LOCALHOST}:{self.ports.submissions} inet n - y - - smtpd\n{login}{unix}"
        relay = f"{LOCALHOST}:{self.ports.relay} inet n - n - - smtpd\n{login}  -o smtpd_tls_security_level=none\n"
        return DAEMONS + submission + submissions + "  -o smtpd_tls_wrappermode=yes\n" + relay


@contextmanager
def asking_postfix(authority: CertificateAuthority, mail_root: Path, **more: str) -> Iterator[AskingPostfix]:
    """Give one in a directory of its own, delivering below `mail_root`; to be started once there is who it asks.

    A smtpd that finds nobody to ask ends, and Postfix waits a while before it starts another one.
    """
    with own_directory("postfix") as directory:
        postfix = AskingPostfix(directory, authority, mail_root, more=more)
        postfix.socket.parent.mkdir(parents=True, mode=0o700)
        shutil.chown(postfix.socket.parent, "postfix")
        try:
            yield postfix
        finally:
            postfix.end()
