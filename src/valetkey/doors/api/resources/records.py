"""What happened: activity, the audit log, counts, and how the house stands."""

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from valetkey.core.errors import InvalidInput, NotFound
from valetkey.core.role import Action
from valetkey.doors.api.operation import Answer, AnyOperation, Call, Operation
from valetkey.doors.api.paging import answer_page, cursor, page, position
from valetkey.doors.api.shapes import records as shapes
from valetkey.doors.api.shapes.app_passwords import app_password_shape
from valetkey.doors.api.shapes.fields import Nothing
from valetkey.doors.api.shapes.records import adoption_shape, audit_shape, entry_shape
from valetkey.doors.http.long_answers import LongAnswer
from valetkey.service import console, exporting, history
from valetkey.service.export import AUDIT_COLUMNS, audit_row, csv_lines, json_lines
from valetkey.service.ports import AuditFault, AuditRecord
from valetkey.service.store_parts import AuditFilter

_TAG = "records"
_NUMBER = re.compile("[1-9][0-9]{0,17}")
_DAY = timedelta(days=1)
_MOST_DAYS = 31  # of logins by the hour in one answer


async def _list_activity(call: Call[shapes.ActivityAsked, Nothing]) -> Answer:
    asked, begin = call.query, position(call)
    until = asked.until if begin is None else datetime.fromisoformat(begin[0])
    wanted = history.Wanted(
        kinds=frozenset(asked.kinds or history.Kind), reason=asked.reason or "", since=asked.since, until=until
    )
    found = await history.of_account(call.ports, call.actor, call.account_id, wanted, asked.limit)
    following = None if found.before is None else cursor(call, [found.before.isoformat()])
    items = [entry_shape(each) for each in found.entries]
    return answer_page(call, shapes.ActivityPage, items, following, dropped=found.dropped)


async def _get_history(call: Call[shapes.HistoryAsked, Nothing]) -> Answer:
    since = (call.ports.clock.now() - call.query.days * _DAY).date()
    found = await history.of_app_password(call.ports, call.actor, call.path["app_password_id"], since=since)
    return Answer(
        shapes.AppPasswordHistory(
            app_password=app_password_shape(found.app_password, call.ports.policy),
            successor_id=None if found.successor is None else found.successor.id,
            predecessor_id=None if found.predecessor is None else found.predecessor.id,
            days=[
                shapes.DayShape(day=each.day, protocol=each.protocol, result=each.result, count=each.count)
                for each in found.days
            ],
            items=[entry_shape(each) for each in found.history.entries],
            is_complete=found.history.before is None,
        )
    )


async def _list_audit(call: Call[shapes.AuditAsked, Nothing]) -> Answer:
    begin = position(call)
    before = None if begin is None else int(begin[0])
    found = await console.audit(call.ports, call.actor, _filter(call.query), before=before, limit=call.query.limit + 1)
    return page(call, shapes.AuditPage, found, audit_shape, lambda record: [record.number])


async def _get_audit_record(call: Call[Nothing, Nothing]) -> Answer:
    typed = call.path["number"]
    if not _NUMBER.fullmatch(typed):
        raise NotFound("There is no such record.")
    found = await console.audit_record(call.ports, call.actor, int(typed))
    return Answer(audit_shape(found.record))


async def _verify_audit(call: Call[Nothing, Nothing]) -> Answer:
    found = await console.verify_audit(call.ports, call.actor)
    if isinstance(found, AuditFault):
        return Answer(shapes.Verified(is_whole=False, bad_record=found.number, what=str(found.what)))
    records, last_hash = found
    return Answer(shapes.Verified(is_whole=True, records=records, last_hash=last_hash.hex()))


async def _export_audit(call: Call[Nothing, shapes.ExportWanted]) -> Answer:
    parts = await exporting.export_audit(call.ports, call.actor, _filter(call.body))
    if call.body.format is shapes.ExportFormat.CSV:
        return Answer(stream=LongAnswer(_csv(parts), media_type="text/csv"))
    return Answer(stream=LongAnswer(_lines(parts), media_type="application/jsonl"))


async def _csv(parts: AsyncIterator[tuple[AuditRecord, ...]]) -> AsyncIterator[str]:
    yield "".join(csv_lines(AUDIT_COLUMNS, ()))
    async for part in parts:
        yield "".join(tuple(csv_lines(AUDIT_COLUMNS, map(audit_row, part)))[1:])


async def _lines(parts: AsyncIterator[tuple[AuditRecord, ...]]) -> AsyncIterator[str]:
    async for part in parts:
        yield "".join(json_lines(AUDIT_COLUMNS, map(audit_row, part)))


