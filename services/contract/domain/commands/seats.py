# SPDX-License-Identifier: Apache-2.0
"""Commands about seats."""

from dataclasses import dataclass
from datetime import datetime

from meshkit.quantity import Credits, Money
from services.contract.domain.contract import (
    MoneyBack,
    SubscriptionNow,
)
from services.contract.domain.ids import (
    ContractId,
    SeatChangeId,
    SeatId,
    SubscriptionId,
)
from services.contract.domain.invoice import Invoice, InvoiceLine
from services.contract.domain.seats.naming import (
    NO_NAMES,
    NamedSeats,
    SeatCounts,
    SeatNames,
    SeatStep,
    SharedPool,
)
from services.contract.domain.seats.timeline import SeatChange
from services.contract.domain.seats.voids import SeatVoid


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatRequest:
    """A seat change from effective_time (None: now) on. At most one of new_quantity and quantity_delta is set.

    Neither: only names change. subscription_id None: the only subscription of the contract.
    """

    contract_id: ContractId
    subscription_id: SubscriptionId | None
    new_quantity: int | None
    quantity_delta: int | None
    effective_time: datetime | None
    names: SeatNames = NO_NAMES


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSeats:
    request_id: str
    fingerprint: bytes
    seats: SeatRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSeatChange:
    """A change, and the seats in force right after it on the current timeline."""

    change: SeatChange
    quantity_after: int
    names: SeatNames = NO_NAMES


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatsMoved:
    """invoice: what was charged immediately; None if nothing was."""

    listed: ListedSeatChange
    subscription: SubscriptionNow
    invoice: Invoice | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidSeatChange:
    """money_back: of the seats of a change that took effect more than 24 h ago."""

    request_id: str
    fingerprint: bytes
    contract_id: ContractId
    seat_change_id: SeatChangeId
    money_back: MoneyBack = MoneyBack.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class NameSeats:
    """seat_ids: have a seat from now on, or from the contract's start if that is later."""

    request_id: str
    fingerprint: bytes
    contract_id: ContractId
    subscription_id: SubscriptionId | None
    named: NamedSeats
    seat_ids: tuple[SeatId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSharedPoolAccess:
    request_id: str
    fingerprint: bytes
    contract_id: ContractId
    subscription_id: SubscriptionId | None
    shared_pool: SharedPool


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionChanged:
    """A subscription after its seats were named, its access to shared credits set, or a change of it voided."""

    subscription: SubscriptionNow


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidedSeatChange:
    """A subscription without a change. settlement: the money of a change that was in effect; None: there is none."""

    subscription: SubscriptionNow
    settlement: SeatVoid | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSeats:
    """assigned: a page, by seat id, of the steps by which the ids got their seats. counts: of all seats."""

    assigned: tuple[SeatStep, ...]
    counts: SeatCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleCredits:
    """Credits that one grant schedule adds for a seat change."""

    grant_schedule_id: str
    credit_type_id: str
    amount: Credits


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatPreview:
    quantity_after: int
    lines: tuple[InvoiceLine, ...]
    total: Money
    credits: tuple[ScheduleCredits, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepriceSeats:
    """Charges billed periods at the prices that are valid now."""

    request_id: str
    fingerprint: bytes
    contract_id: ContractId


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatsRepriced:
    """invoice: with the differences; None if there are none."""

    invoice: Invoice | None
