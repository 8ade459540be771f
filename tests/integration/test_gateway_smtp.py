"""Submission through the gateway: what it announces is true, messages arrive octet for octet, nothing is smuggled."""

import base64
import re
import smtplib

import pytest
from tests.servers import python_clients
from tests.servers.dialogue import Dialogue, dialogue, plain
from tests.servers.maildirs import a_message
from tests.servers.people import ALICE, BOB, CAROL
from tests.servers.valetkey import Valetkey
from tests.servers.valetkey_keys import AppPasswordOf

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def key(valetkey: Valetkey) -> AppPasswordOf:
    return valetkey.keys.issue(ALICE, "send-only", "SMTP")


@pytest.fixture
def talk(valetkey: Valetkey, key: AppPasswordOf):
    """Give a dialogue that is logged in, and has said EHLO again."""
    valetkey.site.mail.empty(BOB)
    with dialogue(valetkey.ports.submissions, valetkey.site.authority.client_context(), seconds=30) as talk:
        talk.until("220 ")
        talk.smtp("EHLO client.example.test")
        assert talk.smtp(f"AUTH PLAIN {plain(ALICE.address, key.secret)}")[-1].startswith("235 2.7.0")
        talk.smtp("EHLO client.example.test")
        yield talk


def envelope(talk: Dialogue, *parameters: str) -> None:
    assert talk.smtp(f"MAIL FROM:<{ALICE.address}>{''.join(f' {each}' for each in parameters)}")[-1].startswith("250")
    assert talk.smtp(f"RCPT TO:<{BOB.address}>")[-1].startswith("250")


def test_what_is_announced_after_the_login_is_what_works(valetkey: Valetkey, key: AppPasswordOf):
    with dialogue(valetkey.ports.submissions, valetkey.site.authority.client_context()) as talk:
        talk.until("220 ")
        before = {line[4:] for line in talk.smtp("EHLO client.example.test")[1:]}
        talk.smtp(f"AUTH PLAIN {plain(ALICE.address, key.secret)}")
        after = {line[4:] for line in talk.smtp("EHLO client.example.test")[1:]}
        assert {"AUTH PLAIN LOGIN", "PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES"} <= before
        assert not any(re.match(r"AUTH|STARTTLS|XCLIENT|XFORWARD|ETRN|VRFY|CHUNKING", line) for line in after)
        assert {"PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES"} <= after
        # What is announced works …
        assert talk.smtp(f"MAIL FROM:<{ALICE.address}> SIZE=2000 BODY=8BITMIME")[-1].startswith("250")
        talk.smtp("RSET")
        size = next(int(line.partition(" ")[2] or 0) for line in after if line.startswith("SIZE"))
        assert size
        assert talk.smtp(f"MAIL FROM:<{ALICE.address}> SIZE={size + 1}")[-1].startswith("552")
        # … and what is not announced does not.
        for refused in ("ETRN example.test", "VRFY bob", "AUTH PLAIN", "STARTTLS", "EXPN x"):
            answer = talk.smtp(refused)[-1]
            assert answer.startswith(("50", "55", "25")) and not answer.startswith(("250", "220")), (refused, answer)
        # What follows BDAT could be taken for commands, so nothing is heard after it.
        assert talk.smtp("BDAT 5 LAST")[-1].startswith("421")
        assert talk.closed()


@pytest.mark.parametrize(
    "line",
    [
        "XCLIENT ADDR=203.0.113.9 LOGIN=bob@example.test",
        "XFORWARD ADDR=203.0.113.9",
        "xclient login=bob@example.test",
        "EHLO x\nXCLIENT LOGIN=bob@example.test",
        "NOOP\rXCLIENT LOGIN=bob@example.test",
    ],
)
def test_a_client_cannot_speak_for_the_gateway(valetkey: Valetkey, talk: Dialogue, line: str):
    talk.send(line)
    talk.send("NOOP")
    *answers, _ = talk.until("250 ")
    assert answers and all(answer.startswith("5") for answer in answers), answers
    # The login is still its own: it may not send as somebody else.
    answers = [talk.smtp(f"MAIL FROM:<{BOB.address}>")[-1], talk.smtp(f"RCPT TO:<{CAROL.address}>")[-1]]
    assert any(each.startswith("553") for each in answers), answers


def test_pipelining_in_one_packet(valetkey: Valetkey, talk: Dialogue):
    talk.send_octets(
        f"MAIL FROM:<{ALICE.address}>\r\nRCPT TO:<{BOB.address}>\r\nRCPT TO:<nobody@elsewhere.test>\r\nDATA\r\n".encode()
    )
    assert [talk.until(r"\d{3} ")[-1][:3] for _ in range(4)][::3] == ["250", "354"]
    talk.send_octets(b"Subject: pipelined\r\n\r\nHello\r\n.\r\nRSET\r\nQUIT\r\n")
    assert [talk.until(r"\d{3} ")[-1][:3] for _ in range(3)] == ["250", "250", "221"]
    valetkey.site.mail.wait_for(BOB, "pipelined")


