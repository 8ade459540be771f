"""Late imports (docs/decisions/0011): who asks for them, that each leads somewhere, and that light commands stay light."""

import ast
import inspect
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import valetkey
from valetkey.app.installing import install
from valetkey.doors.cli.front import InitAnswers
from valetkey.late import late

SOURCE = Path(valetkey.__file__).parent
# Who imports late, and from where, since import-linter does not see these; the reasons are in decision 0011.
LATE = {
    "__main__.py": ("valetkey.demo.",),
    "adapters/password_gauge.py": ("valetkey.adapters.",),
    "adapters/store/migrate.py": ("valetkey.adapters.store.",),
    "app/closing.py": ("valetkey.adapters.",),
    "app/front.py": ("valetkey.app.", "valetkey.adapters."),
    "app/join.py": ("valetkey.adapters.",),
    "app/mailing.py": ("valetkey.adapters.",),
    "doors/cli/running.py": ("valetkey.doors.cli.",),
}
# What a command that looks something up, or changes one row, has no use for. Pydantic is not among it: typer reads the
# command's own options with it, but for --version and --help.
HEAVY = {
    "aiosmtplib", "alembic", "fastapi", "httpx", "jinja2", "prometheus_client", "pymap", "starlette", "uvicorn",
    "webauthn", "zxcvbn",
}  # fmt: skip
RUN = """
import json, sys
from valetkey.__main__ import main
try:
    main()
except SystemExit as end:
    code = end.code
print(json.dumps({"code": code, "loaded": sorted({name.partition(".")[0] for name in sys.modules})}), file=sys.stderr)
"""


def late_names() -> dict[str, set[str]]:
    """Find the names that each module imports late."""
    found: dict[str, set[str]] = {}
    for file in sorted(SOURCE.rglob("*.py")):
        text = file.read_text()
        for node in ast.walk(ast.parse(text)) if "late(" in text else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "late":
                found.setdefault(str(file.relative_to(SOURCE)), set()).add(ast.literal_eval(node.args[0]))
    return found


def test_only_those_with_a_reason_import_late_and_from_their_rooms() -> None:
    found = late_names()
    assert set(found) == set(LATE)
    assert [(who, name) for who, names in found.items() for name in names if not name.startswith(LATE[who])] == []


def test_the_decision_names_everybody() -> None:
    decision = Path(__file__).parents[3] / "docs" / "decisions" / "0011-late-imports.md"
    text = decision.read_text()
    assert [who for who in LATE if f"`{who}`" not in text] == []


@pytest.mark.parametrize("name", sorted(set().union(*late_names().values())))
def test_every_late_name_leads_to_something_of_ours(name: str) -> None:
    module, _, attribute = name.partition(":")
    assert module.startswith("valetkey.")
    assert inspect.getmodule(getattr(import_module(module), attribute)) is sys.modules[module]


def test_there_is_no_other_way_to_import_late() -> None:
    ways = {"import_module", "__import__", "exec", "eval"}
    using = {
        str(file.relative_to(SOURCE))
        for file in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if (isinstance(node, ast.Name) and node.id in ways) or (isinstance(node, ast.Attribute) and node.attr in ways)
    }
    assert using == {"late.py"}


def test_nothing_is_imported_before_the_first_call() -> None:
    """A name that leads nowhere is an error of the call, not of the start."""
    nowhere = late("valetkey.no_such_module:anything")
    with pytest.raises(ModuleNotFoundError):
        nowhere()
    assert late("valetkey.late:late")("valetkey.late:late") is not None


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("light")
    answers = InitAnswers(
        place / "valetkey.toml", place, "localhost", "admin@example.org", "meadow-lantern-otter",
        "127.0.0.1:8080", "http://localhost:8080", "127.0.0.1", "valetkey",
    )  # fmt: skip
    install(answers)
    return answers.config


def loaded_by(*arguments: str, code: int = 0) -> set[str]:
    """Run a command; gives the names of the packages that it loaded."""
    command = [sys.executable, "-c", RUN, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    told = json.loads(done.stderr.splitlines()[-1])
    assert (told["code"] or 0) == code, done.stderr
    return set(told["loaded"])


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_what_needs_no_installation_loads_no_database_either(option: str) -> None:
    assert (HEAVY | {"pydantic", "sqlalchemy"}) & loaded_by(option) == set()


@pytest.mark.parametrize(
    "line",
    [
        "account list",
        "account create scanner@example.org --shared",
        "app-password list admin@example.org",
        "audit verify",
        "policy show",
        "keys rotate",
        "dns example.org",
        "connect",
        "connect postfix --add",
    ],
)
def test_a_light_command_loads_nothing_heavy(config: Path, line: str) -> None:
    assert HEAVY & loaded_by("--config", str(config), *line.split()) == set()


def test_check_is_light_too(config: Path) -> None:
    assert HEAVY & loaded_by("--config", str(config), "check", code=1) == set()  # there is no mail server behind it
