"""Permissions and folders of an app password as Dovecot's ACL plugin holds a session to them.

A limited session acts as a user of the mailbox who is not its owner and so has no right but those in its list: what
the list does not name, or a list that cannot be read, gives nothing. Lists that lie in the mailbox itself do not count.
Nor do those of other people's mailboxes, so that all namespaces which are shared or public have to be taken out.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from valetkey.core.limits import Held, Limits, permits_folder
from valetkey.core.login import Grant
from valetkey.core.scope import MailProtocol, Permission

_LETTERS = {
    Permission.READ: "r",
    Permission.FLAG: "ws",
    Permission.WRITE: "i",
    Permission.DELETE: "te",
}
_LOOK_UP = "l"
_CREATE = "k"
_REMOVE = "x"  # and rename
_NOTHING_OF_USE = "p"  # delivery by an address of the folder; a session never does that, but it is a right of its own
_EVERY_RIGHT = "lrwstipekxa"  # with a minus before `anyone`: none, whatever other lines say
_BENEATH = "/*"
_WILDCARDS = frozenset("*?")


@dataclass(frozen=True, slots=True)
class RightsList:
    """A file of rights, in the form of Dovecot's global ACL file, and the name that it is kept under."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Holding:
    """How a session is held: fields of the login, and the file that one of them is to point at."""

    fields: Mapping[str, str]
    file: RightsList | None = None


NOTHING_TO_HOLD = Holding({})


@dataclass(frozen=True, slots=True)
class Namespaces:
    """What has to be known of a Dovecot's namespaces: what stands between levels, and which are not one's own."""

    separator: str = "/"
    shared: tuple[str, ...] = ()  # their prefixes


def holding_of(grant: Grant, namespaces: Namespaces, *, is_new: bool) -> Holding:
    """Say how Dovecot holds a session of this grant to what it may do in the mailbox.

    Args:
        grant: Of the login.
        namespaces: Those of this Dovecot.
        is_new: Dovecot 2.4, whose settings can be given with a login; 2.3 reads rights from a file only.
    """
    if grant.protocol not in {MailProtocol.IMAP, MailProtocol.POP3}:
        return NOTHING_TO_HOLD
    held = grant.must_hold & {Held.PERMISSIONS, Held.FOLDERS}
    if not held:
        return NOTHING_TO_HOLD
    common = {
        "userdb_acl_user": f"app-password:{grant.credential_id or grant.account_id}",
        "userdb_acl_globals_only": "yes",
    }
    if is_new:
        common["userdb_acl_driver"] = "vfile"
    letters = letters_of(grant.permissions)
    if is_new and Held.FOLDERS not in held and not namespaces.shared:
        everywhere = {
            "userdb_acl": "anyone",
            "userdb_acl/anyone/rights": letters,
            "userdb_acl_defaults_from_inbox": "yes",  # also for what would lie at the top
        }
        return Holding(common | everywhere)
    lines = _lines(grant.limits, letters, namespaces.separator) if Held.FOLDERS in held else {"*": letters}
    text = "".join(f"{_quoted(pattern)} anyone {rights}\n" for pattern, rights in lines.items())
    text += "".join(f"{_quoted(f'{prefix}*')} -anyone {_EVERY_RIGHT}\n" for prefix in namespaces.shared)
    mark = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Holding(common, RightsList(f"{grant.credential_id or grant.account_id}-{mark}", text))


def letters_of(permissions: Iterable[Permission]) -> str:
    """Give the rights (RFC 4314, as Dovecot has them) that permissions mean. Folders can always be listed."""
    granted = frozenset(permissions)
    letters = _LOOK_UP + "".join(right for permission, right in _LETTERS.items() if permission in granted)
    if Permission.FOLDERS in granted:
        # Who may not delete messages may not delete them with their folder. The same right is for renaming.
        letters += _CREATE + (_REMOVE if Permission.DELETE in granted else "")
    return letters


def _lines(limits: Limits, letters: str, separator: str) -> Mapping[str, str]:
    """Give the rights by pattern. The top's `l` lets Dovecot look for folders, and hides those with rights but no `l`."""
    lines = {"": _LOOK_UP, "*": _NOTHING_OF_USE}
    for entry in limits.folders:
        pattern = _pattern(entry, separator)
        if pattern is None:
            continue
        if entry.endswith(_BENEATH):
            _add(lines, pattern, letters)
            if _CREATE in letters:
                _add(lines, pattern[: -len(separator) - 1], _CREATE)
        else:
            _add(lines, pattern, letters if _has_all_beneath(limits, entry) else letters.strip(_CREATE + _REMOVE))
    return lines


def _has_all_beneath(limits: Limits, name: str) -> bool:
    """Tell whether all that lies in a folder may be used too: it is what is made in it, and renamed along with it."""
    return permits_folder(limits, f"{name}/.")


def _add(lines: dict[str, str], pattern: str, letters: str) -> None:
    lines[pattern] = "".join(dict.fromkeys(lines.get(pattern, "") + letters))


def _pattern(entry: str, separator: str) -> str | None:
    """Write an entry as Dovecot matches names; None if no pattern means this name alone, and then it opens nothing."""
    plain = entry.removesuffix(_BENEATH)
    if _WILDCARDS & set(plain) or (separator != "/" and separator in plain):
        return None
    return entry.replace("/", separator)


def _quoted(pattern: str) -> str:
    return '"' + pattern.replace("\\", "\\\\").replace('"', '\\"') + '"'
