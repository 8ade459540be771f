"""Mailbox names of IMAP as people write them: modified UTF-7 (RFC 3501 5.1.3), read in its one canonical form."""

import base64
import binascii
import codecs
import re

# Found once: Python reads a file for it, and later there may be no descriptor left.
_UTF_16 = codecs.lookup("utf-16-be")
_SHIFTED = re.compile(rb"&([A-Za-z0-9+,]*)-")
_DIRECT = re.compile(rb"[\x20-\x25\x27-\x7e]*\Z")  # printable ASCII but "&"


def decode_mailbox(name: bytes) -> str | None:
    """Read a mailbox name; None if it is not modified UTF-7, or not the one way to write that name."""
    parts: list[str] = []
    position = 0
    for match in _SHIFTED.finditer(name):
        direct = name[position : match.start()]
        shifted = _decode_shifted(match[1]) if match[1] else "&"
        if not _DIRECT.match(direct) or shifted is None:
            return None
        parts += (direct.decode("ascii"), shifted)
        position = match.end()
    if not _DIRECT.match(name[position:]):
        return None
    text = "".join((*parts, name[position:].decode("ascii")))
    return text if encode_mailbox(text) == name else None


def encode_mailbox(name: str) -> bytes:
    """Write a mailbox name in modified UTF-7."""
    written = bytearray()
    run: list[str] = []
    for letter in name:
        if " " <= letter <= "~":
            written += _shifted(run) + (b"&-" if letter == "&" else letter.encode("ascii"))
            run.clear()
        else:
            run.append(letter)
    return bytes(written + _shifted(run))


def _shifted(run: list[str]) -> bytes:
    if not run:
        return b""
    octets = _UTF_16.encode("".join(run), "surrogatepass")[0]
    return b"&" + base64.b64encode(octets, altchars=b"+,").rstrip(b"=") + b"-"


def _decode_shifted(letters: bytes) -> str | None:
    try:
        octets = base64.b64decode(letters + b"=" * (-len(letters) % 4), altchars=b"+,", validate=True)
        return _UTF_16.decode(octets)[0]
    except (binascii.Error, UnicodeDecodeError):
        return None
