# ruff: noqa: INP001, T201, S603 - a script by itself, which tells what it wrote and runs the formatter
"""Write the typed parts of valetkey.client from the OpenAPI document: run it when an operation of the API has changed."""

import builtins
import keyword
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from valetkey.doors.api.openapi import document

ROOT = Path(__file__).parent.parent
CLIENT = Path("src/valetkey/client")
_MADE = "# Made by scripts/api_client.py from the OpenAPI document; not to be edited."
_PREFIX = "/api/v1"
_SHOWN_ONCE = {"secret", "link"}  # never in a repr
_SIMPLE = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
_RUFF = (sys.executable, "-m", "ruff")
_OURS = "lint.isort.known-first-party = ['valetkey']"

Schema = dict[str, Any]


def python_name(name: str) -> str:
    """Give the name of a parameter in Python: none that means something else already."""
    plain = name.replace("-", "_").lower()
    return f"{plain}_" if keyword.iskeyword(plain) or hasattr(builtins, plain) else plain


def class_name(reference: str) -> str:
    """Give the name of a model."""
    return reference.rpartition("/")[2].removesuffix("Shape")


def module_name(tag: str) -> str:
    """Give the name of the module of a tag."""
    return re.sub(r"\W+", "_", tag.lower())


def title_of(tag: str) -> str:
    """Give a tag as part of a class name."""
    return "".join(word.capitalize() for word in module_name(tag).split("_"))


class Document:
    """The OpenAPI document, as the client is made from it."""

    def __init__(self, described: Schema) -> None:
        self.schemas: dict[str, Schema] = described["components"]["schemas"]
        self.operations: dict[str, list[tuple[str, str, Schema]]] = defaultdict(list)
        for path, at in described["paths"].items():
            for method, operation in at.items():
                self.operations[operation["tags"][0]].append((path.removeprefix(_PREFIX), method.upper(), operation))
        self.home = self._homes()  # model → module

    def _homes(self) -> dict[str, str]:
        """Put each model into the module of the first tag that needs it, so that imports point one way."""
        homes: dict[str, str] = {}
        for tag, operations in self.operations.items():
            for _, _, operation in operations:
                for name in self._needed(operation):
                    homes.setdefault(name, module_name(tag))
        return homes

    def _needed(self, operation: Schema) -> Iterator[str]:
        answer = answer_of(operation)
        body = body_of(operation)
        if body:
            yield from self._beneath(self.resolved(body))
        for parameter in parameters_of(operation):
            yield from self._within(parameter["schema"])
        if answer:
            yield from self._within(answer)

    def _within(self, schema: Any) -> Iterator[str]:
        if isinstance(schema, dict):
            if "$ref" in schema:
                yield class_name(schema["$ref"])
                yield from self._beneath(self.resolved(schema))
            yield from self._beneath(schema)

    def _beneath(self, schema: Schema) -> Iterator[str]:
        for value in schema.values():
            for one in value if isinstance(value, list) else [value]:
                yield from self._within(one)

    def resolved(self, schema: Schema) -> Schema:
        """Give what a schema refers to."""
        return self.schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema

    def type_of(self, schema: Schema, *, is_given: bool = False) -> str:
        """Give the type of a schema's values; `is_given`: as a parameter takes them."""
        if "$ref" in schema:
            return class_name(schema["$ref"])
        if "anyOf" in schema and "type" not in schema:
            kinds = [self.type_of(one, is_given=is_given) for one in schema["anyOf"]]
            return " | ".join(dict.fromkeys(kinds))
        if "const" in schema:
            return f"Literal[{schema['const']!r}]"
        if "enum" in schema:
            return f"Literal[{', '.join(map(repr, schema['enum']))}]"
        if schema.get("format") == "date-time":
            return "datetime"
        match schema.get("type"):
            case "array":
                inner = self.type_of(schema.get("items", {}), is_given=is_given)
                return f"Sequence[{inner}]" if is_given else f"tuple[{inner}, ...]"
            case "object":
                further = schema.get("additionalProperties")
                return f"dict[str, {self.type_of(further) if isinstance(further, dict) else 'Any'}]"
            case str() as simple:
                return _SIMPLE[simple]
            case None:
                return "Any"
        raise ValueError(f"a schema that the client cannot take: {schema}")


