# SPDX-License-Identifier: Apache-2.0
"""Updates that other services send to the Ledger.

Each has a version, or for a seat change a sequence, so a repeated or late update changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from meshkit.quantity import Credits
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId
from services.ledger.domain.credits.proration import SeatChange
from services.ledger.domain.credits.schedule import Schedule
from services.ledger.domain.credits.seat_plan import NO_MOVES, SeatMoves
from services.ledger.domain.credits.seats import NamedSeats
from services.ledger.domain.crossings.watch import Watch
from services.ledger.domain.rating.product import UsageProduct
from services.ledger.domain.rating.rate import Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductUpdate:
    """A usage product with its metric. From Catalog."""

    version: int
    name: str
    billable_metric_id: str
    product: UsageProduct


@dataclass(frozen=True, slots=True, kw_only=True)
class RateCardUpdate:
    """All usage rates of a card. From Catalog."""

    rate_card_id: str
    version: int
    rates: tuple[Rate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerUpdate:
    """A customer. From Contract."""

    customer_id: CustomerId
    version: int
    aliases: tuple[str, ...]
    is_suspended: bool


@dataclass(frozen=True, slots=True)
class SubscriptionSeats:
    """Seats at a contract's start. named: how they are named; None: they are not."""

    subscription_id: str
    initial_quantity: int
    named: NamedSeats | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractUpdate:
    """A contract with its seats and schedules. From Contract. accept_time: of its terms; None: not stated.

    overage_caps: by credit type, the most overage in a usage period; None: no limit. Others have no overage.
    """

    customer_id: CustomerId
    contract_id: str
    version: int
    rate_card_id: str
    start_time: datetime
    end_time: datetime | None
    accept_time: datetime | None = None
    subscriptions: tuple[SubscriptionSeats, ...]
    schedules: tuple[Schedule, ...]
    overage_caps: Mapping[CreditTypeId, Credits | None] = field(default_factory=dict)

    def end_of(self, schedule: Schedule) -> datetime | None:
        """Return the end of one of its schedules: its own or that of the contract, whichever comes first."""
        ends = [end for end in (self.end_time, schedule.end_time) if end is not None]
        return min(ends, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatChangeUpdate:
    """A dated change of seats. From Contract."""

    customer_id: CustomerId
    subscription_id: str
    change: SeatChange
    moves: SeatMoves = NO_MOVES

    def received_at(self, at: datetime) -> "SeatChangeUpdate":
        """Return it with the time of its acceptance, which is its arrival `at` if it does not say, or says later."""
        accept_time = min(self.change.accept_time or at, at)
        return replace(self, change=replace(self.change, accept_time=accept_time))


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchUpdate:
    """A threshold to watch or, if not active, to stop watching. From Alert."""

    watch: Watch
    is_active: bool
