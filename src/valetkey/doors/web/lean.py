"""Style sheets and scripts without what only their readers need: comments, indentation, spaces.

Nothing is understood here, so the files keep to a few habits: no comment inside a value, no string over several lines, and
a `//` comment of a script on lines of its own.
"""

import re

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_AROUND = re.compile(r"\s*([{};])\s*")
_AFTER = re.compile(r"([:,]) ")
_OVER_LINES = re.compile(r"\n\s*")


def lean_css(text: str) -> str:
    """Shorten a style sheet; what it says stays the same."""
    shorter = _AROUND.sub(r"\1", _COMMENT.sub("", text))
    return _AFTER.sub(r"\1", _OVER_LINES.sub(" ", shorter)).replace(";}", "}").strip()


def lean_js(text: str) -> str:
    """Shorten a script; its lines stay lines, so that the place of an error can still be told."""
    lines = (line.strip() for line in text.split("\n"))
    return "\n".join("" if line.startswith("//") else line for line in lines)
