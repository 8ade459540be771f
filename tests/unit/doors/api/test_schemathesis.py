"""Every operation is asked by Schemathesis, rightly and wrongly, with tokens of each kind; it finds nothing."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.schemas import OpenApiSchema
from tests.verbs.api_client import ORIGIN, token_for
from tests.verbs.site import HOME, House, Person

from valetkey.core.role import Action, Role
from valetkey.core.scope import MailProtocol
from valetkey.doors.api.app import create_api
from valetkey.doors.api.openapi import document
from valetkey.doors.api.operations import OPERATIONS
from valetkey.doors.api.settings import ApiSettings
from valetkey.service.ports import LiveSession

NEVER = 10**6
# What is right in form may still be refused for what it means: that is not a fault of the API.
REFUSED = ["2xx", "401", "403", "404", "409", "412", "422", "428"]
WRONG = ["400", "401", "403", "404", "405", "406", "412", "413", "415", "422", "428"]
EXAMPLES = 12


@dataclass
class Stage:
    house: House
    schema: OpenApiSchema
    tokens: dict[str, str]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    house = House(tmp_path_factory.mktemp("api"))
    yield asyncio.run(a_stage(house))
    house.close()


async def a_stage(house: House) -> Stage:
    """Give a house with people, app passwords and connections that requests can hit, and somebody of each kind to ask."""
    people = {
        "admin": await house.person("ada@example.org", role=Role.ADMIN),
        "helpdesk": await house.person("hal@example.org", role=Role.HELPDESK),
        "auditor": await house.person("aud@example.org", role=Role.AUDITOR),
        "person": await house.person("alice@example.org"),
    }
    await house.person("second@example.org", role=Role.ADMIN)
    tokens = {name: (await token_for(house, person)).secret for name, person in people.items()}
    tokens["reader"] = (await token_for(house, people["person"], [Action.OWN_READ])).secret
    schema = schemathesis.openapi.from_dict(with_ids(document(), await things_to_hit(house, people["person"])))
    schema.app = create_api(house.ports, ApiSettings(ORIGIN, per_minute=NEVER, failures_per_minute=NEVER))
    schema.config.checks.positive_data_acceptance.expected_statuses = REFUSED
    schema.config.checks.negative_data_rejection.expected_statuses = WRONG
    return Stage(house, schema, tokens)


async def things_to_hit(house: House, alice: Person) -> dict[str, list[str]]:
    victim = await house.person("victim@example.org")
    shared = await house.shared(owner=alice)
    passwords = [(await house.issue(who, f"Thing {n}")).app_password.id for who in (alice, victim) for n in range(3)]
    token = await token_for(house, victim)
    opened = house.clock.now()
    house.live.sessions = [
        LiveSession(f"s{n}", who.account.id, None, MailProtocol.IMAP, HOME, "x", opened, "1")
        for n, who in enumerate((alice, victim))
    ]
    return {
        "account_id": ["me", victim.account.id, shared.id, "ac_nobody"],
        "owner_id": [alice.account.id, victim.account.id],
        "app_password_id": [*passwords, "ap_nothing"],
        "token_id": [token.token.id, "at_nothing"],
        "connection_id": ["s0", "s1", "none"],
        "address": ["x@example.org", "scanner@example.org"],
    }


def with_ids(described: dict[str, Any], known: dict[str, list[str]]) -> dict[str, Any]:
    """Let the paths of a document name things that there are: random ids would meet nothing."""
    for path in described["paths"].values():
        for operation in path.values():
            for parameter in operation["parameters"]:
                if parameter["in"] == "path" and parameter["name"] in known:
                    parameter["schema"] = {"type": "string", "enum": known[parameter["name"]]}
    return described


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"])
@pytest.mark.parametrize("operation_id", [each.id for each in OPERATIONS])
def test_nothing_is_found(stage: Stage, operation_id: str, mode: GenerationMode) -> None:
    operation = stage.schema.find_operation_by_id(operation_id)
    with suppress(hypothesis.errors.Unsatisfiable):  # nothing can be wrong about a request without any value

        @hypothesis.settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy(generation_mode=mode), st.sampled_from(sorted(stage.tokens)))
        def ask(case: schemathesis.Case, who: str) -> None:
            response = case.call_and_validate(headers={"Authorization": f"Bearer {stage.tokens[who]}"})
            assert response.headers["cache-control"] == ["no-store"]
            if response.status_code >= 400:
                assert json.loads(response.content)["status"] == response.status_code

        ask()
