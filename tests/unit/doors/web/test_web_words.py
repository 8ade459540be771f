from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest

from valetkey.core.app_password import AppPassword, LastRefusal, LastUse, SecretFormat
from valetkey.core.login import Reason
from valetkey.core.restriction import NetworkRule, Restrictions
from valetkey.core.scope import (
    ALL_PERMISSIONS,
    ALL_PROTOCOLS,
    READY_MADE,
    MailProtocol,
    Permission,
    PermissionMode,
    ReadyMade,
    Scope,
)
from valetkey.doors.web import names
from valetkey.doors.web.harmless import harmless
from valetkey.doors.web.language import ENGLISH
from valetkey.doors.web.words import Words

words = Words(ENGLISH)
NOW = datetime(2026, 3, 16, 15, 30, tzinfo=UTC)
PLAIN = AppPassword(
    "ap_1", "ac_1", "Phone", SecretFormat.DEFAULT, READY_MADE[0].scope, Restrictions(), NOW - timedelta(days=200), "ac_1", ""
)  # fmt: skip


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(minutes=59), "59 minutes ago"),
        (timedelta(hours=3, minutes=5), "3 hours ago"),
        (timedelta(days=1), "1 day ago"),
        (timedelta(days=30), "30 days ago"),
        (timedelta(days=31), "on 13 February 2026"),
    ],
)
def test_past(before: timedelta, said: str) -> None:
    assert words.ago(NOW - before, NOW) == said


@pytest.mark.parametrize(
    ("ahead", "said"),
    [
        (timedelta(seconds=-5), "now"),
        (timedelta(minutes=2), "in 2 minutes"),
        (timedelta(hours=1), "in 1 hour"),
        (timedelta(days=6), "in 6 days"),
        (timedelta(days=60), "on 15 May 2026"),
    ],
)
def test_future(ahead: timedelta, said: str) -> None:
    assert words.ahead(NOW + ahead, NOW) == said


def test_times_are_told_in_utc() -> None:
    there = datetime.fromisoformat("2026-03-17T00:30:00+02:00")
    assert words.stamp(there) == "16 March 2026, 22:30 UTC"
    assert words.machine_time(there) == "2026-03-16T22:30:00Z"


def test_a_scope_is_said_with_what_it_cannot_do() -> None:
    said = words.scope_words(READY_MADE[2].scope, ALL_PERMISSIONS)
    assert said.title == "Send only"
    assert str(said.sentence).startswith("It can send mail. It cannot read mail, ")
    assert str(said.sentence).endswith("or change filters and forwarding.")


def test_a_ready_made_sentence_is_not_used_when_rights_are_missing() -> None:
    said = words.scope_words(READY_MADE[0].scope, ALL_PERMISSIONS - {Permission.SEND})
    assert said.title == "Mail app"
    assert said.short.startswith("Read mail")
    assert "send" not in said.short


@pytest.mark.parametrize("choice", READY_MADE, ids=lambda choice: choice.key)
def test_every_ready_made_choice_has_short_words(choice: ReadyMade) -> None:
    said = words.scope_words(choice.scope, ALL_PERMISSIONS)
    assert said.title == str(choice.title)
    assert 10 < len(said.short) < 40


def test_a_scope_without_effect_says_so() -> None:
    nothing = Scope(PermissionMode.REPLACE, frozenset({Permission.SEND}), frozenset({MailProtocol.IMAP}))
    assert "nothing" in str(words.scope_words(nothing, ALL_PERMISSIONS).sentence)
    assert words.scope_words(Scope(PermissionMode.INHERIT, frozenset(), ALL_PROTOCOLS), ALL_PERMISSIONS).cannot == ""


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_plain_words(reason: Reason) -> None:
    assert names.reason(reason.value) != reason.value
    assert names.mend(reason.value) is not None


def test_an_unknown_reason_is_shown_as_it_is() -> None:
    assert (names.reason("new-reason"), names.mend("new-reason")) == ("new-reason", "")


def use(**ago: float) -> LastUse:
    return LastUse(NOW - timedelta(**ago), "192.0.2.1", MailProtocol.IMAP, "mutt")


def refusal(**ago: float) -> LastRefusal:
    return LastRefusal(NOW - timedelta(**ago), "192.0.2.1", MailProtocol.IMAP, "network")


@pytest.mark.parametrize(
    ("changes", "tone", "text"),
    [
        ({}, "new", "Never used"),
        ({"last_use": use(hours=1)}, "good", "In use"),
        ({"last_use": use(days=100)}, "warn", "Unused for 100 days"),
        ({"last_use": use(hours=1), "last_refusal": refusal(hours=2)}, "good", "In use"),
        ({"last_use": use(hours=2), "last_refusal": refusal(hours=1)}, "bad", "Refused"),
        ({"last_refusal": refusal(hours=1)}, "bad", "Refused"),
        ({"restrictions": Restrictions(expires_at=NOW + timedelta(days=3))}, "warn", "Expires in 3 days"),
        ({"restrictions": Restrictions(expires_at=NOW)}, "past", "Expired"),
        ({"lapsed_at": NOW}, "past", "Expired"),
        ({"revoked_at": NOW, "lapsed_at": NOW}, "past", "Revoked"),
    ],
)
def test_the_pill_says_the_first_thing_to_know(changes: dict[str, object], tone: str, text: str) -> None:
    state = words.state_of(replace(PLAIN, **changes), NOW)
    assert (state.tone, str(state.text)) == (tone, text)


def test_networks_in_words() -> None:
    allowed = Restrictions(network_rule=NetworkRule.ALLOWED, allowed_ips=("office", "192.0.2.0/24", "vpn"))
    pinned = Restrictions(network_rule=NetworkRule.PINNED, pinned_network=ip_network("192.0.2.0/24"))
    assert str(words.networks_words(allowed)) == "Only from office, 192.0.2.0/24 and vpn"
    assert "192.0.2.0/24" in str(words.networks_words(pinned))
    assert "first used" in str(words.networks_words(replace(pinned, pinned_network=None)))


def test_text_that_hides_or_turns_is_cleaned() -> None:
    assert harmless("a\u202egnp.exe\u2066b\u200bc\x00d\x1b[31me\ud800f\ufeffg") == "agnp.exebcd[31mefg"
    assert harmless("two\nlines, ümläut, 日本語, 🙂") == "two\nlines, ümläut, 日本語, 🙂"


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Mobile Safari/604.1", "Safari on iPhone"),
        ("curl/8.0", "Unknown browser"),
        ("", "Unknown browser"),
    ],
)
def test_browsers(agent: str, said: str) -> None:
    assert str(names.browser(agent)) == said


def test_without_a_network_it_works_nowhere() -> None:
    """A form that was sent without one is shown again."""
    assert (
        str(words.reach(Restrictions(network_rule=NetworkRule.ALLOWED)))
        == "It works from nowhere until a network is named."
    )
