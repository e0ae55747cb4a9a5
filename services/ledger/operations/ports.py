# SPDX-License-Identifier: Apache-2.0
"""What operations need from outside: a store, and a relay to wake. Real ones: store/, meshkit.outbox.

Lists give one row more than the page holds, when there is one: that tells that the page has a next.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from meshkit.page import Page
from meshkit.period import Period
from services.ledger.domain.copies import (
    ContractUpdate,
    CustomerUpdate,
    ProductUpdate,
    RateCardUpdate,
    SeatChangeUpdate,
    WatchUpdate,
)
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.due import Reading, ScheduleProgress
from services.ledger.domain.credits.entry import Entry
from services.ledger.domain.credits.grant import (
    CreditTypeId,
    CustomerId,
    Grant,
    GrantId,
    ProductId,
    ScheduleId,
)
from services.ledger.domain.credits.proration import Seats
from services.ledger.domain.credits.unit_of_work import (
    AccountSelection,
    Change,
    DuePool,
    NewResponse,
    PoolKey,
    StoredResponse,
)
from services.ledger.domain.credits.verification import Verification
from services.ledger.domain.gate.hold import Hold, HoldId, HoldPlace, HoldState
from services.ledger.domain.gate.spend_cap import GroupValue, SpendCap
from services.ledger.domain.gate.standing import CustomerRecord, PriceLine
from services.ledger.domain.responses import Response
from services.ledger.domain.usage import SummaryWindow, UsageRow

R = TypeVar("R", bound=Response)
T = TypeVar("T")


class Command(Protocol):
    @property
    def request_id(self) -> str: ...
    @property
    def fingerprint(self) -> bytes: ...


class AccountStore(Protocol):
    async def places_of_holds(
        self, asked: Iterable[tuple[CustomerId, HoldId]]
    ) -> dict[tuple[CustomerId, HoldId], HoldPlace]: ...
    async def credit_type_of_hold(self, customer_id: CustomerId, hold_id: HoldId) -> CreditTypeId: ...
    async def due_pools(
        self, customer_id: CustomerId, credit_type_id: CreditTypeId | None, *, at: datetime
    ) -> Sequence[CreditTypeId]: ...
    async def make(self, customer_id: CustomerId, credit_type_id: CreditTypeId) -> None: ...
    async def read(
        self,
        customer_id: CustomerId,
        credit_type_id: CreditTypeId,
        *,
        at: datetime,
        group_values: Iterable[GroupValue] = (),
        hold_id: HoldId | None = None,
        settles: bool = False,
    ) -> Reading: ...
    async def read_many(
        self, wanted: Mapping[PoolKey, AccountSelection], *, at: datetime
    ) -> dict[PoolKey, Reading]: ...
    async def save(
        self, before: Account, after: Account, schedules: Mapping[ScheduleId, ScheduleProgress]
    ) -> None: ...
    async def save_many(self, changes: Sequence[Change], answers: Sequence[NewResponse]) -> None: ...
    async def granted_for(self, customer_id: CustomerId, source_id: str) -> GrantId | None: ...


class StoredResponses(Protocol):
    async def find_many(
        self, asked: Collection[tuple[CustomerId, str]]
    ) -> dict[tuple[CustomerId, str], StoredResponse]: ...
    async def find(self, customer_id: CustomerId, command: Command, response_type: type[R]) -> R | None: ...
    async def store(
        self, customer_id: CustomerId, command: Command, response: Response, *, at: datetime
    ) -> None: ...


class StandingStore(Protocol):
    async def customer_id(self, customer: str) -> CustomerId: ...
    async def customers(self, names: Collection[str]) -> dict[str, CustomerRecord]: ...
    async def group_keys(self, product_ids: Collection[ProductId]) -> dict[ProductId, frozenset[str]]: ...
    async def prices(
        self, asked: Collection[tuple[CustomerId, ProductId]]
    ) -> dict[tuple[CustomerId, ProductId], tuple[PriceLine, ...]]: ...
    async def epoch(self) -> int: ...
    async def knows_group_key(self, group_key: str) -> bool: ...


class CopyStore(Protocol):
    async def keep_product(self, update: ProductUpdate) -> int: ...
    async def keep_rate_card(self, update: RateCardUpdate) -> int: ...
    async def keep_customer(self, update: CustomerUpdate) -> int: ...
    async def keep_contract(self, update: ContractUpdate) -> int: ...
    async def keep_seat_change(self, update: SeatChangeUpdate) -> bool: ...
    async def keep_watch(self, update: WatchUpdate) -> int: ...
    async def outdate(self, customer_id: CustomerId) -> None: ...
    async def lock_customer(self, customer_id: CustomerId) -> bool: ...
    async def seats(self, customer_id: CustomerId, subscription_id: str) -> Seats | None: ...
    async def credit_types_of_subscription(
        self, customer_id: CustomerId, subscription_id: str
    ) -> Sequence[CreditTypeId]: ...


class CapStore(Protocol):
    async def set(self, customer_id: CustomerId, cap: SpendCap) -> SpendCap: ...
    async def lift(self, customer_id: CustomerId, spend_cap_id: str, *, at: datetime) -> bool: ...
    async def list(self, customer_id: CustomerId, page: Page) -> Sequence[SpendCap]: ...


class ReportStore(Protocol):
    async def grants(
        self, customer_id: CustomerId, credit_type_id: CreditTypeId | None, page: Page
    ) -> Sequence[tuple[CreditTypeId, Grant]]: ...
    async def entries(
        self, customer_id: CustomerId, credit_type_id: CreditTypeId, grant_id: GrantId | None, page: Page
    ) -> Sequence[Entry]: ...
    async def holds(
        self, customer_id: CustomerId, state: HoldState | None, page: Page, *, at: datetime
    ) -> Sequence[tuple[CreditTypeId, Hold]]: ...
    async def usage(
        self, customer_id: CustomerId, span: Period, *, group_key: str, window: SummaryWindow
    ) -> Sequence[UsageRow]: ...


class RetentionStore(Protocol):
    async def claim(self, chore: str, *, at: datetime, due_again: datetime) -> bool: ...
    async def customers_after(self, customer_id: str, customers_max: int) -> Sequence[CustomerId]: ...
    async def drop_holds(
        self,
        customer_ids: Sequence[CustomerId],
        *,
        made_before: HoldId,
        expired_before: datetime,
        rows_max: int,
    ) -> int: ...
    async def drop_notices(self, *, sent_before: datetime, rows_max: int) -> int: ...
    async def empty_slot(self, slot: int, *, generation: int) -> bool: ...


class Transaction(Protocol):
    """All or nothing, room by room."""

    @property
    def accounts(self) -> AccountStore: ...
    @property
    def responses(self) -> StoredResponses: ...
    @property
    def standings(self) -> StandingStore: ...
    @property
    def copies(self) -> CopyStore: ...
    @property
    def caps(self) -> CapStore: ...
    @property
    def reports(self) -> ReportStore: ...
    @property
    def retention(self) -> RetentionStore: ...


class Store(Protocol):
    """Runs work in one transaction, again from its start when it lost a race: work must be free of side effects.

    Faults of the database are raised as MeshErrors; anything else is our bug. write_guess: None when a request
    of it has an answer already, and then nothing is written; else the pools that were still as guessed.
    read: on one snapshot, without locks and without writes.
    """

    async def run(self, work: Callable[[Transaction], Awaitable[T]]) -> T: ...
    async def read(self, work: Callable[[Transaction], Awaitable[T]]) -> T: ...
    async def write_guess(
        self, changes: Sequence[Change], answers: Sequence[NewResponse], *, epoch: int
    ) -> set[PoolKey] | None: ...
    async def due_pools(
        self, *, at: datetime, after: DuePool | None, pools_max: int
    ) -> Sequence[DuePool]: ...
    async def snapshot(self, customer: str, credit_type_id: CreditTypeId | None) -> Sequence[Account]: ...
    async def verify(self, customer_id: CustomerId | None) -> Verification: ...


class Bell(Protocol):
    """Rings for the relay: a crossing may have been written."""

    def wake(self) -> None: ...
