"""What of the configuration of Exim, Cyrus, sendmail, Courier and PAM keeps them from asking."""

import re
import stat
from collections.abc import Iterator
from pathlib import Path

from valetkey.app.connecting.exim import server_socket
from valetkey.app.connecting.parts import Place, Setup
from valetkey.app.connecting.programs import ask
from valetkey.app.connecting.radius import PAM_SERVER
from valetkey.app.findings import good, problem, warning
from valetkey.doors.asked.settings import DoorKind
from valetkey.doors.cli.front import Finding

_MOST = 1_000_000
_IMAPD = Path("/etc/imapd.conf")
_SENDMAIL = Path("/etc/mail/sasl/Sendmail.conf.2")
_COURIER = Path("/etc/courier/authdaemonrc")
_LEAST_WAIT = 4  # seconds: Valetkey answers a refusal after two
_AUTHENTICATOR = re.compile(r"^(\w+) authenticator:$|^begin authenticators", re.MULTILINE)
_OPEN = stat.S_IRWXG | stat.S_IRWXO


def text_of(path: Path) -> str | None:
    """Read a file of settings; None if it is not there, or not ours to read."""
    try:
        with path.open("rb") as file:
            return file.read(_MOST).decode(errors="replace")
    except OSError:
        return None


# Exim


def look_exim(config: Path | None) -> str | None:
    """Ask Exim for its authenticators; None if there is no Exim, or it does not say."""
    where = ["-C", str(config)] if config else []
    said = ask(["exim4", *where, "-bP", "authenticators"]) or ask(["exim", *where, "-bP", "authenticators"])
    return said.text if said is not None and said.is_good else None


def exim_findings(text: str, setup: Setup) -> Iterator[Finding]:
    """Look at what `exim -bP authenticators` prints."""
    sockets = re.findall(r"^\s*server_socket = (.+)$", text, re.MULTILINE)
    place = setup.place(DoorKind.SASL)
    wanted = server_socket(place)
    if wanted not in {socket.strip() for socket in sockets}:
        if any(socket.strip().startswith("inet:") for socket in sockets):
            yield problem(
                "Exim", "server_socket begins with inet:, which Exim takes for a file", f"server_socket = {wanted}"
            )
        else:
            shown = ", ".join(sockets) or "nowhere"
            yield problem(
                "Exim", f"it asks {shown} about logins, and the door is at {place}", f"server_socket = {wanted}"
            )
        return
    if "server_set_id = $auth1" not in text:
        mend = "server_set_id = $auth1"
        yield warning("Exim", "nothing says who has logged in: neither the log nor the rules for limits know", mend)
    yield good("Exim", "it asks Valetkey")


# Cyrus SASL: Cyrus IMAP and sendmail


def look_sasl(server: str, config: Path | None) -> str | None:
    """Read the SASL settings of Cyrus or sendmail; None if they are not there."""
    return text_of(config or (_IMAPD if server == "cyrus" else _SENDMAIL))


def sasl_findings(server: str, text: str, setup: Setup) -> Iterator[Finding]:
    """Look at lines such as `sasl_pwcheck_method: saslauthd`; sendmail has them without the `sasl_`."""
    name = "Cyrus" if server == "cyrus" else "sendmail"
    said = {key.removeprefix("sasl_"): value for key, value in _colons(text)}
    place = setup.place(DoorKind.SASLAUTHD)
    before = "sasl_" if server == "cyrus" else ""
    if said.get("pwcheck_method", "auxprop") != "saslauthd":
        what = f"it compares passwords itself ({before}pwcheck_method is {said.get('pwcheck_method', 'not set')})"
        yield problem(name, what, f"{before}pwcheck_method: saslauthd")
        return
    if said.get("saslauthd_path", "") != str(place.socket):
        what = f"it asks at {said.get('saslauthd_path', 'its usual place')}, and the door is at {place}"
        yield problem(name, what, f"{before}saslauthd_path: {place}")
    if hopeless := sorted(set(said.get("mech_list", "").upper().split()) - {"PLAIN", "LOGIN"}):
        what = f"{', '.join(hopeless)} need passwords that nobody has: programs that choose one fail"
        yield problem(name, what, f"{before}mech_list: PLAIN LOGIN")
    elif "mech_list" not in said:
        yield warning(
            name, "every mechanism of SASL is offered, also those that cannot work", f"{before}mech_list: PLAIN LOGIN"
        )
    if said.get("allowplaintext", "no") in {"yes", "on", "1", "true", "t"}:
        what = f"passwords are taken without TLS, and the [[peer]] {setup.peer} has tls_only"
        yield problem(name, what, "allowplaintext: no")
    yield good(name, "its SASL settings were looked at")


