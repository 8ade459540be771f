"""The lines for what asks in the place of saslauthd: Cyrus IMAP and sendmail; and for Courier's authdaemond."""

from pathlib import Path

from valetkey.app.connecting.parts import Lines, Need, Recipe, Setup, commands, lines_of, whole_file
from valetkey.doors.asked.settings import DoorKind
from valetkey.doors.cli.front import ConnectStep

_SOCKETS = Path("/var/spool/valetkey")
_COURIER = Path("/run/courier/authdaemon/socket")
_TMPFILES = "/etc/tmpfiles.d/courier-authdaemon.conf"
_DROP_IN = "/etc/systemd/system/{unit}.service.d/{name}.conf"
_UNIT_FORGETS = "systemctl daemon-reload"
_COURIER_UNIT = _DROP_IN.format(unit="courier-authdaemon", name="valetkey")
_COURIER_UNITS = "courier-authdaemon courier-imap courier-imap-ssl courier-pop courier-pop-ssl"
_TLS_ALONE = "tls_only = true in the [[peer]] is your word that this server takes passwords over TLS alone, as these lines make it."
_NO_ADDRESS = "It does not say where a client is: app passwords that are bound to networks are refused there."
_NO_LIMITS = "App passwords with limits are refused there: nobody would hold them to it."


def _room(socket: Path, server: str, *, group: str) -> tuple[ConnectStep, ...]:
    """Let Valetkey's unit make the socket; the folder gives it its group."""
    mode = 2750 if group != "valetkey" else 750
    unit = _leave(server)
    return (
        commands("A folder for the socket", f"install -d -o valetkey -g {group} -m {mode} {socket.parent}"),
        whole_file("Valetkey may write there", unit, f"[Service]\nReadWritePaths={socket.parent}\n"),
        commands("The door opens", "systemctl daemon-reload && systemctl restart valetkey"),
    )


def _leave(server: str) -> str:
    """Name the file by which Valetkey's unit may write where this server looks; each server has its own."""
    return _DROP_IN.format(unit="valetkey", name=server)


def _cyrus(setup: Setup) -> Lines:
    socket = setup.place(DoorKind.SASLAUTHD).socket or _SOCKETS / "saslauthd"
    text = f"sasl_pwcheck_method: saslauthd\nsasl_saslauthd_path: {socket}\nsasl_mech_list: PLAIN LOGIN\nallowplaintext: no\n"
    steps = (
        *_room(socket, "cyrus", group="sasl"),
        commands("Cyrus may ask there", "adduser cyrus sasl"),
        lines_of("Whom it asks, in the place of what begins alike", "/etc/imapd.conf", text),
        commands("Begin", "systemctl restart cyrus-imapd"),
    )
    removal = (
        "/etc/imapd.conf as it was",
        "systemctl restart cyrus-imapd",
        f"rm -r {socket.parent} {_leave('cyrus')}",
        _UNIT_FORGETS,
    )
    return Lines(steps, (_TLS_ALONE, _NO_ADDRESS, _NO_LIMITS), removal)


def _sendmail(setup: Setup) -> Lines:
    socket = setup.place(DoorKind.SASLAUTHD).socket or _SOCKETS / "sendmail"
    text = f"pwcheck_method: saslauthd\nsaslauthd_path: {socket}\nmech_list: PLAIN LOGIN\n"
    steps = (
        *_room(socket, "sendmail", group="valetkey"),
        whole_file("Whom it asks", "/etc/mail/sasl/Sendmail.conf.2", text),
        lines_of(
            "Which mechanisms there are, and only over TLS (p); before MAILER_DEFINITIONS",
            "/etc/mail/sendmail.mc",
            "include(`/etc/mail/tls/starttls.m4')dnl\n"
            "define(`confAUTH_OPTIONS', `A p y')dnl\ndefine(`confAUTH_MECHANISMS', `PLAIN LOGIN')dnl\n"
            "TRUST_AUTH_MECH(`PLAIN LOGIN')dnl\n",
        ),
        commands("Begin", "sendmailconfig", "systemctl restart sendmail"),
    )
    removal = (
        "both files as they were",
        "sendmailconfig",
        "systemctl restart sendmail",
        f"rm -r {socket.parent} {_leave('sendmail')}",
        _UNIT_FORGETS,
    )
    return Lines(steps, (_TLS_ALONE, _NO_ADDRESS, _NO_LIMITS), removal)


def _courier(setup: Setup) -> Lines:
    socket = setup.place(DoorKind.AUTHDAEMON).socket or _COURIER
    folders = f"d {socket.parent.parent} 0775 root courier - -\nd {socket.parent} 2750 valetkey courier - -\n"
    nothing = "[Service]\nType=oneshot\nRemainAfterExit=yes\nPIDFile=\nExecStart=\nExecStart=/bin/true\nExecStop=\n"
    steps = (
        commands("Its own daemon must not run; all of Courier stops with it", "systemctl stop courier-authdaemon"),
        whole_file("but its other units demand one of that name", _COURIER_UNIT, nothing),
        whole_file("The folder of the socket is made at every start", _TMPFILES, folders),
        whole_file(
            "Valetkey may write there",
            _leave("courier"),
            f"[Service]\nReadWritePaths={socket.parent}\n",
        ),
        lines_of("Nobody logs in without TLS", "/etc/courier/imapd-ssl", "IMAP_TLS_REQUIRED=1\n"),
        lines_of("nor by POP3", "/etc/courier/pop3d-ssl", "POP3_TLS_REQUIRED=1\n"),
        commands(
            "Begin",
            f"systemd-tmpfiles --create {_TMPFILES}",
            "systemctl daemon-reload && systemctl restart valetkey",
            f"systemctl start {_COURIER_UNITS}",
        ),
    )
    removal = (
        "systemctl stop courier-authdaemon",
        f"systemctl revert courier-authdaemon; rm {_TMPFILES} {_leave('courier')}",
        f"{_UNIT_FORGETS}; rm -r {socket.parent}; systemd-tmpfiles --create",
        f"systemctl start {_COURIER_UNITS}",
    )
    return Lines(steps, (_TLS_ALONE, _NO_LIMITS), removal)


CYRUS = Recipe(
    "cyrus",
    "Cyrus IMAP and other programs with Cyrus SASL, in the place of saslauthd",
    (Need(DoorKind.SASLAUTHD, socket=_SOCKETS / "saslauthd", socket_group="sasl"),),
    _cyrus,
    has_secret=False,
    peer=("tls_only = true",),
)
SENDMAIL = Recipe(
    "sendmail",
    "sendmail, by Cyrus SASL, in the place of saslauthd",
    (Need(DoorKind.SASLAUTHD, socket=_SOCKETS / "sendmail"),),
    _sendmail,
    has_secret=False,
    peer=("tls_only = true",),
)
COURIER = Recipe(
    "courier",
    "Courier's IMAP and POP3, in the place of authdaemond",
    (
        Need(
            DoorKind.AUTHDAEMON,
            socket=_COURIER,
            socket_group="courier",
            more=('login_user = "vmail"', 'mailbox = "/var/mail/{domain}/{local_part}"'),
        ),
    ),
    _courier,
    has_secret=False,
    peer=("tls_only = true",),
)
