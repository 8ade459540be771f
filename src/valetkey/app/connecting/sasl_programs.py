"""The lines for what asks in the place of saslauthd: Cyrus IMAP and sendmail; and for Courier's authdaemond."""

from pathlib import Path

from valetkey.app.connecting.parts import Lines, Need, Recipe, Setup, commands, lines_of, whole_file
from valetkey.doors.asked.settings import DoorKind

_MUX = Path("/run/saslauthd/mux")
_COURIER = Path("/run/courier/authdaemon/socket")
_TLS_ALONE = "tls_only = true in the [[peer]] is your word that this server takes passwords over TLS alone: see to it."
_NO_ADDRESS = "It does not say where a client is: app passwords that are bound to networks are refused there."


def _cyrus(setup: Setup) -> Lines:
    socket = setup.place(DoorKind.SASLAUTHD)
    text = f"sasl_pwcheck_method: saslauthd\nsasl_saslauthd_path: {socket}\nsasl_mech_list: PLAIN LOGIN\nallowplaintext: no\n"
    steps = (
        commands("Its own saslauthd, if one runs", "systemctl disable --now saslauthd"),
        lines_of("Whom it asks", "/etc/imapd.conf", text),
        commands("Begin", "systemctl restart cyrus-imapd"),
    )
    removal = ("the lines of /etc/imapd.conf as they were", "systemctl restart cyrus-imapd")
    return Lines(steps, (_TLS_ALONE, _NO_ADDRESS), removal)


def _sendmail(setup: Setup) -> Lines:
    socket = setup.place(DoorKind.SASLAUTHD)
    text = f"pwcheck_method: saslauthd\nsaslauthd_path: {socket}\nmech_list: PLAIN LOGIN\n"
    steps = (
        whole_file("Whom it asks", "/etc/mail/sasl/Sendmail.conf.2", text),
        lines_of(
            "Which mechanisms there are, and only over TLS (p)",
            "/etc/mail/sendmail.mc",
            "define(`confAUTH_MECHANISMS', `PLAIN LOGIN')dnl\nTRUST_AUTH_MECH(`PLAIN LOGIN')dnl\n"
            "define(`confAUTH_OPTIONS', `A p y')dnl\n",
        ),
        commands("Begin", "make -C /etc/mail && systemctl restart sendmail"),
    )
    removal = ("the lines of both files as they were", "make -C /etc/mail && systemctl restart sendmail")
    return Lines(steps, (_TLS_ALONE, _NO_ADDRESS), removal)


def _courier(setup: Setup) -> Lines:
    socket = setup.place(DoorKind.AUTHDAEMON).socket or _COURIER
    steps = (
        commands("Its own authdaemond", "systemctl disable --now courier-authdaemon"),
        lines_of("Where its programs ask", "/etc/courier/authdaemonrc", f"authdaemonvar={socket.parent}\n"),
        commands("Begin", "systemctl restart courier-imap courier-pop"),
    )
    removal = ("systemctl enable --now courier-authdaemon", "systemctl restart courier-imap courier-pop")
    return Lines(steps, (_TLS_ALONE, _NO_ADDRESS), removal)


CYRUS = Recipe(
    "cyrus",
    "Cyrus IMAP and other programs with Cyrus SASL, in the place of saslauthd",
    (Need(DoorKind.SASLAUTHD, socket=_MUX, socket_group="sasl"),),
    _cyrus,
    has_secret=False,
    peer=("tls_only = true",),
)
SENDMAIL = Recipe(
    "sendmail",
    "sendmail, by Cyrus SASL, in the place of saslauthd",
    (Need(DoorKind.SASLAUTHD, socket=_MUX, socket_group="sasl", protocol="smtp"),),
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
