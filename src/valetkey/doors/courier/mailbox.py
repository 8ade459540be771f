"""Where the mailbox of an account is: the administrator's pattern, with parts of the address in it. Pure."""

from string import Formatter

_PARTS = {"user", "local_part", "domain"}
_NO_FOLDERS = {"", ".", ".."}


def require_pattern(pattern: str) -> None:
    """Hold a pattern to its form.

    Raises:
        ValueError: It is no whole path, names what is no part of an address, or is the same for everybody.
    """
    try:
        fields = [(name, bool(form or how)) for _, name, form, how in Formatter().parse(pattern) if name is not None]
    except ValueError:
        raise ValueError("a brace has no partner") from None
    if any(name not in _PARTS or has_form for name, has_form in fields):
        raise ValueError("it may name {user}, {local_part} and {domain}, and nothing else")
    if not {"user", "local_part"} & {name for name, _ in fields}:
        raise ValueError("it must name {user} or {local_part}, or all people share one mailbox")
    _require_path(pattern)


def mailbox_of(pattern: str, address: str) -> str:
    """Give the path of an account's mailbox.

    Args:
        pattern: The path, with {user} (the whole address), {local_part} or {domain}.
        address: The account's, canonical.

    Raises:
        ValueError: Some part of the address would lead elsewhere, perhaps to somebody else's mailbox.
    """
    local_part, _, domain = address.rpartition("@")
    if "/" in address:
        raise ValueError("an address with a slash cannot be part of a path")
    path = pattern.format_map({"user": address, "local_part": local_part, "domain": domain})
    _require_path(path)
    return path


def _require_path(path: str) -> None:
    root, *folders = path.split("/")
    if root or not folders or _NO_FOLDERS & set(folders) or not path.isprintable():
        raise ValueError("it is no whole path, such as /var/mail/{domain}/{local_part}")
