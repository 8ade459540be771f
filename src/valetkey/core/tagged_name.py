"""The name under which a mail server knows a login for sending: the account's address, and behind it the app password.

Postfix and Exim keep one word of a login, its name, and show it in logs and to whom they ask later. With the app
password's id in it, each message can be held to the limits of the app password that sends it.
"""

import re

_TAGGED = re.compile(r"(?P<address>.+)/app:(?P<id>ap_[a-z2-7]{16})", re.DOTALL)


def tagged(address: str, credential_id: str | None) -> str:
    """Write the name: alice@example.org/app:ap_…; the main password has no tag."""
    return address if credential_id is None else f"{address}/app:{credential_id}"


def untagged(name: str) -> tuple[str, str | None]:
    """Read a name: the address, and the id of the app password if there is a tag.

    No address ends like a tag: behind its last @ there is no slash.
    """
    found = _TAGGED.fullmatch(name)
    return (name, None) if found is None else (found["address"], found["id"])
