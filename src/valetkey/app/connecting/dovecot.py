"""The lines for Dovecot: by its Lua passdb, and by its oauth2 passdb where there is no Lua."""

from pathlib import Path

from valetkey.app.connecting.parts import Lines, Need, Recipe, Setup, commands, whole_file
from valetkey.core.limits import Held
from valetkey.doors.asked.settings import DoorKind

SCRIPT = Path("/etc/dovecot/valetkey.lua")
RIGHTS = Path("/var/lib/dovecot/valetkey")
# Debian's own passdb and userdb come with 10-auth.conf, and ours have to come before them.
CONFIGURATION = Path("/etc/dovecot/conf.d/05-valetkey.conf")
OAUTH2 = Path("/etc/dovecot/valetkey-oauth2.conf.ext")
_NEW = (2, 4)

_LUA = """\
passdb {{
  driver = lua
  args = file={script} blocking=yes cache_key=%u%{{session}}
}}
userdb {{
  driver = prefetch
  result_success = continue
}}
auth_cache_size = 0
imap_id_retain = yes
"""
_LUA_NEW = """\
passdb lua {{
  lua_file = {script}
}}
userdb prefetch {{
  result_success = continue
}}
imap_id_retain = yes
"""
_ACL = "mail_plugins = $mail_plugins acl\n"
_ACL_NEW = "mail_plugins {\n  acl = yes\n}\n"

_GRANT = """\
grant_url = {url}/dovecot/token
client_id = {peer}
client_secret = {secret}
username_attribute = username
active_attribute = active
active_value = true
use_grant_password = yes
send_auth_headers = yes
timeout_msecs = 8000
pass_attrs = userdb_app_id=%{{oauth2:app_id}}
"""
_GRANT_PASSDB = """\
passdb {{
  driver = oauth2
  mechanisms = plain login
  args = {file}
}}
"""
_GRANT_NEW = """\
passdb oauth2 {{
  mechanisms_filter = plain login
  oauth2 {{
    grant_url = {url}/dovecot/token
    client_id = {peer}
    client_secret = {secret}
    introspection_mode = post
    introspection_url = {url}/dovecot/introspect
    username_attribute = username
    active_attribute = active
    active_value = true
    send_auth_headers = yes
  }}
}}
"""
_ALONE = (
    "Other passdbs let people in by the passwords that they keep, so take them out: in Debian's conf.d/10-auth.conf put a # "
    "before !include auth-system.conf.ext."
)
_USERDB = (
    "A userdb that says where mailboxes are and whose they are has to be there as before; what 10-auth.conf included goes "
    "below these lines."
)
_NAMESPACES = (
    "In valetkey.settings, shared has to name the prefixes of every namespace that is shared or public (shared/, Public/): "
    "app passwords with limits could else name folders of other people. separator is what stands between folders; with "
    'Maildir it is "." unless the namespace says otherwise.'
)
_HTTPS = (
    "With https Dovecot has to know who signed Valetkey's certificate: ca_file in valetkey.settings on 2.4, its own "
    "ssl_client_ca_file on 2.3."
)


def _by_lua(setup: Setup) -> Lines:
    script = setup.script or SCRIPT
    is_new = setup.is_at_least(*_NEW)
    holds_acl = bool(setup.holds & {Held.PERMISSIONS, Held.FOLDERS})
    text = (_LUA_NEW if is_new else _LUA).format(script=script)
    if holds_acl:
        text += _ACL_NEW if is_new else _ACL
    settings = script.with_name("valetkey.settings")
    steps = [
        commands("Dovecot's Lua", "apt-get install dovecot-auth-lua"),
        commands("The script that asks", f"valetkey connect dovecot --write {script}"),
        whole_file(
            "Whom it asks, with the secret",
            settings,
            _settings(setup, with_rights=holds_acl),
            group="dovecot",
            mode=0o640,
            secret=setup.secret,
        ),
    ]
    if holds_acl:
        steps.append(commands("Where lists of rights are kept", f"install -d -o dovecot -m 711 {RIGHTS}"))
    steps += [
        whole_file("Dovecot's configuration, before every other passdb and userdb", CONFIGURATION, text),
        commands("Begin", "doveconf -n > /dev/null && systemctl restart dovecot"),
    ]
    removal = (f"rm {CONFIGURATION} {script} {settings}", f"rm -rf {RIGHTS}", "systemctl restart dovecot")
    notes = (_ALONE, _USERDB, _NAMESPACES) if holds_acl else (_ALONE, _USERDB)
    if setup.place(DoorKind.HTTP).tls:
        notes = (*notes, _HTTPS)
    return Lines(tuple(steps), notes, removal)


def _settings(setup: Setup, *, with_rights: bool) -> str:
    lines = [f"url = {setup.place(DoorKind.HTTP).url}", f"secret = {setup.secret}"]
    if with_rights:
        lines += [f"acl_directory = {RIGHTS}", "separator = /", "shared = none"]
    return "\n".join(lines) + "\n"


def _by_oauth2(setup: Setup) -> Lines:
    facts = {"url": setup.place(DoorKind.HTTP).url, "peer": setup.peer, "secret": setup.secret}
    begin = commands("Begin", "doveconf -n > /dev/null && systemctl restart dovecot")
    what = "Dovecot's configuration, before every other passdb"
    if setup.is_at_least(*_NEW):
        new = whole_file(
            what, CONFIGURATION, _GRANT_NEW.format(**facts), group="dovecot", mode=0o640, secret=setup.secret
        )
        return Lines((new, begin), (_ALONE, _USERDB), (f"rm {CONFIGURATION}", "systemctl restart dovecot"))
    steps = (
        whole_file("Whom it asks", OAUTH2, _GRANT.format(**facts), group="dovecot", mode=0o640, secret=setup.secret),
        whole_file(what, CONFIGURATION, _GRANT_PASSDB.format(file=OAUTH2)),
        begin,
    )
    return Lines(steps, (_ALONE, _USERDB), (f"rm {CONFIGURATION} {OAUTH2}", "systemctl restart dovecot"))


DOVECOT = Recipe(
    "dovecot",
    "Dovecot 2.3 and 2.4, by its Lua passdb: IMAP, POP3, submission, ManageSieve, with all limits",
    (Need(DoorKind.HTTP, 9080),),
    _by_lua,
    peer=('holds = ["permissions", "folders", "recipients"]',),
    versions=("2.3", "2.4"),
    asks_version=("dovecot", "--version"),
)
DOVECOT_OAUTH2 = Recipe(
    "dovecot-oauth2",
    "Dovecot without its Lua package, by its oauth2 passdb: app passwords with limits are refused there",
    (Need(DoorKind.HTTP, 9080),),
    _by_oauth2,
    peer=("tls_only = true",),
    versions=("2.3", "2.4"),
    asks_version=("dovecot", "--version"),
)
