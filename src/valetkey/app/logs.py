"""Log lines: names and values, text on a terminal and JSON elsewhere. Nothing of the shape of an app password or an API token gets in."""

import codecs
import json
import logging
import re
import sys
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

# `vkey` and its letters in whatever grouping; a shorter run behind the prefix is masked too, in case it was cut.
_BETWEEN = "[\\s\u00ad\u180e\u200b-\u200f\u2010-\u2015\u2060\u2212\ufe58\ufe63\uff0d\ufeff\u30fc_-]*"
_SECRET = re.compile(f"v{_BETWEEN}k{_BETWEEN}e{_BETWEEN}y(?:{_BETWEEN}[a-z]){{12,24}}(?![a-z])", re.IGNORECASE)
# An API token, cut or whole.
_TOKEN = re.compile("vkt_[a-z0-9]{12,}", re.IGNORECASE)
_SHORTEST_SECRET = 16  # characters: the prefix and twelve letters, of either kind
_MASK, _TOKEN_MASK = "vkey-***", "vkt_***"
_MAX_TEXT = 20_000  # what is longer is not looked at
_CONSTANTS = {None: "null", True: "true", False: "false"}
# Found once: Python reads a file for it, and where no descriptor is left a line has to be written all the same.
_escaped = codecs.getencoder("unicode_escape")
_format_exception = structlog.processors.ExceptionRenderer()
_HEAD, _TAIL = 1000, 3000  # what is kept of a long text; the end of a traceback says most


def set_up_logging(log_format: str, level: str, stream: TextIO | None = None) -> None:
    """Send our log lines, and those of the libraries, through the same rules to one stream.

    Args:
        log_format: auto, text or json.
        level: debug, info, warning or error.
        stream: Where they go; standard error if none is given.
    """
    target = stream or sys.stderr
    is_text = log_format == "text" or (log_format == "auto" and target.isatty())
    to_text = structlog.dev.ConsoleRenderer(colors=target.isatty(), pad_event_to=0)
    own: list[Processor] = [stamped, cleaned, to_text] if is_text else [stamped, json_line]
    # Our own lines go past `logging`: through it they were a sixth of what a login costs.
    lines = _Lines(stream)
    structlog.configure(
        processors=own,
        wrapper_class=structlog.make_filtering_bound_logger(_number(level)),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[stamped],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *own[1:]],
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(_number(level))
    for name in ("alembic", "sqlalchemy", "asyncio", "httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn.access", "uvicorn.error"):
        # Its warnings are of requests that nobody can read; who sends thousands would fill the disk with them.
        logging.getLogger(name).setLevel(logging.ERROR)


class _Lines:
    """Writes rendered lines, whole ones; what cannot be written is dropped, for a full disk is no reason to stop."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, line: str) -> None:
        """Write one line."""
        stream = self._stream or sys.stderr
        try:  # cheaper than a context manager, for every login
            stream.write(line + "\n")
            stream.flush()
        except (OSError, ValueError):  # ValueError: it is closed, or has no such characters
            return

    # structlog calls a method by the name of the level.
    debug = info = warning = error = critical = write


def stamped(_: WrappedLogger, level: str, event: EventDict) -> EventDict:
    """Add level, time and traceback to a line."""
    event["level"] = level
    event["timestamp"] = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return _format_exception(None, level, event) if "exc_info" in event else event


def cleaned(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Mask what looks like an app password or an API token and escape what a terminal would obey, in every text of a line."""
    exception = event.pop("exception", None)
    found = {_clean_name(key): _clean(value) for key, value in event.items()}
    if exception:
        found["exception"] = _clean_exception(exception)
    return found


def json_line(_: WrappedLogger, __: str, event: EventDict) -> str:
    """Write an event as one line of JSON, `cleaned`. The two in one go: a login waits for its line."""
    exception = event.pop("exception", None)
    parts = [_json_name(name) + _json_value(value) for name, value in event.items()]
    if exception:
        parts.append(_json_name("exception") + quoted(_clean_exception(exception)))
    return "{" + ", ".join(parts) + "}"


@lru_cache(256)  # the same few names in every line
def _json_name(name: str) -> str:
    return quoted(_clean_name(name)) + ": "


def _json_value(value: Any) -> str:
    if type(value) is str:
        if len(value) >= _SHORTEST_SECRET or not value.isprintable():
            value = _shortened(_clean_text(value))
        return quoted(value)
    if value is None or value is True or value is False:
        return _CONSTANTS[value]
    return json.dumps(_clean(value))


def _clean_exception(exception: Any) -> str:
    return _shortened("\n".join(_clean_text(line) for line in str(exception).splitlines()))


@lru_cache(256)
def _clean_name(name: str) -> str:
    return _clean_text(str(name))


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        if len(value) < _SHORTEST_SECRET and value.isprintable():
            return value  # most values of a login's line, which is written for every login
        return _shortened(_clean_text(value))
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} octets>"
    if isinstance(value, dict):
        return {_clean_text(str(key)): _clean(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(inner) for inner in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return _shortened(_clean_text(str(value)))


def _clean_text(text: str) -> str:
    masked = text
    if len(text) >= _SHORTEST_SECRET and ("v" in text or "V" in text):
        masked = _TOKEN.sub(_TOKEN_MASK, _SECRET.sub(_MASK, text[:_MAX_TEXT]))
    masked = masked.rstrip("\n")
    if masked.isprintable():
        return masked
    return "".join(c if c.isprintable() else _escaped(c)[0].decode() for c in masked)


def _shortened(text: str) -> str:
    return text if len(text) <= _HEAD + _TAIL else f"{text[:_HEAD]} … {text[-_TAIL:]}"


def _number(level: str) -> int:
    return {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}.get(level, logging.ERROR)
