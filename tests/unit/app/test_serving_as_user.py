"""Becoming the configured user after the ports are bound."""

import os
import pwd
import subprocess
import sys

import pytest

from valetkey.app.serving import _become
from valetkey.core.errors import CannotStart


def test_nobody_configured_and_oneself_change_nothing() -> None:
    before = os.geteuid()
    _become("")
    _become(pwd.getpwuid(before).pw_name)
    assert os.geteuid() == before


def test_an_unknown_user_is_a_sentence() -> None:
    with pytest.raises(CannotStart, match="There is no system user no-such-user"):
        _become("no-such-user")


def test_root_becomes_the_user_and_nobody_else_can() -> None:
    program = (
        "import os; from valetkey.app.serving import _become; _become('nobody'); print(os.getresuid(), os.getgroups())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    if os.geteuid() == 0:
        entry = pwd.getpwnam("nobody")
        assert done.stdout.strip() == f"{(entry.pw_uid,) * 3} {[entry.pw_gid]}"
    else:
        assert "Only root can become nobody" in done.stderr
