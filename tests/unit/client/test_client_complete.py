"""The client has a method for each operation of the API, with its parameters, and is what the document makes of it."""

import inspect
from typing import Any

import pytest
from scripts.api_client import CLIENT, ROOT, class_name, generated, python_name

from valetkey.client import Client, models
from valetkey.doors.api.openapi import document

DOCUMENT = document()
OPERATIONS = {each["operationId"]: each for at in DOCUMENT["paths"].values() for each in at.values()}


def body_of(operation: dict[str, Any]) -> dict[str, Any]:
    content = operation.get("requestBody", {}).get("content", {})
    if not content:
        return {"properties": {}}
    reference = content["application/json"]["schema"]["$ref"]
    return DOCUMENT["components"]["schemas"][reference.rpartition("/")[2]]  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_has_a_method_with_its_parameters(name: str) -> None:
    operation = OPERATIONS[name]
    method = getattr(Client, name)
    taken = dict(inspect.signature(method).parameters)
    del taken["self"]
    asked = [each["name"] for each in operation.get("parameters", [])] + list(body_of(operation)["properties"])
    assert sorted(taken) == sorted(map(python_name, asked))
    required = {each["name"] for each in operation.get("parameters", []) if each.get("required")}
    required |= set(body_of(operation).get("required", ()))
    assert {each for each in taken if taken[each].default is inspect.Parameter.empty} == set(map(python_name, required))


def test_the_client_has_no_other_methods() -> None:
    methods = {name for name, _ in inspect.getmembers(Client, inspect.isfunction) if not name.startswith("_")}
    assert methods - set(OPERATIONS) - {"close"} == {
        f"each_of_{name.removeprefix('list_')}"
        for name, operation in OPERATIONS.items()
        if any(each["name"] == "cursor" for each in operation.get("parameters", []))
    }


def test_every_model_that_is_sent_or_answered_is_there() -> None:
    named = {each.removesuffix("Shape") for each in DOCUMENT["components"]["schemas"]}
    for operation in OPERATIONS.values():
        for status, answer in operation["responses"].items():
            for media_type, content in answer.get("content", {}).items():
                if status.startswith("2") and media_type == "application/json":
                    assert class_name(content["schema"]["$ref"]) in named
                    assert hasattr(models, class_name(content["schema"]["$ref"]))


def test_what_is_written_is_what_the_document_makes() -> None:
    """If this fails, run scripts/api_client.py."""
    made = generated()
    assert {name: (ROOT / CLIENT / name).read_text() for name in made} == made
    written = {
        str(file.relative_to(ROOT / CLIENT))
        for folder in ("models", "calls")
        for file in (ROOT / CLIENT / folder).glob("*.py")
    }
    assert written == set(made)
