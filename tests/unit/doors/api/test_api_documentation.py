"""What is said about the API is true: the list of operations, and each example, run by curl over HTTP."""

import asyncio
import json
import os
import re
import socket
from pathlib import Path

import pytest
import uvicorn
from tests.verbs.api_client import ORIGIN, token_for
from tests.verbs.site import House, Person

from valetkey.doors.api.app import create_api
from valetkey.doors.api.openapi import document
from valetkey.doors.api.operations import OPERATIONS, PREFIX
from valetkey.doors.api.reference import reference
from valetkey.doors.api.settings import ApiSettings

PAGE = (Path(__file__).parents[4] / "docs" / "api.md").read_text()
EXAMPLES = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_list_of_operations_is_that_of_the_code() -> None:
    assert reference().strip() in PAGE, "run: python -m valetkey.doors.api reference"


async def test_the_examples_work(house: House, alice: Person, tmp_path: Path) -> None:
    made = await token_for(house, alice)
    for number in range(2):
        await house.issue(alice, f"No. {number}")
    listening = socket.create_server(("127.0.0.1", 0))
    app = create_api(house.ports, ApiSettings(ORIGIN))
    config = uvicorn.Config(app, log_config=None, lifespan="off", proxy_headers=False, server_header=False)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listening]))
    known = {"PORTAL": f"http://127.0.0.1:{listening.getsockname()[1]}", "TOKEN": made.secret}
    script = "set -eu\n" + "\necho; echo ----\n".join(EXAMPLES)
    try:
        run = await asyncio.create_subprocess_exec(
            "sh", "-c", script, cwd=tmp_path, env=os.environ | known, stdout=-1, stderr=-1
        )
        said, wrong = await asyncio.wait_for(run.communicate(), 30)
    finally:
        server.should_exit = True
        await serving
    assert run.returncode == 0, said.decode() + wrong.decode()
    _, me, new, limited, page, renamed, revoked = said.decode().split("\n----\n")
    assert json.loads(me)["account"]["address"] == "alice@example.org"
    assert json.loads(new)["secret"].startswith("vkey-")
    limits = json.loads(limited)["app_password"]["restrictions"]["limits"]
    assert limits["folders"] == ["Customers", "Customers/*"]
    assert "link: </api/v1" in page.lower() or "link: <?limit=2&cursor=" in page.lower()
    assert json.loads(renamed)["description"] == "Scanner, second floor"
    assert json.loads(revoked)["app_password"]["revoked_reason"] == "Sold"
    assert (tmp_path / "token.header").stat().st_mode & 0o077 == 0


def test_each_operation_has_a_name_of_its_own() -> None:
    names = [each.id for each in OPERATIONS]
    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch("[a-z]+(_[a-z]+)*", name)] == []


def test_the_document_says_what_a_token_needs() -> None:
    described = document()
    assert described["openapi"] == "3.1.0"
    for operation in OPERATIONS:
        said = described["paths"][f"{PREFIX}{operation.path}"][operation.method.lower()]
        assert said["x-actions"] == [each.value for each in operation.actions]
        assert said["operationId"] == operation.id
        assert {"401", "403", "429", "503"} <= said["responses"].keys()


def test_every_form_is_closed_and_bounded() -> None:
    """Nothing unknown is taken, and every text and list that is sent has an end."""
    schemas = document()["components"]["schemas"]
    sent = {
        found
        for path in document()["paths"].values()
        for operation in path.values()
        for found in re.findall(r"schemas/(\w+)", json.dumps(operation.get("requestBody", {})))
    }
    while more := {each for name in sent for each in re.findall(r"schemas/(\w+)", json.dumps(schemas[name]))} - sent:
        sent |= more
    open_ones = [name for name in sent if "properties" in schemas[name] and schemas[name]["additionalProperties"]]
    assert open_ones == []
    for name in sent:
        for field, schema in schemas[name].get("properties", {}).items():
            for each in schema.get("anyOf", [schema]):
                is_bounded = "maxLength" in each or "pattern" in each or "format" in each or "enum" in each
                assert each.get("type") != "string" or is_bounded or "const" in each, f"{name}.{field}"
                assert each.get("type") != "array" or "maxItems" in each, f"{name}.{field}"


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.id)
def test_get_changes_nothing_and_bodies_go_with_verbs_that_change(operation: object) -> None:
    assert operation.method in {"GET", "POST", "PUT", "PATCH", "DELETE"}
    assert operation.method in {"POST", "PUT", "PATCH"} or operation.body.__name__ == "Nothing"
    assert operation.needs_if_match == (operation.method in {"PUT", "PATCH"})
