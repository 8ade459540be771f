"""Finding the line of a key, in every way that TOML lets it be written."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from valetkey.config.lines import places

TEXT = '''\
# comment with [brackets]
top = 1
"quoted key" = """
[not.a.table]
fake = 1
"""
list = [
  1, # ] not the end
  "]",
  2,
]
a.b.c = 3

[server]  # comment = yes
x = { y = [1], z = "}" }
after = 1

[[many]]
k = 1
[many.inner]
k = 2

[[many]]
k = 3
[many.inner]
'k' = 4
'''


def test_lines_are_found() -> None:
    found = places(TEXT)
    assert found["top",] == 2
    assert found["quoted key",] == 3
    assert ("fake",) not in found
    assert ("not",) not in found
    assert found["list",] == 7
    assert found["a", "b", "c"] == 12
    assert found["server",] == 14
    assert found["server", "x"] == 15
    assert found["server", "after"] == 16
    assert found["many", 0, "k"] == 19
    assert found["many", 0, "inner", "k"] == 21
    assert found["many", 1] == 23
    assert found["many", 1, "k"] == 24
    assert found["many", 1, "inner", "k"] == 26
    tomllib.loads(TEXT)


@given(st.text(max_size=200))
def test_no_text_is_too_strange(text: str) -> None:
    """Whatever stands in a file, the scanner ends and gives line numbers that exist."""
    last = max(1, len(text.splitlines()))
    assert all(1 <= line <= last for line in places(text).values())
