# SPDX-License-Identifier: Apache-2.0
"""The answer to GetDecision: why the gate decides as it does."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from meshkit.quantity import Credits, Quantity
from services.ledger.domain.credits.burn_down import Draw
from services.ledger.domain.credits.grant import CreditTypeId, Grant, ProductId
from services.ledger.domain.gate.decision import DenialReason, Entitlement, ShadowDenial
from services.ledger.domain.gate.in_flight import InFlightUse
from services.ledger.domain.gate.spend_cap import CapUse
from services.ledger.domain.usage.meter import MeteredPrice


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedLine:
    """One of several lines: what it costs, at what price, and what it draws (nothing if the call is denied)."""

    product_id: ProductId
    dimension_values: Mapping[str, str]
    contract_id: str
    price: MeteredPrice
    quantity: Quantity
    credits: Credits
    draws: tuple[Draw, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why the gate decides as it does. grants: active and in scope, in burn-down order; none for a hold.

    overage: what the draws do not cover of the credits; 0 if the call is denied. lines: of an ask or a hold of several;
    then entitlement is None. in_flight: the concurrency caps that apply.
    shadow_denial: why it would be denied, if only shadow mode allows it.
    """

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
    overage: Credits = Credits(0)
    lines: tuple[ExplainedLine, ...] = ()
    in_flight: tuple[InFlightUse, ...] = ()
    shadow_denial: ShadowDenial | None = None
