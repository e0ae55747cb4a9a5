# SPDX-License-Identifier: Apache-2.0
"""Rerate jobs: a product's usage is priced again, at the rates that apply to it now.

Source: services/ledger/README.md, "Rerating".
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import NewType

from meshkit.period import Period
from meshkit.quantity import Credits, Quantity
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, ProductId
from services.ledger.domain.credits.unit_of_work import PoolKey
from services.ledger.domain.usage.meter import Meter, MeterKey

RerateJobId = NewType("RerateJobId", str)


class JobState(Enum):
    """How far a job is."""

    RUNNING = "RUNNING"
    DONE = "DONE"


@dataclass(frozen=True, slots=True, kw_only=True)
class RerateUsage:
    """Price usage of a product again. customer: an id or an alias; None: all.

    The usage is that on meters whose usage period overlaps `[start_time, end_time)`. is_preview: only add up what the
    job would do. actor: who asks for it, as the caller states.
    """

    request_id: str
    fingerprint: bytes
    product_id: ProductId
    customer: str | None
    start_time: datetime
    end_time: datetime
    reason: str
    actor: str
    is_preview: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RerateScope:
    """The usage that a job is about. customer_id None: of all customers."""

    product_id: ProductId
    customer_id: CustomerId | None
    start_time: datetime
    end_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RerateCredits:
    """What a job returns and charges in one credit type.

    expected_…: sums of the meters' differences, when they were counted. returned, charged: so far.
    """

    credit_type_id: CreditTypeId
    expected_returned: Credits = Credits(0)
    expected_charged: Credits = Credits(0)
    returned: Credits = Credits(0)
    charged: Credits = Credits(0)


@dataclass(frozen=True, slots=True)
class EventPosition:
    """Up to which event a job has charged those that had no contract, in the order of these fields."""

    customer_id: str = ""
    time: datetime | None = None
    transaction_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RerateJob:
    """A job, and how far it is. planned_customer_id: meters up to this customer are counted; is_planned: all are.

    entries_done: entries about usage that were priced again, whether or not that changed them. events_charged: events
    that had no contract when they were recorded.
    """

    job_id: RerateJobId
    scope: RerateScope
    reason: str
    actor: str
    state: JobState
    create_time: datetime
    finish_time: datetime | None = None
    planned_customer_id: str = ""
    is_planned: bool = False
    customers_total: int = 0
    meters_total: int = 0
    meters_done: int = 0
    entries_done: int = 0
    events_charged: int = 0
    events_position: EventPosition = EventPosition()
    credits: tuple[RerateCredits, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterProgress:
    """How far a job is with the entries of a meter: up to the sequence `done`, of those up to `until`.

    total: what the meter had counted when it got its new rate. position: of the entries done so far.
    """

    key: PoolKey
    meter_key: MeterKey
    until: int
    total: Quantity
    done: int
    position: Quantity

    @property
    def is_done(self) -> bool:
        return self.done >= self.until


@dataclass(frozen=True, slots=True)
class StoredMeter:
    """A meter of the product of a job, and its usage period."""

    key: PoolKey
    meter_key: MeterKey
    meter: Meter
    period: Period


@dataclass(frozen=True, slots=True)
class ToDo:
    """A meter that a job has to do. progress None: it has not got its new rate."""

    key: PoolKey
    meter_key: MeterKey
    progress: MeterProgress | None
