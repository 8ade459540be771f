"""The system's clock and chance."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta

from valetkey.adapters.clock import SystemClock
from valetkey.adapters.entropy import SystemEntropy


def test_the_time_is_now_and_aware():
    now = SystemClock().now()
    assert now.tzinfo is UTC
    assert abs(datetime.now(UTC) - now) < timedelta(seconds=5)


def test_an_id_has_its_prefix_and_eighty_bits():
    ids = {SystemEntropy().new_id("ap") for _ in range(1000)}
    assert len(ids) == 1000
    assert all(re.fullmatch("ap_[a-z2-7]{16}", each) for each in ids)


def test_every_symbol_is_drawn():
    drawn = Counter(SystemEntropy().choose("abcd") for _ in range(4000))
    assert set(drawn) == set("abcd")
    assert min(drawn.values()) > 800  # 1000 expected, deviation 27: below 800 once in 10^13 runs


def test_octets_are_drawn_anew():
    assert len({SystemEntropy().octets(16) for _ in range(100)}) == 100
    assert len(SystemEntropy().octets(5)) == 5
