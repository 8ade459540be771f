import pytest

from valetkey.core.login import CannotTell, Reason, Refused
from valetkey.core.scope import MailProtocol
from valetkey.doors.replies import LAST_WORDS, TOO_SLOW, refusal_for
from valetkey.doors.words import decoded, name_of_device, printable
from valetkey.wire.machine import RefusalKind

KINDS = {
    Reason.WRONG_SECRET: RefusalKind.WRONG,
    Reason.WRONG_CODE: RefusalKind.WRONG,
    Reason.ACCOUNT_DISABLED: RefusalKind.WRONG,
    Reason.KIND_NOT_ALLOWED: RefusalKind.WRONG,
    Reason.REVOKED: RefusalKind.WRONG,
    Reason.EXPIRED: RefusalKind.EXPIRED,
    Reason.IDLE: RefusalKind.EXPIRED,
    Reason.NETWORK: RefusalKind.FORBIDDEN,
    Reason.PROTOCOL: RefusalKind.FORBIDDEN,
    Reason.PERMISSION: RefusalKind.FORBIDDEN,
    Reason.NOT_HELD: RefusalKind.FORBIDDEN,
    Reason.TLS_NEEDED: RefusalKind.TLS_NEEDED,
    Reason.THROTTLED: RefusalKind.TRY_LATER,
}


@pytest.mark.parametrize("reason", Reason)
def test_a_proven_reason_has_its_reply(reason: Reason):
    refusal = refusal_for(Refused(reason, proven=True), MailProtocol.IMAP, "https://pw.example.org")
    assert refusal.kind is KINDS[reason]
    assert refusal.text.isascii()
    assert refusal.text.isprintable()
    assert len(refusal.text) < 200


@pytest.mark.parametrize("reason", Reason)
def test_an_unproven_reason_is_told_as_wrong(reason: Reason):
    wrong = refusal_for(Refused(Reason.WRONG_SECRET), MailProtocol.POP3, "")
    told = refusal_for(Refused(reason), MailProtocol.POP3, "")
    assert (told == wrong) == (reason is not Reason.THROTTLED)


def test_not_knowing_is_never_a_wrong_password():
    assert refusal_for(CannotTell("the store is gone"), MailProtocol.SMTP, "").kind is RefusalKind.TRY_LATER
    assert "store" not in refusal_for(CannotTell("the store is gone"), MailProtocol.SMTP, "").text


@pytest.mark.parametrize("words", [*LAST_WORDS.values(), *TOO_SLOW.values()])
def test_last_words_are_one_line(words: bytes):
    assert words.endswith(b"\r\n")
    assert words.count(b"\n") == 1


def test_text_of_others_cannot_steer_a_terminal():
    assert printable("a\x1b[2J\r\nb\u202ec") == "a?[2J??b?c"
    assert printable("x" * 500) == "x" * 120
    assert name_of_device({"name": "Thunder\tbird", "version": "115"}) == "Thunder?bird 115"
    assert name_of_device({"ehlo": "laptop"}) == "laptop"
    assert name_of_device({}) == ""


def test_every_octet_stands_for_something():
    assert decoded("pässword".encode()) == "pässword"
    assert decoded(b"p\xe4ssword") == "pässword"
