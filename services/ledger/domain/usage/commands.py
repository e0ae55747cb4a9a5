# SPDX-License-Identifier: Apache-2.0
"""Checked and typed commands that correct usage. `customer` is an id or an alias."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from services.ledger.domain.credits.grant import CreditTypeId
from services.ledger.domain.usage.event import EventLine, RecordEvent


class UsageSource(Enum):
    """What recorded a piece of usage: a reported event, or a captured hold."""

    EVENT = "EVENT"
    HOLD = "HOLD"


@dataclass(frozen=True, slots=True)
class UsageName:
    """Names recorded usage. usage_id: the transaction_id of the event, or the hold_id."""

    source: UsageSource
    usage_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidUsage:
    """Take usage back that did not happen. actor: who asks for it, as the caller states."""

    request_id: str
    fingerprint: bytes
    customer: str
    usage: UsageName
    reason: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AmendUsage:
    """Make an event report something else. properties: all of them. timestamp None: as it was."""

    request_id: str
    fingerprint: bytes
    customer: str
    usage: UsageName
    timestamp: datetime | None
    properties: Mapping[str, str]
    reason: str
    actor: str


# The pool of a piece of usage, and the sequence of its first entry.
PieceName = tuple[CreditTypeId, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedUsage:
    """Recorded usage as corrected so far.

    event: what it reports now; None for a hold. corrections: how many there were. pieces: those that an amended event
    consists of; None: all that it has.
    """

    event: RecordEvent | None
    corrections: int
    pieces: frozenset[PieceName] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedUsage:
    """The response to a correction. lines: by how much quantity, credits and shortfall change, per product."""

    lines: tuple[EventLine, ...]
