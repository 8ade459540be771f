"""The lines for Exim: logins by its dovecot driver, and the policy service of Postfix, asked by its rules."""

from valetkey.app.connecting.parts import Lines, Need, Place, Recipe, Setup, commands, lines_of, whole_file
from valetkey.core.limits import Held
from valetkey.doors.asked.settings import DoorKind

AUTHENTICATORS = "/etc/exim4/conf.d/auth/05_valetkey"

_LOGINS = """\
valetkey_plain:
  driver = dovecot
  public_name = PLAIN
  server_socket = {socket}
  server_set_id = $auth1
  server_advertise_condition = ${{if def:tls_in_cipher}}

valetkey_login:
  driver = dovecot
  public_name = LOGIN
  server_socket = {socket}
  server_set_id = $auth1
  server_advertise_condition = ${{if def:tls_in_cipher}}
"""
# What follows stands in Exim's language: \\n is its own, and the lines that end in \\ go on.
_ASKED = r"""warn {condition}set acl_m_valetkey = ${{readsocket{{{place}}}{{request=smtpd_access_policy\nprotocol_state={state}\n\
    sasl_username=$authenticated_id\nclient_address=$sender_host_address\nencryption_protocol=$tls_in_cipher\n\
    sender=$sender_address\n{facts}\n\n}}{{10s}}{{ }}{{action=DEFER}}}}
deny {condition}condition = ${{if match{{$acl_m_valetkey}}{{^action=REJECT}}}}
  message = ${{sg{{$acl_m_valetkey}}{{^action=REJECT \\S+ |\\s+\$}}{{}}}}
defer {condition}!condition = ${{if match{{$acl_m_valetkey}}{{^action=DUNNO}}}}
  message = Mail cannot be checked right now. Please try again later.
"""
_FOR_LOGINS = "authenticated = *\n  "
_RECIPIENT = "recipient=$local_part@$domain"
_MESSAGE = r"recipient_count=$rcpt_count\ninstance=$message_exim_id"


def _lines(setup: Setup) -> Lines:
    steps = [
        whole_file(
            "Logins, for Debian's split configuration (else below begin authenticators)",
            AUTHENTICATORS,
            _LOGINS.format(socket=server_socket(setup.place(DoorKind.SASL))),
        )
    ]
    if Held.SENDING in setup.holds:
        policy = setup.place(DoorKind.POLICY)
        place = str(policy) if policy.socket is not None else f"inet:{policy}"
        recipient = _ASKED.format(condition=_FOR_LOGINS, place=place, state="RCPT", facts=_RECIPIENT)
        message = _ASKED.format(condition=_FOR_LOGINS, place=place, state="END-OF-MESSAGE", facts=_MESSAGE)
        steps += [
            lines_of("Recipients, before what accepts", "the ACL of acl_smtp_rcpt", recipient),
            lines_of("Counts, the last before what accepts", "the ACL of acl_smtp_data", message),
        ]
    steps.append(commands("Begin", "update-exim4.conf && exim4 -bV > /dev/null && systemctl restart exim4"))
    notes = (
        "Exim shows nobody the reason of a refusal: “535 Incorrect authentication data” is all that clients see.",
        "holds in the [[peer]] is your word that both rules are in force on every port where people log in.",
    )
    return Lines(tuple(steps), notes, (f"rm {AUTHENTICATORS}", "update-exim4.conf && systemctl restart exim4"))


def server_socket(place: Place) -> str:
    """Write where Exim asks for logins: a path, or host and port with a space between."""
    return str(place.socket) if place.socket is not None else f"{place.host} {place.port}"


EXIM = Recipe(
    "exim",
    "Exim, with no Dovecot between: SMTP logins, recipients, counts",
    (Need(DoorKind.SASL, 9081), Need(DoorKind.POLICY, 9082)),
    _lines,
    has_secret=False,
    peer=('holds = ["sending"]',),
    asks_version=("exim4", "-bV"),
)