def test_dots_and_eight_bit_octets_arrive_as_they_were_sent(valetkey: Valetkey, talk: Dialogue):
    body = b"..\r\n.a\r\n...\r\nGr\xc3\xbc\xc3\x9fe \xff\xfe\r\n" + b"y" * 990 + b"\r\n..end\r\n"
    envelope(talk, "BODY=8BITMIME")
    assert talk.smtp("DATA")[-1].startswith("354")
    stuffed = b"Subject: dots\r\n\r\n" + re.sub(rb"(?m)^\.", b"..", body)
    assert talk.smtp(stuffed + b".")[-1].startswith("250")
    octets = valetkey.site.mail.wait_for(BOB, "Subject: dots")
    assert octets.partition(b"\n\n")[2].rstrip(b"\n") == body.replace(b"\r\n", b"\n").rstrip(b"\n")


@pytest.mark.parametrize(
    "ending",
    [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r\n", b"\r\n.\r", b"\n\n.\r\n", b"\r\n\x00.\r\n"],
)
def test_no_second_message_is_smuggled_behind_a_bare_line_end(valetkey: Valetkey, talk: Dialogue, ending: bytes):
    envelope(talk)
    assert talk.smtp("DATA")[-1].startswith("354")
    inner = f"MAIL FROM:<{BOB.address}>\r\nRCPT TO:<{BOB.address}>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n"
    talk.send_octets(b"Subject: outer\r\n\r\nhello" + ending + inner.encode())
    first = talk.until(r"\d{3} ")[-1]
    assert talk.smtp("NOOP")[-1][:3] in {"250", "421"} or first.startswith("5")
    talk.socket.close()
    with python_clients.smtp(valetkey.login(valetkey.keys.issue(ALICE, "send-only"), "submissions")) as client:
        client.send_message(a_message(ALICE.address, BOB.address, "the-last"))
    valetkey.site.mail.wait_for(BOB, "the-last")
    subjects = [octets.partition(b"\n\n")[0] for octets in valetkey.site.mail.messages(BOB)]
    assert not any(b"Subject: smuggled" in head for head in subjects)
    if b"\n" in ending.replace(b"\r\n", b"") or ending.startswith(b"\r."):
        assert first.startswith("5"), first


def test_a_large_message_passes_and_a_larger_one_than_allowed_does_not(valetkey: Valetkey, talk: Dialogue):
    line = b"0123456789" * 7 + b"\r\n"
    envelope(talk)
    talk.smtp("DATA")
    body = b"Subject: large\r\n\r\n" + line * (9_000_000 // len(line))
    assert talk.smtp(body + b".")[-1].startswith("250")
    assert len(valetkey.site.mail.wait_for(BOB, "Subject: large")) > 8_000_000
    envelope(talk)
    talk.smtp("DATA")
    more = b"Subject: too large\r\n\r\n" + line * (12_000_000 // len(line))
    assert talk.smtp(more + b".")[-1].startswith("552")
    assert talk.smtp("NOOP")[-1].startswith("250")


@pytest.mark.parametrize(
    "line",
    [
        "MAIL FROM:<alice@example.test>\tSIZE=1 X\x01",
        "MAIL FROM:<" + "a" * 3000 + "@example.test>",
        "RCPT TO:bob@example.test> NOTIFY=NEVER\x00",
        "MAIL FROM:<alice@example.test> FOO=BAR",
        "DATA now",
    ],
)
def test_what_does_not_parse_is_refused_and_the_session_goes_on(talk: Dialogue, line: str):
    assert talk.smtp(line)[-1].startswith("5")
    envelope(talk)


def test_auth_login_in_two_steps_and_plain_with_its_own_challenge(valetkey: Valetkey, key: AppPasswordOf):
    secret = key.secret
    for steps in (
        ["AUTH LOGIN", b64(ALICE.address), b64(secret)],
        [f"AUTH LOGIN {b64(ALICE.address)}", b64(secret)],
        ["AUTH PLAIN", plain(ALICE.address, secret)],
        [f"AUTH PLAIN {plain(ALICE.address, secret, ALICE.address)}"],
    ):
        with dialogue(valetkey.ports.submissions, valetkey.site.authority.client_context()) as talk:
            talk.until("220 ")
            talk.smtp("EHLO client.example.test")
            answers = [talk.smtp(step)[-1][:3] for step in steps]
        assert answers == ["334"] * (len(steps) - 1) + ["235"]


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_mail_before_login_is_refused(valetkey: Valetkey):
    with dialogue(valetkey.ports.submissions, valetkey.site.authority.client_context()) as talk:
        talk.until("220 ")
        talk.smtp("EHLO client.example.test")
        assert talk.smtp(f"MAIL FROM:<{ALICE.address}>")[-1].startswith("530 5.7.0")
        assert talk.smtp("RCPT TO:<bob@example.test>")[-1].startswith(("530", "503"))
        assert talk.smtp("DATA")[-1].startswith(("530", "503"))


def test_what_postfix_refuses_the_client_hears_in_postfix_words(valetkey: Valetkey, key: AppPasswordOf):
    with python_clients.smtp(valetkey.login(key, "submission")) as client:
        with pytest.raises(smtplib.SMTPRecipientsRefused, match="not owned by user"):
            client.sendmail(CAROL.address, [BOB.address], b"Subject: as Carol\r\n\r\n")
        with pytest.raises(smtplib.SMTPRecipientsRefused, match="unknown"):
            client.sendmail(ALICE.address, ["nobody@example.test"], b"Subject: to nobody\r\n\r\n")
