from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.doors.fake_upstreams import FakeUpstream, running_upstream
from tests.doors.gateway_site import GatewaySite, running_gateway, upstream

from valetkey.core.scope import MailProtocol


@pytest.fixture
async def fakes() -> AsyncIterator[dict[MailProtocol, FakeUpstream]]:
    async with AsyncExitStack() as stack:
        yield {each: await stack.enter_async_context(running_upstream(each)) for each in MailProtocol}


@pytest.fixture
async def site(tmp_path: Path, fakes: dict[MailProtocol, FakeUpstream]) -> AsyncIterator[GatewaySite]:
    upstreams = {protocol: upstream(fake.port) for protocol, fake in fakes.items()}
    async with running_gateway(tmp_path, upstreams) as running:
        yield running
