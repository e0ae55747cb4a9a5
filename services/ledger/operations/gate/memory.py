# SPDX-License-Identifier: Apache-2.0
"""What a replica remembers of customers it has seen. A guess: the guarded write proves it, or drops it.

All of a customer's entry was read under one lock, or follows from our own guarded writes since. Whatever changes
any of it moves the version of the customer's pools, or the epoch of the Catalog's copies. A guess about a pool that
other replicas write to as well would mostly be in vain: while they do, none is made.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from meshkit.evolve import evolve
from meshkit.mapping import with_items
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, ProductId
from services.ledger.domain.gate.hold import HoldId
from services.ledger.domain.gate.standing import CustomerRecord, PriceLine

CUSTOMERS_MAX = 10_000
HOLDS_PER_POOL_MAX = 20_000
SPENDS_PER_POOL_MAX = 20_000


@dataclass(slots=True)
class Known:
    """What is known of one customer. names: id and aliases it was asked by.

    left: the versions at which we have left its pools, while others write to them too; None: nobody does. Meanwhile
    it has no accounts, and what else it knows may be out of date.
    """

    record: CustomerRecord
    names: set[str] = field(default_factory=set)
    prices: dict[ProductId, tuple[PriceLine, ...]] = field(default_factory=dict)
    accounts: dict[CreditTypeId, Account] = field(default_factory=dict)
    left: dict[CreditTypeId, int] | None = None

    def has_one_of(self, pools: Mapping[CreditTypeId, int]) -> bool:
        """Whether a pool is known at one of these versions: then all that is known is still so."""
        return any(
            credit_type_id in self.accounts and self.accounts[credit_type_id].version == version
            for credit_type_id, version in pools.items()
        )

    def is_written_by_others(self, pools: Mapping[CreditTypeId, int]) -> bool:
        """Whether others wrote to its pools when we last looked, and have since we left them."""
        left = self.left
        return left is not None and any(left.get(key) != version for key, version in pools.items())

    def account_with(self, hold_id: HoldId) -> Account | None:
        """Return the account that an open hold is in."""
        return next((account for account in self.accounts.values() if hold_id in account.holds), None)


class Memory:
    """The customers seen last, and the products of one epoch. Of what a pool has too many, none is remembered."""

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
        self.epoch = 0
        self.group_keys: dict[ProductId, frozenset[str]] = {}
        self._customers: OrderedDict[CustomerId, Known] = OrderedDict()
        self._names: dict[str, CustomerId] = {}

    def customer(self, name: str) -> Known | None:
        """Return what is known of a customer, by id or alias."""
        customer_id = self._names.get(name)
        if customer_id is None:
            return None
        self._customers.move_to_end(customer_id)
        return self._customers[customer_id]

    def recall(self, account: Account) -> Account:
        """Return an account just read, with the holds and spends we know of it besides: if nothing has changed."""
        known = self._customers.get(account.customer_id)
        ours = None if known is None else known.accounts.get(account.credit_type_id)
        if ours is None or ours.version != account.version:
            return account
        return evolve(
            account,
            holds=with_items(ours.holds, account.holds),
            spends=with_items(ours.spends, account.spends),
        )

    def learn(
        self,
        told: Known,
        read: Mapping[CreditTypeId, int],
        group_keys: Mapping[ProductId, frozenset[str]],
        epoch: int,
    ) -> None:
        """Remember what was read of a customer, and has been written since. read: the versions the pools were read at.

        What was known before is kept if a pool had the version that we knew, and is forgotten otherwise. Of a customer
        about whom we were outrun nothing is learnt until nobody else has written since our own last write.
        """
        if epoch != self.epoch:
            self._clear(epoch)
        self.group_keys.update(group_keys)
        customer_id = told.record.customer_id
        ours = self._customers.get(customer_id)
        is_shared = ours is not None and ours.is_written_by_others(read)
        if ours is not None and not is_shared and not ours.has_one_of(read):
            self.forget(customer_id)
            ours = None
        if ours is None:
            ours = self._customers[customer_id] = Known(told.record)
        ours.record = told.record
        ours.names |= told.names
        ours.prices |= told.prices
        if ours.left is not None:
            ours.left |= _versions(told)
        else:
            for account in told.accounts.values():
                ours.accounts[account.credit_type_id] = self._bounded(account)
        self._names.update(dict.fromkeys(told.names, customer_id))
        while len(self._customers) > self._customers_max:
            self.forget(next(iter(self._customers)))

    def saved(self, account: Account) -> None:
        """Remember an account as a guarded write of ours has left it."""
        known = self._customers.get(account.customer_id)
        if known is not None:
            known.accounts[account.credit_type_id] = self._bounded(account)

    def outrun(self, customer_id: CustomerId) -> None:
        """Forget the pools of a customer about whom somebody else has written, and all of them until that is over."""
        known = self._customers.get(customer_id)
        if known is not None and known.accounts:
            known.left = _versions(known)
            known.accounts.clear()

    def forget(self, customer_id: CustomerId) -> None:
        known = self._customers.pop(customer_id, None)
        if known is not None:
            for name in known.names:
                self._names.pop(name, None)

    def _clear(self, epoch: int) -> None:
        self.epoch = epoch
        self.group_keys.clear()
        self._customers.clear()
        self._names.clear()

    def _bounded(self, account: Account) -> Account:
        if len(account.spends) > self._spends_max:
            # No hold without the spends that its end is counted in.
            return evolve(account, holds={}, spends={})
        return evolve(account, holds={}) if len(account.holds) > self._holds_max else account


def _versions(known: Known) -> dict[CreditTypeId, int]:
    return {credit_type_id: account.version for credit_type_id, account in known.accounts.items()}
