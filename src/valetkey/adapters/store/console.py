"""What the console lists across all accounts."""

import json
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select, tuple_, union

from valetkey.adapters.store.rows import (
    ACCOUNT_COLUMNS,
    APP_PASSWORD_COLUMNS,
    account_from,
    app_password_from,
    micros,
)
from valetkey.adapters.store.schema import account, address, api_token, app_password
from valetkey.adapters.store.transaction import Transaction
from valetkey.core.account import Account, AccountKind, AccountState
from valetkey.core.app_password import AppPassword
from valetkey.core.restriction import NetworkRule
from valetkey.core.role import Role
from valetkey.core.scope import Permission, PermissionMode
from valetkey.service.store_parts import AccountFilter, AppPasswordFilter, DomainCount, SecondFactorFilter

_UNUSED = timedelta(days=90)
_HAS_SECOND_FACTOR = ACCOUNT_COLUMNS[-1]
_DOMAIN = func.substr(account.c.address, func.instr(account.c.address, "@") + 1)
_IS_PERSON = account.c.kind == AccountKind.PERSON.value
_STANDS = and_(app_password.c.revoked_at.is_(None), app_password.c.lapsed_at.is_(None))
_CREDENTIAL_END = len(APP_PASSWORD_COLUMNS)


class ConsoleListReader(Transaction):
    """Lists of the console, with filters and the place to go on behind."""

    def accounts_where(self, wanted: AccountFilter, *, after: str = "", limit: int = 50) -> tuple[Account, ...]:
        """List the accounts that a filter lets pass, by address, behind the address `after`."""
        statement = select(*ACCOUNT_COLUMNS).where(account.c.address > after, *_account_conditions(wanted))
        return tuple(account_from(row) for row in self._rows(statement.order_by(account.c.address).limit(limit)))

    def domains(self, *, search: str = "", after: str = "", limit: int = 50) -> tuple[DomainCount, ...]:
        """Count what domains hold, in the order of their names, behind the name `after`."""
        live = (
            select(app_password.c.account_id, func.count().label("count"))
            .where(_STANDS)
            .group_by(app_password.c.account_id)
            .subquery()
        )
        statement = (
            select(
                _DOMAIN.label("domain"),
                func.sum(case((_IS_PERSON, 1), else_=0)),
                func.sum(case((_IS_PERSON, 0), else_=1)),
                func.sum(case((and_(_IS_PERSON, _HAS_SECOND_FACTOR), 1), else_=0)),
                func.coalesce(func.sum(live.c.count), 0),
            )
            .select_from(account.outerjoin(live, live.c.account_id == account.c.id))
            .where(after < _DOMAIN, _DOMAIN.contains(search.lower(), autoescape=True))
            .group_by(_DOMAIN)
            .order_by(_DOMAIN)
            .limit(limit)
        )
        return tuple(DomainCount(*row) for row in self._rows(statement))

    def app_passwords_where(
        self,
        wanted: AppPasswordFilter,
        *,
        now: datetime,
        search: str = "",
        after: tuple[datetime, str] | None = None,
        limit: int = 50,
    ) -> tuple[tuple[AppPassword, Account], ...]:
        """List the app passwords that a filter lets pass, with their accounts, newest first, behind (created_at, id)."""
        statement = (
            select(*APP_PASSWORD_COLUMNS, *ACCOUNT_COLUMNS)
            .join(account, account.c.id == app_password.c.account_id)
            .where(_app_password_condition(wanted, now))
        )
        if search:
            named = app_password.c.description.icontains(search, autoescape=True)
            statement = statement.where(or_(named, account.c.address.contains(search.lower(), autoescape=True)))
        place = tuple_(app_password.c.created_at, app_password.c.id)
        if after is not None:
            statement = statement.where(place < tuple_(micros(after[0]), after[1]))
        ordered = statement.order_by(app_password.c.created_at.desc(), app_password.c.id.desc()).limit(limit)
        return tuple(_with_account(row) for row in self._rows(ordered))

    def app_password_counts(self, now: datetime) -> dict[AppPasswordFilter, int]:
        """Count the app passwords that each filter lets pass."""
        filters = list(AppPasswordFilter)
        sums = [func.coalesce(func.sum(case((_app_password_condition(each, now), 1), else_=0)), 0) for each in filters]
        row = self._row(select(*sums).select_from(app_password))
        return dict(zip(filters, row, strict=True))

    def administrators(self) -> tuple[Account, ...]:
        """List the active people who are administrators, by address."""
        statement = select(*ACCOUNT_COLUMNS).where(
            account.c.role == Role.ADMIN.value, account.c.state == AccountState.ACTIVE.value
        )
        return tuple(account_from(row) for row in self._rows(statement.order_by(account.c.address)))

    def network_entries_in_use(self) -> frozenset[str]:
        """Give the addresses, networks and names that app passwords and API tokens in use are limited to."""
        credentials = select(app_password.c.allowed_ips).where(
            _STANDS, app_password.c.network_rule == NetworkRule.ALLOWED.value
        )
        tokens = select(api_token.c.allowed_ips).where(api_token.c.revoked_at.is_(None))
        return frozenset(entry for row in self._rows(union(credentials, tokens)) for entry in json.loads(row[0]))


