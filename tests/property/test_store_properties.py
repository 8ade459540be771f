"""What holds of every value that is stored: it comes back as it was, and no two records are hashed alike."""

import json
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contract.values import an_account, an_app_password

from valetkey.adapters.store.activity import merged, storable
from valetkey.adapters.store.chain import BEGINNING, ChainCheck, link
from valetkey.adapters.store.rows import (
    account_from,
    account_values,
    app_password_from,
    app_password_values,
    micros,
    moment,
)
from valetkey.adapters.store.schema import account, app_password
from valetkey.core.app_password import LastUse
from valetkey.core.restriction import NetworkRule, Restrictions
from valetkey.core.role import Role
from valetkey.core.scope import MailProtocol, Permission, PermissionMode, Scope
from valetkey.service.ports import LoginEvent

_FIRST, _LAST = datetime(1970, 1, 1), datetime(9999, 1, 1)  # noqa: DTZ001  (hypothesis puts the zone in)
MOMENTS = st.datetimes(min_value=_FIRST, max_value=_LAST, timezones=st.just(UTC))
NETWORKS = st.one_of(
    st.ip_addresses(v=4).map(lambda address: ip_network((address, 24), strict=False)),
    st.ip_addresses(v=6).map(lambda address: ip_network((address, 56), strict=False)),
)
SCOPES = st.builds(
    Scope,
    st.sampled_from(PermissionMode),
    st.frozensets(st.sampled_from(Permission)),
    st.frozensets(st.sampled_from(MailProtocol)),
)
RESTRICTIONS = st.builds(
    Restrictions,
    st.none() | MOMENTS,
    st.none() | st.timedeltas(min_value=timedelta(microseconds=1), max_value=timedelta(days=36500)),
    st.sampled_from(NetworkRule),
    st.lists(st.text(max_size=30)).map(tuple),
    st.none() | NETWORKS,
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
COLUMNS = st.lists(st.none() | st.integers() | TEXT, min_size=8, max_size=8)


def row_of(table, values):
    return tuple(values.get(column.name) for column in table.c)


@given(MOMENTS)
def test_a_moment_comes_back(at):
    assert moment(micros(at)) == at


@given(MOMENTS, st.integers(-720, 720))
def test_a_moment_of_another_zone_is_the_same(at, minutes):
    if at.year < 9000:
        zoned = at.astimezone(timezone(timedelta(minutes=minutes)))
        assert moment(micros(zoned)) == at


def test_a_moment_without_a_zone_is_a_bug():
    with pytest.raises(TypeError):
        micros(datetime(2026, 1, 1))  # noqa: DTZ001  (that is the claim)


@given(st.frozensets(st.sampled_from(Permission)), MOMENTS, st.sampled_from([None, *Role]), st.booleans())
def test_an_account_comes_back(rights, at, role, has_second_factor):
    value = an_account(rights=rights, created_at=at, role=role, has_second_factor=has_second_factor)
    assert account_from((*row_of(account, account_values(value)), int(has_second_factor))) == value


@given(SCOPES, RESTRICTIONS, MOMENTS)
def test_an_app_password_comes_back(scope, restrictions, at):
    value = an_app_password(scope=scope, restrictions=restrictions, created_at=at)
    assert app_password_from(row_of(app_password, app_password_values(value))[:-4]) == value


@given(MOMENTS, st.sampled_from(MailProtocol), TEXT)
def test_a_last_use_comes_back(at, protocol, client):
    stored = {
        **app_password_values(an_app_password()),
        "last_use_at": micros(at),
        "last_use_address": "::1",
        "last_use_protocol": protocol.value,
        "last_use_client": client,
    }
    assert app_password_from(row_of(app_password, stored)[:-4]).last_use == LastUse(at, "::1", protocol, client)


@given(COLUMNS, COLUMNS)
def test_no_two_records_are_hashed_alike(one, other):
    def kinds(columns):
        return [(type(column), column) for column in columns]

    assert (link(BEGINNING, one) == link(BEGINNING, other)) == (kinds(one) == kinds(other))


@given(st.text("ab", max_size=6), st.integers(0, 6), st.integers(0, 6))
def test_where_one_column_ends_is_part_of_the_hash(text, first, second):
    def cut(at):
        return [1, 2, text[:at], text[at:], None, None, "k", "{}"]

    is_same = cut(first) == cut(second)
    assert (link(BEGINNING, cut(first)) == link(BEGINNING, cut(second))) == is_same


@given(st.lists(COLUMNS, min_size=1, max_size=8), st.data())
def test_any_change_of_any_record_is_found_at_it(records, data):
    chain, before = [], BEGINNING
    for number, columns in enumerate(records, 1):
        row = (number, *columns[1:])
        before = link(before, row)
        chain.append((*row, before))
    whole = ChainCheck()
    assert whole.follow(chain) is None
    assert whole.finish(len(chain), before) is None
    at = data.draw(st.integers(0, len(chain) - 1))
    column = data.draw(st.integers(1, 7))
    changed = data.draw(st.none() | st.integers() | TEXT)
    if changed == chain[at][column]:
        return
    chain[at] = (*chain[at][:column], changed, *chain[at][column + 1 :])
    fault = ChainCheck().follow(chain)
    assert fault is not None
    assert fault.number == at + 1


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 100), st.integers(1, 5))))
def test_merging_loses_no_event(drawn):
    start = datetime(2026, 1, 1, tzinfo=UTC)
    events = [
        LoginEvent(
            f"ac_{who}", None, MailProtocol.IMAP, "n", "c", "allowed",
            start + timedelta(seconds=at), start + timedelta(seconds=at), count,
        )
        for who, at, count in drawn
    ]  # fmt: skip
    merged_events = merged(events)
    assert sum(event.count for event in merged_events) == sum(event.count for event in events)
    assert len({event.account_id for event in merged_events}) == len(merged_events)
    for event in merged_events:
        same = [each for each in events if each.account_id == event.account_id]
        assert event.first_at == min(each.first_at for each in same)
        assert event.last_at == max(each.last_at for each in same)


@given(st.text(st.characters(), max_size=400))
def test_untrusted_text_can_be_stored_and_shown(text):
    stored = storable(text)
    assert len(stored) <= 200
    stored.encode()
    json.dumps(stored).encode()
