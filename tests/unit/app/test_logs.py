"""Log lines: no app password gets into one, and nothing in one is obeyed by a terminal."""

import io
import json
import logging
import random
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from valetkey.app.logs import cleaned, json_line, set_up_logging
from valetkey.core.api_token import draw_token
from valetkey.core.scope import MailProtocol

SECRET = "vkey-abcd-efgh-ijkl-mnop-qrst-uvwx"


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        SECRET.upper(),
        SECRET.replace("-", ""),
        SECRET.replace("-", " "),
        SECRET.replace("-", "\u2011"),
        SECRET.replace("-", "\u200b"),
        SECRET[:-4],
        f"user:{SECRET}@host",
    ],
)
def test_app_passwords_are_masked_wherever_they_stand(written: str) -> None:
    stream = io.StringIO()
    set_up_logging("json", "info", stream)
    structlog.get_logger().info(f"event {written}", text=written, deep={"list": [written]}, **{f"k{written}": 1})
    logging.getLogger("some.library").warning("it says %s", written)
    text = stream.getvalue().lower()
    assert text.count("vkey-***") == 5
    assert "efgh" not in text


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=24, max_size=24), st.sampled_from(["", "-", " ", "_"]))
def test_every_secret_is_masked(letters: str, between: str) -> None:
    shown = between.join(["vkey", *(letters[i : i + 4] for i in range(0, 24, 4))])
    event = cleaned(None, "info", {"event": f"<{shown}>"})
    assert event["event"] == "<vkey-***>"


@given(st.randoms(use_true_random=False), st.integers(0, 28))
def test_every_api_token_is_masked_cut_or_whole(chance: random.Random, cut: int) -> None:
    token = draw_token(chance.choice)
    event = cleaned(None, "info", {"event": f"Bearer {token[: len(token) - cut]}!", "deep": {token: [token]}})
    assert event["event"] == "Bearer vkt_***!"
    assert event["deep"] == {"vkt_***": ["vkt_***"]}


WORDS = st.text() | st.sampled_from([SECRET, SECRET[:-9], "\x1b[31m", "a\nb", "\ud800", "imap"])
VALUES = st.recursive(
    WORDS | st.none() | st.booleans() | st.integers() | st.binary(max_size=5) | st.sampled_from(MailProtocol),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text("abc_", min_size=1), VALUES), WORDS | st.none())
def test_a_line_of_json_says_what_the_cleaned_event_says(event: dict[str, object], exception: str | None) -> None:
    event = {**event, "event": "x", "exception": exception}
    line = json_line(None, "info", event.copy())
    assert json.loads(line) == json.loads(json.dumps(cleaned(None, "info", event)))
    assert line.isascii()
    assert line.isprintable()


def test_exceptions_are_masked_too() -> None:
    for form in ("text", "json"):
        stream = io.StringIO()
        set_up_logging(form, "info", stream)
        for logger in (structlog.get_logger(), logging.getLogger("some.library")):
            try:
                int(SECRET)
            except ValueError:
                logger.exception("failed")
        assert "mnop" not in stream.getvalue()
        assert stream.getvalue().count("ValueError") == 2


@pytest.mark.parametrize("text", ["a\x1b[31mred", "a\r\nlevel=info event=forged", "a\u202egnp.exe", "a\x00b", "a\x9bm"])
def test_control_characters_are_escaped(text: str) -> None:
    for form in ("text", "json"):
        stream = io.StringIO()
        set_up_logging(form, "info", stream)
        structlog.get_logger().info("login", client=text)
        logging.getLogger("some.library").warning("it says %s", text)
        assert stream.getvalue().count("\n") == 2
        assert not set(stream.getvalue()) & set("\x1b\r\x00\u202e\x9b")


def test_octets_are_counted_and_not_shown() -> None:
    assert cleaned(None, "info", {"event": "x", "data": b"secret"})["data"] == "<6 octets>"


def test_json_lines_are_json_with_level_and_time() -> None:
    stream = io.StringIO()
    set_up_logging("json", "info", stream)
    structlog.get_logger().info("ready", workers=2)
    structlog.get_logger().debug("hidden")
    (line,) = stream.getvalue().splitlines()
    facts = json.loads(line)
    assert (facts["event"], facts["workers"], facts["level"]) == ("ready", 2, "info")
    assert facts["timestamp"].endswith("Z")


def test_auto_is_json_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    set_up_logging("auto", "info", stream)
    structlog.get_logger().info("ready")
    assert json.loads(stream.getvalue())["event"] == "ready"


def test_of_a_long_traceback_the_end_is_kept() -> None:
    event = cleaned(None, "error", {"event": "failed", "exception": "Traceback\n" + "x" * 6000 + "\nValueError: why"})
    assert event["exception"].startswith("Traceback\n")
    assert event["exception"].endswith("\nValueError: why")
    assert len(event["exception"]) < 4100


def test_requests_that_nobody_can_read_do_not_fill_the_log() -> None:
    stream = io.StringIO()
    set_up_logging("json", "debug", stream)
    server = logging.getLogger("uvicorn.error")
    server.warning("Invalid HTTP request received.")
    assert stream.getvalue() == ""
    server.error("It failed.")
    assert json.loads(stream.getvalue())["event"] == "It failed."