def _with_account(row: Any) -> tuple[AppPassword, Account]:
    return app_password_from(row[:_CREDENTIAL_END]), account_from(tuple(row[_CREDENTIAL_END:]))


def _account_conditions(wanted: AccountFilter) -> list[Any]:
    conditions: list[Any] = []
    if wanted.search:
        held = select(address.c.account_id).where(address.c.address.contains(wanted.search.lower(), autoescape=True))
        conditions.append(account.c.id.in_(held))
    for column, value in (
        (account.c.kind, wanted.kind),
        (account.c.state, wanted.state),
        (account.c.role, wanted.role),
    ):
        if value is not None:
            conditions.append(column == value.value)
    if wanted.domain is not None:
        conditions.append(wanted.domain == _DOMAIN)
    if wanted.second_factor is SecondFactorFilter.WITH:
        conditions += [_IS_PERSON, _HAS_SECOND_FACTOR]
    if wanted.second_factor is SecondFactorFilter.WITHOUT:
        conditions += [_IS_PERSON, ~_HAS_SECOND_FACTOR]
    return conditions


def _app_password_condition(wanted: AppPasswordFilter, now: datetime) -> ColumnElement[bool]:
    table, at = app_password.c, micros(now)
    is_over = or_(table.lapsed_at.is_not(None), and_(table.expires_at.is_not(None), table.expires_at <= at))
    is_live = and_(table.revoked_at.is_(None), ~is_over)
    match wanted:
        case AppPasswordFilter.LIVE:
            return is_live
        case AppPasswordFilter.NEVER_USED:
            return and_(is_live, table.last_use_at.is_(None))
        case AppPasswordFilter.UNUSED_90_DAYS:
            return and_(is_live, func.coalesce(table.last_use_at, table.created_at) < micros(now - _UNUSED))
        case AppPasswordFilter.NO_EXPIRY:
            return and_(is_live, table.expires_at.is_(None))
        case AppPasswordFilter.BROAD_SCOPE:
            return and_(is_live, _is_broad())
        case AppPasswordFilter.REFUSED:
            refused = and_(
                table.last_refusal_at.is_not(None), table.last_refusal_at > func.coalesce(table.last_use_at, 0)
            )
            return and_(is_live, refused)
        case AppPasswordFilter.REVOKED:
            return table.revoked_at.is_not(None)
        case AppPasswordFilter.EXPIRED:
            return and_(table.revoked_at.is_(None), is_over)


def _is_broad() -> ColumnElement[bool]:
    """All that the account may do, or filters: with them a thief can forward mail past a revocation."""
    table = app_password.c
    names_filters = table.permissions.contains(Permission.FILTERS.value)
    return case(
        (table.permission_mode == PermissionMode.INHERIT.value, True),
        (table.permission_mode == PermissionMode.RESTRICT.value, ~names_filters),
        else_=names_filters,
    )
