"""The colours of the style sheet against WCAG 2.2: 4.5:1 for text (1.4.3), 3:1 for edges of fields (1.4.11)."""

import re
from importlib.resources import files

import pytest

CSS = files("valetkey.doors.web").joinpath("static", "tokens.css").read_text()
LIGHT, DARK = (
    dict(re.findall(r"--([a-z-]+):\s*(#[0-9a-f]{6})", block))
    for block in re.findall(r":root \{(.*?)\n\s*\}", CSS, re.DOTALL)[:2]
)
TEXT = [
    ("ink", "paper"), ("ink", "surface"), ("ink", "sunk"), ("ink", "tint"), ("ink", "bad-tint"), ("ink", "warn-tint"),
    ("soft", "paper"), ("soft", "surface"), ("soft", "sunk"), ("soft", "tint"), ("accent", "paper"), ("accent", "surface"),
    ("accent", "tint"), ("accent-over", "tint"), ("accent-over", "surface"), ("on-accent", "accent"),
    ("on-accent", "accent-over"), ("warn", "warn-tint"), ("bad", "paper"), ("bad", "surface"), ("bad", "sunk"),
    ("bad", "bad-tint"), ("on-bad", "bad"), ("on-bad", "bad-over"),
    ("ink", "info-tint"), ("soft", "info-tint"), ("info", "info-tint"), ("info", "surface"), ("accent", "sunk"),
    ("warn", "surface"), ("accent-over", "paper"), ("accent-over", "sunk"), ("bad-over", "surface"), ("soft", "bad-tint"),
]  # fmt: skip
EDGES = [("edge", "surface"), ("edge", "paper"), ("edge", "sunk"), ("accent", "paper"), ("brass", "surface")]
EDGES += [(f"chart-{ink}", ground) for ink in "abcdef" for ground in ("surface", "sunk")]
EDGES += [(tone, f"{tone}-tint") for tone in ("warn", "bad", "info")]


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_text_can_be_read_and_fields_be_found(colours: dict[str, str]) -> None:
    weak = {pair: round(contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in TEXT}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < 4.5} == {}
    edges = {pair: round(contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in EDGES}
    assert {pair: ratio for pair, ratio in edges.items() if ratio < 3} == {}
