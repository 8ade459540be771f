"""Reads settings as Dovecot and nginx print their own: words, and blocks in braces. Nothing is run or resolved."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

_MOST_DEPTH = 32
_MOST_INCLUDES = 8  # one within the other
_FILE = re.compile(r"^# configuration file (.+):$", re.MULTILINE)


@dataclass(slots=True)
class Block:
    """A block: its head (such as `passdb lua`), its settings in their order, and the blocks in it."""

    head: tuple[str, ...] = ()
    settings: list[tuple[str, str]] = field(default_factory=list)
    blocks: list["Block"] = field(default_factory=list)

    def value(self, name: str, default: str = "") -> str:
        """Give a setting, the last one said; `default` if it is not there."""
        return next((value for key, value in reversed(self.settings) if key == name), default)

    def has(self, name: str) -> bool:
        """Tell whether a setting is there."""
        return any(key == name for key, _ in self.settings)

    def under(self, name: str) -> Iterator["Block"]:
        """Give the blocks in it whose head begins with this word."""
        return (block for block in self.blocks if block.head[:1] == (name,))


def read_dovecot(text: str) -> Block:
    """Read what `doveconf -n` prints: a setting or a brace on each line."""
    top = Block()
    open_blocks = [top]
    for line in map(str.strip, text.splitlines()):
        if line.startswith("#") or not line:
            continue
        if line == "}":
            if len(open_blocks) > 1:
                open_blocks.pop()
        elif line.endswith("{"):
            block = Block(tuple(line[:-1].split()))
            open_blocks[-1].blocks.append(block)
            if len(open_blocks) < _MOST_DEPTH:
                open_blocks.append(block)
        elif "=" in line:
            key, _, value = line.partition("=")
            open_blocks[-1].settings.append((key.strip(), value.strip().strip('"').strip()))
    return top


def read_nginx(dump: str) -> Block:
    """Read what `nginx -T` prints: one file after the other, each below a comment that names it; includes are put in."""
    marks = list(_FILE.finditer(dump))
    if not marks:
        return _NginxFiles({}).read(dump)
    ends = [*(mark.start() for mark in marks[1:]), len(dump)]
    files = {mark[1]: dump[mark.end() : end] for mark, end in zip(marks, ends, strict=True)}
    return _NginxFiles(files).read(files[marks[0][1]])


class _NginxFiles:
    """The files of one configuration."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files
        self._folder = next(iter(files), "").rpartition("/")[0]

    def read(self, text: str) -> Block:
        top = Block()
        self._into(top, text, 0)
        return top

    def _into(self, top: Block, text: str, depth: int) -> None:
        """Read words up to a semicolon or a brace, in quotes where they hold spaces."""
        open_blocks = [top]
        words: list[str] = []
        for kind, word in _tokens(text):
            if kind == "word":
                words.append(word)
                continue
            if word == "{":
                block = Block(tuple(words))
                open_blocks[-1].blocks.append(block)
                if len(open_blocks) < _MOST_DEPTH:
                    open_blocks.append(block)
            elif word == "}":
                del open_blocks[max(1, len(open_blocks) - 1) :]
            elif words[:1] == ["include"] and depth < _MOST_INCLUDES:
                self._include(open_blocks[-1], words[-1], depth)
            elif words:
                open_blocks[-1].settings.append((words[0], " ".join(words[1:])))
            words = []

    def _include(self, block: Block, pattern: str, depth: int) -> None:
        wanted = pattern if pattern.startswith("/") else f"{self._folder}/{pattern}"
        for path in sorted(self._files):
            if fnmatchcase(path, wanted):
                self._into(block, self._files[path], depth + 1)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at, end = 0, len(text)
    while at < end:
        c = text[at]
        if c == "#":
            at = text.find("\n", at)
            if at < 0:
                return
        elif c.isspace():
            at += 1
        elif c in "{};":
            yield "mark", c
            at += 1
        elif c in "\"'":
            at, word = _quoted(text, at)
            yield "word", word
        else:
            start = at
            while at < end and not text[at].isspace() and text[at] not in "{};":
                at += 1
            yield "word", text[start:at]


def _quoted(text: str, start: int) -> tuple[int, str]:
    """Read a word in quotes; gives where it ends, and the word."""
    mark, at, parts = text[start], start + 1, []
    while at < len(text) and text[at] != mark:
        if text[at] == "\\":
            at += 1
        parts.append(text[at : at + 1])
        at += 1
    return at + 1, "".join(parts)
