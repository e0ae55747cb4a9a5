# SPDX-License-Identifier: Apache-2.0
"""The answer to GetDecision: why the gate decides as it does."""

from dataclasses import dataclass
from datetime import datetime

from meshkit.quantity import Credits
from services.ledger.domain.credits.burn_down import Draw
from services.ledger.domain.credits.grant import CreditTypeId, Grant
from services.ledger.domain.gate.decision import DenialReason, Entitlement
from services.ledger.domain.gate.spend_cap import CapUse


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why the gate decides as it does. grants: active and in scope, in burn-down order; none for a hold."""

    reason: DenialReason | None
    credits: Credits
    credit_type_id: CreditTypeId | None
    entitlement: Entitlement | None
    draws: tuple[Draw, ...]
    grants: tuple[Grant, ...]
    caps: tuple[CapUse, ...]
    decide_time: datetime
    expire_time: datetime | None
    available: Credits
