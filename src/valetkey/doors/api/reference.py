"""The list of operations as a page of the documentation; `python -m valetkey.doors.api reference` prints it."""

from collections.abc import Iterator

from valetkey.doors.api.operation import AnyOperation
from valetkey.doors.api.operations import OPERATIONS, PREFIX
from valetkey.doors.api.shapes.fields import Nothing


def reference() -> str:
    """Give the operations as Markdown, a table for each area."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    for tag in dict.fromkeys(each.tag for each in OPERATIONS):
        yield from ("", f"### {tag[0].upper()}{tag[1:]}", "")
        yield from ("| operation | request | does | a token needs one of |", "| --- | --- | --- | --- |")
        for operation in OPERATIONS:
            if operation.tag == tag:
                yield _row(operation)
    yield ""


def _row(operation: AnyOperation) -> str:
    request = f"`{operation.method} {PREFIX}{operation.path}`"
    return f"| `{operation.id}` | {request} | {operation.summary}{_hints(operation)} | {_needs(operation)} |"


def _hints(operation: AnyOperation) -> str:
    hints = []
    if operation.query is not Nothing:
        hints.append("query: " + ", ".join(f"`{name}`" for name in operation.query.model_fields))
    if operation.body is not Nothing:
        hints.append(f"body: `{operation.body.__name__}`")
    if operation.needs_if_match:
        hints.append("needs `If-Match`")
    return f" ({'; '.join(hints)})" if hints else ""


def _needs(operation: AnyOperation) -> str:
    if operation.in_person:
        return "for people only"
    return ", ".join(f"`{action.value}`" for action in operation.actions) or "any token"
