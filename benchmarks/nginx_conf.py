"""nginx as mail proxy, with an auth_http that says yes."""

from pathlib import Path

from tests.servers.certificates import ServerCertificate

MODULE = Path("/usr/lib/nginx/modules/ngx_mail_module.so")


def write(room: Path, plain: int, tls: int, auth: int, *, certificate: ServerCertificate, upstream: int) -> None:
    """Write nginx.conf into `room`."""
    for name in ("body", "proxy", "fastcgi", "uwsgi", "scgi"):
        (room / name).mkdir()
    (room / "nginx.conf").write_text(f"""
load_module {MODULE};
daemon off;
master_process on;
user root;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {room}/pid;
error_log {room}/error.log crit;
events {{ worker_connections 10000; }}
http {{
  access_log off;
  keepalive_requests 100000000;
  client_body_temp_path {room}/body;
  proxy_temp_path {room}/proxy;
  fastcgi_temp_path {room}/fastcgi;
  uwsgi_temp_path {room}/uwsgi;
  scgi_temp_path {room}/scgi;
  server {{
    listen 127.0.0.1:{auth};
    location / {{
      add_header Auth-Status OK;
      add_header Auth-Server 127.0.0.1;
      add_header Auth-Port {upstream};
      return 200 "";
    }}
  }}
}}
mail {{
  auth_http 127.0.0.1:{auth}/;
  proxy_pass_error_message on;
  ssl_certificate {certificate.certificate};
  ssl_certificate_key {certificate.key};
  ssl_protocols TLSv1.2 TLSv1.3;
  imap_auth plain login;
  imap_capabilities IMAP4rev1 UIDPLUS IDLE LITERAL+ SASL-IR;
  timeout 10m;
  server {{ listen 127.0.0.1:{plain}; protocol imap; }}
  server {{ listen 127.0.0.1:{tls} ssl; protocol imap; }}
}}
""")
