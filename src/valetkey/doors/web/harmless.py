"""Text that others wrote, made safe to stand among our own."""

import unicodedata

# Characters that turn the direction of text, or hide in it.
_TRICKS = {
    *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0x061C, 0x180E, 0xFEFF, 0x115F, 0x1160,
    0x3164, 0xFFA0, *range(0xE0000, 0xE0080),
}  # fmt: skip


def harmless(text: str) -> str:
    """Give text without characters that cannot be seen or that change how other text is read."""
    return "".join(
        c for c in text if ord(c) not in _TRICKS and (c in "\n\t" or unicodedata.category(c) not in {"Cc", "Cs", "Co"})
    )
