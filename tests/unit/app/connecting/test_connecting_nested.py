"""Reading what Dovecot and nginx print of their settings, whatever it is."""

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.app.connecting.connecting_setup import RECORDED

from valetkey.app.connecting.nested import Block, read_dovecot, read_nginx

PIECES = st.lists(
    st.sampled_from(["passdb", "{", "}", "\n", " = ", ";", '"', "'", "\\", "#", "include ", "a*", "é", "\0", "\t"])
)


def depth(block: Block) -> int:
    return 1 + max((depth(inner) for inner in block.blocks), default=0)


def test_dovecots_blocks() -> None:
    top = read_dovecot((RECORDED / "dovecot-2.4.txt").read_text())
    assert [block.head for block in top.under("passdb")] == [("passdb", "masters"), ("passdb", "lua")]
    assert next(top.under("namespace")).value("separator") == "/"
    assert top.value("auth_mechanisms") == "plain login"
    assert read_dovecot('mail_plugins = " acl"\n').value("mail_plugins") == "acl"


def test_nginxs_files_are_put_in_where_they_are_included() -> None:
    (mail,) = read_nginx((RECORDED / "nginx-1.22.txt").read_text()).under("mail")
    assert mail.value("auth_http_header") == "Authorization Bearer a-secret-of-this-peer"
    assert [server.value("protocol") for server in mail.under("server")] == ["imap", "imap", "smtp"]


def test_words_in_quotes_hold_what_would_end_them() -> None:
    top = read_nginx('log_format x "a { b; } \\" c";\n# a comment { \nmail { auth_http a; }')
    assert top.value("log_format") == 'x a { b; } " c'
    assert next(top.under("mail")).value("auth_http") == "a"


def test_a_file_that_includes_itself_comes_to_an_end() -> None:
    dump = "# configuration file /etc/nginx/nginx.conf:\nmail { auth_http a; }\ninclude nginx.conf;\n"
    assert next(read_nginx(dump).under("mail")).value("auth_http") == "a"


@given(PIECES.map("".join))
def test_nothing_is_too_strange(text: str) -> None:
    for top in (read_dovecot(text), read_nginx(text), read_nginx(f"# configuration file /a:\n{text}")):
        assert depth(top) <= 33


@given(st.text())
def test_no_text_is_too_strange(text: str) -> None:
    read_dovecot(text)
    read_nginx(text)


def test_what_is_nested_without_end_is_cut() -> None:
    assert depth(read_nginx("a {" * 5000)) <= 33
    assert depth(read_dovecot("a {\n" * 5000)) <= 33
