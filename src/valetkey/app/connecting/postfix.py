"""The lines for Postfix, which asks by itself: who may log in, who may send as whom, and how much."""

from pathlib import Path

from valetkey.app.connecting.parts import Lines, Need, Place, Recipe, Setup, commands
from valetkey.core.limits import Held
from valetkey.doors.asked.settings import DoorKind

QUEUE = Path("/var/spool/postfix")
_SERVICE = "submission/inet"
_POLICY = "valetkey_policy"
_TLS_PORT = (
    "For port 465 the same with submissions/inet (smtps/inet in older files) and smtpd_tls_wrappermode=yes. holds in the [[peer]] "
    "is your word that this Postfix asks the policy service on every port where people log in."
)
_FIRST = (
    "Valetkey has to run before Postfix does: a smtpd that finds nobody to ask ends, and Postfix waits a minute. With systemd, "
    "After=valetkey.service under [Unit] in /etc/systemd/system/postfix@-.service.d/valetkey.conf orders them."
)


def _lines(setup: Setup) -> Lines:
    holds = Held.SENDING in setup.holds
    per_port = [f"{_SERVICE}/{name}={value}" for name, value in _submission(setup, holds=holds).items()]
    port = [
        f"postconf -M {_SERVICE}='submission inet n - y - - smtpd'",
        *(f"postconf -P '{each}'" for each in per_port),
    ]
    steps = [
        commands("Where people send; port 25 stays as it is", *port),
        commands("Begin", "postfix reload"),
    ]
    removal = [f"postconf -MX {_SERVICE}   (or the line that was there)", "postfix reload"]
    if holds:
        where = asked_at(setup.place(DoorKind.POLICY))
        policy = f"{_POLICY} = check_policy_service {{ {where}, timeout=10s, default_action=DEFER_IF_PERMIT }}"
        steps.insert(0, commands("Who is asked about messages", f"postconf -e '{policy}'"))
        removal.insert(1, f"postconf -X {_POLICY}")
    return Lines(tuple(steps), (_TLS_PORT, _FIRST), tuple(removal))


def _submission(setup: Setup, *, holds: bool) -> dict[str, str]:
    given = {
        "syslog_name": "postfix/submission",
        "smtpd_tls_security_level": "encrypt",
        "smtpd_tls_auth_only": "yes",
        "smtpd_sasl_auth_enable": "yes",
        "smtpd_sasl_type": "dovecot",
        "smtpd_sasl_path": sasl_path(setup.place(DoorKind.SASL)),
        "smtpd_sasl_service": "submission",
        "smtpd_sender_login_maps": f"socketmap:{asked_at(setup.place(DoorKind.SOCKETMAP))}:login",
        "smtpd_sender_restrictions": "reject_sender_login_mismatch",
        "smtpd_relay_restrictions": "permit_sasl_authenticated,reject",
    }
    if not holds:
        return given
    return given | {"smtpd_recipient_restrictions": f"${_POLICY}", "smtpd_end_of_data_restrictions": f"${_POLICY}"}


def sasl_path(place: Place) -> str:
    """Write where Postfix asks for logins: a port, or a path below its queue, for smtpd may be locked in there."""
    return f"inet:{place.authority}" if place.socket is None else _below_queue(place.socket)


def asked_at(place: Place) -> str:
    """Write where the policy service or a socketmap is."""
    return f"inet:{place.authority}" if place.socket is None else f"unix:{_below_queue(place.socket)}"


def _below_queue(socket: Path) -> str:
    return str(socket.relative_to(QUEUE)) if socket.is_relative_to(QUEUE) else str(socket)


POSTFIX = Recipe(
    "postfix",
    "Postfix, with no Dovecot between: SMTP logins, senders, recipients, counts",
    (Need(DoorKind.SASL, 9081), Need(DoorKind.POLICY, 9082), Need(DoorKind.SOCKETMAP, 9083)),
    _lines,
    has_secret=False,
    peer=('holds = ["sending"]',),
    asks_version=("postconf", "-d", "mail_version"),
)
