# SPDX-License-Identifier: Apache-2.0
"""A replica's cache of the customers it has seen. It is only a guess: the guarded write proves it, or it is dropped.

A customer's entry was read under one lock, or follows from this replica's guarded writes since. Whatever changes any
of it moves the version of the customer's pools, or the epoch of the Catalog's copies. A guess about a pool that other
replicas write to as well would mostly fail, so none is made while they do.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from meshkit.evolve import evolve
from meshkit.mapping import with_items
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, ProductId
from services.ledger.domain.gate.hold import HoldId
from services.ledger.domain.gate.in_flight import WHOLE_CUSTOMER
from services.ledger.domain.gate.spend_cap import GroupValue
from services.ledger.domain.gate.standing import CatalogCopies, CustomerRecord, PriceBook

CUSTOMERS_MAX = 10_000
HOLDS_PER_POOL_MAX = 20_000
SPENDS_PER_POOL_MAX = 20_000
SLOTS_PER_POOL_MAX = 20_000
METERS_PER_POOL_MAX = 1_000


@dataclass(slots=True)
class CustomerState:
    """What is known of one customer. names: the id and aliases it was asked for by.

    contended: the versions at which this replica left the customer's pools, while other replicas write to them too;
    None: no other does. While contended the customer has no accounts here, and its names and price books may be
    outdated.
    """

    record: CustomerRecord
    names: set[str] = field(default_factory=set)
    books: dict[ProductId, PriceBook] = field(default_factory=dict)
    accounts: dict[CreditTypeId, Account] = field(default_factory=dict)
    contended: dict[CreditTypeId, int] | None = None

    def has_one_of(self, versions: Mapping[CreditTypeId, int]) -> bool:
        """Whether one of these pools is cached at its version: then everything cached still holds."""
        return any(
            credit_type_id in self.accounts and self.accounts[credit_type_id].version == version
            for credit_type_id, version in versions.items()
        )

    def is_written_by_others(self, versions: Mapping[CreditTypeId, int]) -> bool:
        """Whether other replicas wrote to its pools at the last look, and have again since this one left them."""
        left = self.contended
        return left is not None and any(left.get(key) != version for key, version in versions.items())

    def account_with(self, hold_id: HoldId) -> Account | None:
        """Return the account that an open hold is in."""
        return next((account for account in self.accounts.values() if hold_id in account.holds), None)


class CustomerCache:
    """The customers seen last (LRU), with what products cost them in one epoch of the Catalog's copies.

    A pool with more holds, spends, meters or slots than the maximum is cached without any of them. If more holds are
    open than that and a concurrency cap counts them, each Authorize reads them again.
    """

    def __init__(
        self,
        *,
        customers_max: int = CUSTOMERS_MAX,
        holds_max: int = HOLDS_PER_POOL_MAX,
        spends_max: int = SPENDS_PER_POOL_MAX,
    ) -> None:
        self._customers_max = customers_max
        self._holds_max = holds_max
        self._spends_max = spends_max
        self.copies = CatalogCopies()
        self._customers: OrderedDict[CustomerId, CustomerState] = OrderedDict()
        self._names: dict[str, CustomerId] = {}

    def customer(self, name: str) -> CustomerState | None:
        """Return what is cached of a customer, by id or alias."""
        customer_id = self._names.get(name)
        if customer_id is None:
            return None
        self._customers.move_to_end(customer_id)
        return self._customers[customer_id]

    def contended(self, name: str) -> CustomerId | None:
        """Return the id of a customer that other replicas write to; None for any other."""
        customer_id = self._names.get(name)
        if customer_id is None or self._customers[customer_id].contended is None:
            return None
        return customer_id

    def completed(self, account: Account) -> Account:
        """Return an account just read, plus its cached holds, spends and meters; as it is if the version has moved."""
        customer = self._customers.get(account.customer_id)
        cached = None if customer is None else customer.accounts.get(account.credit_type_id)
        if cached is None or cached.version != account.version:
            return account
        account = evolve(
            account,
            holds=with_items(cached.holds, account.holds),
            spends=with_items(cached.spends, account.spends),
            meters=with_items(cached.meters, account.meters),
        )
        if account.groups is not None and cached.groups is not None:
            account = evolve(account, groups=with_items(cached.groups, account.groups))
        if not cached.slots:
            return account
        return evolve(
            account,
            seats=with_items(cached.seats, account.seats),
            slots=with_items(cached.slots, account.slots),
            grants=with_items(cached.grants, account.grants),
        )

    def put(
        self,
        read: CustomerState,
        versions: Mapping[CreditTypeId, int],
        copies: CatalogCopies,
    ) -> None:
        """Cache what was read of a customer and written since. versions: those at which the pools were read.

        An earlier entry is kept if one of the pools had the cached version, and is dropped otherwise. A contended
        customer's accounts are cached again only when no other replica has written since this one's last write.
        What was read under earlier copies of the Catalog, while the lane went on, is not cached.
        """
        if copies.epoch < self.copies.epoch:
            return
        if copies.epoch > self.copies.epoch:
            self._clear(copies)
        customer_id = read.record.customer_id
        cached = self._customers.get(customer_id)
        is_contended = cached is not None and cached.is_written_by_others(versions)
        if cached is not None and not is_contended and not cached.has_one_of(versions):
            self.drop(customer_id)
            cached = None
        if cached is None:
            cached = self._customers[customer_id] = CustomerState(read.record)
        cached.record = read.record
        cached.names |= read.names
        cached.books |= read.books
        if cached.contended is not None:
            cached.contended |= _versions(read)
        else:
            for account in read.accounts.values():
                cached.accounts[account.credit_type_id] = self._bounded(account)
        self._names.update(dict.fromkeys(read.names, customer_id))
        while len(self._customers) > self._customers_max:
            self.drop(next(iter(self._customers)))

    def replace(self, account: Account) -> None:
        """Cache an account as a guarded write of this replica has left it."""
        customer = self._customers.get(account.customer_id)
        if customer is not None:
            customer.accounts[account.credit_type_id] = self._bounded(account)

    def outrun(self, customer_id: CustomerId) -> None:
        """Drop the accounts of a customer that another replica has written about; none is cached until that ends."""
        customer = self._customers.get(customer_id)
        if customer is not None and customer.accounts:
            customer.contended = _versions(customer)
            customer.accounts.clear()

    def drop(self, customer_id: CustomerId) -> None:
        """Forget a customer."""
        customer = self._customers.pop(customer_id, None)
        if customer is not None:
            for name in customer.names:
                self._names.pop(name, None)

    def _clear(self, copies: CatalogCopies) -> None:
        self.copies = copies
        self._customers.clear()
        self._names.clear()

    def _bounded(self, account: Account) -> Account:
        if account.in_flight and len(account.in_flight.get(WHOLE_CUSTOMER, ())) > self._holds_max:
            account = evolve(account, in_flight=None)
        if len(account.spends) > self._spends_max or len(account.meters) > METERS_PER_POOL_MAX:
            # A hold's end is counted in its spends and on its meter, so no hold is cached without them.
            groups: dict[GroupValue, GroupValue | None] | None = None if account.groups is None else {}
            return _without_slots(evolve(account, holds={}, spends={}, meters={}, groups=groups))
        if len(account.slots) > SLOTS_PER_POOL_MAX:
            return _without_slots(evolve(account, holds={}))
        return evolve(account, holds={}) if len(account.holds) > self._holds_max else account


def _without_slots(account: Account) -> Account:
    """Return an account without its slots. Without its holds, nothing refers to their grants."""
    if not account.slots:
        return account
    shared = {grant_id: grant for grant_id, grant in account.grants.items() if grant.slot_id is None}
    return evolve(account, seats={}, slots={}, grants=shared)


def _versions(customer: CustomerState) -> dict[CreditTypeId, int]:
    return {credit_type_id: account.version for credit_type_id, account in customer.accounts.items()}
