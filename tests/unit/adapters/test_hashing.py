"""Argon2id: what it accepts, what it costs whoever asks, and what happens when too many ask."""

import asyncio
import time

import pytest
from argon2 import extract_parameters

from valetkey.adapters.hashing import Argon2Hasher, Settings
from valetkey.core.errors import Unavailable

QUICK = Settings(memory=64, passes=1)


@pytest.fixture
def hasher():
    made = Argon2Hasher(QUICK)
    yield made
    made.close()


async def test_a_password_is_verified_and_another_is_not(hasher):
    hashed = await hasher.hash("correct horse")
    assert await hasher.verify(hashed, "correct horse") is True
    assert await hasher.verify(hashed, "correct hors") is False
    assert await hasher.verify(hashed, "correct horse ") is False
    assert await hasher.verify(hashed, "") is False


async def test_two_hashes_of_one_password_differ(hasher):
    assert await hasher.hash("same") != await hasher.hash("same")


@pytest.mark.parametrize("password", ["nul \0 octet", "ünïcödé 💌", "half \ud800 pair", "x" * 4096, ""])
async def test_every_text_is_a_password(hasher, password):
    hashed = await hasher.hash(password)
    assert await hasher.verify(hashed, password) is True
    assert await hasher.verify(hashed, password + "\0") is False


async def test_nobodys_password_is_never_right(hasher):
    for password in ("", "x", "valetkey: nobody has this password"):
        assert await hasher.verify(None, password) is False


async def test_what_is_too_long_is_false_and_not_cut(hasher):
    hashed = await hasher.hash("x" * 4096)
    assert await hasher.verify(hashed, "x" * 4097) is False
    with pytest.raises(ValueError, match="too long"):
        await hasher.hash("x" * 4097)


@pytest.mark.parametrize("hashed", ["", "$argon2id$", "plain", "$argon2id$v=19$m=64,t=1,p=1$AAAA", "ü"])
async def test_a_damaged_hash_is_no_wrong_password(hasher, hashed):
    with pytest.raises(Unavailable, match="damaged"):
        await hasher.verify(hashed, "x")


async def test_the_default_cost_is_the_stated_one():
    hasher = Argon2Hasher()
    found = extract_parameters(await hasher.hash("x"))
    hasher.close()
    assert (found.memory_cost, found.time_cost, found.parallelism, found.type.name) == (19456, 2, 1, "ID")
    assert (found.hash_len, found.salt_len) == (32, 16)


async def test_nobody_costs_as_much_as_somebody():
    """The dummy hash has the same parameters as a real one, so it is the same work."""
    hasher = Argon2Hasher(Settings(memory=8192, passes=2))
    assert extract_parameters(hasher._nobodys) == extract_parameters(await hasher.hash("x"))
    hasher.close()


async def test_the_event_loop_goes_on_meanwhile():
    hasher = Argon2Hasher(Settings(memory=65536, passes=4))
    hashing = asyncio.create_task(hasher.hash("x"))
    turns = 0
    while not hashing.done():
        await asyncio.sleep(0)
        turns += 1
    hasher.close()
    assert turns > 10


async def test_a_crowd_is_turned_away_at_once():
    hasher = Argon2Hasher(Settings(memory=16384, passes=2, threads=1, waiting=3))
    answers = await asyncio.gather(*(hasher.hash(str(number)) for number in range(20)), return_exceptions=True)
    turned_away = [answer for answer in answers if isinstance(answer, Unavailable)]
    assert len(turned_away) == 16
    assert await hasher.verify(next(answer for answer in answers if isinstance(answer, str)), "0") is True
    hasher.close()


async def test_waiting_has_a_deadline():
    hasher = Argon2Hasher(Settings(memory=65536, passes=4, deadline=0.01))
    began = time.monotonic()
    with pytest.raises(Unavailable, match="too long"):
        await hasher.hash("x")
    assert time.monotonic() - began < 30
    hasher.close()
