"""Records as text to take away."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contract.values import NOW, a_login

from valetkey.core.event import AppPasswordRevoked
from valetkey.core.scope import MailProtocol
from valetkey.service.export import AUDIT_COLUMNS, HISTORY_COLUMNS, audit_row, csv_lines, history_row, json_lines
from valetkey.service.ports import AuditRecord

FORMULAS = ("=1+1", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\u200b=1", "\0=1", "＝1", "\ufeff+1")
TEXT = st.text(max_size=40) | st.sampled_from(FORMULAS) | st.builds("{}{}".format, st.sampled_from(FORMULAS), st.text())
RECORD = AuditRecord(
    7, NOW, "ac_alice", "192.0.2.1", "ac_alice", "ap_phone", "AppPasswordRevoked",
    AppPasswordRevoked("Phone", '=HYPERLINK("x")'), b"\x01\x02",
)  # fmt: skip


def parsed(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@given(st.lists(st.tuples(TEXT, TEXT), max_size=5))
def test_no_cell_begins_a_formula_after_parse(rows):
    text = "".join(csv_lines(("a", "b"), [{"a": a, "b": b} for a, b in rows]))
    cells = [cell for row in parsed(text)[1:] for cell in row]
    assert len(cells) == 2 * len(rows)
    for cell in cells:
        assert cell[:1] not in {*"=+-@\t\r\n＝＋－＠"}
        assert cell.strip().strip("\u200b\ufeff")[:1] not in {*"=+-@＝＋－＠"}


@given(st.lists(st.tuples(TEXT, TEXT), max_size=5))
def test_what_was_said_is_still_all_there(rows):
    text = "".join(csv_lines(("a", "b"), [{"a": a, "b": b} for a, b in rows]))
    for said, read in zip(
        [cell for row in rows for cell in row], [c for r in parsed(text)[1:] for c in r], strict=True
    ):
        assert read in {said.replace("\0", ""), f"'{said}".replace("\0", "")}


@given(st.dictionaries(st.sampled_from("abc"), TEXT | st.none() | st.integers()))
def test_json_lines_are_one_object_each(row):
    (line,) = json_lines("abc", [row])
    assert line.endswith("\n")
    assert line.count("\n") == 1
    assert json.loads(line) == {column: row.get(column) for column in "abc"}


def test_lines_end_as_rfc_4180_says_and_quotes_are_doubled():
    text = "".join(csv_lines(("a", "b"), [{"a": 'say "hi", you', "b": None}]))
    assert text == '"a","b"\r\n"say ""hi"", you",""\r\n'


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (3, "3"),
        (datetime(2026, 3, 1, 1, tzinfo=timezone(timedelta(hours=2))), "2026-02-28T23:00:00.000000Z"),
        (["a", "b"], '["a", "b"]'),
        ({"rights": ("read",)}, '{"rights": ["read"]}'),
        ("", ""),
        ("plain", "plain"),
        ("it's", "it's"),
    ],
)
def test_values_are_written_so(value, cell):
    assert parsed("".join(csv_lines(("a",), [{"a": value}])))[1] == [cell]


def test_logins_and_changes_are_rows_of_one_table():
    refusal = a_login(result="network", count=4, protocol=MailProtocol.SMTP, client="@evil")
    rows = [history_row(a_login()), history_row(refusal), history_row(RECORD)]
    lines = parsed("".join(csv_lines(HISTORY_COLUMNS, rows)))
    first, second, third = [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
    assert (first["kind"], first["outcome"], first["reason"], first["protocol"]) == ("login", "allowed", "", "imap")
    assert (second["outcome"], second["reason"], second["count"], second["client"]) == (
        "refused", "network", "4", "'@evil",
    )  # fmt: skip
    assert (third["kind"], third["outcome"], third["by"]) == ("change", "AppPasswordRevoked", "ac_alice")
    assert third["said"].startswith("App password “Phone” revoked")
    assert third["at"] == NOW.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_audit_rows_have_every_column():
    (line,) = json_lines(AUDIT_COLUMNS, [audit_row(RECORD)])
    read = json.loads(line)
    assert (read["number"], read["hash"], read["kind"]) == (7, "0102", "AppPasswordRevoked")
    assert read["facts"] == {"description": "Phone", "reason": '=HYPERLINK("x")'}
    assert all(column in audit_row(RECORD) for column in AUDIT_COLUMNS)
