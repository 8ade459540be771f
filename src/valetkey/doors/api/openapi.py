"""The OpenAPI 3.1 document, made from the operations; `python -m valetkey.doors.api` prints it."""

import re
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from valetkey.doors.api.idempotency import HEADER, PATTERN
from valetkey.doors.api.operation import ME, AnyOperation
from valetkey.doors.api.operations import OPERATIONS, PREFIX
from valetkey.doors.api.problem import MEDIA_TYPE, Problem
from valetkey.doors.api.shapes.fields import ID_PATTERN, Nothing

_REFERENCE = "#/components/schemas/{model}"
_PATH_PARAMETER = re.compile(r"{(\w+)}")
_MEANINGS = {
    "400": "The request cannot be read: its form is wrong.",
    "401": "No API token, or one that does not work.",
    "403": "The token, or the role of its account, does not permit this.",
    "404": "There is no such thing, or it is not yours. The two look alike.",
    "405": "This address does not take this method.",
    "408": "The body did not arrive in time.",
    "409": "It has changed in the meantime, or exists already.",
    "412": "Somebody has changed it since you read it.",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
    "422": "A value is not acceptable.",
    "428": "If-Match is missing.",
    "429": "Too many requests; Retry-After says when to try again.",
    "500": "Something went wrong on our side.",
    "503": "Not available at the moment; nothing is wrong with the request or the token.",
}
_ALWAYS = ("400", "401", "403", "404", "409", "422", "429", "500", "503")
_ABOUT = (
    "Everything that portal and console do, for machines. Show an API token in the Authorization field as a Bearer token; "
    "app passwords and main passwords never open the API. `me` stands for one's own account where an account's id does. "
    "A POST with an Idempotency-Key acts once; repeated within 24 hours it gives the same answer, without what is shown "
    "only once. `x-actions` says of which actions a token needs one; an operation with `x-in-person` is for people only."
)


def document() -> dict[str, Any]:
    """Give the OpenAPI document."""
    refs, schemas = _schemas()
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        at = paths.setdefault(f"{PREFIX}{operation.path}", {})
        at[operation.method.lower()] = _described(operation, refs)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Valetkey API", "version": "1", "description": _ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "tags": [{"name": name} for name in dict.fromkeys(each.tag for each in OPERATIONS)],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "An API token (vkt_…)."}},
        },
    }


_Refs = dict[tuple[type[BaseModel], str], dict[str, Any]]


def _schemas() -> tuple[_Refs, dict[str, Any]]:
    wanted: dict[tuple[type[BaseModel], Any], None] = {(Problem, "serialization"): None}
    for operation in OPERATIONS:
        if operation.answer is not None:
            wanted[operation.answer, "serialization"] = None
        wanted[operation.body, "validation"] = None
        wanted[operation.query, "validation"] = None
    found, definitions = models_json_schema(list(wanted), ref_template=_REFERENCE)
    refs: dict[Any, dict[str, Any]] = {**found}
    return refs, definitions["$defs"]


def _described(operation: AnyOperation, refs: _Refs) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.tag],
        "x-actions": [action.value for action in operation.actions],
        "parameters": [*_path_parameters(operation), *_query_parameters(operation), *_header_parameters(operation)],
        "responses": _responses(operation, refs),
    }
    if operation.description:
        described["description"] = operation.description
    if operation.in_person:
        described["x-in-person"] = operation.in_person
    if operation.body is not Nothing:
        content = {"application/json": {"schema": refs[operation.body, "validation"]}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _path_parameters(operation: AnyOperation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": _path_schema(name)}
        for name in _PATH_PARAMETER.findall(operation.path)
    ]


def _path_schema(name: str) -> dict[str, Any]:
    match name:
        case "account_id":
            return {"type": "string", "anyOf": [{"const": ME}, {"pattern": ID_PATTERN}]}
        case "number":
            return {"type": "integer", "minimum": 1, "maximum": 10**18 - 1}
        case "address" | "connection_id":
            return {"type": "string", "minLength": 1, "maxLength": 320, "pattern": "^[^/]+$"}
        case _:
            return {"type": "string", "pattern": ID_PATTERN}


def _query_parameters(operation: AnyOperation) -> list[dict[str, Any]]:
    schema = operation.query.model_json_schema(ref_template=_REFERENCE)
    required = set(schema.get("required", ()))
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": _without_null({key: value for key, value in each.items() if key not in {"title", "description"}}),
            **({"description": each["description"]} if "description" in each else {}),
        }
        for name, each in schema.get("properties", {}).items()
    ]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Give the schema of a query parameter, which can be left out but never be null."""
    choices = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    if rest.get("default", ...) is None:
        del rest["default"]
    return {**rest, **choices[0]} if len(choices) == 1 else schema


def _header_parameters(operation: AnyOperation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if operation.method == "POST" and operation.is_repeatable:
        schema: dict[str, Any] = {
            "type": "string",
            "pattern": PATTERN,
            "examples": ["6f1d6a55-5c5f-4b0e-9f0e-2c7d3c1b8a10"],
        }
        found.append({"name": HEADER, "in": "header", "required": False, "schema": schema})
    if operation.needs_if_match or operation.takes_if_match:
        length: dict[str, Any] = {"minLength": 1, "maxLength": 200}
        schema = {"type": "string", **length, "examples": ['"5f2b…"']}
        found.append({"name": "If-Match", "in": "header", "required": operation.needs_if_match, "schema": schema})
    return found


def _responses(operation: AnyOperation, refs: _Refs) -> dict[str, Any]:
    good: dict[str, Any] = {"description": operation.summary}
    if operation.answer is not None:
        schema = refs[operation.answer, "serialization"]
        good["content"] = {media_type: {"schema": schema} for media_type in operation.media_types}
    elif operation.status != 204:  # noqa: PLR2004  (No Content)
        good["content"] = {media_type: {"schema": {"type": "string"}} for media_type in operation.media_types}
    if operation.has_etag:
        good["headers"] = {"ETag": {"required": True, "schema": {"type": "string"}}}
    codes = {*_ALWAYS}
    if operation.body is not Nothing:
        codes |= {"408", "413", "415"}
    if operation.needs_if_match or operation.takes_if_match:
        codes |= {"412", "428"}
    problem = {MEDIA_TYPE: {"schema": refs[Problem, "serialization"]}}
    bad = {code: {"description": _MEANINGS[code], "content": problem} for code in sorted(codes)}
    return {str(operation.status): good, **bad}
