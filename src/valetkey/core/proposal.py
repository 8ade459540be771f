"""Proposals: what takes effect only when a second administrator countersigns it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

LASTS = timedelta(hours=24)  # then an open proposal lapses
EXPORT_LASTS = timedelta(hours=1)  # for so long what was countersigned can be downloaded, once
NEW_ADMINISTRATOR = timedelta(hours=24)  # for so long who was made one in the console cannot countersign
MAX_REASON = 200


class ProposalKind(StrEnum):
    """What needs two administrators."""

    LOWER_POLICY = "lower-policy"
    RESET_SECOND_FACTORS = "reset-second-factors"
    REINVITE = "reinvite"  # a one-time link for an account that has a main password already
    EXPORT_EVERYTHING = "export-everything"


class ProposalState(StrEnum):
    """How a proposal stands."""

    OPEN = "open"
    COUNTERSIGNED = "countersigned"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"


@dataclass(frozen=True, slots=True)
class Proposal:
    """Something that one administrator wants and another must countersign."""

    id: str
    kind: ProposalKind
    account_id: str | None  # whom it is about
    facts: dict[str, Any]  # what exactly; plain JSON, no secrets
    reason: str
    proposed_by: str
    proposed_at: datetime
    expires_at: datetime
    state: ProposalState = ProposalState.OPEN
    decided_by: str | None = None
    decided_at: datetime | None = None
