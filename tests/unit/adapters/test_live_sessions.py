import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from valetkey.adapters.live_sessions import ControlSockets
from valetkey.core.scope import MailProtocol
from valetkey.service.ports import LiveSession
from valetkey.wire.control import Question, QuestionReader, Sample, Verb, encode_done, encode_item, encode_sample

SESSION = {
    "id": "s1",
    "account_id": "ac_1",
    "credential_id": "ap_1",
    "protocol": "imap",
    "address": "192.0.2.1",
    "client": "Phone",
    "opened_at": "2026-03-01T12:00:00+00:00",
    "worker": "1",
}


@asynccontextmanager
async def answering(path: Path, answer: Callable[[Question], bytes | None]) -> AsyncIterator[list[Question]]:
    """Run a worker's socket that answers so; None is no answer at all."""
    heard: list[Question] = []
    never = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        questions = QuestionReader()
        with suppress(ConnectionError):
            while data := await reader.read(1000):
                questions.receive(data)
                while (question := questions.next_question()) is not None:
                    heard.append(question)
                    said = answer(question)
                    if said is None:
                        await never.wait()
                    else:
                        writer.write(said)
        writer.close()

    server = await asyncio.start_unix_server(serve, path)
    try:
        yield heard
    finally:
        never.set()
        server.close()
        await server.wait_closed()


async def test_all_workers_are_asked_and_their_answers_summed(tmp_path: Path):
    control = ControlSockets(tmp_path)
    async with (
        answering(tmp_path / "worker-1.sock", lambda _: encode_done(2)) as first,
        answering(tmp_path / "worker-2.sock", lambda _: encode_done(1)) as second,
    ):
        assert await control.apply_changes("ac_1") == 3
        assert first == second == [Question(Verb.APPLY_CHANGES, "ac_1")]
        assert await control.close("s1")
        assert await control.ping() == ("1", "2")


async def test_without_workers_nothing_is_open(tmp_path: Path):
    for directory in (tmp_path, tmp_path / "missing"):
        control = ControlSockets(directory)
        assert await control.apply_changes("ac_1") == 0
        assert await control.list(None) == ()
        assert not await control.close("s1")
        assert await control.samples() == {}


async def test_sessions_are_listed_oldest_first_and_strange_ones_left_out(tmp_path: Path):
    older = SESSION | {"id": "s0", "credential_id": None, "opened_at": "2026-02-01T12:00:00+00:00"}
    strange = encode_item(SESSION | {"protocol": "gopher"}) + encode_item({"id": "s9"})
    said = encode_item(SESSION) + encode_item(older) + strange + encode_done(1)
    async with answering(tmp_path / "worker-1.sock", lambda _: said):
        first, second = await ControlSockets(tmp_path).list("ac_1")
    assert (first.id, first.credential_id) == ("s0", None)
    assert second == LiveSession(
        "s1", "ac_1", "ap_1", MailProtocol.IMAP, "192.0.2.1", "Phone", datetime(2026, 3, 1, 12, tzinfo=UTC), "1"
    )


async def test_samples_keep_their_worker(tmp_path: Path):
    sample = Sample("valetkey_live_sessions", "gauge", "Live sessions.", 4.0)
    async with answering(tmp_path / "worker-7.sock", lambda _: encode_sample(sample) + encode_done(1)):
        assert await ControlSockets(tmp_path).samples() == {"7": (sample,)}


@pytest.mark.parametrize("said", [None, b"nonsense\n", b'{"item":', encode_item(SESSION)])
async def test_a_worker_that_does_not_answer_costs_a_second_and_no_more(tmp_path: Path, said: bytes | None):
    async with (
        answering(tmp_path / "worker-1.sock", lambda _: said),
        answering(tmp_path / "worker-2.sock", lambda _: encode_done(5)),
    ):
        begun = asyncio.get_running_loop().time()
        assert await ControlSockets(tmp_path).apply_changes("ac_1") == 5
        assert asyncio.get_running_loop().time() - begun < 20
        assert (tmp_path / "worker-1.sock").exists()


async def test_the_socket_of_a_worker_that_is_gone_is_removed(tmp_path: Path):
    dead = tmp_path / "worker-1.sock"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(dead))
    (tmp_path / "worker-2.sock").write_text("no socket")
    assert await ControlSockets(tmp_path).apply_changes("ac_1") == 0
    assert not dead.exists()
    assert (tmp_path / "worker-2.sock").exists()


async def test_a_survey_tells_how_many_workers_said_nothing(tmp_path: Path):
    gone = socket.socket(socket.AF_UNIX)
    gone.bind(str(tmp_path / "worker-3.sock"))
    gone.close()  # nobody listens: this worker is gone, not silent
    said = encode_item(SESSION) + encode_done(1)
    async with (
        answering(tmp_path / "worker-1.sock", lambda _: said),
        answering(tmp_path / "worker-2.sock", lambda _: None),
    ):
        found = await ControlSockets(tmp_path).survey("ac_1")
    assert [session.id for session in found.sessions] == ["s1"]
    assert found.silent == 1
    assert (await ControlSockets(tmp_path / "missing").survey(None)).silent == 0
