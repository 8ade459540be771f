"""Every text that a person sees can be translated: nothing in the templates and the code stands outside the catalogues."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import Environment

import valetkey

SOURCE = Path(valetkey.__file__).parent
TEMPLATES = sorted((SOURCE / "doors/web/templates").rglob("*.html"))
CODE = sorted(path for room in ("core", "service", "doors/web") for path in (SOURCE / room).rglob("*.py"))
TAKES_A_TEXT = {
    "say": 0, "counted": 0, "gettext": 0, "ngettext": 0, "Refused": 0, "NotAllowed": 0, "NotFound": 0, "Conflict": 0,
    "PolicyForbids": 0, "ProveAgain": 0, "InvalidInput": 1,
}  # fmt: skip
READ_OUT = re.compile(r'\s(?:aria-label|title|alt|placeholder|data-label|label)="[^"]*?([A-Za-z]{2,}[^"]*)"')
CLASSES = re.compile(r"{% block kind %}.*?{% endblock %}")
NO_TEXT = re.compile(r"<(style|script|code)\b.*?</\1>|<!--.*?-->|&[a-z#0-9]+;", re.DOTALL)


def name(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def untranslatable(source: str) -> Iterator[str]:
    """Find letters between or in tags that no `_()` and no `{% trans %}` stands around."""
    plain, in_trans = "", False
    tokens = list(Environment(extensions=["jinja2.ext.i18n"]).lex(CLASSES.sub("", source)))
    for position, (_line, kind, value) in enumerate(tokens):
        following = [text for _, kind, text in tokens[position + 1 : position + 4] if kind == "name"][:1]
        if kind == "block_begin" and following in (["trans"], ["endtrans"]):
            in_trans = following == ["trans"]
        if kind == "data" and not in_trans:
            plain += value
        elif kind == "variable_begin":
            plain += "…"
    plain = NO_TEXT.sub("", plain)
    yield from READ_OUT.findall(plain)
    plain = re.sub(r'\s[a-z-]+="[^"]*"', "", plain)  # macros that give attributes
    yield from (text.strip() for text in re.findall(r">([^<>]*)", ">" + plain) if re.search(r"[A-Za-z]{2,}", text))


@pytest.mark.parametrize("path", TEMPLATES, ids=name)
def test_a_template_has_no_text_of_its_own(path: Path) -> None:
    assert list(untranslatable(path.read_text())) == []


@pytest.mark.parametrize("path", TEMPLATES, ids=name)
def test_only_constants_are_translated_as_markup(path: Path) -> None:
    """A translated text is markup, so `_(typed_by_somebody)` would not be escaped."""
    assert re.findall(r"\b(?:_|gettext)\((?!\s*[\"'])[^)]*\)", path.read_text()) == []
    assert re.findall(r"\bngettext\((?!\s*([\"']).*?\1,\s*([\"']).*?\2,)[^)]*\)", path.read_text()) == []


def test_the_tests_of_templates_can_fail() -> None:
    assert list(untranslatable("<p>{{ x }}Hello</p>")) == ["…Hello"]
    assert list(untranslatable('<p aria-label="Remove {{ x }}"></p>')) == ["Remove …"]
    assert list(untranslatable("{% trans %}<b>Hello</b>{% endtrans %}<code>abc</code>{{ _('x') }}{# note #}")) == []


def texts(path: Path) -> Iterator[ast.expr]:
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        place = TAKES_A_TEXT.get(called)
        if place is not None and len(node.args) > place:
            yield node.args[place]


@pytest.mark.parametrize("path", CODE, ids=name)
def test_no_text_of_the_code_is_put_together(path: Path) -> None:
    together = [
        node
        for node in texts(path)
        if isinstance(node, ast.JoinedStr | ast.BinOp | ast.IfExp)
        and any(isinstance(part, ast.Constant) and isinstance(part.value, str) for part in ast.walk(node))
    ]
    assert [f"{node.lineno}: {ast.unparse(node)}" for node in together] == []


@pytest.mark.parametrize("path", CODE, ids=name)
def test_what_is_said_stands_where_it_is_said(path: Path) -> None:
    """The catalogues are gathered without running anything."""
    elsewhere = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"say", "counted"}:
            texts_of = node.args[: 2 if node.func.id == "counted" else 1]
            elsewhere += [text for text in texts_of if not isinstance(text, ast.Constant)]
    assert [f"{node.lineno}: {ast.unparse(node)}" for node in elsewhere] == []


@pytest.mark.parametrize("path", CODE, ids=name)
def test_a_constant_text_is_a_sentence(path: Path) -> None:
    """A name given to an error was made with `say`, or the catalogues would not know its text."""
    tree = ast.parse(path.read_text())
    constants = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert [node.id for node in texts(path) if isinstance(node, ast.Name) and node.id in constants] == []


@pytest.mark.parametrize("path", CODE, ids=name)
def test_what_is_wrong_with_a_form_is_a_sentence(path: Path) -> None:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(func=ast.Name(id="Errors"), args=[ast.Dict(values=values)]):
                found += values
            case ast.Assign(targets=[ast.Subscript(value=ast.Name(id="errors"))], value=value):
                found.append(value)
    wrong = [node for node in found if isinstance(node, ast.Constant | ast.JoinedStr)]
    assert [f"{node.lineno}: {ast.unparse(node)}" for node in wrong] == []
