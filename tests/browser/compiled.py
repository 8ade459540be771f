"""Templates compiled once for all the portals of a test process; compiling them was most of a short test's work."""

from fastapi import FastAPI
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket


class Compiled(BytecodeCache):
    """Keeps what was compiled, under the template's name and the checksum of its source."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take a template that was compiled before; Jinja checks that its source is the same."""
        if (kept := self._kept.get(bucket.key)) is not None:
            bucket.bytecode_from_string(kept)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a template that was just compiled."""
        self._kept[bucket.key] = bucket.bytecode_to_string()


_COMPILED = Compiled()


def compile_once(app: FastAPI) -> None:
    """Have a portal share compiled templates with the others of this process; all have the same settings of Jinja."""
    app.state.portal.templates._environment.bytecode_cache = _COMPILED
