"""What can be wrong with the audit chain, in words (docs/audit-log.md)."""

from valetkey.core.sentence import Sentence, say

ALTERED = say("This record, or the one before it, was altered.")
ADDED = say("This record was added past the counter.")
OTHER_END = say("The end of the chain is not the one that was written.")


def missing_before(found: int) -> Sentence:
    """Say that a record is missing, and the number of the next one that is there."""
    return say("This record is missing; the next one found is {found}.", found=str(found))


def missing_up_to(last: int) -> Sentence:
    """Say that all records up to the last one are missing."""
    return say("This record is missing, with all up to {last}.", last=str(last))
