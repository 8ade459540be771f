"""Shortening changes what readers see of style sheets and scripts, never what browsers see."""

from importlib.resources import files

import pytest

from valetkey.doors.web.lean import lean_css, lean_js

STATIC = files("valetkey.doors.web").joinpath("static")
SHEETS = sorted(entry.name for entry in STATIC.iterdir() if entry.name.endswith(".css"))


def test_a_style_sheet_is_shortened() -> None:
    text = "/* Why. */\n.a > .b:hover,\n.c :is(p, ul) {\n  margin: calc(1rem + 2px) 0; color: red;\n}\n@media (max-width: 9rem) { a { b: c; } }\n"
    assert lean_css(text) == (
        ".a > .b:hover,.c :is(p,ul){margin:calc(1rem + 2px) 0;color:red}@media (max-width:9rem){a{b:c}}"
    )


def test_a_script_keeps_its_lines_and_its_addresses() -> None:
    assert lean_js('// Why.\nif (a) {\n  b("https://c"); // d\n}\n') == '\nif (a) {\nb("https://c"); // d\n}\n'


@pytest.mark.parametrize("name", SHEETS)
def test_strings_in_style_sheets_are_kept(name: str) -> None:
    text = STATIC.joinpath(name).read_text()
    short = lean_css(text)
    assert [part for part in text.split('"')[1::2] if f'"{part}"' not in short] == []
    assert short.count("{") == text.count("{")
    assert len(short) < len(text)
