"""What one check costs where a slow hash keeps the secret: Argon2id, bcrypt and SHA-512-crypt, CPU on one core."""

import ctypes
import ctypes.util
import time
from collections.abc import Callable
from statistics import median

from argon2 import PasswordHasher, Type

_SECRET = "vkey-abcd-efgh-ijkl-mnop-qrst-uvwx"
_BCRYPT_10 = b"$2b$10$abcdefghijklmnopqrstuu"
_SHA512_CRYPT = b"$6$saltsaltsaltsalt$"  # 5000 rounds


def argon2id() -> float:
    """Verify one Argon2id hash (19 MiB, two passes, one lane); gives microseconds of CPU."""
    hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, salt_len=16, type=Type.ID)
    hashed = hasher.hash(_SECRET)
    return _cost(lambda: hasher.verify(hashed, _SECRET), times=9)


def crypt_bcrypt() -> float | None:
    """Verify one bcrypt hash of cost 10 by the system's libcrypt; None where it has none."""
    return _crypt(_BCRYPT_10, times=5)


def crypt_sha512() -> float | None:
    """Verify one SHA-512-crypt hash of 5000 rounds by the system's libcrypt; None where it has none."""
    return _crypt(_SHA512_CRYPT, times=15)


def _crypt(setting: bytes, times: int) -> float | None:
    name = ctypes.util.find_library("crypt")
    if name is None:
        return None
    crypt = ctypes.CDLL(name).crypt
    crypt.restype = ctypes.c_char_p
    hashed = crypt(_SECRET.encode(), setting)
    if not hashed or not hashed.startswith(setting[:7]):
        return None
    return _cost(lambda: crypt(_SECRET.encode(), setting), times)


def _cost(work: Callable[[], object], times: int) -> float:
    spent = []
    for _ in range(times):
        begin = time.thread_time_ns()
        work()
        spent.append((time.thread_time_ns() - begin) / 1000)
    return median(spent)
