"""Valetkey's side, as the recorded servers know it."""

from collections.abc import Sequence
from pathlib import Path

from valetkey.app.connecting.parts import Place, Setup
from valetkey.core.limits import Held
from valetkey.doors.asked.settings import DoorKind
from valetkey.doors.cli.front import Finding, Level

RECORDED = Path(__file__).parent / "recorded"
SECRET = "a-secret-of-this-peer"
PLACES = {
    DoorKind.HTTP: Place("127.0.0.1", 9080),
    DoorKind.SASL: Place("127.0.0.1", 9081),
    DoorKind.POLICY: Place("127.0.0.1", 9082),
    DoorKind.SOCKETMAP: Place("127.0.0.1", 9083),
    DoorKind.RADIUS: Place("127.0.0.1", 1812),
    DoorKind.LDAP: Place("127.0.0.1", 3890),
    DoorKind.SASLAUTHD: Place(socket=Path("/var/spool/valetkey/saslauthd")),
    DoorKind.AUTHDAEMON: Place(socket=Path("/run/courier/authdaemon/socket")),
}
HOLDS = frozenset({Held.PERMISSIONS, Held.FOLDERS, Held.RECIPIENTS, Held.SENDING})


def setup(version: str = "", peer: str = "peer", **more: object) -> Setup:
    """Give it, for a server of a version."""
    return Setup(version, peer, PLACES, SECRET, HOLDS, **more)  # type: ignore[arg-type]


def bad(found: Sequence[Finding]) -> list[str]:
    """Give what is wrong; each has to say how it is mended."""
    assert all(finding.mend for finding in found if finding.level is not Level.GOOD)
    return [finding.what for finding in found if finding.level is not Level.GOOD]
