"""The house rules that a machine can hold: sizes, words, RFCs, replies, imports."""

import ast
import re
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "valetkey"
FILES = sorted(SOURCE.rglob("*.py"))

# Functions of more than 60 lines, files of more than 500: each with its reason.
LONG_FUNCTIONS: dict[str, str] = {}
LONG_FILES: dict[str, str] = {}

FORBIDDEN_NAMES = {"utils", "helpers", "common", "manager", "base", "misc"}
# docs/decisions/0004: pure libraries that core may import.
CORE_LIBRARIES = {"idna", "precis_i18n", "pyotp"}


def functions() -> list[tuple[str, int]]:
    found = []
    for file in FILES:
        if "migrations" in file.parts:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) is not None else node.body
                length = (body[-1].end_lineno - body[0].lineno + 1) if body else 0
                found.append((f"{file.relative_to(SOURCE)}:{node.name}", length))
    return found


def test_functions_are_short() -> None:
    """Median at most 10 lines, nine of ten at most 40, none above 60 without a reason; docstrings not counted."""
    lengths = functions()
    sizes = sorted(length for _, length in lengths)
    assert statistics.median(sizes) <= 10
    assert sizes[int(len(sizes) * 0.9)] <= 40
    assert [name for name, length in lengths if length > 60 and name not in LONG_FUNCTIONS] == []


def test_files_are_short() -> None:
    """Median at most 200 lines, none above 500 without a reason."""
    sizes = {str(file.relative_to(SOURCE)): len(file.read_text().splitlines()) for file in FILES}
    assert statistics.median(sizes.values()) <= 200
    assert [name for name, size in sizes.items() if size > 500 and name not in LONG_FILES] == []


def test_exceptions_are_needed() -> None:
    """An exception that is no longer one is taken off its list."""
    lengths = dict(functions())
    assert [name for name in LONG_FUNCTIONS if lengths.get(name, 0) <= 60] == []
    assert [name for name in LONG_FILES if len((SOURCE / name).read_text().splitlines()) <= 500] == []


def test_no_module_is_a_drawer() -> None:
    """No module is named after nothing in particular."""
    assert [str(file) for file in FILES if file.stem in FORBIDDEN_NAMES or file.parent.name in FORBIDDEN_NAMES] == []


def test_no_import_inside_a_function() -> None:
    """The graph of imports can be drawn from the tops of the files."""
    hidden = []
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                hidden += [
                    f"{file.relative_to(SOURCE)}:{inner.lineno}"
                    for inner in ast.walk(node)
                    if isinstance(inner, ast.Import | ast.ImportFrom)
                ]
    assert hidden == []


def test_core_imports_only_values() -> None:
    """Core imports the standard library, itself, and the libraries of decision 0004."""
    foreign = set()
    for file in (SOURCE / "core").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            foreign |= {name.split(".")[0] for name in names}
    assert foreign - set(sys.stdlib_module_names) - {"valetkey"} == CORE_LIBRARIES


def test_every_module_says_what_lives_in_it() -> None:
    """Each module opens with a sentence."""
    assert [str(file) for file in FILES if not ast.get_docstring(ast.parse(file.read_text()))] == []


# A number, perhaps its section, perhaps a word on it: "RFC 5321 4.1, 6531 and 4954 (AUTH)" cites three.
_CITED = r"\d{3,5}(?: \d[\d.]*)?(?: \([^)]*\))?"
CITATIONS = re.compile(rf"RFC ((?:{_CITED}(?:, (?:and )?| and )?)+)")


def cited_rfcs(text: str) -> set[str]:
    """Find the RFCs that a text cites, also those behind a comma."""
    lists = (re.sub(r"\([^)]*\)", "", found) for found in CITATIONS.findall(text))
    return {number for each in lists for number in re.findall(r"(?<![\d.])\d{3,5}(?![\d.]*\d)", each)}


