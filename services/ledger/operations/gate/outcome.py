# SPDX-License-Identifier: Apache-2.0
"""What a decision rests on (a view), and what comes of it (an outcome)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from meshkit.errors import MeshError
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.grant import ProductId
from services.ledger.domain.credits.unit_of_work import PoolKey
from services.ledger.domain.gate.decision import Ask
from services.ledger.domain.gate.hold import HoldId
from services.ledger.domain.gate.standing import PriceBook
from services.ledger.domain.responses import LaneResponse
from services.ledger.domain.usage.event import EventResult
from services.ledger.domain.usage.intake import Measured
from services.ledger.domain.usage.meter import MeteredPrice
from services.ledger.operations.gate.cache import CustomerState


class NotCached(Exception):
    """The view does not know enough to decide. cause: as ledger_decided_again_total counts it."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class View(Protocol):
    """What a decision rests on. Each method may raise NotCached.

    customer raises CustomerNotFound, price_book ProductNotFound, pool_of HoldNotFound.
    """

    def customer(self, name: str) -> CustomerState:
        """Return a customer by id or alias."""
        ...

    def products_of(self, event_type: str) -> tuple[ProductId, ...]:
        """Return the products whose metrics count events of a type."""
        ...

    def price_book(self, customer: CustomerState, product_id: ProductId) -> PriceBook:
        """Return what a product costs a customer."""
        ...

    def pool_of(self, customer: CustomerState, hold_id: HoldId) -> PoolKey:
        """Return the pool that a hold reserves credits in."""
        ...

    def account(self, customer: CustomerState, key: PoolKey) -> Account:
        """Return a pool's account: up to date, and as the requests before this one have left it."""
        ...

    def require_spends(self, account: Account, ask: Ask) -> None:
        """Raise NotCached when it is not known what one of the ask's group values has spent."""
        ...

    def require_overage(self, account: Account, group_values: Mapping[str, str], at: datetime) -> None:
        """Raise NotCached when the overage of the usage period is not known in which a use at `at` counts."""
        ...

    def require_in_flight(self, account: Account) -> None:
        """Raise NotCached when it is not known how many holds are open."""
        ...

    def require_seats(self, account: Account, group_values: Mapping[str, str]) -> None:
        """Raise NotCached when it is not known which slots the seat of a call occupies, or what they have now."""
        ...

    def require_meter(self, account: Account, price: MeteredPrice) -> None:
        """Raise NotCached when the meter that usage at this price counts on is not known."""
        ...

    def require_usage(
        self, account: Account, line: Measured, group_values: Mapping[str, str], used_time: datetime
    ) -> None:
        """Raise NotCached when anything is not known that charging an event depends on."""
        ...


@dataclass(slots=True)
class Unknown:
    """The view cannot tell. key: the pool, where that much is known."""

    cause: str
    key: PoolKey | None


@dataclass(slots=True)
class Allowed:
    """The request has an effect: in each pool, the account before becomes the one after."""

    response: LaneResponse
    changes: tuple[tuple[PoolKey, Account, Account], ...]


@dataclass(slots=True)
class Uncharged:
    """The event is stored, and changes no pool."""

    response: EventResult


@dataclass(slots=True)
class Denied:
    """The request is denied and changes nothing. key: None when it is denied before a pool is looked at."""

    response: LaneResponse
    key: PoolKey | None


@dataclass(slots=True)
class Fault:
    """The request cannot be decided; its caller gets the error."""

    error: MeshError
    key: PoolKey | None


Outcome = Unknown | Allowed | Uncharged | Denied | Fault
