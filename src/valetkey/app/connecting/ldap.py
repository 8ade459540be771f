"""The lines for what checks passwords in a directory: a Dovecot without Lua and oauth2, and any other program."""

from valetkey.app.connecting.parts import Lines, Need, Recipe, Setup, commands, lines_of, whole_file
from valetkey.doors.asked.settings import DoorKind

SETTINGS = "/etc/dovecot/dovecot-ldap.conf.ext"
_BASE = "dc=valetkey"
_OLD = """\
uris = {url}
dn = {name}
dnpass = {secret}
base = {base}
auth_bind = yes
pass_filter = (&(uid=%u)(service=%s)(rip=%r)(tls=%c)(session=%{{session}}))
pass_attrs = uid=user
"""
_OLD_PASSDB = "passdb {{\n  driver = ldap\n  args = {file}\n}}\n"
_NEW = """\
ldap_uris = {url}
ldap_auth_dn = {name}
ldap_auth_dn_password = {secret}
ldap_base = {base}
passdb ldap {{
  passdb_ldap_bind = yes
  passdb_ldap_filter = (&(uid=%{{user}})(service=%{{protocol}})(rip=%{{remote_ip}})(tls=%{{secured}})(session=%{{session}}))
}}
"""
_ANY = """\
server       {url}
bind as      {name}
with         {secret}
search base  {base}
filter       (&(uid=%u)(service=imap)), with what the program writes for the name, and the protocol that it serves
then         bind as what was found, with the password
"""
_TLS = "A program that says nothing of TLS in its filter needs tls_only = true in its [[peer]], your word that it takes passwords over TLS alone."
_LIMITS = "App passwords with limits are refused there: nobody would hold them to it."


def _lines(setup: Setup) -> Lines:
    place = setup.place(DoorKind.LDAP)
    url = (
        f"ldapi://{str(place.socket).replace('/', '%2F')}"
        if place.socket
        else f"ldap{'s' * place.tls}://{place.authority}"
    )
    facts = {"url": url, "name": f"cn={setup.peer},{_BASE}", "secret": setup.secret, "base": _BASE}
    any_program = lines_of(
        "Any program: what its settings ask for", "its settings", _ANY.format(**facts), secret=setup.secret
    )
    what = "Dovecot, in the place of the passdb that was there"
    if setup.is_at_least(2, 4):
        path = "/etc/dovecot/conf.d/10-auth.conf"
        steps = [any_program, lines_of(what, path, _NEW.format(**facts), secret=setup.secret)]
    else:
        file = whole_file("Dovecot: whom it asks", SETTINGS, _OLD.format(**facts), mode=0o600, secret=setup.secret)
        passdb = lines_of(what, "/etc/dovecot/conf.d/10-auth.conf", _OLD_PASSDB.format(file=SETTINGS))
        steps = [any_program, commands("Dovecot's LDAP", "apt-get install dovecot-ldap"), file, passdb]
    steps.append(commands("Begin", "systemctl restart dovecot"))
    removal = ("the passdb as it was", f"rm {SETTINGS}", "systemctl restart dovecot")
    return Lines(tuple(steps), (_TLS, _LIMITS), removal)


LDAP = Recipe(
    "ldap",
    "What checks passwords in a directory, by LDAP (search and bind)",
    (Need(DoorKind.LDAP, 3890),),
    _lines,
    versions=("2.3", "2.4"),
    asks_version=("dovecot", "--version"),
)
