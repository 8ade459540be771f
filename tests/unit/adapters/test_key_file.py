"""The key file: what it holds, what it refuses, and how a rotation reaches running processes."""

import base64
import fcntl
import hmac
import os
import threading

import pytest

from valetkey.adapters.keys import KeyFile
from valetkey.core.errors import CannotStart, Conflict, Unavailable
from valetkey.service.ports import KeyPurpose


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys.toml"


@pytest.fixture
def keys(path):
    return KeyFile.create(path)


def test_a_new_file_holds_one_key_and_is_its_owners_alone(keys, path):
    assert (keys.current, keys.numbers) == (1, (1,))
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_file_is_not_made_twice(keys, path):
    before = path.read_bytes()
    with pytest.raises(CannotStart, match="not overwritten"):
        KeyFile.create(path)
    assert path.read_bytes() == before


def test_read_again_it_is_the_same(keys, path):
    again = KeyFile.load(path)
    for purpose in KeyPurpose:
        assert again.derive(purpose, 1) == keys.derive(purpose, 1)


def test_each_purpose_and_number_has_its_own_key(keys, path):
    KeyFile.rotate(path)
    derived = {keys.derive(purpose, number) for purpose in KeyPurpose for number in (1, 2)}
    assert len(derived) == 2 * len(KeyPurpose)
    assert {len(key) for key in derived} == {32}
    root = base64.b64decode(path.read_text().partition('1 = "')[2].partition('"')[0])
    assert root not in derived


def test_derivation_is_the_documented_one(path):
    """HKDF-SHA-256 without salt, info "valetkey 1 <purpose>": fixed, for what is stored depends on it."""
    path.touch(0o600)
    path.write_text(f'current = 1\n[keys]\n1 = "{base64.b64encode(bytes(range(32))).decode()}"\n')
    assert KeyFile.load(path).derive(KeyPurpose.INDEX, 1) == hkdf(bytes(range(32)), b"valetkey 1 index")


def hkdf(root, info):
    """RFC 5869 sections 2.2 and 2.3 for one block, written anew."""
    extracted = hmac.digest(bytes(32), root, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


def test_an_unknown_number_is_a_key_error(keys):
    with pytest.raises(KeyError):
        keys.derive(KeyPurpose.TAG, 2)


def test_neither_repr_nor_state_shows_a_key(keys, path):
    root = path.read_text().partition('1 = "')[2].partition('"')[0]
    keys.derive(KeyPurpose.TAG, 1)
    assert root not in repr(keys)
    assert root not in repr(keys._contents)


def test_rotation_adds_a_key_and_keeps_the_old(keys, path):
    before = keys.derive(KeyPurpose.TAG, 1)
    assert KeyFile.rotate(path) == 2
    assert KeyFile.rotate(path) == 3
    assert (keys.current, keys.numbers) == (3, (3, 2, 1))
    assert keys.derive(KeyPurpose.TAG, 1) == before
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_running_process_derives_a_key_that_it_has_not_seen(keys, path):
    KeyFile.rotate(path)
    assert keys.derive(KeyPurpose.TAG, 2) == KeyFile.load(path).derive(KeyPurpose.TAG, 2)


def test_reload_tells_whether_something_is_new(keys, path):
    assert keys.reload_if_changed() is False
    KeyFile.rotate(path)
    assert keys.reload_if_changed() is True
    assert keys.reload_if_changed() is False


def test_a_running_process_goes_on_when_the_file_is_lost_or_broken(keys, path):
    before = keys.derive(KeyPurpose.TAG, 1)
    path.write_text("broken")
    assert (keys.current, keys.numbers) == (1, (1,))
    path.unlink()
    assert (keys.current, keys.numbers) == (1, (1,))
    assert keys.derive(KeyPurpose.TAG, 1) == before
    assert keys.unseal(keys.seal(b"x", "c"), "c") == b"x"


def test_a_running_process_does_not_take_another_databases_file(keys, path, tmp_path):
    other = tmp_path / "other"
    KeyFile.create(other)
    KeyFile.rotate(other)
    other.replace(path)
    assert keys.numbers == (1,)


def test_a_number_that_was_taken_out_stays_known_while_the_process_runs(keys, path):
    old = path.read_text().partition('1 = "')[2].partition('"')[0]
    KeyFile.rotate(path)
    text = path.read_text().replace(f'1 = "{old}"\n', "")
    path.write_text(text)
    assert keys.numbers == (2, 1)
    assert KeyFile.load(path).numbers == (2,)


def test_two_rotations_at_once_are_two_keys_or_a_conflict(keys, path):
    outcomes = []

    def rotate():
        try:
            outcomes.append(KeyFile.rotate(path))
        except Conflict:
            outcomes.append(None)

    threads = [threading.Thread(target=rotate) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = [number for number in outcomes if number is not None]
    assert sorted(made) == list(range(2, 2 + len(made)))
    assert made
    assert KeyFile.load(path).numbers[0] == max(made)


def test_a_rotation_waits_for_nobody(keys, path):
    folder = os.open(path.parent, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    with pytest.raises(Conflict, match="try again"):
        KeyFile.rotate(path)
    os.close(folder)
    assert KeyFile.rotate(path) == 2


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610])
def test_a_file_that_others_may_use_is_refused_with_the_mend(keys, path, mode):
    path.chmod(mode)
    with pytest.raises(CannotStart, match=f"chmod 600 {path}"):
        KeyFile.load(path)
    path.chmod(0o600)
    KeyFile.load(path)


def test_a_rotated_file_keeps_its_owner(keys, path):
    """Root may rotate the keys of a service that runs as somebody else."""
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
    before = path.stat()
    KeyFile.rotate(path)
    after = path.stat()
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)


