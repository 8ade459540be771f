"""What a Dovecot of the tests needs to ask Valetkey by our Lua script, as docs/servers/dovecot.md tells administrators."""

import os
import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.places import free_port

SCRIPT = Path(__file__).parents[2] / "src" / "valetkey" / "doors" / "dovecot" / "valetkey.lua"

MASTERS = """
passdb {
  driver = passwd-file
  args = {directory}/masters
  master = yes
  result_success = continue
}
"""


@dataclass
class Asking:
    """The script with its settings in a folder, and the section of the peer: one Dovecot that asks one Valetkey."""

    folder: Path
    name: str = "dovecot"
    holds: tuple[str, ...] = ("permissions", "folders")
    master_user: str = "gateway"
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        shutil.copy(SCRIPT, self.folder / "valetkey.lua")
        (self.folder / "rights").mkdir()
        (self.folder / "rights").chmod(0o711)
        if os.geteuid() == 0:
            shutil.chown(self.folder / "rights", "dovecot", "dovecot")
        self.secret_file.touch(mode=0o600)
        self.secret_file.write_text(self.secret + "\n")
        self.tell(self.secret)

    @property
    def secret_file(self) -> Path:
        """Valetkey's copy of the secret."""
        return self.folder / "peer-secret"

    def tell(self, secret: str) -> None:
        """Write the script's settings; Dovecot reads them when a process of it asks for the first time."""
        path = self.folder / "valetkey.settings"
        path.touch(mode=0o640)
        path.write_text(
            f"url = http://127.0.0.1:{self.port}\nsecret = {secret}\nacl_directory = {self.folder}/rights\n"
        )
        path.chmod(0o640)
        if os.geteuid() == 0:
            shutil.chown(path, "root", "dovecot")

    @property
    def passdbs(self) -> str:
        """The lines of Dovecot 2.3: the gateway's master user, the script, and what the script's fields need."""
        return f"""{MASTERS}
passdb {{
  driver = lua
  args = file={self.folder}/valetkey.lua blocking=yes
}}
userdb {{
  driver = prefetch
  result_success = continue
}}
"""

    @property
    def sections(self) -> tuple[str, ...]:
        """The lines of Valetkey's configuration."""
        holds = ", ".join(f'"{each}"' for each in self.holds)
        door = f'[[door]]\nkind = "http"\nlisten = "127.0.0.1:{self.port}"\n'
        who = f'[[peer]]\nname = "{self.name}"\nsecret_file = "{self.secret_file}"\n'
        return door, f'{who}holds = [{holds}]\nmaster_user = "{self.master_user}"\n'
