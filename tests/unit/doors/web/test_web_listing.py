"""The list as its address asks for it: filters, search, sorting, links."""

from datetime import timedelta

import pytest
from tests.contract.values import NOW, an_app_password

from valetkey.core.app_password import AppPassword, LastRefusal, LastUse
from valetkey.core.restriction import Restrictions
from valetkey.core.scope import MailProtocol
from valetkey.doors.web.listing import FILTERS, SORTS, Listing, read_listing

DAY = timedelta(days=1)


def used(days_ago: float) -> LastUse:
    return LastUse(NOW - days_ago * DAY, "192.0.2.1", MailProtocol.IMAP, "K-9")


def refused(days_ago: float) -> LastRefusal:
    return LastRefusal(NOW - days_ago * DAY, "192.0.2.1", MailProtocol.IMAP, "network")


def one(name: str, made_days_ago: float = 200, **facts: object) -> AppPassword:
    return an_app_password(name, created_at=NOW - made_days_ago * DAY, **facts)


EVERYONE = (
    one("Phone", 10, last_use=used(1)),
    one("backup", 100, last_use=used(95), restrictions=Restrictions(expires_at=NOW + 3 * DAY)),
    one("Scanner", 50, last_use=used(2), last_refusal=refused(1)),
    one("Old", 300, last_refusal=refused(40)),
    one("Gone", 20, revoked_at=NOW - 5 * DAY, last_use=used(6)),
    one("Over", 30, lapsed_at=NOW - 2 * DAY, restrictions=Restrictions(expires_at=NOW - 2 * DAY)),
)


def shown(**query: str) -> list[str]:
    return [one.description for one in read_listing(query).chosen(EVERYONE, NOW)]


@pytest.mark.parametrize(
    ("show", "expected"),
    [
        ("", ["Phone", "Scanner", "backup", "Old"]),
        ("never", ["Old"]),
        ("unused", ["backup", "Old"]),
        ("refused", ["Scanner"]),
        ("ending", ["backup"]),
        ("past", ["Gone", "Over"]),
    ],
)
def test_filters(show: str, expected: list[str]) -> None:
    assert shown(show=show) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"sort": "name"}, ["backup", "Old", "Phone", "Scanner"]),
        ({"sort": "name", "order": "falling"}, ["Scanner", "Phone", "Old", "backup"]),
        ({"sort": "used"}, ["Phone", "Scanner", "backup", "Old"]),
        ({"sort": "used", "order": "rising"}, ["backup", "Scanner", "Phone", "Old"]),
        ({"sort": "made", "order": "rising"}, ["Old", "backup", "Scanner", "Phone"]),
        ({"sort": "ends"}, ["backup", "Old", "Phone", "Scanner"]),
        ({"sort": "ends", "order": "falling"}, ["backup", "Old", "Phone", "Scanner"]),
        ({"sort": "ends", "show": "past"}, ["Gone", "Over"]),
    ],
)
def test_sorting_puts_what_has_no_such_thing_last(query: dict[str, str], expected: list[str]) -> None:
    assert shown(**query) == expected


def test_search_is_in_names_whatever_their_case() -> None:
    assert shown(q=" SCAN ") == ["Scanner"]
    assert shown(q="nothing like it") == []
    assert shown(q="gone", show="past") == ["Gone"]


@pytest.mark.parametrize("query", [{"show": "x"}, {"sort": "x"}, {"order": "x"}, {"q": " "}, {"other": "x"}])
def test_what_is_not_known_is_left_out(query: dict[str, str]) -> None:
    assert read_listing(query) == Listing()


def test_links_carry_what_differs_from_the_plain_list() -> None:
    assert Listing().link() == "/"
    listing = read_listing({"q": "a b&c", "show": "unused", "sort": "name", "order": "falling"})
    assert listing.link() == "/?show=unused&q=a+b%26c&sort=name&order=falling"
    assert listing.link(show="", search="") == "/?sort=name&order=falling"
    assert Listing(account="ac_x").link(show="past") == "/?account=ac_x&show=past"
    assert len(read_listing({"q": "x" * 9999}).search) == 100


def test_a_column_is_sorted_the_other_way_round_when_asked_again() -> None:
    plain = Listing()
    assert plain.column("made", "Made") == {"label": "Made", "href": "/?order=rising", "sort": "descending"}
    assert plain.column("name", "Name") == {"label": "Name", "href": "/?sort=name"}
    by_name = read_listing({"sort": "name"})
    assert by_name.column("name", "Name")["sort"] == "ascending"
    assert by_name.column("name", "Name")["href"] == "/?sort=name&order=falling"


def test_each_choice_is_named() -> None:
    assert all(str(choice.title) for choice in FILTERS.values())
    assert all(read_listing({"sort": sort}).sort == sort for sort in SORTS)
