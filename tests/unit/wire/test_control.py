import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valetkey.wire.control import (
    ANSWER_LIMIT,
    LINE_LIMIT,
    AnswerReader,
    Done,
    Item,
    Question,
    QuestionReader,
    Sample,
    Verb,
    decode_sample,
    encode_done,
    encode_item,
    encode_question,
    encode_sample,
)
from valetkey.wire.machine import PeerError


@given(st.sampled_from(Verb), st.text(max_size=100), st.integers(1, 20))
def test_a_question_is_read_as_it_was_written_however_it_is_cut(verb: Verb, argument: str, size: int):
    line = encode_question(Question(verb, argument))
    reader = QuestionReader()
    for start in range(0, len(line), size):
        assert reader.next_question() is None
        reader.receive(line[start : start + size])
    assert reader.next_question() == Question(verb, argument)
    assert reader.next_question() is None


def test_an_answer_is_items_and_an_end():
    reader = AnswerReader()
    reader.receive(encode_item({"id": "a"}) + encode_item({"id": "b\n"}) + encode_done(2)[:3])
    assert [reader.next_part(), reader.next_part(), reader.next_part()] == [
        Item({"id": "a"}),
        Item({"id": "b\n"}),
        None,
    ]
    reader.receive(encode_done(2)[3:])
    assert reader.next_part() == Done(2)


def test_a_sample_keeps_its_labels():
    sample = Sample("valetkey_logins_total", "counter", "Logins.", 3.0, {"protocol": "imap"})
    reader = AnswerReader()
    reader.receive(encode_sample(sample))
    part = reader.next_part()
    assert isinstance(part, Item)
    assert decode_sample(part) == sample
    with pytest.raises(PeerError):
        decode_sample(Item({"name": "x"}))


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"{}\n",
        b"[]\n",
        b"nonsense\n",
        b"\xff\xfe\n",
        json.dumps({"verb": "shutdown", "argument": ""}).encode() + b"\n",
        json.dumps({"verb": "ping"}).encode() + b"\n",
        json.dumps({"verb": "ping", "argument": 7}).encode() + b"\n",
        b"[" * 10_000 + b"\n",
        b"x" * (LINE_LIMIT + 1),
    ],
)
def test_what_is_no_question_is_refused(line: bytes):
    reader = QuestionReader()
    reader.receive(line)
    with pytest.raises(PeerError):
        reader.next_question()


@pytest.mark.parametrize("line", [b'{"done": "many"}\n', b'{"item": 3}\n', b"{}\n"])
def test_what_is_no_answer_is_refused(line: bytes):
    reader = AnswerReader()
    reader.receive(line)
    with pytest.raises(PeerError):
        reader.next_part()


def test_an_answer_has_an_end_even_if_the_worker_does_not_know_one():
    reader = AnswerReader()
    line = encode_item({"id": "x" * 10_000})
    with pytest.raises(PeerError):  # noqa: PT012  any of them
        for _ in range(ANSWER_LIMIT // len(line) + 2):
            reader.receive(line)
            reader.next_part()


@given(st.binary(max_size=300))
def test_no_input_raises_anything_else(data: bytes):
    reader = QuestionReader()
    reader.receive(data)
    try:
        while reader.next_question() is not None:
            pass
    except PeerError:
        pass