def _filter(asked: shapes.AuditAsked | shapes.ExportWanted) -> AuditFilter:
    return AuditFilter(
        account_id=asked.account_id,
        actor=asked.actor,
        kinds=tuple(asked.kinds),
        since=asked.since,
        until=asked.until,
        credential_id=asked.credential_id,
    )


async def _count_logins(call: Call[shapes.LoginsAsked, Nothing]) -> Answer:
    now = call.ports.clock.now()
    since = call.query.since or now - _DAY
    if since < now - _MOST_DAYS * _DAY:
        raise InvalidInput("since", "Ask for {most} days at most.", most=_MOST_DAYS)
    found = await console.logins(call.ports, call.actor, since)
    items = [shapes.HourShape(hour=e.hour, protocol=e.protocol, result=e.result, count=e.count) for e in found]
    return Answer(shapes.Hours(items=items))


async def _get_adoption(call: Call[shapes.AdoptionAsked, Nothing]) -> Answer:
    found = await console.adoption(call.ports, call.actor, call.query.days)
    days = [adoption_shape(each) for each in found.days]
    return Answer(shapes.AdoptionAnswer(now=adoption_shape(found.now), days=days))


async def _get_overview(call: Call[Nothing, Nothing]) -> Answer:
    found = await console.overview(call.ports, call.actor)
    refusals, record = found.refusals, found.last_record
    return Answer(
        shapes.OverviewShape(
            adoption=None if found.adoption is None else adoption_shape(found.adoption),
            app_passwords=None if found.app_passwords is None else dict(found.app_passwords),
            refusals=None
            if refusals is None
            else shapes.RefusalsShape(
                logins=refusals.logins,
                refusals=refusals.refusals,
                usual_refusals=refusals.usual_refusals,
                is_unusual=refusals.is_unusual,
            ),
            open_proposals=found.open_proposals,
            waiting_recoveries=found.waiting_recoveries,
            last_record=None if record is None else audit_shape(record),
        )
    )


_SEE_AUDIT = (Action.SEE_AUDIT,)
_SEE_HISTORY = (Action.OWN_READ, Action.SEE_LOGINS)

OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "list_account_activity", "GET", "/accounts/{account_id}/activity", _TAG,
        "Logins, refusals and changes of an account",
        _list_activity, shapes.ActivityAsked, Nothing, shapes.ActivityPage, actions=_SEE_HISTORY,
    ),
    Operation(
        "get_app_password_history", "GET", "/app-passwords/{app_password_id}/history", _TAG,
        "What happened with an app password",
        _get_history, shapes.HistoryAsked, Nothing, shapes.AppPasswordHistory, actions=_SEE_HISTORY,
    ),
    Operation(
        "list_audit_records", "GET", "/audit", _TAG, "The audit log, the newest first",
        _list_audit, shapes.AuditAsked, Nothing, shapes.AuditPage, actions=_SEE_AUDIT,
    ),
    Operation(
        "verify_audit", "GET", "/audit/verification", _TAG, "Check the chain of the audit log",
        _verify_audit, Nothing, Nothing, shapes.Verified, actions=_SEE_AUDIT,
    ),
    Operation(
        "export_audit", "POST", "/audit/export", _TAG, "Take records of the audit log away; that is recorded too",
        _export_audit, Nothing, shapes.ExportWanted, None, actions=(Action.EXPORT_AUDIT,),
        media_types=("application/jsonl", "text/csv"), is_repeatable=False,
    ),
    Operation(
        "get_audit_record", "GET", "/audit/{number}", _TAG, "One record",
        _get_audit_record, Nothing, Nothing, shapes.AuditShape, actions=_SEE_AUDIT,
    ),
    Operation(
        "count_logins", "GET", "/logins", _TAG, "Logins and refusals by the hour",
        _count_logins, shapes.LoginsAsked, Nothing, shapes.Hours, actions=(Action.SEE_LOGINS,),
    ),
    Operation(
        "get_adoption", "GET", "/second-factors", _TAG, "How many people have a second factor, day by day",
        _get_adoption, shapes.AdoptionAsked, Nothing, shapes.AdoptionAnswer, actions=(Action.SEE_ACCOUNTS,),
        description="Who has none: list_accounts with second_factor=without.",
    ),
    Operation(
        "get_overview", "GET", "/overview", _TAG, "How the house stands, at a glance",
        _get_overview, Nothing, Nothing, shapes.OverviewShape,
        actions=(Action.SEE_ACCOUNTS, Action.SEE_APP_PASSWORDS, Action.SEE_LOGINS, Action.SEE_POLICY, Action.SEE_AUDIT),
    ),
)  # fmt: skip
