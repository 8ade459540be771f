"""What of a Dovecot's own configuration keeps it from asking, or lets people in beside Valetkey."""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from valetkey.app.connecting.dovecot import SCRIPT
from valetkey.app.connecting.nested import Block, read_dovecot
from valetkey.app.connecting.parts import Setup, number_of
from valetkey.app.connecting.programs import ask, version_of
from valetkey.app.findings import good, problem, warning
from valetkey.core.limits import Held
from valetkey.doors.asked.settings import DoorKind
from valetkey.doors.cli.front import Finding

_SUBJECT = "Dovecot"
_LUA_LIBRARY = "usr/lib*/dovecot/modules/auth/libauthdb_lua.so"
_MOST = 100_000
_NEEDS_PASSWORD = {"CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "APOP", "NTLM", "OTP", "RPA", "SKEY"}
_NEW = (2, 4)
_NOLOGIN = re.compile(r"(?:^|[\s=])nologin\b")
_OTHERS = stat.S_IROTH | stat.S_IWOTH | stat.S_IWGRP


@dataclass(frozen=True, slots=True)
class DovecotFound:
    """A Dovecot of this machine, as it says and as its files are."""

    text: str  # of doveconf -n
    version: str
    has_lua: bool = True
    script: bool = True  # whether our script is where the configuration says
    settings: str | None = None  # of valetkey.settings beside it; None: not there
    is_private: bool = False  # whether valetkey.settings is not ours to read
    settings_mode: int = 0o640
    rights: bool = True  # whether the folder for lists of rights is there


def look(config: Path | None) -> DovecotFound | Finding | None:
    """Look at the Dovecot of this machine; None if there is none, a finding if it does not say."""
    said = ask(["doveconf", "-n", *(["-c", str(config)] if config else [])])
    if said is None:
        return None
    if not said.is_good or not said.text.strip():
        what = next((line for line in said.complaint.splitlines() if "Fatal" in line), said.complaint.strip()[:200])
        return warning(
            _SUBJECT, f"doveconf -n does not say how it is configured: {what}", "Mend that, or run this as root."
        )
    version = version_of(("dovecot", "--version"))
    file = script_of(read_dovecot(said.text))
    settings = file.with_name("valetkey.settings") if file else None
    is_private = settings is not None and settings.exists() and not os.access(settings, os.R_OK)
    text, mode = _read(settings)
    has_lua = any(Path("/").glob(_LUA_LIBRARY))
    rights = dict(_pairs(text or "")).get("acl_directory", "")
    is_room = bool(rights) and Path(rights).is_dir()
    return DovecotFound(said.text, version, has_lua, bool(file and file.exists()), text, is_private, mode, is_room)


def _read(path: Path | None) -> tuple[str | None, int]:
    try:
        if path is None:
            return None, 0
        with path.open("rb") as file:
            return file.read(_MOST).decode(errors="replace"), stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return None, 0


def script_of(top: Block) -> Path | None:
    """Give where the configuration says that the script is; None if it asks by no script of ours."""
    for passdb in top.under("passdb"):
        named = passdb.value("lua_file") or _word(passdb.value("args"), "file")
        if named and (Path(named).name == SCRIPT.name or "valetkey" in named):
            return Path(named)
    return None


def _word(args: str, name: str) -> str:
    return next((each.partition("=")[2] for each in args.split() if each.startswith(f"{name}=")), "")


def asks(text: str, setup: Setup) -> bool:
    """Tell whether this configuration asks Valetkey at all."""
    return script_of(read_dovecot(text)) is not None or f"{setup.place(DoorKind.HTTP).url}/dovecot" in text


def findings(found: DovecotFound, setup: Setup) -> Iterator[Finding]:
    """Look for every trap that can be seen."""
    top = read_dovecot(found.text)
    is_new = number_of(found.version)[:2] >= _NEW
    script = script_of(top)
    ours = _ours(top)
    if ours is None:
        mend = "Put the lines of valetkey connect dovecot into conf.d, and restart Dovecot: doveconf -n must show them."
        yield problem(_SUBJECT, "no passdb of its configuration asks Valetkey", mend)
        return
    if script is not None:
        yield from _script(found, script, setup)
        yield from _lua_passdb(ours)
    yield from _passdbs(top, ours)
    yield from _nologin(top)
    yield from _cache(top, is_new=is_new, by_script=script is not None)
    yield from _userdbs(top, setup)
    yield from _settings(top, is_new=is_new)


def _ours(top: Block) -> Block | None:
    for passdb in top.under("passdb"):
        driver = _driver(passdb)
        if driver == "lua" and "valetkey" in passdb.value("lua_file") + passdb.value("args"):
            return passdb
        if driver == "oauth2":
            return passdb
    return None


def _driver(block: Block) -> str:
    return block.value("driver") or (block.head[1] if len(block.head) > 1 else "")


def _script(found: DovecotFound, script: Path, setup: Setup) -> Iterator[Finding]:
    if not found.has_lua:
        yield problem(
            _SUBJECT, "it has no Lua: the driver of the passdb is missing", "apt-get install dovecot-auth-lua"
        )
    if not found.script:
        yield problem(_SUBJECT, f"there is no script {script}", f"valetkey connect dovecot --write {script}")
    settings = script.with_name("valetkey.settings")
    if found.is_private:
        yield good(_SUBJECT, f"{settings} is not this user's to read, so what it says was not looked at")
        return
    if found.settings is None:
        yield problem(
            _SUBJECT, f"{settings} cannot be read", "Write it as valetkey connect dovecot says: url and secret."
        )
        return
    if found.settings_mode & _OTHERS:
        mend = f"chgrp dovecot {settings}; chmod 640 {settings}"
        yield problem(_SUBJECT, f"others can read or change {settings}, and it holds the secret", mend)
    said = dict(_pairs(found.settings))
    url = setup.place(DoorKind.HTTP).url
    if said.get("url", "").rstrip("/") != url:
        yield problem(
            _SUBJECT, f"{settings} asks at {said.get('url', 'no url')}, and the door is at {url}", f"url = {url}"
        )
    if said.get("secret") != setup.secret:
        mend = f"Write that of the [[peer]] {setup.peer} into it, and restart Dovecot."
        yield problem(_SUBJECT, f"the secret in {settings} is not that of the [[peer]] {setup.peer}", mend)
    if setup.holds & {Held.PERMISSIONS, Held.FOLDERS}:
        yield from _lists(found, said, settings)


def _lists(found: DovecotFound, said: Mapping[str, str], settings: Path) -> Iterator[Finding]:
    """Look at what lists of rights need: a folder for them, and the namespaces as they are."""
    if not said.get("acl_directory"):
        what = f"{settings} has no acl_directory, and the [[peer]] holds permissions or folders"
        yield problem(_SUBJECT, what, "acl_directory = /var/lib/dovecot/valetkey")
    elif not found.rights:
        mend = f"install -d -o dovecot -g dovecot -m 711 {said['acl_directory']}"
        yield problem(_SUBJECT, f"there is no folder {said['acl_directory']} for lists of rights", mend)
    top = read_dovecot(found.text)
    others = [
        _fixed(each.value("prefix")) for each in top.under("namespace") if each.value("type") in {"shared", "public"}
    ]
    named = [each.strip() for each in said.get("shared", "").split(",")]
    if "shared" not in said:
        what = f"{settings} does not say which namespaces are shared: sessions with limits are told to try again later"
        yield problem(_SUBJECT, what, f"shared = {', '.join(others) or 'none'}")
    elif left_out := [prefix for prefix in others if prefix not in named]:
        what = f"{settings} leaves out the namespace {left_out[0]}: limits are not held there"
        yield problem(_SUBJECT, what, f"shared = {', '.join(others)}")
    separator = _separator(top)
    if said.get("separator", "/") != separator:
        what = f"{settings} says separator = {said.get('separator', '/')}, and folders have {separator}: limits open too little"
        yield problem(_SUBJECT, what, f"separator = {separator}")


def _separator(top: Block) -> str:
    """Give what stands between the levels of folders: as the namespace says, or as its way to keep mail has it."""
    said = [each.value("separator") for each in top.under("namespace") if each.value("inbox") == "yes"]
    if said and said[0]:
        return said[0]
    location = top.value("mail_location")
    is_maildir = location.startswith("maildir:") or top.value("mail_driver") == "maildir"
    is_tree = "LAYOUT=fs" in location or top.value("mailbox_list_layout") not in {"", "maildir++"}
    return "." if is_maildir and not is_tree else "/"


def _fixed(prefix: str) -> str:
    """Give the part of a prefix before its first variable: shared/%%u/ begins with shared/."""
    return prefix.partition("%")[0]


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        key, mark, value = line.partition("=")
        if mark:
            yield key.strip(), value.strip()


def _lua_passdb(passdb: Block) -> Iterator[Finding]:
    is_serial = "blocking=no" in passdb.value("args").split() or passdb.value("use_worker") == "no"
    if is_serial or passdb.value("passdb_use_worker") == "no":
        mend = "Remove blocking=no (2.3) or use_worker = no (2.4) from the passdb."
        yield problem(_SUBJECT, "the Lua passdb runs without workers: all logins wait for each other", mend)


def _passdbs(top: Block, ours: Block) -> Iterator[Finding]:
    for passdb in top.under("passdb"):
        driver = _driver(passdb)
        if passdb.value("master") == "yes" and passdb.value("result_success") != "continue":
            mend = "result_success = continue in it, and master_user in the [[peer]]."
            yield warning(_SUBJECT, "every master user comes in by itself: the script is not asked for it", mend)
        if passdb is ours or driver in {"lua", "oauth2"} or "yes" in {passdb.value("master"), passdb.value("deny")}:
            continue
        what = f"its passdb {driver} lets people in by other passwords, beside Valetkey"
        mend = "Take it out; in Debian's conf.d/10-auth.conf it is !include auth-system.conf.ext."
        yield warning(_SUBJECT, what, mend)


def _nologin(top: Block) -> Iterator[Finding]:
    """Find a passdb that says nologin of its own: for whoever is not Dovecot's own login process it is a login."""
    for passdb in top.under("passdb"):
        said = [*passdb.settings, *(each for inner in passdb.under("fields") for each in inner.settings)]
        if any(_NOLOGIN.search(f"{key}={value}") for key, value in said):
            what = "a passdb of its configuration adds nologin: Postfix and Exim, which ask through Dovecot, let people in all the same"
            yield problem(_SUBJECT, what, "Take nologin out. Valetkey says it itself, to Dovecot's own logins alone.")


def _cache(top: Block, *, is_new: bool, by_script: bool) -> Iterator[Finding]:
    size = top.value("auth_cache_size", "0").split()[0]
    if size.rstrip("BkMGT") in {"", "0"} or (is_new and by_script):
        return
    mend = "auth_cache_size = 0, then restart Dovecot."
    what = (
        "it remembers logins (auth_cache_size): a scope is not asked about again, and a revoked app password stays good; "
        "for Postfix and Exim whatever the cache_key"
    )
    yield problem(_SUBJECT, what, mend)


def _userdbs(top: Block, setup: Setup) -> Iterator[Finding]:
    drivers = [_driver(userdb) for userdb in top.under("userdb")]
    if "prefetch" not in drivers:
        mend = "Put the userdb prefetch of valetkey connect dovecot before the others."
        yield problem(_SUBJECT, "there is no userdb prefetch: limits of app passwords are lost", mend)
    elif drivers[0] != "prefetch":
        what = f"the userdb {drivers[0]} stands before userdb prefetch: limits of app passwords are lost"
        yield problem(_SUBJECT, what, "Let prefetch be the first: name our file 05-valetkey.conf.")
    elif len(drivers) == 1:
        what = "userdb prefetch stands alone: nobody says where mailboxes are and whose they are"
        yield warning(_SUBJECT, what, "Keep a userdb of your own behind it.")
    if setup.holds & {Held.PERMISSIONS, Held.FOLDERS}:
        yield from _plugins(top, setup)


def _plugins(top: Block, setup: Setup) -> Iterator[Finding]:
    mend = "mail_plugins = $mail_plugins acl (2.4: mail_plugins { acl = yes }), or mend holds."
    if "acl" not in _plugins_of(top):
        what = f"the [[peer]] {setup.peer} says that it holds permissions or folders, and its plugin acl is off"
        yield problem(_SUBJECT, what, mend)
        return
    for section in top.under("protocol"):
        sets_anew = section.has("mail_plugins")  # 2.4 adds to what stands outside
        if sets_anew and set(section.head[1:]) & {"imap", "pop3"} and "acl" not in _plugins_of(section):
            what = f"protocol {section.head[1]} sets mail_plugins anew, without acl: limits are not held there"
            yield problem(_SUBJECT, what, mend)


def _plugins_of(block: Block) -> list[str]:
    lists = [key for inner in block.under("mail_plugins") for key, value in inner.settings if value == "yes"]
    return [*block.value("mail_plugins").split(), *lists]


def _settings(top: Block, *, is_new: bool) -> Iterator[Finding]:
    names = top.value("auth_mechanisms", "plain").upper().split()
    if not {"PLAIN", "LOGIN"} & set(names):
        yield problem(
            _SUBJECT, "auth_mechanisms has no plain: app passwords cannot arrive", "auth_mechanisms = plain login"
        )
    if hopeless := sorted(_NEEDS_PASSWORD & set(names)):
        mend = "auth_mechanisms = plain login"
        yield warning(
            _SUBJECT, f"{', '.join(hopeless)} need passwords that nobody has: programs that choose one fail", mend
        )
    if is_new and {"XOAUTH2", "OAUTHBEARER"} & set(names) and not any(top.under("oauth2")):
        yield problem(
            _SUBJECT, "OAuth mechanisms are on without oauth2 { }: auth does not start", "auth_mechanisms = plain login"
        )
    if top.value("disable_plaintext_auth") == "no" or top.value("auth_allow_cleartext") == "yes":
        what = "passwords are taken without TLS (policy refuses them, but they have crossed the network by then)"
        yield warning(_SUBJECT, what, "auth_allow_cleartext = no" if is_new else "disable_plaintext_auth = yes")
    if top.value("auth_verbose_passwords", "no") != "no" or top.value("auth_debug_passwords") == "yes":
        what = "passwords go into its log (auth_verbose_passwords or auth_debug_passwords)"
        yield problem(_SUBJECT, what, "Remove both settings, and the log.")
    if top.value("ssl") == "no":
        yield problem(_SUBJECT, "TLS is off (ssl = no)", "ssl = required, with a certificate.")
    yield good(_SUBJECT, "its configuration asks Valetkey")
