from datetime import UTC, datetime

import pytest

from valetkey.core.errors import Conflict, InvalidInput, Refused
from valetkey.core.sentence import Sentence, counted, say


def test_a_sentence_reads_as_its_english_text() -> None:
    assert str(say("Alias {address} added", address="a@example.org")) == "Alias a@example.org added"


def test_a_sentence_without_values_is_taken_as_it_is() -> None:
    assert str(say("Braces { are } text here")) == "Braces { are } text here"


def test_braces_in_a_value_are_only_text() -> None:
    assert str(say("Called {name}", name="{name.__class__}")) == "Called {name.__class__}"


@pytest.mark.parametrize(("number", "said"), [(0, "0 days left"), (1, "1 day left"), (2, "2 days left")])
def test_counted(number: int, said: str) -> None:
    assert str(counted("{number} day left", "{number} days left", number)) == said


def test_values_may_be_sentences_lists_and_times() -> None:
    nested = say(
        "{who}: {what}, since {since}",
        who=("a", "b", say("c")),
        what=say("down"),
        since=datetime(2026, 1, 2, tzinfo=UTC),
    )
    assert str(nested) == "a, b and c: down, since 2026-01-02 00:00:00+00:00"


def test_an_error_keeps_its_sentence_apart_from_its_values() -> None:
    error = Refused("Wait {minutes} minutes.", minutes=3)
    assert str(error) == "Wait 3 minutes."
    assert error.sentence == Sentence("Wait {minutes} minutes.", {"minutes": 3})


def test_an_error_may_be_given_a_ready_sentence_and_a_field() -> None:
    assert str(Conflict(counted("{number} was left.", "{number} were left.", 1))) == "1 was left."
    error = InvalidInput("name", "At most {most} characters.", most=60)
    assert (error.field, str(error)) == ("name", "At most 60 characters.")
