"""The lines for nginx as a mail proxy (auth_http)."""

from valetkey.app.connecting.parts import Lines, Need, Recipe, Setup, commands, whole_file
from valetkey.doors.asked.settings import DoorKind

CONFIGURATION = "/etc/nginx/modules-enabled/90-valetkey-mail.conf"
_MAIL = """\
mail {{
  auth_http {place}/nginx;
  auth_http_header Authorization "Bearer {secret}";
  auth_http_timeout 10s;
  proxy_pass_error_message on;

  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_certificate /etc/nginx/tls/fullchain.pem;
  ssl_certificate_key /etc/nginx/tls/privkey.pem;

  imap_auth plain login;
  imap_capabilities IMAP4rev1 UIDPLUS IDLE LITERAL+ SASL-IR;
  pop3_auth plain;
  smtp_auth plain login;

  server {{ listen 143; protocol imap; starttls on; proxy_protocol on; }}
  server {{ listen 993 ssl; protocol imap; proxy_protocol on; }}
  server {{ listen 110; protocol pop3; starttls on; proxy_protocol on; }}
  server {{ listen 995 ssl; protocol pop3; proxy_protocol on; }}
  server {{ listen 587; protocol smtp; starttls only; xclient on; proxy_smtp_auth off; }}
  server {{ listen 465 ssl; protocol smtp; xclient on; proxy_smtp_auth off; }}
}}
"""
_BEHIND = "Where nginx goes on to is what [[domain]] in Valetkey's configuration names: by IP address, and without TLS (nginx_port)."
_ADDRESSES = (
    "proxy_protocol on wants a port of the IMAP and POP3 server that reads it (Dovecot: haproxy = yes and "
    "haproxy_trusted_networks); xclient on wants smtpd_authorized_xclient_hosts in Postfix."
)


def _lines(setup: Setup) -> Lines:
    place = setup.place(DoorKind.HTTP).authority
    steps = (
        commands("nginx's mail module", "apt-get install nginx libnginx-mod-mail"),
        whole_file(
            "The mail proxy, beside http { }: nginx.conf reads this folder outside of it",
            CONFIGURATION,
            _MAIL.format(place=place, secret=setup.secret),
            mode=0o600,
            secret=setup.secret,
        ),
        commands("Begin", "nginx -t && systemctl reload nginx"),
    )
    return Lines(steps, (_BEHIND, _ADDRESSES), (f"rm {CONFIGURATION}", "systemctl reload nginx"))


NGINX = Recipe(
    "nginx",
    "nginx as a mail proxy in front of any IMAP, POP3 and SMTP server, by auth_http",
    (Need(DoorKind.HTTP, 9080),),
    _lines,
    asks_version=("nginx", "-v"),
)
