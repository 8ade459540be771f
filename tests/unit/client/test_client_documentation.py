"""What docs/api.md says about client and command line is true: its examples run."""

import io
import os
import re
import shlex
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

from tests.verbs.api_site import ApiSite
from tests.verbs.site import Person

from valetkey.core.role import OWN_ACTIONS, Role

PAGE = (Path(__file__).parents[3] / "docs" / "api.md").read_text()
PYTHON = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = re.findall(r"^valetkey --server https://mail\.example\.org (.*)$", PAGE, re.MULTILINE)


def test_the_example_in_python(site: ApiSite, alice: Person) -> None:
    (example,) = PYTHON
    said = io.StringIO()
    with redirect_stdout(said):
        exec(compile(example, "docs/api.md", "exec"), {"portal": site.url, "token": site.token(alice)})
    made, listed, missing = said.getvalue().splitlines()
    assert re.fullmatch(r"ap_\w+ vkey-[a-z-]+", made)
    assert listed == "Door camera never used"
    assert missing.startswith("404 ")


def test_the_commands(site: ApiSite, alice: Person, tmp_path: Path) -> None:
    """As processes, as somebody types them; the token is in the usual file."""
    scanner = site.do(lambda: site.house.shared("scanner@example.org", owner=alice))
    tokens = {
        "whoami": site.token(alice),
        "app-password": site.token(alice, account_id=scanner.id, actions=OWN_ACTIONS),
        "audit": site.token(site.person("ada@example.org", role=Role.ADMIN)),
    }
    file = tmp_path / ".config" / "valetkey" / "token"
    file.parent.mkdir(parents=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VALETKEY")}
    for command in COMMANDS:
        words = shlex.split(command)
        file.write_text(tokens.pop(words[0]))
        file.chmod(0o600)
        done = subprocess.run(
            [sys.executable, "-m", "valetkey", "--server", site.url, *words],
            env={**environment, "HOME": str(tmp_path), "XDG_CONFIG_HOME": ""},
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout
    assert tokens == {}
