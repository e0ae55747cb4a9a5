# SPDX-License-Identifier: Apache-2.0
"""The view of a replica's cache, and what was decided on it: all of it is a guess until it is proved (batch.py)."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.grant import CustomerId, ProductId
from services.ledger.domain.credits.unit_of_work import GuessedDenial, PoolKey
from services.ledger.domain.gate.decision import Ask
from services.ledger.domain.gate.hold import HoldId
from services.ledger.domain.gate.overage import totals_for
from services.ledger.domain.gate.spending import time_of_spend
from services.ledger.domain.gate.standing import PriceBook
from services.ledger.domain.rating.metric import Aggregation
from services.ledger.domain.responses import GateResponse, LaneResponse
from services.ledger.domain.usage.event import EventResult, RecordEvent
from services.ledger.domain.usage.intake import Measured
from services.ledger.domain.usage.meter import MeteredPrice
from services.ledger.operations.gate.cache import CustomerCache, CustomerState
from services.ledger.operations.gate.locked import LaneRequest
from services.ledger.operations.gate.outcome import Allowed, Denied, NotCached


@dataclass(slots=True)
class Guess:
    """The view of the cache (decision.py), and what was decided on it so far.

    before, after: accounts as cached and as they would be. decided: what is to be proved. denied: what is to be
    confirmed. closed: pools with a request that must be decided under locks; later requests about them wait for it.
    elsewhere: customers that are decided beside the lane. epoch: of the Catalog's copies that it rests on; those of the
    cache may be later ones before it is proved.
    """

    cache: CustomerCache
    at: datetime
    elsewhere: Container[CustomerId]
    epoch: int
    before: dict[PoolKey, Account] = field(default_factory=dict)
    after: dict[PoolKey, Account] = field(default_factory=dict)
    decided: list[tuple[LaneRequest, PoolKey, LaneResponse]] = field(default_factory=list)
    denied: list[tuple[LaneRequest, GuessedDenial, GateResponse]] = field(default_factory=list)
    closed: set[PoolKey] = field(default_factory=set)
    _denied_pools: set[PoolKey] = field(default_factory=set)
    _denied_calls: set[int] = field(default_factory=set)

    def customer(self, name: str) -> CustomerState:
        customer = self.cache.customer(name)
        if customer is None:
            raise NotCached("unknown")
        if customer.record.customer_id in self.elsewhere:
            raise NotCached("locked")
        return customer

    def products_of(self, event_type: str) -> tuple[ProductId, ...]:
        product_ids = self.cache.copies.by_event_type.get(event_type)
        if product_ids is None:
            raise NotCached("unknown")
        return product_ids

    def price_book(self, customer: CustomerState, product_id: ProductId) -> PriceBook:
        book = customer.books.get(product_id)
        if book is None:
            raise NotCached("unknown")
        return book

    def pool_of(self, customer: CustomerState, hold_id: HoldId) -> PoolKey:
        account = customer.account_with(hold_id)
        if account is None:
            raise NotCached("unknown")
        return account.customer_id, account.credit_type_id

    def account(self, customer: CustomerState, key: PoolKey) -> Account:
        if key in self.closed:
            raise NotCached("behind")
        account = self.after.get(key)
        if account is None:
            account = customer.accounts.get(key[1])
        if account is None:
            raise NotCached("unknown")
        if account.is_due(self.at):
            raise NotCached("due")
        if account.own_subjects and not account.own_subjects <= account.spends.keys():
            raise NotCached("unknown")
        return account

    def require_spends(self, account: Account, ask: Ask) -> None:
        for group_value in ask.counted_group_values.items():
            if group_value not in account.spends:
                raise NotCached("unknown")
            if account.groups is not None and group_value not in account.groups:
                raise NotCached("unknown")

    def require_overage(self, account: Account, group_values: Mapping[str, str], at: datetime) -> None:
        if account.overage_caps:
            subjects = (*group_values.items(), *account.own_subjects)
            self._require_overage(account, time_of_spend(account, subjects, account.time_at(at)))

    def _require_overage(self, account: Account, used_time: datetime) -> None:
        assert account.usage_anchor is not None
        totals = totals_for(account.overage_caps, account.usage_anchor, (used_time,))
        if not totals <= account.spends.keys():
            raise NotCached("unknown")

    def require_in_flight(self, account: Account) -> None:
        if account.in_flight is None:
            raise NotCached("unknown")

    def require_seats(self, account: Account, group_values: Mapping[str, str]) -> None:
        for rule in account.seat_rules:
            seat_id = group_values.get(rule.seats.group_key)
            if seat_id is None:
                continue
            spans = account.seats.get((rule.subscription_id, seat_id))
            if spans is None:
                raise NotCached("unknown")
            if any(account.slots[one.slot_id].is_due(self.at) for one in spans):
                raise NotCached("due")

    def require_meter(self, account: Account, price: MeteredPrice) -> None:
        if price.meter_key is not None and price.meter_key not in account.meters:
            raise NotCached("unknown")

    def require_usage(
        self, account: Account, line: Measured, group_values: Mapping[str, str], used_time: datetime
    ) -> None:
        self.require_meter(account, line.entitlement.price)
        if account.overage_caps:
            self._require_overage(account, account.time_at(self.at))
            self._require_overage(account, used_time)
        is_unique = line.product.metric.aggregation is Aggregation.UNIQUE
        # The values that a UNIQUE metric has seen are too many to be cached.
        if (
            is_unique
            or not account.pays_late
            or any(one not in account.spends for one in group_values.items())
        ):
            raise NotCached("unknown")

    def add(self, request: LaneRequest, outcome: Allowed) -> str | None:
        """Take over the effect of a request in its one pool; returns why it must be decided under locks, or None."""
        ((key, before, after),) = outcome.changes
        if self.denied and (key in self._denied_pools or request.call in self._denied_calls):
            self.closed.add(key)
            return "behind"  # the denial may not hold
        self.before.setdefault(key, before)
        self.after[key] = after
        self.decided.append((request, key, outcome.response))
        return None

    def deny(self, request: LaneRequest, outcome: Denied) -> str | None:
        """Keep a denial by an account as it is cached; returns why it must be decided under locks, or None."""
        command, key, response = request.item, outcome.key, outcome.response
        if key is None:
            return "denied"
        if key in self.after or isinstance(command, RecordEvent) or isinstance(response, EventResult):
            self.closed.add(key)
            return "denied"
        version = self.customer(command.customer).accounts[key[1]].version
        self.denied.append((request, GuessedDenial(key, version, command.request_id), response))
        self._denied_pools.add(key)
        self._denied_calls.add(request.call)
        return None
