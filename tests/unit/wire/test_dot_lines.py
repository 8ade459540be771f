import pytest

from valetkey.wire.dot_lines import DotEnd, LineEndCheck


@pytest.mark.parametrize(
    ("text", "end"),
    [
        (b".\r\n", 3),
        (b"\r\n.\r\n", 5),
        (b"a\r\n.\r\nb", 6),
        (b"a\r\n..\r\n.\r\n", 10),
        (b"a\r\n.\n.\r\n", -1),
        (b"a\n.\r\n", -1),
        (b"a\r.\r\n", -1),
        (b"a\r\n.\r", -1),
        (b"a.\r\n", -1),
    ],
)
def test_the_end_is_found_however_the_text_is_cut(text, end):
    for size in range(1, len(text) + 1):
        finder, seen = DotEnd(), 0
        for start in range(0, len(text), size):
            part = text[start : start + size]
            found = finder.find(part)
            if found >= 0:
                assert start + found == end
                break
            seen += len(part)
        else:
            assert end == -1


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        (b"", True),
        (b"a\r\nb\r\n", True),
        (b"\r\n\r\n\r\n", True),
        (b"a\nb", False),
        (b"\n", False),
        (b"a\rb", False),
        (b"\r\r\n", False),
        (b"\r\n\n", False),
        (b"\n\r", False),
        (b"a\r\nb\rc\nd", False),
    ],
)
def test_bare_line_ends_are_seen_however_the_text_is_cut(text, passes):
    for size in range(1, len(text) + 1):
        check = LineEndCheck()
        parts = [text[start : start + size] for start in range(0, len(text), size)]
        assert all(check.passes(part) for part in parts) == passes


def test_a_cr_at_the_end_is_judged_with_the_next_slice():
    check = LineEndCheck()
    assert check.passes(b"a\r")
    assert check.passes(b"")
    assert not check.passes(b"b")
