"""How the gateway names itself, and whose mailbox it opens."""

import pytest

from valetkey.doors.gateway.settings import TlsMode, Upstream, UpstreamLogin, UserForm
from valetkey.doors.gateway.upstream import UpstreamFailed, credentials_for
from valetkey.wire.machine import Credentials

ADDRESS = "alice@example.org"


def an_upstream(login: UpstreamLogin, form: UserForm = UserForm.ADDRESS) -> Upstream:
    return Upstream("127.0.0.1", 143, TlsMode.NONE, login, master_user="gateway", master_secret="m", user_form=form)


@pytest.mark.parametrize(
    ("login", "expected"),
    [
        (UpstreamLogin.MASTER_USER, Credentials(ADDRESS, "gateway", "m")),
        (UpstreamLogin.XCLIENT, Credentials(ADDRESS, ADDRESS, None)),
        (UpstreamLogin.STORED_PASSWORD, Credentials(ADDRESS, ADDRESS, "stored")),
    ],
)
def test_each_way_of_logging_in(login: UpstreamLogin, expected: Credentials) -> None:
    assert credentials_for(an_upstream(login), ADDRESS, "stored") == expected


@pytest.mark.parametrize("login", list(UpstreamLogin))
def test_an_upstream_that_knows_local_parts_is_told_those(login: UpstreamLogin) -> None:
    assert credentials_for(an_upstream(login, UserForm.LOCAL_PART), ADDRESS, "stored").user == "alice"


def test_an_account_without_a_stored_password_is_not_let_in_by_chance() -> None:
    with pytest.raises(UpstreamFailed, match="no stored upstream password"):
        credentials_for(an_upstream(UpstreamLogin.STORED_PASSWORD), ADDRESS, None)
