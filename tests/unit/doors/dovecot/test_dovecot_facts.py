"""What Dovecot says of a login is read whole, or refused."""

import json
import time
from contextlib import suppress
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valetkey.doors.asked.http import BadRequest
from valetkey.doors.dovecot.facts import device_of, facts_of_form, facts_of_json
from valetkey.doors.words import decoded

octets = st.binary(max_size=60).filter(lambda value: b"\0" not in value)


@given(st.binary(max_size=300))
def test_any_octets_are_facts_or_a_bad_request(body):
    for read in (facts_of_json, facts_of_form):
        found = None
        with suppress(BadRequest):
            found = read(body)
        assert found is None or all(isinstance(value, str) for value in found.values())


@given(st.text(max_size=60, alphabet=st.characters(exclude_categories=["Cs"])))
def test_texts_come_through_json(text):
    assert facts_of_json(json.dumps({"a": text}).encode())["a"] == text
    assert facts_of_json(json.dumps({"a": text}, ensure_ascii=False).encode())["a"] == text


@given(octets)
def test_octets_come_through_json_as_they_are_or_escaped(value):
    """Other writers of JSON leave what is no UTF-8 as it is; our script escapes it."""
    escapes = {0x22: b'\\"', 0x5C: b"\\\\"}
    raw = b"".join(escapes.get(c, bytes([c]) if c >= 0x20 else b"\\u%04x" % c) for c in value)
    assert facts_of_json(b'{"a":"' + raw + b'"}')["a"] == decoded(value)


@given(octets)
def test_octets_come_through_a_form(value):
    assert facts_of_form(b"a=" + quote_plus(value).encode() + b"&b=")["a"] == decoded(value)


def test_absent_and_false_are_the_same():
    assert facts_of_json(b'{"a": null, "b": false, "c": true, "d": ""}') == {"c": "true", "d": ""}


def test_a_field_that_stands_twice_is_refused():
    with pytest.raises(BadRequest):
        facts_of_form(b"password=a&password=b")


@pytest.mark.parametrize(
    ("said", "device"),
    [
        ("", ""),
        ('"name" "Quux" "version" "1.2"', "Quux 1.2"),
        ('("NAME" "Quux" "version" NIL)', "Quux"),
        ('"os" "x"', ""),
        ('"name"', ""),
        ('"name" "a\x1b[31m"', "a?[31m"),
        ("NIL", ""),
    ],
)
def test_what_a_client_calls_itself(said, device):
    assert device_of({"client_id": said}) == device


@pytest.mark.parametrize("said", ['"', '"' + '\\"', '("name" "' + 'a\\"', '("name" NIL "' + "\\", '"\\\n'])
def test_a_device_that_never_ends_is_read_once(said):
    """Looked for anew at each quote it would take minutes, and a worker has one thread."""
    begun = time.process_time()
    device_of({"client_id": said + '\\"' * 60_000})
    assert time.process_time() - begun < 20