def parameters_of(operation: Schema) -> list[Schema]:
    """Give the parameters of an operation."""
    return list(operation.get("parameters", []))


def body_of(operation: Schema) -> Schema | None:
    """Give the schema of what an operation is sent."""
    content = operation.get("requestBody", {}).get("content", {})
    return content["application/json"]["schema"] if content else None


def answer_of(operation: Schema) -> Schema | None:
    """Give the schema of what an operation answers in JSON."""
    content = success_of(operation).get("content", {})
    return content["application/json"]["schema"] if set(content) == {"application/json"} else None


def success_of(operation: Schema) -> Schema:
    """Give what an operation answers when all is well."""
    return next(answer for status, answer in operation["responses"].items() if status.startswith("2"))


def default_of(schema: Schema) -> str:
    """Write the default of a value."""
    value = schema.get("default")
    return repr(tuple(value)) if isinstance(value, list) else repr(value)


def comment(schema: Schema) -> str:
    """Write what a value is behind it."""
    said = " ".join(schema.get("description", "").split())
    return f"  # {said}" if said else ""


def models(source: Document) -> Iterator[tuple[str, str]]:
    """Write the modules of the models."""
    for module in dict.fromkeys(source.home.values()):
        names = [name for name, home in source.home.items() if home == module]
        written = "\n\n".join(_model(source, name) for name in _dependencies_first(source, names))
        others = _imports(source, written, skip=module)
        head = f'"""What is sent and answered: {module.replace("_", " ")}."""\n\n{_MADE}\n\n'
        imports = "from dataclasses import dataclass, field\nfrom datetime import datetime\nfrom typing import Any, Literal\n\n"
        imports += "from valetkey.client.unsaid import UNSAID, Unsaid\n"
        yield f"models/{module}.py", head + imports + others + "\n\n" + written + "\n"
    everything = "\n".join(
        f"from valetkey.client.models.{home} import {name} as {name}" for name, home in source.home.items()
    )
    yield "models/__init__.py", f'"""What is sent to the API and what it answers."""\n\n{_MADE}\n\n{everything}\n'


def _imports(source: Document, text: str, *, skip: str = "") -> str:
    words = set(re.findall(r"\w+", text))
    by_home: dict[str, list[str]] = defaultdict(list)
    for name, home in source.home.items():
        if name in words and home != skip:
            by_home[home].append(name)
    return "".join(f"from valetkey.client.models.{home} import {', '.join(names)}\n" for home, names in by_home.items())


def _dependencies_first(source: Document, names: list[str]) -> list[str]:
    """Order models so that each stands behind those that it is made of."""
    ordered: dict[str, None] = {}

    def add(name: str) -> None:
        if name in ordered or name not in names:
            return
        for inner in source._beneath(_schema(source, name)):  # noqa: SLF001
            if inner != name:
                add(inner)
        ordered[name] = None

    for name in names:
        add(name)
    return list(ordered)


def _schema(source: Document, name: str) -> Schema:
    return source.schemas.get(name) or source.schemas[f"{name}Shape"]


def _model(source: Document, name: str) -> str:
    schema = _schema(source, name)
    if "properties" not in schema:
        return f"{name} = {source.type_of(schema)}{comment(schema)}"
    required = set(schema.get("required", ()))
    lines = [
        "@dataclass(frozen=True, slots=True, kw_only=True)",
        f"class {name}:",
        f'    """{schema.get("description") or name}"""',
        "",
    ]
    for field, value in schema["properties"].items():
        if keyword.iskeyword(field):
            raise ValueError(f"{name}.{field} cannot be the name of a field")
        kind = ("Unsaid | " if _may_be_unsaid(field, value, required) else "") + source.type_of(value)
        lines.append(f"    {field}: {kind}{_field_default(field, value, required)}{comment(value)}")
    return "\n".join(lines)


