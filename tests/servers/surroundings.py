"""A program that tells what it finds itself in, so that tests can compare how it was started."""

import json
import logging
import os
import random
import signal
import sys
import threading
from pathlib import Path

import structlog

MAIN = "tests.servers.surroundings:main"


def main() -> None:
    """Print it as JSON, read standard input, say a word on standard errors, and end with exit code 7."""
    facts = {
        "arguments": sys.argv[1:],
        "folder": str(Path.cwd()),
        "first_path": sys.path[0],
        "environment": {name: value for name, value in os.environ.items() if name != "_"},
        "signals": {number.name: str(signal.getsignal(number)) for number in signal.Signals},
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "wakes": signal.set_wakeup_fd(-1),
        "threads": [threading.active_count(), len(list(Path("/proc/self/task").iterdir()))],
        "descriptors": sorted(int(each.name) for each in Path("/proc/self/fd").iterdir() if _is_open(each.name)),
        "handlers": len(logging.getLogger().handlers),
        "structlog": structlog.is_configured(),
        "streams": [
            [each.encoding, each.errors, each.line_buffering, each.write_through, each.isatty(), each.fileno()]
            for each in (sys.stdin, sys.stdout, sys.stderr)
        ],
        "umask": os.umask(0o077),
        "given": sys.stdin.read(),
    }
    differing = {"pid": os.getpid(), "session": os.getsid(0), "drawn": random.random()}
    sys.stdout.write(json.dumps([facts, differing]))
    sys.stderr.write("a word")
    sys.exit(7)


def _is_open(name: str) -> bool:
    try:
        os.fstat(int(name))
    except OSError:
        return False
    return True
