"""The audit log: find records, look at one and its place in the chain, check the chain, take records away."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

from valetkey.core.errors import NotFound
from valetkey.core.event import to_facts
from valetkey.core.event_sentences import describe
from valetkey.core.sentence import Sentence, say
from valetkey.doors.http.long_answers import LongAnswer
from valetkey.doors.web.console.asking import begin_of_day, end_of_day, link, searched
from valetkey.doors.web.console.audit_kinds import GROUPS
from valetkey.doors.web.console.gate import ConsoleVisit, ToExportAudit, ToSeeAudit
from valetkey.doors.web.gate import LOOK
from valetkey.service import accounts, console, exporting
from valetkey.service.export import AUDIT_COLUMNS, audit_row, csv_lines, json_lines
from valetkey.service.ports import AuditFault, AuditRecord
from valetkey.service.store_parts import AuditFilter

router = APIRouter()
LIST = "/console/audit"
_SHOWN = 25
_MAX_DIGITS = 18
_NOBODYS = "operator", "system"  # actors that are no account
_WRITERS: Mapping[str, tuple[Callable[..., Iterator[str]], str]] = {
    "csv": (csv_lines, "text/csv"),
    "jsonl": (json_lines, "application/jsonl"),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address of the list asks for, as it was typed."""

    account: str = ""  # an address or an id
    actor: str = ""  # the same, or "operator" or "system"
    group: str = ""  # of GROUPS
    since: str = ""  # a day
    until: str = ""  # the last day
    credential: str = ""  # an id

    @classmethod
    def of(cls, given: Mapping[str, str]) -> "Asked":
        """Read the fields of an address or a form."""
        return cls(*(searched(given.get(name, "")) for name in cls.__slots__))


@router.api_route(LIST, methods=LOOK)
async def show_list(visit: ToSeeAudit, before: str = "") -> Response:
    """List audit records, the newest first."""
    asked = Asked.of(visit.request.query_params)
    wanted = await _wanted(visit, asked)
    below = int(before) if _is_number(before) else None
    found: tuple[AuditRecord, ...] = ()
    if wanted is not None:
        found = await console.audit(visit.ports, visit.actor, wanted, before=below, limit=_SHOWN + 1)
    shown = found[:_SHOWN]
    return visit.page(
        "audit.html",
        asked=asked,
        is_filtered=asked != Asked(),
        is_unknown=wanted is None,
        found=[(record, describe(record.event)) for record in shown],
        known=await _names_of(visit, shown),
        request_export=link(f"{LIST}/export", **asdict(asked)),
        groups=[("", say("Any")), *((key, group.name) for key, group in GROUPS.items())],
        newer=link(LIST, **asdict(asked)) if below else "",
        older=link(LIST, **asdict(asked), before=str(shown[-1].number)) if len(found) > _SHOWN else "",
    )


@router.api_route(f"{LIST}/records/{{number}}", methods=LOOK)
async def show_record(visit: ToSeeAudit, number: str) -> Response:
    """Show one record with all that it holds, and the hashes beside it."""
    if not _is_number(number):
        raise HTTPException(404)
    found = await console.audit_record(visit.ports, visit.actor, int(number))
    return visit.page(
        "audit_record.html",
        near=found,
        record=found.record,
        said=describe(found.record.event),
        facts=sorted((name, str(value)) for name, value in to_facts(found.record.event).items()),
        known=await _names_of(visit, (found.record,)),
    )


@router.api_route(f"{LIST}/verify", methods=LOOK)
async def ask_verify(visit: ToSeeAudit) -> Response:
    """Say what checking the chain tells."""
    return visit.page("audit_verify.html", fault=None, count=None, last="")


@router.post(f"{LIST}/verify")
async def verify(visit: ToSeeAudit) -> Response:
    """Check the whole chain and say how that ended. It changes nothing; it is a form since it costs time."""
    found = await console.verify_audit(visit.ports, visit.actor)
    if isinstance(found, AuditFault):
        return visit.page("audit_verify.html", fault=found, count=None, last="")
    count, last = found
    return visit.page("audit_verify.html", fault=None, count=count, last=last.hex())


@router.api_route(f"{LIST}/export", methods=LOOK)
async def ask_export(visit: ToExportAudit) -> Response:
    """Ask for the form of an export."""
    asked = Asked.of(visit.request.query_params)
    return visit.page("audit_export.html", asked=asked, pairs=[pair for pair in asdict(asked).items() if pair[1]])


@router.post(f"{LIST}/export")
async def export(visit: ToExportAudit) -> Response:
    """Give the records that fit to take away, in parts as they are read. That it was done is recorded first."""
    form = visit.form.one("form", 10)
    if form not in _WRITERS:
        raise HTTPException(422, "Choose one of the two forms.")
    asked = Asked.of({name: visit.form.one(name) for name in Asked.__slots__})
    wanted = await _wanted(visit, asked)
    if wanted is None:
        raise NotFound("There is no such account.")
    write, media_type = _WRITERS[form]
    parts = await exporting.export_audit(visit.ports, visit.actor, wanted)
    name = f"valetkey-audit-{visit.now:%Y-%m-%d}.{form}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return LongAnswer(_written(write, parts), media_type=f"{media_type}; charset=utf-8", headers=headers)


async def _written(
    write: Callable[..., Iterator[str]], parts: AsyncIterator[tuple[AuditRecord, ...]]
) -> AsyncIterator[str]:
    """Write part after part; the names of the columns come once."""
    has_begun = False
    async for part in parts:
        lines = write(AUDIT_COLUMNS, map(audit_row, part))
        if has_begun and write is csv_lines:
            next(lines)
        has_begun = True
        yield "".join(lines)
    if not has_begun:
        yield "".join(write(AUDIT_COLUMNS, ()))


async def _wanted(visit: ConsoleVisit, asked: Asked) -> AuditFilter | None:
    """Give the filter; None if it names an account that there is not."""
    try:
        account = await _id_of(visit, asked.account)
        actor = asked.actor if asked.actor in _NOBODYS else await _id_of(visit, asked.actor)
    except NotFound:
        return None
    group = GROUPS.get(asked.group)
    return AuditFilter(
        account_id=account,
        actor=actor,
        kinds=group.kinds if group else (),
        since=begin_of_day(visit, asked.since),
        until=end_of_day(visit, asked.until),
        credential_id=asked.credential or None,
    )


async def _id_of(visit: ConsoleVisit, name: str) -> str | None:
    if not name or name.startswith("at_"):  # the id of an API token
        return name or None
    return (await accounts.find(visit.ports, visit.actor, name)).id


async def _names_of(visit: ConsoleVisit, records: tuple[AuditRecord, ...]) -> dict[str, Any]:
    """Give what the actors and accounts of records are called, by the names that records hold."""
    known: dict[str, Sentence | str] = {"operator": say("command line"), "system": say("Valetkey")}
    for name in {each for record in records for each in (record.actor, record.account_id) if each}:
        if name.startswith("ac_"):
            try:
                known[name] = (await accounts.find(visit.ports, visit.actor, name)).address
            except NotFound:
                continue
    return known


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS
