# SPDX-License-Identifier: Apache-2.0
"""Checked and typed commands that correct usage. `customer` is an id or an alias."""

from dataclasses import dataclass
from enum import Enum

from services.ledger.domain.usage.event import EventLine


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
class CorrectedUsage:
    """The response to a correction. lines: by how much quantity, credits and shortfall change, per product."""

    lines: tuple[EventLine, ...]
