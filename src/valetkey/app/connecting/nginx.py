"""The lines for nginx as a mail proxy (auth_http)."""

from valetkey.app.connecting.parts import Lines, Need, Recipe, Setup, commands, lines_of, whole_file
from valetkey.doors.asked.settings import DoorKind

CONFIGURATION = "/etc/nginx/nginx.conf"
SECRET = "/etc/nginx/valetkey-secret"  # noqa: S105  (a file)
_MAIL = """\
mail {{
  auth_http {place}/nginx;
  include {secret_file};
  auth_http_timeout 15s;
  proxy_pass_error_message on;

  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_certificate     /etc/letsencrypt/live/{hostname}/fullchain.pem;
  ssl_certificate_key /etc/letsencrypt/live/{hostname}/privkey.pem;

  imap_auth plain login;
  imap_capabilities IMAP4rev1 UIDPLUS IDLE LITERAL+ SASL-IR;
  pop3_auth plain;
  smtp_auth plain login;

  server {{ listen 143;     protocol imap; starttls only; proxy_protocol on; }}
  server {{ listen 993 ssl; protocol imap; proxy_protocol on; }}
  server {{ listen 995 ssl; protocol pop3; proxy_protocol on; }}
  server {{ listen 587;     protocol smtp; starttls only; xclient on; proxy_smtp_auth off; }}
  server {{ listen 465 ssl; protocol smtp; xclient on; proxy_smtp_auth off; }}
}}
"""
_BEHIND = "Where nginx goes on to is what [[domain]] in Valetkey's configuration names: by IP address, and without TLS (nginx_port)."
_ADDRESSES = (
    "proxy_protocol on wants a port of the IMAP and POP3 server that reads it (Dovecot: haproxy = yes and "
    "haproxy_trusted_networks); xclient on wants smtpd_authorized_xclient_hosts in Postfix."
)
_NO_TLS = "nginx asks without TLS, and this [[door]] has tls = true: give nginx one without, on a private link."


def _lines(setup: Setup) -> Lines:
    place = setup.place(DoorKind.HTTP).authority
    text = _MAIL.format(place=place, secret_file=SECRET, hostname=setup.hostname)
    header = f'auth_http_header Authorization "Bearer {setup.secret}";\n'
    steps = (
        commands("nginx's mail module", "apt-get install nginx libnginx-mod-mail"),
        whole_file("The secret", SECRET, header, mode=0o600, secret=setup.secret),
        lines_of("The mail proxy, beside http { }", CONFIGURATION, text),
        commands("Begin", "nginx -t && systemctl reload nginx"),
    )
    removal = (f"the mail {{ }} of {CONFIGURATION}", f"rm {SECRET}", "systemctl reload nginx")
    notes = (_BEHIND, _ADDRESSES, *([_NO_TLS] if setup.place(DoorKind.HTTP).tls else []))
    return Lines(steps, notes, removal)


NGINX = Recipe(
    "nginx",
    "nginx as a mail proxy in front of any IMAP, POP3 and SMTP server, by auth_http",
    (Need(DoorKind.HTTP, 9080),),
    _lines,
    peer=("nginx = true",),
    suits=lambda peer: peer.nginx,
    asks_version=("nginx", "-v"),
)
