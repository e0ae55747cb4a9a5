# SPDX-License-Identifier: Apache-2.0
"""Which lease serves a call, and what is known of the use that no lease serves. No I/O; any thread may ask."""

import time
from collections.abc import Callable, Mapping
from typing import Final

from purser_client.leases.demand import Demand
from purser_client.leases.lease import Lease

SLOTS_MAX: Final = 10_000
FORGOTTEN_AFTER_SECONDS: Final = 60.0
# The Ledger's bounds of group values. Calls beyond them are for the Ledger, which says what is wrong.
GROUP_VALUES_MAX: Final = 10
KEY_LENGTH_MAX: Final = 64
VALUE_LENGTH_MAX: Final = 200

GroupValues = tuple[tuple[str, str], ...]


def monotonic() -> float:
    """Return seconds on a clock that nobody sets and, where there is one, that goes on while the machine sleeps."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class Slot:
    """One customer's use of one product, on behalf of one set of capped group values, and its lease."""

    __slots__ = (
        "available_micros",
        "customer",
        "demand",
        "group_values",
        "is_taking",
        "lease",
        "product",
        "retry_at",
    )

    def __init__(self, customer: str, product: str, group_values: GroupValues, now: float) -> None:
        self.customer = customer
        self.product = product
        self.group_values = group_values
        self.demand = Demand(now)
        self.lease: Lease | None = None
        self.is_taking = False
        self.retry_at = now  # no lease is asked for before
        self.available_micros = 0


class ProductUse:
    """One customer's use of one product. capped_keys: group keys with caps, as the Ledger said last."""

    __slots__ = ("capped_keys", "slot", "slots")

    def __init__(self, slot: Slot) -> None:
        self.capped_keys: tuple[str, ...] = ()
        self.slot = slot
        self.slots: dict[GroupValues, Slot] = {(): slot}

    def slot_of(self, who: Mapping[str, str]) -> Slot | None:
        """Return the slot for a call: that of exactly its own values of capped keys."""
        return self.slots.get(self.own(who)) if self.capped_keys else self.slot

    def own(self, who: Mapping[str, str]) -> GroupValues:
        return tuple((key, who[key]) for key in self.capped_keys if key in who)


class LeaseBook:
    """All slots of a gate. now: a monotonic clock, in seconds."""

    def __init__(self, *, now: Callable[[], float] = monotonic) -> None:
        self.now = now
        self._products: dict[tuple[str, str], ProductUse] = {}
        self._slots = 0
        self._looked_at = now()

    def find(self, customer: str, product: str, who: Mapping[str, str]) -> Lease | None:
        """Return the lease that may serve a call."""
        product_use = self._products.get((customer, product))
        slot = None if product_use is None else product_use.slot_of(who)
        lease = None if slot is None else slot.lease
        return lease if lease is not None and lease.is_serving and is_well_formed(who) else None

    def note(
        self, customer: str, product: str, who: Mapping[str, str], *, micros: int, available_micros: int
    ) -> Slot | None:
        """Note a call that the Ledger allowed, and what it left. None: there is no room to remember it."""
        now = self.now()
        product_use = self._products.get((customer, product))
        if product_use is None:
            if self._slots >= SLOTS_MAX:
                return None
            product_use = ProductUse(self._new_slot(customer, product, (), now))
            self._products[customer, product] = product_use
        slot = product_use.slot_of(who)
        if slot is None:
            if self._slots >= SLOTS_MAX:
                return None
            own = product_use.own(who)
            slot = product_use.slots[own] = self._new_slot(customer, product, own, now)
        slot.demand.add(1, micros, now)
        slot.available_micros = available_micros
        return slot

    def tell_capped_keys(self, lease: Lease | Slot, keys: tuple[str, ...]) -> None:
        """Note which group keys have caps: from now on a lease serves only calls with its own values of them."""
        product_use = self._products.get((lease.customer, lease.product))
        if product_use is not None:
            product_use.capped_keys = keys

    def slot_of(self, lease: Lease) -> Slot | None:
        """Return the slot whose lease this is; None: another has taken its place, or nobody uses it any more."""
        product_use = self._products.get((lease.customer, lease.product))
        slot = None if product_use is None else product_use.slots.get(tuple(lease.group_values.items()))
        return slot if slot is not None and slot.lease is lease else None

    def forget_idle(self) -> None:
        """Forget slots without a lease that were not used for a minute; looks once a minute, as they may be many."""
        now = self.now()
        if now - self._looked_at < FORGOTTEN_AFTER_SECONDS:
            return
        self._looked_at = now
        for key, product_use in list(self._products.items()):
            for own, slot in list(product_use.slots.items()):
                is_idle = slot.lease is None and slot.demand.idle_seconds(now) >= FORGOTTEN_AFTER_SECONDS
                if is_idle and (own or len(product_use.slots) == 1):
                    del product_use.slots[own]
                    self._slots -= 1
            if not product_use.slots:
                del self._products[key]

    def _new_slot(self, customer: str, product: str, own: GroupValues, now: float) -> Slot:
        self._slots += 1
        return Slot(customer, product, own, now)


def is_well_formed(who: Mapping[str, str]) -> bool:
    """Whether the Ledger accepts these group values: a use cannot be refused any more."""
    if len(who) > GROUP_VALUES_MAX:
        return False
    for key, value in who.items():
        if not (isinstance(key, str) and isinstance(value, str)):
            return False
        if not (0 < len(key) <= KEY_LENGTH_MAX and 0 < len(value) <= VALUE_LENGTH_MAX):
            return False
        if not (key.isprintable() and value.isprintable()):
            return False
    return True
