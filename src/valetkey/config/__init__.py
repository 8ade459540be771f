"""One TOML file. Unknown keys are errors; every mistake is named with its line and its mend; secrets are files."""

from valetkey.config.mistakes import BadConfig, Mistake
from valetkey.config.reading import load, parse
from valetkey.config.sections import Config
from valetkey.config.writing import annotated, describe

__all__ = ["BadConfig", "Config", "Mistake", "annotated", "describe", "load", "parse"]
