# ruff: noqa: INP001 - a script by itself
"""Look at what is under version control: nothing built, nothing broken, nothing unlocked."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LARGEST = 1_000_000  # octets of one file
# Recorded conversations hold white space that means something.
AS_RECORDED = (
    "tests/unit/app/connecting/recorded/",
    "tests/dialogues/",
)


def git(*arguments: str) -> list[str]:
    """Ask git; give its output's lines."""
    command = ["git", "-C", str(ROOT), *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)  # noqa: S603 - our own words
    return run.stdout.splitlines()


def tracked() -> list[Path]:
    """Give the files under version control that are there."""
    return [ROOT / name for name in git("ls-files") if (ROOT / name).is_file()]


def built() -> list[str]:
    """Find files under version control that .gitignore calls built."""
    return [
        f"{name}: is made by a tool and does not belong into git"
        for name in git("ls-files", "-ci", "--exclude-standard")
    ]


def large() -> list[str]:
    """Find files that are too large to be written by hand."""
    return [
        f"{path.relative_to(ROOT)}: larger than {LARGEST} octets" for path in tracked() if path.stat().st_size > LARGEST
    ]


def untidy() -> list[str]:
    """Find white space at ends of lines, missing last line ends and marks of unfinished merges."""
    found = []
    for path in tracked():
        name = str(path.relative_to(ROOT))
        octets = path.read_bytes()
        if b"\0" in octets or name.startswith(AS_RECORDED):
            continue
        for number, line in enumerate(octets.split(b"\n"), start=1):
            if line != line.rstrip(b" \t\r"):
                found.append(f"{name}:{number}: white space at the end of the line")
            if line.startswith((b"<<<<<<< ", b">>>>>>> ")):
                found.append(f"{name}:{number}: an unfinished merge")
        if octets and not octets.endswith(b"\n"):
            found.append(f"{name}: no line end at the end")
    return found


def unlocked() -> list[str]:
    """Find dependencies of pyproject.toml that the lock files do not hold, and locked ones without a hash."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    found = _absent("run.txt", [*project["dependencies"], *extras["demo"]])
    return found + _absent("dev.txt", [*project["dependencies"], *extras["demo"], *extras["dev"]])


def _absent(lock: str, wanted: list[str]) -> list[str]:
    text = (ROOT / "requirements" / lock).read_text()
    held = {_plain(name) for name in re.findall(r"^([\w.-]+)==", text, re.MULTILINE)}
    bare = re.findall(r"^([\w.-]+==[^\s\\]+)\s*$", text, re.MULTILINE)
    missing = [each for each in wanted if _plain(re.split(r"[\[<>=~! ;]", each)[0]) not in held]
    return [f"requirements/{lock}: lacks {each}" for each in missing] + [
        f"requirements/{lock}: {each} has no hash" for each in bare
    ]


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> int:
    """Print what is wrong; exit code 1 if anything is."""
    if not (ROOT / ".git").exists():
        print("not a git checkout: only the lock files are looked at")  # noqa: T201 - its output
        findings = unlocked()
    else:
        findings = [*built(), *large(), *untidy(), *unlocked()]
    print("\n".join(findings))  # noqa: T201 - its output
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