def _colons(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        key, mark, value = line.partition(":")
        if mark and not line.lstrip().startswith("#"):
            yield key.strip(), value.strip()


# Courier


def look_courier(config: Path | None) -> str | None:
    """Read authdaemonrc; None if it is not there."""
    return text_of(config or _COURIER)


def courier_findings(text: str, setup: Setup) -> Iterator[Finding]:
    """Look at where Courier's programs ask."""
    match = re.search(r"^\s*authdaemonvar=\"?([^\"\n]+)\"?\s*$", text, re.MULTILINE)
    place = setup.place(DoorKind.AUTHDAEMON)
    where = Path(match[1].strip()) / "socket" if match else None
    if where is not None and where != place.socket:
        mend = f"authdaemonvar={place.socket.parent if place.socket else ''}"
        yield problem("Courier", f"its programs ask at {where}, and the door is at {place}", mend)
    else:
        yield good("Courier", "its programs ask Valetkey")


# PAM by RADIUS


def look_pam(config: Path | None) -> str | None:
    """Read whom pam_radius_auth asks; None if that cannot be read."""
    return text_of(config or Path(PAM_SERVER))


def pam_findings(text: str, setup: Setup, *, file: Path, message_authenticator: bool) -> Iterator[Finding]:
    """Look at the server's line, at who may read it, and at what the peer is expected to send."""
    place = setup.place(DoorKind.RADIUS)
    line = _line_for(text, place)
    if line is None:
        shown = ", ".join(words[0] for words in _lines(text)) or "nobody"
        yield problem("PAM", f"{file} asks {shown}, and the door is at {place}", f"{place} SECRET 4")
        return
    if line[1:2] != [setup.secret]:
        mend = "Write the line of valetkey connect pam --show-secrets."
        yield problem(
            "PAM", f"the secret in {file} is not that of the [[peer]] {setup.peer}: nothing is answered", mend
        )
    if len(line) > 2 and line[2].isdigit() and int(line[2]) < _LEAST_WAIT:  # noqa: PLR2004  (the third word)
        yield problem("PAM", f"it waits {line[2]} seconds, and a refusal takes two", f"{place} SECRET {_LEAST_WAIT}")
    if message_authenticator:
        mend = f"message_authenticator = false in the [[peer]] {setup.peer}; only on this machine."
        yield problem("PAM", "pam_radius_auth 2 sends no Message-Authenticator, and the [[peer]] has to", mend)
    if file.exists() and file.stat().st_mode & _OPEN:
        yield problem("PAM", f"others can read {file}, and it holds the secret", f"chmod 600 {file}")
    if "pam_radius_auth" in (text_of(Path("/etc/pam.d/common-auth")) or ""):
        mend = "Put it into the files of the mail services alone."
        yield problem("PAM", "common-auth asks Valetkey: that is every login of this machine", mend)
    yield good("PAM", "whom it asks was looked at")


def pam_asks(text: str, setup: Setup) -> bool:
    """Tell whether PAM asks Valetkey, whatever the secret."""
    line = _line_for(text, setup.place(DoorKind.RADIUS))
    return line is not None and line[1:2] != ["secret"]  # Debian's file names 127.0.0.1 as an example, with that word


def _lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def _line_for(text: str, place: Place) -> list[str] | None:
    return next((words for words in _lines(text) if words[0] in _spellings(place)), None)


def _spellings(place: Place) -> set[str]:
    usual = {place.authority}
    return usual | {place.host} if place.port == 1812 else usual  # noqa: PLR2004  (RADIUS' own port)