def _may_be_unsaid(name: str, schema: Schema, required: set[str]) -> bool:
    """Tell whether leaving a value out means something else than any value."""
    return name not in required and "default" not in schema


def _field_default(name: str, schema: Schema, required: set[str]) -> str:
    default = "" if name in required else default_of(schema)
    if _may_be_unsaid(name, schema, required):
        default = "UNSAID"
    if default == "{}":
        return " = field(default_factory=dict)"
    if name in _SHOWN_ONCE:
        return f" = field({f'default={default}, ' if default else ''}repr=False)"
    return f" = {default}" if default else ""


def calls(source: Document) -> Iterator[tuple[str, str]]:
    """Write the modules of the operations."""
    classes = []
    for tag, operations in source.operations.items():
        name = f"{title_of(tag)}Calls"
        classes.append((module_name(tag), name))
        body = "\n\n".join(part for each in operations for part in _operation(source, *each))
        head = f'"""Operations: {tag}."""\n\n{_MADE}\n\n'
        imports = (
            "from collections.abc import Iterator, Sequence\nfrom datetime import datetime\nfrom typing import Any, Literal\n\n"
            "from valetkey.client.connection import Asked, Connection, Tagged\n"
        )
        title = f'class {name}(Connection):\n    """Operations: {tag}."""\n\n'
        yield f"calls/{module_name(tag)}.py", head + imports + _imports(source, body) + "\n\n" + title + body + "\n"
    imports = "\n".join(f"from valetkey.client.calls.{module} import {name}" for module, name in classes)
    bases = ", ".join(name for _, name in classes)
    everything = f'class Calls({bases}):\n    """Every operation of the API."""\n'
    yield "calls/__init__.py", f'"""The operations of the API."""\n\n{_MADE}\n\n{imports}\n\n\n{everything}'


def _operation(source: Document, path: str, method: str, operation: Schema) -> Iterator[str]:
    taken = _parameters(source, operation)
    answer = answer_of(operation)
    tagged = "ETag" in success_of(operation).get("headers", {}) and answer is not None
    kind = source.type_of(answer) if answer else "None"
    streams = answer is None and bool(success_of(operation).get("content"))
    given = _asked(path, method, operation)
    name = operation["operationId"]
    if streams:
        returns, doing = "Iterator[str]", f"return self._ask_lines({given})"
    elif answer is None:
        returns, doing = "None", f"self._ask_nothing({given})"
    elif tagged:
        returns, doing = f"Tagged[{kind}]", f"return self._ask_tagged({kind}, {given})"
    else:
        returns, doing = kind, f"return self._ask({kind}, {given})"
    yield _method(name, taken, returns, _said(operation, streams=streams), doing)
    if answer is not None and any(each["name"] == "cursor" for each in parameters_of(operation)):
        yield _each(source, operation, taken, answer)


def _each(source: Document, operation: Schema, taken: list[tuple[str, str, str, bool]], answer: Schema) -> str:
    """Write the method that goes through all pages."""
    page = source.resolved(answer)
    kind = source.type_of(page["properties"]["items"]["items"])
    name = operation["operationId"]
    without = [one for one in taken if one[0] != "cursor"]
    handed = ", ".join([*(one[0] if one[3] else f"{one[0]}={one[0]}" for one in without), "cursor=cursor"])
    doing = f"return self._each(lambda cursor: self.{name}({handed}))"
    said = f"Go through all pages of `{name}`."
    return _method(f"each_of_{name.removeprefix('list_')}", without, f"Iterator[{kind}]", said, doing)


