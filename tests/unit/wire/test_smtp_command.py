import pytest

from valetkey.wire.smtp_command import COMMANDS, SmtpCommand, SmtpRefusal, parse_smtp_command


def _parse(line, *, utf8=False):
    return parse_smtp_command(line, utf8=utf8)


@pytest.mark.parametrize(
    ("line", "path"),
    [
        (b"MAIL FROM:<>", b""),
        (b"MAIL FROM:<alice@example.test>", b"alice@example.test"),
        (b"mail from:<a.b+c@sub-1.example.test>", b"a.b+c@sub-1.example.test"),
        (b"MAIL FROM: <alice@example.test>  ", b"alice@example.test"),
        (b'MAIL FROM:<"a \\" b"@example.test>', b'"a \\" b"@example.test'),
        (b'MAIL FROM:<""@example.test>', b'""@example.test'),
        (b'MAIL FROM:<"x>\\\\ SIZE=1"@example.test>', b'"x>\\\\ SIZE=1"@example.test'),
        (b"MAIL FROM:<alice@[192.0.2.1]>", b"alice@[192.0.2.1]"),
        (b"MAIL FROM:<alice@[IPv6:2001:db8::1]>", b"alice@[IPv6:2001:db8::1]"),
        (b"MAIL FROM:<@one.example,@two.example:alice@example.test>", b"alice@example.test"),
        (b"RCPT TO:<Postmaster>", b"Postmaster"),
        (b"RCPT TO:<postmaster>", b"postmaster"),
        (b"RCPT TO:<scan_1@my_host>", b"scan_1@my_host"),
    ],
)
def test_paths(line, path):
    command = _parse(line)
    assert isinstance(command, SmtpCommand)
    assert command.path == path
    assert _parse(command.line()[:-2]) == command


@pytest.mark.parametrize(
    "line",
    [
        b"MAIL",
        b"MAIL FROM:",
        b"MAIL FROM:alice@example.test",
        b"MAIL FROM:<alice>",
        b"MAIL FROM:<alice@>",
        b"MAIL FROM:<@example.test>",
        b"MAIL FROM:<alice@example.test",
        b"MAIL FROM:<alice@example.test>SIZE=1",
        b"MAIL FROM:<alice@example..test>",
        b"MAIL FROM:<alice@-example.test>",
        b"MAIL FROM:<a..b@example.test>",
        b"MAIL FROM:<.a@example.test>",
        b"MAIL FROM:<a b@example.test>",
        b"MAIL FROM:<a@b@example.test>",
        b'MAIL FROM:<"a"b"@example.test>',
        b'MAIL FROM:<"a\\"@example.test>',
        b"MAIL FROM:<a@example.test>\tSIZE=1",
        b"MAIL FROM:<a@example.test> SIZE=",
        b"MAIL FROM:<a@example.test> SIZE",
        b"MAIL FROM:<a@example.test> =1",
        b"MAIL FROM:<a@example.test> SIZE=1 size=2",
        b"MAIL FROM:<a@example.test> SMTPUTF8=1",
        b"MAIL FROM:<a@example.test> RET=ALL",
        b"MAIL FROM:<a@example.test> ENVID=a+b",
        b"MAIL FROM:<a@example.test> BODY=BINARYMIME",
        b"RCPT TO:<>",
        b"RCPT TO:<a@example.test> NOTIFY=ALWAYS",
        b"RCPT TO:<a@example.test> ORCPT=bob",
        b"RCPT FROM:<a@example.test>",
        b"DATA now",
        b"RSET x",
        b"QUIT x",
    ],
)
def test_malformed_lines_are_refused(line):
    refusal = _parse(line)
    assert isinstance(refusal, SmtpRefusal)
    assert refusal.code == 501


def test_unknown_parameters_and_commands():
    assert _parse(b"MAIL FROM:<a@b.example> BY=1;R").code == 555
    assert _parse(b"RCPT TO:<a@b.example> SIZE=1").code == 555
    for line in (b"", b"XCLIENT ADDR=1.2.3.4", b"EHLO x", b"\xff", b"mail\xe2\x84\xaa"):
        assert _parse(line).code == 500


def test_parameters_are_kept_in_order_and_auth_is_dropped():
    command = _parse(b"MAIL FROM:<a@b.example> ret=HDRS AUTH=<> envid=a+2Bb SMTPUTF8")
    assert command.parameters == ((b"RET", b"HDRS"), (b"ENVID", b"a+2Bb"), (b"SMTPUTF8", None))
    assert command.line() == b"MAIL FROM:<a@b.example> RET=HDRS ENVID=a+2Bb SMTPUTF8\r\n"
    assert command.is_utf8


def test_international_addresses_need_smtputf8():
    path = "müller@exämple.test".encode()
    assert _parse(b"MAIL FROM:<" + path + b">").code == 553
    assert _parse(b"MAIL FROM:<" + path + b"> SMTPUTF8").path == path
    assert _parse(b"RCPT TO:<" + path + b">").code == 553
    assert _parse(b"RCPT TO:<" + path + b">", utf8=True).path == path
    assert _parse(b"RCPT TO:<\xff@example.test>", utf8=True).code == 501


def test_bare_commands():
    for name in COMMANDS[2:]:
        assert _parse(name.lower().encode()) == SmtpCommand(name)
        assert SmtpCommand(name).line() == name.encode() + b"\r\n"
    assert _parse(b"NOOP anything") == SmtpCommand("NOOP")


@pytest.mark.parametrize(
    "command",
    [
        SmtpCommand("XCLIENT"),
        SmtpCommand("DATA\r\nXCLIENT LOGIN=x"),
        SmtpCommand("MAIL", b"a@b.example>\r\nRCPT TO:<c@d.example"),
        SmtpCommand("MAIL", b"a@b.example> SIZE=1"),
        SmtpCommand("MAIL", b"a@b.example", ((b"SIZE", b"1 SMTPUTF8"),)),
        SmtpCommand("RCPT", b""),
        SmtpCommand("RCPT"),
    ],
)
def test_a_rule_cannot_write_what_would_be_read_otherwise(command):
    with pytest.raises(ValueError):
        command.line()


def test_long_lines_are_parsed_in_time_that_grows_with_their_length():
    for line in (
        b"MAIL FROM:<" + b"a" * 4000,
        b"MAIL FROM:<" + b"a." * 2000,
        b"MAIL FROM:<a@" + b"a-" * 2000,
        b"MAIL FROM:<a@" + b"a." * 2000 + b"!",
        b"MAIL FROM:<a@b>" + b" a" * 2000 + b"!",
        b"MAIL FROM:<a@b>" + b" " * 4000 + b"!",
        b"MAIL FROM:<" + b"@a," * 1300,
        b'MAIL FROM:<"' + b"\\a" * 2000,
    ):
        assert isinstance(_parse(line), SmtpRefusal)
