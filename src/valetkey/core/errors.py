"""The few exceptions that verbs raise. A refused login is no exception: it is a verdict (`core.login`).

Each takes its sentence as a template and values, `Refused("Wait {minutes} minutes.", minutes=3)`, or ready-made.
"""

from valetkey.core.sentence import Sentence


class ValetkeyError(Exception):
    """What went wrong, in one sentence for the person who asked: `sentence` to be translated, `str()` in English."""

    def __init__(self, message: str | Sentence, /, **values: object) -> None:
        self.sentence = message if isinstance(message, Sentence) else Sentence(message, values)
        super().__init__(str(self.sentence))


class Refused(ValetkeyError):  # noqa: N818  (it is an answer, not a fault)
    """The request was understood and is not granted."""


class InvalidInput(Refused):
    """A value is not acceptable; `field` names it."""

    def __init__(self, field: str, message: str | Sentence, /, **values: object) -> None:
        super().__init__(message, **values)
        self.field = field


class PolicyForbids(Refused):
    """The administrator's policy does not permit this."""


class NotFound(Refused):
    """There is no such thing, or it is not yours."""


class Conflict(Refused):
    """It exists already, or it has changed in the meantime."""


class NotAllowed(Refused):
    """This actor may not do this."""


class ProveAgain(Refused):
    """The last proof of identity is too old for this; prove it again."""


class Unavailable(ValetkeyError):  # noqa: N818  (it says what is not to be had)
    """Cannot tell: the store, an upstream or a deadline failed. Never to be shown as "wrong password"."""


class CannotStart(ValetkeyError):  # noqa: N818  (it says what does not happen)
    """Something that must be right before the first login is not: keys, store version, configuration."""
