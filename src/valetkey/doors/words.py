"""Text that others chose, made fit for our log and for the owner's eyes."""

_LIMIT = 120


def printable(text: str, limit: int = _LIMIT) -> str:
    """Cut to `limit` characters; what cannot be printed (control characters, ESC, text direction) becomes "?"."""
    cut = text[:limit]
    return cut if cut.isprintable() else "".join(c if c.isprintable() else "?" for c in cut)


def name_of_device(facts: dict[str, str]) -> str:
    """Say in one line what a client says it is (IMAP ID, or the name in EHLO)."""
    words = [facts[key] for key in ("name", "version") if facts.get(key)]
    return printable(" ".join(words) or facts.get("ehlo", ""))


def decoded(octets: bytes) -> str:
    """Read a name or a password as UTF-8, or as Latin-1 where it is none: every octet stands for something."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def decoded_as_kept(octets: bytes) -> str:
    """Read a name whose octets the server goes on with: in UTF-8 alone, or it would open another mailbox than we mean."""
    return octets.decode(errors="replace")  # nobody's name has U+FFFD (RFC 8265 3.3)
