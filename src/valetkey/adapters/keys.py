"""The key file: numbered root keys, from which a key for each purpose is derived.

The file is TOML, readable by its owner alone. Without it the database opens nothing, so it is kept apart from
backups of the database.
"""

import base64
import fcntl
import os
import secrets
import stat
import tomllib
from binascii import Error as Base64Error
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from valetkey.core.errors import CannotStart, Conflict, Unavailable
from valetkey.service.ports import KeyPurpose

_KEY_OCTETS = 32
_NONCE_OCTETS = 12  # SP 800-38D 8.2.2
_TAG_OCTETS = 16
_FORM = b"\x01"  # AES-256-GCM; then the key number in four octets, the nonce, the ciphertext
_HEADER_OCTETS = 5
_MAX_FILE = 64 * 1024
_MAX_NUMBER = 2**32 - 1
_OTHERS = stat.S_IRWXG | stat.S_IRWXO

_HEAD = """\
# Valetkey's keys. Without this file no app password works and no second factor can be checked.
# Keep a copy of it in a safe place, apart from the backups of the database. Let nobody else read it.
"""

_Stamp = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class _Contents:
    current: int
    roots: Mapping[int, bytes] = field(repr=False)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The current number first, then the newest."""
        return (self.current, *sorted(self.roots.keys() - {self.current}, reverse=True))


class KeyFile:
    """Fulfils `service.ports.Keys`.

    A key that was added to the file is known at its next use, in every process: the file's stamp is looked at
    whenever the current key or the list of numbers is asked for, or an unknown number turns up.
    """

    def __init__(self, path: Path) -> None:
        """Read the file; see `load`."""
        self.path = path
        self._stamp = _stamp(path)
        self._contents = _read(path)
        self._numbers = self._contents.numbers  # asked at every login
        self._derived: dict[tuple[KeyPurpose, int], bytes] = {}

    @classmethod
    def load(cls, path: Path) -> "KeyFile":
        """Read a key file.

        Raises:
            CannotStart: It is missing, readable by others, or damaged; the text says what to do.
        """
        return cls(path)

    @classmethod
    def create(cls, path: Path) -> "KeyFile":
        """Make a key file with one new key.

        Raises:
            CannotStart: There is one already, or its folder is not usable.
        """
        if path.exists():
            raise CannotStart(f"There is a key file at {path} already; it is not overwritten.")
        with _alone(path):
            _write(path, _Contents(1, {1: secrets.token_bytes(_KEY_OCTETS)}), is_new=True)
        return cls(path)

    @staticmethod
    def rotate(path: Path) -> int:
        """Add a new key and make it the current one; older keys stay. Gives its number.

        The file is replaced in one step, so a process that reads it sees the old one or the new one.

        Raises:
            CannotStart: The file cannot be read or replaced.
            Conflict: Another process rotates at this moment.
        """
        with _alone(path):
            contents = _read(path)
            number = max(contents.roots) + 1
            roots = {**contents.roots, number: secrets.token_bytes(_KEY_OCTETS)}
            _write(path, _Contents(number, roots), is_new=False)
        return number

    @property
    def current(self) -> int:
        """The number of the key that new secrets are made under."""
        self.reload_if_changed()
        return self._contents.current

    @property
    def numbers(self) -> tuple[int, ...]:
        """All usable key numbers, the current one first, then the newest."""
        self.reload_if_changed()
        return self._numbers

    def derive(self, purpose: KeyPurpose, number: int) -> bytes:
        """Give the 32 octets for a purpose (HKDF-SHA-256, RFC 5869).

        Raises:
            KeyError: There is no such key.
        """
        derived = self._derived.get((purpose, number))
        if derived is None:
            if number not in self._contents.roots:
                self.reload_if_changed()
            info = f"valetkey 1 {purpose.value}".encode()
            derived = HKDF(SHA256(), _KEY_OCTETS, salt=None, info=info).derive(self._contents.roots[number])
            self._derived[purpose, number] = derived
        return derived

    def seal(self, plaintext: bytes, context: str) -> bytes:
        """Encrypt and authenticate (AES-256-GCM, SP 800-38D) under the current key; `context` is bound to it."""
        number = self.current
        header = _FORM + number.to_bytes(_HEADER_OCTETS - 1, "big")
        nonce = secrets.token_bytes(_NONCE_OCTETS)
        cipher = AESGCM(self.derive(KeyPurpose.SEAL, number))
        return header + nonce + cipher.encrypt(nonce, plaintext, header + context.encode())

    def unseal(self, sealed: bytes, context: str) -> bytes:
        """Open what was sealed for this context, under whichever key.

        Raises:
            Unavailable: Wrong context, damaged, or a key that is no longer there.
        """
        header, nonce = sealed[:_HEADER_OCTETS], sealed[_HEADER_OCTETS : _HEADER_OCTETS + _NONCE_OCTETS]
        if header[:1] != _FORM or len(sealed) < _HEADER_OCTETS + _NONCE_OCTETS + _TAG_OCTETS:
            raise Unavailable("A sealed value is damaged.")
        number = int.from_bytes(header[1:], "big")
        try:
            cipher = AESGCM(self.derive(KeyPurpose.SEAL, number))
            return cipher.decrypt(nonce, sealed[_HEADER_OCTETS + _NONCE_OCTETS :], header + context.encode())
        except KeyError:
            raise Unavailable(f"Key {number}, which sealed a value, is not in the key file.") from None
        except InvalidTag:
            raise Unavailable("A sealed value is damaged, or does not belong here.") from None

    def reload_if_changed(self) -> bool:
        """Read the file again if it was replaced; False if nothing new is known.

        A file that is missing, damaged, or holds another key under a known number changes nothing: what is known
        goes on being used, so that a slip with the file is no outage.
        """
        try:
            stamp = _stamp(self.path)
            if stamp == self._stamp:
                return False
            contents = _read(self.path)
        except CannotStart:
            return False
        self._stamp = stamp
        known = self._contents.roots
        if any(contents.roots.get(number, root) != root for number, root in known.items()):
            return False
        # A number that was taken out of the file stays known here until the process ends.
        self._contents = _Contents(contents.current, {**known, **contents.roots})
        self._numbers = self._contents.numbers
        return True


def _stamp(path: Path) -> _Stamp:
    try:
        found = os.stat(path)  # noqa: PTH116  (on the way of every login; Path.stat costs three times as much)
    except OSError as error:
        raise CannotStart(_unreadable(path, error)) from None
    return found.st_ino, found.st_dev, found.st_mtime_ns, found.st_size


def _unreadable(path: Path, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return (
            f"The key file {path} is missing. Put it back from its safe place; "
            "only for a new database is a new one made, by `valetkey init`."
        )
    return f"The key file {path} cannot be read: {error.strerror}."


def _read(path: Path) -> _Contents:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & _OTHERS:
                raise CannotStart(f"The key file {path} can be used by others. Mend it: chmod 600 {path}")
            octets = file.read(_MAX_FILE + 1)
    except OSError as error:
        raise CannotStart(_unreadable(path, error)) from None
    try:
        return _parsed(octets)
    except (ValueError, KeyError, TypeError, AttributeError):
        # The reason is not passed on: it could quote a key.
        raise CannotStart(f"The key file {path} is damaged. Put it back from its safe place.") from None


def _parsed(octets: bytes) -> _Contents:
    if len(octets) > _MAX_FILE:
        raise ValueError("too long")
    table = tomllib.loads(octets.decode())
    roots = {_number(name): _root(text) for name, text in table["keys"].items()}
    current = table["current"]
    if current not in roots or set(table) != {"current", "keys"}:
        raise ValueError("unknown or missing entries")
    return _Contents(current, roots)


def _number(name: str) -> int:
    number = int(name)
    if not 0 < number <= _MAX_NUMBER or str(number) != name:
        raise ValueError("not a key number")
    return number


def _root(text: str) -> bytes:
    try:
        root = base64.b64decode(text, validate=True)
    except Base64Error:
        raise ValueError("not base64") from None
    if len(root) != _KEY_OCTETS:
        raise ValueError("not 32 octets")
    return root


def _write(path: Path, contents: _Contents, *, is_new: bool) -> None:
    lines = [f'{number} = "{base64.b64encode(root).decode()}"' for number, root in sorted(contents.roots.items())]
    text = f"{_HEAD}current = {contents.current}\n\n[keys]\n" + "\n".join(lines) + "\n"
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            if not is_new:
                _keep_owner(path, file.fileno())
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            os.link(part, path)  # fails if somebody made one meanwhile
        else:
            part.replace(path)
    except OSError as error:
        raise CannotStart(f"The key file {path} cannot be written: {error.strerror}.") from None
    finally:
        part.unlink(missing_ok=True)


def _keep_owner(path: Path, descriptor: int) -> None:
    # Root may rotate the keys of a service that runs as somebody else, who must go on reading them.
    found = path.stat()
    if (found.st_uid, found.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(descriptor, found.st_uid, found.st_gid)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the folder of the key file for one change, and make the change durable at the end."""
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise CannotStart(f"The folder {path.parent} of the key file cannot be used: {error.strerror}.") from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
        os.fsync(folder)
    except BlockingIOError:
        raise Conflict("Another process is changing the key file; try again.") from None
    finally:
        os.close(folder)
