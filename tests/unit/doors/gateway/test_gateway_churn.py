"""The gateway when there is too little of something for a moment."""

import asyncio
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.doors.gateway_site import GatewaySite

from valetkey.wire.control import Question, Verb, encode_question


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Use up what this process may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = [os.dup(0)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (_highest() + 1, hard))
    try:
        while True:
            try:
                held.append(os.dup(0))
            except OSError:
                break
        yield
    finally:
        for each in held:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _highest() -> int:
    return max(int(each.name) for each in Path("/proc/self/fd").iterdir())


async def test_a_worker_without_descriptors_rests_and_answers_once_it_has_some(site: GatewaySite):
    loop, faults = asyncio.get_running_loop(), list[Any]()
    loop.set_exception_handler(lambda _, context: faults.append(context))
    with socket.socket(socket.AF_UNIX) as asking:
        asking.setblocking(False)
        with no_descriptor_left():
            asking.connect(str(site.settings.run_directory / f"worker-{site.name}.sock"))
            asking.send(encode_question(Question(Verb.PING)))
            await asyncio.sleep(0.1)  # for as many attempts as there are turns of the loop
        assert await asyncio.wait_for(loop.sock_recv(asking, 100), 30) == b'{"done":1}\n'
    assert not faults


def test_what_a_session_needs_is_loaded_before_it():
    """Without a descriptor left no module can be loaded any more, and a codec is one."""
    needs = {"valetkey.app.logs": "encodings.unicode_escape", "valetkey.wire.mailbox_name": "encodings.utf_16_be"}
    program = (
        f"import sys, {', '.join(needs)}; print([each for each in {list(needs.values())} if each not in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout == "[]\n"