def test_citations_are_read_to_their_end() -> None:
    found = cited_rfcs("RFC 5321 4.5.3.1.1, 6531, 3461 (DSN) and 4954; RFC 822")
    assert found == {"5321", "6531", "3461", "4954", "822"}


def test_every_cited_rfc_is_listed() -> None:
    """Each RFC that the code cites stands in docs/rfcs.md with a status."""
    cited = {number for file in FILES for number in cited_rfcs(file.read_text())}
    listed = set(re.findall(r"^\| (\d{3,5}) \|", (ROOT / "docs" / "rfcs.md").read_text(), re.MULTILINE))
    assert sorted(cited - listed, key=int) == []


def test_every_dependency_has_a_reason() -> None:
    """Each dependency of pyproject.toml has its line in docs/dependencies.md."""
    project = (ROOT / "pyproject.toml").read_text()
    named = set(re.findall(r'^  "([a-z0-9-]+)(?:\[[a-z,]+\])?>=', project, re.MULTILINE)) | {"pymap"}
    reasons = (ROOT / "docs" / "dependencies.md").read_text()
    assert [
        name for name in sorted(named) if not re.search(rf"^\|.*\b{re.escape(name)}\b.*\|.+\|$", reasons, re.MULTILINE)
    ] == []


def test_lock_files_hold_no_address() -> None:
    """A lock file names packages and hashes, never a place."""
    assert [file.name for file in (ROOT / "requirements").glob("*.txt") if "://" in file.read_text()] == []


def is_broad(node: ast.AST) -> bool:
    """Tell a handler that swallows whatever comes; one that cleans up and raises it again does not."""
    if not isinstance(node, ast.ExceptHandler):
        return False
    catches_all = node.type is None or (
        isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}
    )
    return catches_all and not (isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None)


def test_broad_excepts_stand_in_the_outermost_places_only() -> None:
    """A broad except would turn a broken store into a wrong password."""
    broad = {
        str(file.relative_to(SOURCE)) for file in FILES if any(map(is_broad, ast.walk(ast.parse(file.read_text()))))
    }
    assert broad == set(BROAD_EXCEPTS)


# Where a broad except is the outermost handler, and why.
BROAD_EXCEPTS: dict[str, str] = {
    "service/login.py": "a bug in a decision is “cannot tell”, and a record that fails refuses nobody",
    "service/activity.py": "a batch that can never be written would hold up all that come after it",
    "app/repeating.py": "what is done again and again beside the answering goes on after a bug in one step",
    "doors/web/errors.py": "the outermost handler of the portal: a bug is an error page",
    "doors/api/app.py": "the outermost handler of the API: a bug is a problem with a reference",
    "doors/asked/http_talk.py": "a bug costs its own request, which is answered “try again later”, and no other",
    "doors/asked/listening.py": "a bug costs its own connection and no other",
    "doors/gateway/counting.py": "a message waits for an answer, and a bug lets none through",
    "doors/gateway/filtered_relay.py": "a bug of a filter costs its own session and no other",
    "doors/gateway/session.py": "a bug costs its own connection and no other",
    "doors/gateway/worker.py": "the tick that follows changes goes on after a bug in it",
}


def test_log_lines_are_named_alike() -> None:
    """Who searches a log finds every line by words with underscores between."""
    names = [name for file in FILES for name in re.findall(r'_log\.\w+\(\s*"([^"]*)"', file.read_text())]
    assert names
    assert [name for name in names if not re.fullmatch("[a-z]+(_[a-z]+)*", name)] == []


def broken_links(document: Path) -> list[str]:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text())
    local = [target for target in targets if "://" not in target and not target.startswith("mailto:")]
    return [f"{document.name} → {target}" for target in local if not (document.parent / target).exists()]


def test_links_in_documents_lead_somewhere() -> None:
    """A relative link in a document names a file that exists."""
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    assert [link for document in documents for link in broken_links(document)] == []


def test_rooms_keep_to_their_imports() -> None:
    """import-linter's contracts hold."""
    tool = Path(sys.executable).parent / "lint-imports"
    result = subprocess.run([tool], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stdout
