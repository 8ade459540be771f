"""What is found in recorded configurations: nothing in those that are right, and each trap by its name."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.app.connecting.connecting_setup import PLACES, RECORDED, SECRET, bad, setup

from valetkey.app.connecting import dovecot_traps, nginx_traps, other_traps, postfix_traps
from valetkey.app.connecting.dovecot_traps import DovecotFound
from valetkey.app.connecting.nginx_traps import NginxFound
from valetkey.app.connecting.parts import Place
from valetkey.app.connecting.postfix_traps import PostfixFound
from valetkey.doors.asked.settings import DoorKind

LUA = f"url = http://127.0.0.1:9080\nsecret = {SECRET}\nacl_directory = /var/lib/dovecot/valetkey\nseparator = /\nshared = none\n"
OLD = DovecotFound((RECORDED / "dovecot-2.3.txt").read_text(), "2.3.19.1", settings=LUA)
NEW = DovecotFound((RECORDED / "dovecot-2.4.txt").read_text(), "2.4.1", settings=LUA)


def dovecot(found: DovecotFound) -> str:
    return "\n".join(bad(list(dovecot_traps.findings(found, setup(found.version)))))


@pytest.mark.parametrize("found", [OLD, NEW], ids=["2.3", "2.4"])
def test_a_dovecot_that_is_right(found: DovecotFound) -> None:
    assert dovecot(found) == ""
    assert dovecot_traps.asks(found.text, setup())


def text(old: str, new: str) -> Callable[[DovecotFound], DovecotFound]:
    def changed(found: DovecotFound) -> DovecotFound:
        assert old in found.text
        return replace(found, text=found.text.replace(old, new, 1))

    return changed


def more(line: str) -> Callable[[DovecotFound], DovecotFound]:
    return lambda found: replace(found, text=found.text + line + "\n")


BOTH = [
    (more("auth_cache_size = 10 M"), "2.3", "it remembers logins"),
    (text("auth_mechanisms = plain login", "auth_mechanisms = cram-md5"), "", "has no plain"),
    (text("plain login", "plain scram-sha-1"), "", "SCRAM-SHA-1 need passwords that nobody has"),
    (text("blocking=yes", "blocking=no"), "2.3", "without workers"),
    (text("lua_file =", "use_worker = no\n  lua_file ="), "2.4", "without workers"),
    (more("passdb {\n  driver = pam\n}"), "2.3", "its passdb pam lets people in"),
    (more("passdb {\n  driver = lua\n  default_fields = nologin=yes reason=no\n}"), "2.3", "adds nologin"),
    (more("passdb {\n  driver = static\n  args = password=x nologin\n}"), "2.3", "adds nologin"),
    (more("passdb static {\n  fields {\n    nologin = yes\n  }\n}"), "2.4", "adds nologin"),
    (more("passdb pam {\n}"), "2.4", "its passdb pam lets people in"),
    (more("passdb x {\n  driver = passwd-file\n  master = yes\n}"), "", "every master user comes in by itself"),
    (text("driver = prefetch", "driver = static"), "2.3", "no userdb prefetch"),
    (text("userdb prefetch {", "userdb passwd {"), "2.4", "no userdb prefetch"),
    (text("userdb {", "userdb {\n  driver = passwd\n}\nuserdb {"), "2.3", "passwd stands before userdb prefetch"),
    (text("userdb prefetch {", "userdb passwd {\n}\nuserdb prefetch {"), "2.4", "passwd stands before"),
    (text('mail_plugins = " acl"', "mail_plugins = quota"), "2.3", "its plugin acl is off"),
    (text("acl = yes", "acl = no"), "2.4", "its plugin acl is off"),
    (more("protocol imap {\n  mail_plugins = quota\n}"), "2.3", "protocol imap sets mail_plugins anew"),
    (more("disable_plaintext_auth = no"), "2.3", "passwords are taken without TLS"),
    (more("auth_allow_cleartext = yes"), "2.4", "passwords are taken without TLS"),
    (more("auth_verbose_passwords = sha1"), "", "passwords go into its log"),
    (more("auth_debug_passwords = yes"), "", "passwords go into its log"),
    (more("ssl = no"), "", "TLS is off"),
    (text("plain login", "plain xoauth2"), "2.4", "OAuth mechanisms are on without oauth2"),
    (lambda found: replace(found, has_lua=False), "", "it has no Lua"),
    (lambda found: replace(found, script=False), "", "there is no script /etc/dovecot/valetkey.lua"),
    (lambda found: replace(found, settings=None), "", "valetkey.settings cannot be read"),
    (lambda found: replace(found, settings_mode=0o644), "", "others can read or change"),
    (lambda found: replace(found, rights=False), "", "there is no folder /var/lib/dovecot/valetkey"),
    (lambda found: replace(found, settings=LUA.replace(SECRET, "x")), "", "is not that of the [[peer]] peer"),
    (lambda found: replace(found, settings=LUA.replace("9080", "9090")), "", "and the door is at http://127.0.0.1:9080"),
    (lambda found: replace(found, settings=LUA.replace("acl_d", "d")), "", "has no acl_directory"),
    (lambda found: replace(found, settings=LUA.replace("shared =", "#")), "", "does not say which namespaces are shared"),
    (lambda found: replace(found, settings=LUA.replace("= /\n", "= .\n")), "", "limits open too little"),
    (more("namespace others {\n  type = shared\n  prefix = shared/%u/\n}"), "", "leaves out the namespace shared/"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "version", "said"), BOTH, ids=[each[2] for each in BOTH])
def test_each_trap_of_dovecot(change: Callable[[DovecotFound], DovecotFound], version: str, said: str) -> None:
    for found in (OLD, NEW):
        if found.version.startswith(version):
            assert said in dovecot(change(found)), found.version


def test_a_cache_is_no_trap_for_lua_on_2_4() -> None:
    assert dovecot(more("auth_cache_size = 10 M")(NEW)) == ""


def test_settings_that_are_not_ours_to_read_are_no_fault() -> None:
    assert dovecot(replace(OLD, settings=None, is_private=True)) == ""


def test_a_dovecot_that_asks_somebody_else() -> None:
    other = "passdb {\n  driver = pam\n}\nuserdb {\n  driver = passwd\n}\n"
    assert "no passdb of its configuration asks Valetkey" in dovecot(replace(OLD, text=other))
    assert not dovecot_traps.asks(other, setup())


# Postfix

MAIN = "smtpd_tls_cert_file = /etc/x\nvaletkey_policy = check_policy_service { inet:127.0.0.1:9082, timeout=10s }\n"
SERVICES = """\
smtp       inet  n       -       y       -       -       smtpd
submission inet  n       -       y       -       -       smtpd -o syslog_name=postfix/submission
pickup     unix  n       -       y       60      1       pickup
"""
OVERRIDES = """\
submission/inet/smtpd_tls_security_level = encrypt
submission/inet/smtpd_tls_auth_only = yes
submission/inet/smtpd_sasl_auth_enable = yes
submission/inet/smtpd_sasl_type = dovecot
submission/inet/smtpd_sasl_path = inet:127.0.0.1:9081
submission/inet/smtpd_sender_login_maps = socketmap:inet:127.0.0.1:9083:login
submission/inet/smtpd_sender_restrictions = reject_sender_login_mismatch
submission/inet/smtpd_recipient_restrictions = $valetkey_policy
submission/inet/smtpd_end_of_data_restrictions = $valetkey_policy
"""
POSTFIX = PostfixFound(MAIN, SERVICES, OVERRIDES)


def postfix(found: PostfixFound) -> str:
    return "\n".join(bad(list(postfix_traps.findings(found, setup("3.7.11")))))


def test_a_postfix_that_is_right() -> None:
    assert postfix(POSTFIX) == ""
    assert postfix_traps.asks(POSTFIX, setup())
    assert not postfix_traps.asks(replace(POSTFIX, overrides=""), setup())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("auth_enable = yes", "auth_enable = no", "people can log in nowhere"),
        ("sasl_type = dovecot", "sasl_type = cyrus", "smtpd_sasl_type is cyrus"),
        ("submission/inet/smtpd_sasl_type = dovecot\n", "", "cyrus (its default)"),
        ("= inet:127.0.0.1:9081", "= 127.0.0.1:9081", "is taken for a file"),
        ("= inet:127.0.0.1:9081", "= private/auth", "it asks somebody else"),
        ("auth_only = yes", "auth_only = no\nsubmission/inet/smtpd_tls_security_level = may", "passwords are taken without TLS"),
        ("socketmap:inet:127.0.0.1:9083:login", "hash:/etc/postfix/senders", "knows addresses without"),
        ("reject_sender_login_mismatch", "", "may send as anybody"),
        ("submission/inet/smtpd_end_of_data_restrictions = $valetkey_policy", "", "smtpd_end_of_data_restrictions does not ask"),
        ("recipient_restrictions = $", "recipient_restrictions = permit_sasl_authenticated,$", "permits before it asks"),
        ("data_restrictions = $", "data_restrictions = permit_mynetworks,$", "permits before it asks the policy service (permit_mynetworks)"),
        ("smtpd_sasl_auth_enable", "smtpd_sasl_authenticated_header = yes\nsubmission/inet/smtpd_sasl_auth_enable", "into every message"),
        ("smtpd_sasl_auth_enable", "smtpd_sasl_security_options = noplaintext\nsubmission/inet/smtpd_sasl_auth_enable", "noplaintext"),
    ],
)  # fmt: skip
def test_each_trap_of_postfix(old: str, new: str, said: str) -> None:
    assert old in OVERRIDES
    assert said in postfix(replace(POSTFIX, overrides=OVERRIDES.replace(old, new, 1)))


def test_another_port_that_asks_somebody_else() -> None:
    main = MAIN + "smtpd_sasl_auth_enable = yes\n"
    assert "smtp/inet asks somebody else about logins" in postfix(replace(POSTFIX, main=main))


def test_a_socket_outside_of_the_chroot() -> None:
    socket = Path("/run/valetkey/sasl")
    ours = replace(setup(), places={**PLACES, DoorKind.SASL: Place(socket=socket)})
    out = replace(POSTFIX, overrides=OVERRIDES.replace("inet:127.0.0.1:9081", str(socket)))
    assert any("leads out of it" in what for what in bad(list(postfix_traps.findings(out, ours))))
    within = replace(setup(), places={**PLACES, DoorKind.SASL: Place(socket=Path("/var/spool/postfix/valetkey/sasl"))})
    right = replace(POSTFIX, overrides=OVERRIDES.replace("inet:127.0.0.1:9081", "valetkey/sasl"))
    assert bad(list(postfix_traps.findings(right, within))) == []


# nginx

NGINX = NginxFound((RECORDED / "nginx-1.22.txt").read_text(), "1.22.1")


def nginx(found: NginxFound) -> str:
    return "\n".join(bad(list(nginx_traps.findings(found, setup(found.version, "nginx")))))


def test_an_nginx_that_is_right() -> None:
    assert nginx(NGINX) == ""
    assert nginx_traps.asks(NGINX, setup())
    assert not nginx_traps.asks(replace(NGINX, text="http { server { listen 80; } }"), setup())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (":9080/nginx", ":9080", "auth_http asks at the path /"),
        (":9080/nginx", ":9999/nginx", "its auth_http is 127.0.0.1:9999/nginx, and the door is at 127.0.0.1:9080"),
        ("auth_http 127.0.0.1", "auth_http localhost", "which nginx looks up once"),
        ("auth_http ", "auth_http_off ", "it has no mail { } with auth_http"),
        (SECRET, "another", "its secret is not that of the [[peer]] nginx"),
        ("include /etc/nginx/valetkey-secret;", "", "it sends no secret"),
        ("protocol imap; starttls only;", "protocol imap;", "listen 143 has no TLS"),
        ("ssl_protocols TLSv1.2 TLSv1.3;", "", "no TLS 1.3"),
        ("proxy_pass_error_message on;", "", "why the mail server behind refuses"),
        ("imap_auth plain", "imap_auth cram-md5 plain", "offers cram-md5"),
        ("pop3_auth plain", "pop3_auth apop plain", ""),
        ("xclient on;", "xclient off;", "neither by XCLIENT nor by a login"),
    ],
)
def test_each_trap_of_nginx(old: str, new: str, said: str) -> None:
    assert old in NGINX.text
    assert said in nginx(replace(NGINX, text=NGINX.text.replace(old, new, 1)))


def test_a_newer_nginx_has_tls_1_3_by_itself() -> None:
    assert nginx(NginxFound(NGINX.text.replace("ssl_protocols TLSv1.2 TLSv1.3;", ""), "1.27.1")) == ""


# Others

EXIM = (RECORDED / "exim-4.96.txt").read_text()


def test_exim() -> None:
    assert bad(list(other_traps.exim_findings(EXIM, setup()))) == []
    wrong = [
        ("127.0.0.1 9081", "inet:127.0.0.1:9081", "which Exim takes for a file"),
        ("127.0.0.1 9081", "/run/dovecot/auth-client", "it asks /run/dovecot/auth-client"),
        ("server_set_id = $auth1", "server_set_id =", "nothing says who has logged in"),
    ]
    for old, new, said in wrong:
        assert said in "\n".join(bad(list(other_traps.exim_findings(EXIM.replace(old, new), setup()))))


CYRUS = "sasl_pwcheck_method: saslauthd\nsasl_saslauthd_path: /var/spool/valetkey/saslauthd\nsasl_mech_list: PLAIN LOGIN\nallowplaintext: no\n"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("method: saslauthd", "method: auxprop", "it compares passwords itself"),
        ("/var/spool/valetkey/saslauthd", "/run/saslauthd/mux", "it asks at /run/saslauthd/mux"),
        ("PLAIN LOGIN", "PLAIN SCRAM-SHA-1", "SCRAM-SHA-1 need passwords"),
        ("sasl_mech_list", "#", "every mechanism of SASL is offered"),
        ("allowplaintext: no", "allowplaintext: yes", "passwords are taken without TLS"),
    ],
)
def test_cyrus_and_sendmail(old: str, new: str, said: str) -> None:
    assert bad(list(other_traps.sasl_findings("cyrus", CYRUS, setup()))) == []
    assert said in "\n".join(bad(list(other_traps.sasl_findings("cyrus", CYRUS.replace(old, new), setup()))))
    of_sendmail = CYRUS.replace("sasl_", "")
    assert bad(list(other_traps.sasl_findings("sendmail", of_sendmail, setup()))) == []


def test_courier() -> None:
    assert bad(list(other_traps.courier_findings('authdaemonvar="/run/courier/authdaemon"\n', setup()))) == []
    elsewhere = list(other_traps.courier_findings("authdaemonvar=/var/run/other\n", setup()))
    assert "its programs ask at /var/run/other/socket" in "\n".join(bad(elsewhere))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"127.0.0.1:1812 {SECRET} 5", ""),
        (f"127.0.0.1 {SECRET} 5", ""),
        ("127.0.0.1:1812 another 5", "is not that of the [[peer]]"),
        (f"127.0.0.1:1812 {SECRET} 1", "it waits 1 seconds"),
        (f"192.0.2.1 {SECRET} 5", "and the door is at"),
        ("", "asks nobody"),
    ],
)
def test_pam(line: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "pam_radius_auth.conf"
    file.touch(mode=0o600)
    found = list(other_traps.pam_findings(f"# a comment\n{line}\n", setup(), file=file, message_authenticator=False))
    assert (said in "\n".join(bad(found))) if said else bad(found) == []


def test_pam_sends_no_proof_and_its_file_is_its_own(tmp_path: Path) -> None:
    file = tmp_path / "pam_radius_auth.conf"
    file.touch()
    file.chmod(0o644)
    found = other_traps.pam_findings(f"127.0.0.1 {SECRET} 5\n", setup(), file=file, message_authenticator=True)
    said = "\n".join(bad(list(found)))
    assert "sends no Message-Authenticator" in said
    assert "others can read" in said
    assert not other_traps.pam_asks("127.0.0.1 secret 1\n", setup())  # Debian's example
