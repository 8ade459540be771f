"""`valetkey connect SERVER`: the lines, filled with what this installation has."""

from pathlib import Path

from valetkey.app.connecting.adding import add, write_for
from valetkey.app.connecting.finding import Fit, Wish, added, fit, place_of
from valetkey.app.connecting.parts import Recipe, Setup, number_of
from valetkey.app.connecting.programs import version_of
from valetkey.app.connecting.servers import RECIPES, recipe_of
from valetkey.app.settings import read_secret
from valetkey.config.reading import load
from valetkey.config.sections import Config
from valetkey.core.errors import CannotStart, InvalidInput
from valetkey.doors import dovecot
from valetkey.doors.cli.front import AskingServer, Connecting, ConnectOptions

_SCRIPT = "valetkey.lua"
_MAJOR_AND_MINOR = 2


def servers() -> tuple[AskingServer, ...]:
    """List the mail servers that there are lines for."""
    return tuple(AskingServer(recipe.name, recipe.sentence) for recipe in RECIPES.values())


def connecting(path: Path, options: ConnectOptions) -> Connecting:
    """Give the lines for a server; with `add`, the configuration gets what is missing first.

    Raises:
        InvalidInput: There is no such server, or what was said of it cannot be used.
        CannotStart: A file cannot be read or written, or has mistakes.
    """
    recipe = recipe_of(options.server)
    config = load(path)
    wish = Wish(recipe, options.peer, options.address, options.listen)
    found = fit(config, wish)
    written: tuple[Path, ...] = ()
    missing = "" if found.is_whole else added(config, wish, found)
    if missing and options.add:
        config, written = add(path, config, wish, found)
        found = fit(config, wish)
    version = version_for(recipe, options.version)
    if found.is_whole:
        setup = setup_of(config, recipe, found, version, options.script)
        lines = recipe.lines(setup)
        back = (*lines.removal, f"in {path}: the [[peer]] {setup.peer} and its [[door]]s; then restart Valetkey")
        return Connecting(recipe.name, version, "", written, lines.steps, lines.notes, back)
    return Connecting(recipe.name, version, missing, written)


def setup_of(config: Config, recipe: Recipe, found: Fit, version: str, script: Path | None = None) -> Setup:
    """Fill in what a recipe's lines need. Nothing of the fit may be missing."""
    assert found.peer is not None  # noqa: S101  asked by the caller
    peer = found.peer
    secret = ""
    if recipe.has_secret and peer.secret_file is not None:
        secret = read_secret(peer.secret_file, f"[[peer]] {peer.name} secret_file")
    places = {kind: place_of(config, door, peer) for kind, door in found.doors.items()}
    return Setup(version, peer.name, places, secret, peer.holds, config.server.hostname, script)


def version_for(recipe: Recipe, said: str) -> str:
    """Give the version that lines are for: the one that was said, that of the installed program, or the usual one.

    Raises:
        InvalidInput: There are no lines for the version that was said.
    """
    if said and recipe.versions and not any(_is_of(said, known) for known in recipe.versions):
        raise InvalidInput(
            "version", f"There are lines for {recipe.name} {' and '.join(recipe.versions)}, not for {said}."
        )
    return said or version_of(recipe.asks_version) or next(iter(recipe.versions), "")


def _is_of(version: str, known: str) -> bool:
    return number_of(version)[:_MAJOR_AND_MINOR] == number_of(known)


def write_script(target: Path) -> None:
    """Write the script for Dovecot, in the place of an older one.

    Raises:
        CannotStart: It cannot be written.
    """
    source = Path(next(iter(dovecot.__path__))) / _SCRIPT
    try:
        write_for(target, source.read_bytes(), mode=0o644)
    except OSError as error:
        raise CannotStart(f"{target} cannot be written: {error.strerror}.") from None
