"""A door for LDAP: who asks there may have a secret, and may be known by its place alone."""

from pathlib import Path

import pytest

from valetkey.app.door_settings import door_settings
from valetkey.config import BadConfig, parse

PLACE = Path("/etc/valetkey/valetkey.toml")
START = '[server]\nhostname = "mail.example.org"\n[[peer]]\nname = "mx1"\n[[door]]\npeers = ["mx1"]\n'


@pytest.mark.parametrize("place", ['listen = "127.0.0.1:3890"', 'socket = "/run/valetkey/ldapi"'])
def test_a_peer_without_a_secret_may_bind(place: str) -> None:
    [door] = door_settings(parse(f'{START}kind = "ldap"\n{place}\n', PLACE)).doors
    assert [(each.name, each.secret) for each in door.peers] == [("mx1", "")]


def test_by_http_it_may_not() -> None:
    with pytest.raises(BadConfig, match="mx1 has no secret, and http needs one"):
        parse(f'{START}kind = "http"\nlisten = "127.0.0.1:9080"\n', PLACE)
