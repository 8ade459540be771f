"""The annotated reference, and the file that `init` writes."""

import re
from dataclasses import fields
from pathlib import Path

from valetkey.config import annotated, describe, parse
from valetkey.config.sections import Config
from valetkey.config.setting import Shape, setting_of

ROOT = Path(__file__).parents[3]
PLACE = Path("/etc/valetkey/valetkey.toml")
_NOT_SET = "# Not set. For example:"


def test_the_reference_is_a_valid_file() -> None:
    config = parse(describe(), PLACE)
    assert len(config.listener) == 7
    assert config.domain[0].name == "*"


def test_the_reference_without_its_comment_marks_is_a_valid_file_too() -> None:
    """Each commented-out setting can be used as it stands."""
    lines = [
        line.removeprefix("#") if line.startswith("#") and not line.startswith("# ") else line
        for line in describe().splitlines()
    ]
    text = "\n".join(lines).replace('tls_base_url = ""', 'tls_base_url = "https://mail.example.org"')
    config = parse(text, PLACE)
    assert config.certificate[0].chain.name == "fullchain.pem"
    assert config.portal.tls_listen is not None


def test_every_setting_stands_in_the_reference_with_its_words() -> None:
    text = describe()
    unwrapped = " ".join(line.removeprefix("# ") for line in text.splitlines())
    for section in fields(Config):
        table = setting_of(section).table
        if table is None:
            continue
        for field in fields(table):
            setting = setting_of(field)
            if setting.shape is Shape.VALUE:
                assert f"{field.name} = " in text, field.name
                assert setting.doc in unwrapped, field.name


def test_what_is_commented_out_is_the_default_unless_it_is_called_an_example() -> None:
    """Nobody may take an example, such as an expiry after a year, for what holds."""
    lines = describe().splitlines()
    certificate = lines.index("#[[certificate]]")
    kept = [line for line, before in zip(lines[1:certificate], lines, strict=False) if before != _NOT_SET]
    shown = [line.removeprefix("#") if re.match(r"#\w+ = ", line) else line for line in kept]
    domain = lines[lines.index("[[domain]]") :]
    config = parse("\n".join([*shown, *domain]), PLACE)
    assert config == parse(describe(), PLACE)
    assert '#default_lifetime = "365 days"' in lines


def test_what_is_written_reads_back_the_same() -> None:
    config = parse(describe(), PLACE)
    assert parse(annotated(config), Path("/somewhere/else.toml")) == config


def test_the_document_is_the_reference() -> None:
    """docs/configuration.md holds what `valetkey config describe` prints."""
    document = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert f"```toml\n{describe()}```" in document, "put the output of `valetkey config describe` between its fences"