def test_a_missing_file_says_so(path):
    with pytest.raises(CannotStart, match="missing"):
        KeyFile.load(path)
    with pytest.raises(CannotStart, match="missing"):
        KeyFile.rotate(path)


def test_a_missing_folder_says_so(tmp_path):
    with pytest.raises(CannotStart, match="folder"):
        KeyFile.create(tmp_path / "missing" / "keys.toml")


def test_a_folder_in_its_place_says_so(tmp_path):
    tmp_path.chmod(0o700)
    with pytest.raises(CannotStart, match="cannot be read"):
        KeyFile.load(tmp_path)


GOOD = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\xff\xfe",
        "current = 1",
        "current = 1\n[keys]",
        f'current = 2\n[keys]\n1 = "{GOOD}"',
        f'current = "1"\n[keys]\n1 = "{GOOD}"',
        f'current = 1\nother = 2\n[keys]\n1 = "{GOOD}"',
        f'current = 1\n[keys]\n1 = "{GOOD[:-4]}"',
        'current = 1\n[keys]\n1 = "not base64 ü"',
        "current = 1\n[keys]\n1 = 5",
        "current = 1\nkeys = 3",
        f'current = 1\n[keys]\n1 = "{GOOD}"\n0 = "{GOOD}"',
        f'current = 1\n[keys]\n1 = "{GOOD}"\n01 = "{GOOD}"',
        f'current = 1\n[keys]\n1 = "{GOOD}"\n-1 = "{GOOD}"',
        f'current = 1\n[keys]\n1 = "{GOOD}"\n4294967296 = "{GOOD}"',
        f'current = 1\n[keys]\n1 = "{GOOD}"\none = "{GOOD}"',
        f'current = 1\n[keys]\n1 = "{GOOD}"\n' + "#" * 70_000,
    ],
)
def test_a_damaged_file_is_refused_without_showing_it(path, text):
    path.touch(0o600)
    path.write_text(text, encoding="latin-1")
    with pytest.raises(CannotStart, match="damaged") as caught:
        KeyFile.load(path)
    assert GOOD not in str(caught.value)
    assert caught.value.__cause__ is None


def test_what_is_sealed_opens_for_its_context_alone(keys):
    sealed = keys.seal(b"seed", "totp to_1")
    assert keys.unseal(sealed, "totp to_1") == b"seed"
    with pytest.raises(Unavailable, match="does not belong"):
        keys.unseal(sealed, "totp to_2")


def test_the_same_is_never_sealed_the_same(keys):
    assert len({keys.seal(b"seed", "c") for _ in range(100)}) == 100
    assert b"seed" not in keys.seal(b"seed", "c")


def test_every_flipped_octet_is_noticed(keys):
    sealed = keys.seal(b"seed", "c")
    for at in range(len(sealed)):
        broken = bytearray(sealed)
        broken[at] ^= 1
        with pytest.raises(Unavailable):
            keys.unseal(bytes(broken), "c")


@pytest.mark.parametrize("length", [0, 1, 5, 17, 32])
def test_a_cut_value_is_damaged(keys, length):
    with pytest.raises(Unavailable, match="damaged"):
        keys.unseal(keys.seal(b"seed", "c")[:length], "c")


def test_what_an_older_key_sealed_opens_after_a_rotation(keys, path):
    sealed = keys.seal(b"seed", "c")
    KeyFile.rotate(path)
    assert keys.unseal(sealed, "c") == b"seed"
    newer = keys.seal(b"seed", "c")
    assert (sealed[:5], newer[:5]) == (b"\x01\0\0\0\x01", b"\x01\0\0\0\x02")
    assert KeyFile.load(path).unseal(newer, "c") == b"seed"


def test_a_key_that_is_gone_is_named(keys, path, tmp_path):
    KeyFile.rotate(path)
    sealed = keys.seal(b"seed", "c")
    fewer = KeyFile.create(tmp_path / "fewer")
    with pytest.raises(Unavailable, match="Key 2"):
        fewer.unseal(sealed, "c")


def test_an_empty_value_is_sealed_too(keys):
    assert keys.unseal(keys.seal(b"", ""), "") == b""
