"""Telling where a bug is without showing what was in its hands: tracebacks with local values would hold secrets."""

import traceback


def place_of(error: BaseException) -> str:
    """Name an error's kind and the lines that it came through, without its text and without any value."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
    return f"{type(error).__name__} in {lines or 'an unknown place'}"