def _parameters(source: Document, operation: Schema) -> list[tuple[str, str, str, bool]]:
    """Give (name, type, default, whether by position) of all that a method takes."""
    taken: list[tuple[str, str, str, bool]] = []
    for each in parameters_of(operation):
        schema, kind = each["schema"], source.type_of(each["schema"], is_given=True)
        if each["in"] == "path":
            taken.append((python_name(each["name"]), _SIMPLE[schema["type"]], "", True))
        elif each.get("required"):
            taken.append((python_name(each["name"]), kind, "", False))
        else:
            default = default_of(schema)
            optional = kind if default != "None" or "None" in kind else f"{kind} | None"
            taken.append((python_name(each["name"]), optional, default, False))
    body = body_of(operation)
    if body is not None:
        model = source.resolved(body)
        for name, schema in model["properties"].items():
            default = "" if name in model.get("required", ()) else default_of(schema)
            taken.append((python_name(name), source.type_of(schema, is_given=True), default, False))
    names = [one[0] for one in taken]
    if len(set(names)) < len(names):
        raise ValueError(f"{operation['operationId']} takes two things of one name")
    return taken


def _method(name: str, taken: list[tuple[str, str, str, bool]], returns: str, said: str, doing: str) -> str:
    by_position = [f"{one}: {kind}" for one, kind, _, is_position in taken if is_position]
    by_name = [f"{one}: {kind}" + (f" = {default}" if default else "") for one, kind, default, at in taken if not at]
    signature = ", ".join(["self", *by_position, *(["*", *by_name] if by_name else [])])
    return f'    def {name}({signature}) -> {returns}:\n        """{said}"""\n        {doing}'


def _said(operation: Schema, *, streams: bool) -> str:
    first = operation["summary"].rstrip(".") + "."
    further = "Gives the lines as they come." if streams else operation.get("description", "").strip()
    return f"{first}\n\n        {further}\n        " if further else first


def _asked(path: str, method: str, operation: Schema) -> str:
    parts = [f"method={method!r}", f"path={path!r}"]
    by_place: dict[str, list[str]] = defaultdict(list)
    for each in parameters_of(operation):
        by_place[each["in"]].append(each["name"])
    for place, argument in (("path", "names"), ("query", "query")):
        if by_place[place]:
            parts.append(f"{argument}={_mapping(by_place[place])}")
    model = body_of(operation)
    if model is not None:
        parts.append(f"body={_mapping(list(SOURCE.resolved(model)['properties']))}")
    if "If-Match" in by_place["header"]:
        parts.append("if_match=if_match")
    if "Idempotency-Key" in by_place["header"]:
        parts.append("idempotency_key=idempotency_key, is_repeatable=True")
    return f"Asked({', '.join(parts)})"


def _mapping(names: list[str]) -> str:
    return "{" + ", ".join(f"{name!r}: {python_name(name)}" for name in names) + "}"


def formatted(name: str, text: str) -> str:
    """Give a module as the formatter has it, with its imports in order and none too many."""
    at = str(CLIENT / name)
    # Names are imported to be had from models/__init__.py; the form `x as x` keeps them.
    for command in (
        [
            *_RUFF,
            "check",
            "--quiet",
            "--fix-only",
            "--select",
            "I,F401",
            "--config",
            _OURS,
            "--stdin-filename",
            at,
            "-",
        ],
        [*_RUFF, "format", "--quiet", "--stdin-filename", at, "-"],
    ):
        text = subprocess.run(command, input=text, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return text


SOURCE = Document(document())


def generated() -> dict[str, str]:
    """Give the files by their names within the client."""
    return {name: formatted(name, text) for name, text in (*models(SOURCE), *calls(SOURCE))}


def main() -> None:
    """Write the files, and remove those that are no longer made."""
    made = generated()
    folder = ROOT / CLIENT
    for old in (*folder.glob("models/*.py"), *folder.glob("calls/*.py")):
        if str(old.relative_to(folder)) not in made:
            old.unlink()
            print(f"removed {old.relative_to(ROOT)}")
    for name, text in made.items():
        place = folder / name
        place.parent.mkdir(exist_ok=True)
        if not place.exists() or place.read_text() != text:
            place.write_text(text)
            print(f"written {place.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
