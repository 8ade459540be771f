"""The check of the server that notices are handed to: reachable, who it should be, and lets us in."""

import asyncio
from collections.abc import Iterator

from valetkey.app.findings import good, problem, warning
from valetkey.app.mailing import mailer_of
from valetkey.config.sections import Config
from valetkey.core.errors import Unavailable
from valetkey.doors.cli.front import Finding
from valetkey.doors.web.catalogues import installed_catalogues
from valetkey.doors.web.languages import Languages


def mailer_findings(config: Config) -> Iterator[Finding]:
    """Connect and log in; no mail is sent."""
    mailer = mailer_of(config)
    if mailer is None:
        mend = "Give host and sender under [mailer]; without them nobody is told by mail, and nobody can recover alone."
        yield warning("mailer", "no mail is sent", mend)
        return
    if config.portal.language not in Languages(installed_catalogues()):
        mend = f"Set language under [portal] to one of: {', '.join(sorted(installed_catalogues()))}."
        yield problem("mailer", f"no language “{config.portal.language}” is installed, so mails are in English", mend)
    try:
        asyncio.run(mailer.probe())
    except Unavailable as error:
        yield problem("mailer", str(error), "Look at host, port, encryption, user and password_file under [mailer].")
    else:
        yield good("mailer", f"{config.mailer.host}:{config.mailer.port} takes mail from {config.mailer.sender}")
