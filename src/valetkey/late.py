"""What is imported when it is first used: the one place for that. docs/decisions/0011-late-imports.md says for what, and why."""

from collections.abc import Callable
from importlib import import_module
from typing import Any


def late(name: str) -> Callable[..., Any]:
    """Give a function or class of ours whose module is imported when it is first called.

    What is given has no types, so whoever takes it says the type. `tests/unit/app/test_late_imports.py` holds
    who may use this, and that every name leads somewhere.

    Args:
        name: The module and the name in it, such as `valetkey.app.serving:serve`.
    """
    module, _, attribute = name.partition(":")

    def call(*arguments: Any, **options: Any) -> Any:
        return getattr(import_module(module), attribute)(*arguments, **options)

    return call
