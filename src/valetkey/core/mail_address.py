"""Addresses that mail is sent to. A login name may hold what no mail server takes; a mail address may not."""

import re

from valetkey.core.account import canonical_domain
from valetkey.core.errors import InvalidInput

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL_PART = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")  # the Dot-string of RFC 5321 section 4.1.2
_WIDE_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+"
_WIDE_LOCAL_PART = re.compile(rf"{_WIDE_ATOM}(?:\.{_WIDE_ATOM})*")  # RFC 6531 section 3.3
_MAX_LOCAL_PART = 64  # RFC 5321 section 4.5.3.1.1
_MAX_ADDRESS = 254  # RFC 5321 section 4.5.3.1.3, less the angle brackets


def mail_address(typed: str) -> str:
    """Give a mail address that a person typed: the domain in its one form, the part before the @ as it was typed.

    Only plain forms are taken: no quotes, no comments, no display name, ASCII before the @.

    Raises:
        InvalidInput: Not such an address.
    """
    local, at, domain = typed.strip().rpartition("@")
    if len(typed) > _MAX_ADDRESS or not at or _LOCAL_PART.fullmatch(local) is None or len(local) > _MAX_LOCAL_PART:
        raise InvalidInput("address", "Write a whole mail address, such as alice@example.net.")
    address = f"{local}@{canonical_domain(domain)}"
    if "." not in address.rpartition("@")[2]:
        raise InvalidInput("address", "Write a whole mail address, such as alice@example.net.")
    return address


def is_mailable(address: str) -> bool:
    """Tell whether mail can be sent to a login name: nothing in it means anything to SMTP or in a header."""
    local, _, domain = address.rpartition("@")
    is_plain = _WIDE_LOCAL_PART.fullmatch(local) is not None and local.isprintable()
    return (
        is_plain and len(address) <= _MAX_ADDRESS and bool(domain) and re.fullmatch(r"[a-z0-9.-]+", domain) is not None
    )


def masked(address: str) -> str:
    """Give an address so that its owner knows it and nobody else learns it: a…@example.net."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}…@{domain}"
