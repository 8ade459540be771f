"""The lines for what asks by RADIUS: appliances, FreeRADIUS, and PAM through pam_radius_auth."""

from valetkey.app.connecting.parts import Lines, Need, Recipe, Setup, commands, lines_of, whole_file
from valetkey.doors.asked.settings import DoorKind

PAM_SERVER = "/etc/pam_radius_auth.conf"
_TLS_ALONE = "tls_only = true in the [[peer]] is your word that this server takes passwords over TLS alone: see to it."
_FREERADIUS = """\
home_server valetkey {{
  type = auth
  ipaddr = {host}
  port = {port}
  secret = {secret}
  response_window = 10
  status_check = status-server
}}
home_server_pool valetkey {{
  type = fail-over
  home_server = valetkey
}}
realm valetkey {{
  auth_pool = valetkey
  nostrip
}}
"""
_HAND_ON = """\
authorize {
  update control {
    &Proxy-To-Realm := "valetkey"
  }
}
pre-proxy {
  update proxy-request {
    &Message-Authenticator := 0x00
  }
}
"""
_PAM = "auth    required pam_radius_auth.so retry=1\naccount required pam_permit.so\n"


def _radius(setup: Setup) -> Lines:
    place = setup.place(DoorKind.RADIUS)
    facts = f"server  {place.host}\nport    {place.port} (UDP)\nsecret  {setup.secret}\ntimeout 5 seconds, 2 tries\nmethod  PAP\n"
    proxy = _FREERADIUS.format(host=place.host, port=place.port, secret=setup.secret)
    steps = (
        lines_of("An appliance: what its form asks for", "the appliance", facts, secret=setup.secret),
        lines_of("Or a FreeRADIUS that hands on", "/etc/freeradius/3.0/proxy.conf", proxy, secret=setup.secret),
        lines_of("in its virtual server", "/etc/freeradius/3.0/sites-enabled/default", _HAND_ON),
    )
    notes = (
        _TLS_ALONE,
        "NAS-Identifier has to name the mail protocol (imap, pop3, smtp, sieve), or protocol in the [[door]] does.",
    )
    return Lines(steps, notes, ("the form or the files as they were",))


def _pam(setup: Setup) -> Lines:
    place = setup.place(DoorKind.RADIUS)
    steps = (
        commands("PAM's RADIUS", "apt-get install libpam-radius-auth pamtester"),
        whole_file(
            "Whom it asks, with the secret",
            PAM_SERVER,
            f"{place.authority} {setup.secret} 4\n",
            mode=0o600,
            secret=setup.secret,
        ),
        whole_file("Each service that asks, such as imap (keep a copy of what is there)", "/etc/pam.d/imap", _PAM),
        commands("Try it", "pamtester -I rhost=198.51.100.7 imap NAME authenticate"),
    )
    notes = (
        _TLS_ALONE,
        "Not into common-auth: that is everybody's. The service's name is the mail protocol: imap, pop3, smtp, sieve.",
    )
    removal = ("the files of /etc/pam.d as they were", f"apt-get purge libpam-radius-auth; rm -f {PAM_SERVER}")
    return Lines(steps, notes, removal)


RADIUS = Recipe(
    "radius",
    "Appliances and FreeRADIUS, by RADIUS (PAP)",
    (Need(DoorKind.RADIUS, 1812),),
    _radius,
    peer=("tls_only = true",),
    suits=lambda peer: peer.message_authenticator,
)
PAM = Recipe(
    "pam",
    "What asks PAM, through pam_radius_auth, on this machine",
    (Need(DoorKind.RADIUS, 1812),),
    _pam,
    peer=("tls_only = true", "message_authenticator = false"),
    suits=lambda peer: not peer.message_authenticator,
)
