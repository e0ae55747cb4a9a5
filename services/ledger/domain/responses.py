# SPDX-License-Identifier: Apache-2.0
"""What is stored for a repeated request. The format of each: store/formats.py."""

from services.ledger.domain.credits.commands import AdjustedBalance, VoidedGrant
from services.ledger.domain.credits.grant import Grant
from services.ledger.domain.credits.plan_change import PlanChanged
from services.ledger.domain.credits.refund import GrantRefunded, RefundReversed
from services.ledger.domain.credits.seat_void import SeatChangeVoided
from services.ledger.domain.gate.cap_group import CapGroupRemoval, CustomerCapGroup
from services.ledger.domain.gate.decision import (
    Authorized,
    AuthorizedInShadow,
    AuthorizedLines,
    AuthorizedLinesInShadow,
    Captured,
    CapturedLines,
    Debited,
    DebitedInShadow,
    DebitedLines,
    DebitedLinesInShadow,
    Extended,
    ExtendedInShadow,
    Released,
)
from services.ledger.domain.gate.in_flight import ConcurrencyCapRemoval, CustomerConcurrencyCap
from services.ledger.domain.gate.lease import Leased, LeaseEnded, LeaseSettled
from services.ledger.domain.gate.shadow import ShadowMode
from services.ledger.domain.gate.spend_cap import CustomerSpendCap, CustomerTimeZone, SpendCapRemoval
from services.ledger.domain.usage.commands import CorrectedUsage
from services.ledger.domain.usage.event import EventResult

GateResponse = (
    Authorized
    | AuthorizedLines
    | AuthorizedInShadow
    | AuthorizedLinesInShadow
    | Captured
    | CapturedLines
    | Released
    | Extended
    | ExtendedInShadow
    | Debited
    | DebitedLines
    | DebitedInShadow
    | DebitedLinesInShadow
)
# What a lane answers: of a request to the gate, or of a usage event.
LaneResponse = GateResponse | EventResult
Response = (
    GateResponse
    | Leased
    | LeaseSettled
    | LeaseEnded
    | Grant
    | VoidedGrant
    | AdjustedBalance
    | PlanChanged
    | SeatChangeVoided
    | GrantRefunded
    | RefundReversed
    | CustomerSpendCap
    | SpendCapRemoval
    | CustomerTimeZone
    | CustomerCapGroup
    | CapGroupRemoval
    | CustomerConcurrencyCap
    | ConcurrencyCapRemoval
    | ShadowMode
    | CorrectedUsage
)
