# SPDX-License-Identifier: Apache-2.0
"""Concurrency caps: the most holds that one group value, one product or the whole customer may have open at once.

An account knows its open holds only while a cap needs them: they are counted when it is read, under the pool's lock,
and kept with it from then on. Nothing is stored, so nothing can differ from the holds themselves.
Source: services/ledger/README.md, "Concurrency caps".
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from meshkit.mapping import with_items, without
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, ProductId
from services.ledger.domain.gate.hold import Hold, HoldId, HoldState
from services.ledger.domain.gate.spend_cap import GroupValue
from services.ledger.domain.gate.subjects import CUSTOMER, of_product, product_of

WHOLE_CUSTOMER: GroupValue = CUSTOMER
subject_of_product = of_product
product_of_subject = product_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcurrencyCap:
    """At most `holds_max` open holds at once in one pool.

    subject: a group value, a product or the whole customer; an empty value of a group key: each value that has no
    specific cap.
    """

    concurrency_cap_id: str
    credit_type_id: CreditTypeId
    subject: GroupValue
    holds_max: int
    create_time: datetime
    is_shadow: bool = False


@dataclass(frozen=True, slots=True)
class CustomerConcurrencyCap:
    """A cap, and the customer it belongs to."""

    customer_id: CustomerId
    cap: ConcurrencyCap


@dataclass(frozen=True, slots=True)
class ConcurrencyCapRemoval:
    """The response to RemoveConcurrencyCap."""

    concurrency_cap_id: str


# By subject; an empty value of a group key stands for every value.
Caps = Mapping[GroupValue, ConcurrencyCap]
# When each open hold expires, by subject. Every hold is one of the whole customer.
InFlight = Mapping[GroupValue, Mapping[HoldId, datetime]]


@dataclass(frozen=True, slots=True)
class InFlightUse:
    """A cap that applies to a call, and what it limits. expire_times: of the subject's open holds, by hold."""

    cap: ConcurrencyCap
    subject: GroupValue
    expire_times: Mapping[HoldId, datetime]

    @property
    def open_holds(self) -> int:
        return len(self.expire_times)

    @property
    def is_full(self) -> bool:
        return self.open_holds >= self.cap.holds_max

    @property
    def free_time(self) -> datetime | None:
        """When enough holds will have expired for one more, whatever else happens; None: not by expiry.

        At the cap, this is when the first one expires. More than the cap are open when it was lowered meanwhile.
        """
        needed = self.open_holds - self.cap.holds_max + 1
        if needed > self.open_holds:
            return None
        return heapq.nsmallest(needed, self.expire_times.values())[-1]


def fullest(uses: Iterable[InFlightUse]) -> InFlightUse | None:
    """Return the cap that denies a call the longest; None if none does."""
    full = [use for use in uses if use.is_full]
    return max(full, key=lambda use: (use.free_time is None, use.free_time), default=None)


def in_flight_uses(
    caps: Caps, in_flight: InFlight, group_values: Mapping[str, str], product_ids: Iterable[ProductId]
) -> tuple[InFlightUse, ...]:
    """Return the caps that apply to a call for `group_values` of `product_ids`."""
    uses = []
    for subject in _subjects(group_values, product_ids):
        cap = _cap_on(caps, subject)
        if cap is not None:
            uses.append(InFlightUse(cap, subject, in_flight.get(subject, {})))
    return tuple(uses)


def in_flight_after(caps: Caps, in_flight: InFlight, holds: Iterable[Hold]) -> InFlight:
    """Return the open holds after these were opened, extended or ended."""
    for hold in holds:
        is_open = hold.state is HoldState.HELD
        product_ids = [part.product_id for part in hold.parts]
        for subject in counted_subjects(caps, hold.counted_group_values, product_ids):
            expire_times = in_flight.get(subject, {})
            if is_open:
                expire_times = with_items(expire_times, {hold.hold_id: hold.expire_time})
            elif hold.hold_id in expire_times:
                expire_times = without(expire_times, hold.hold_id)
            in_flight = with_items(in_flight, {subject: expire_times})
    return in_flight


def counted_subjects(
    caps: Caps, group_values: Mapping[str, str], product_ids: Iterable[ProductId]
) -> Iterator[GroupValue]:
    """Yield those subjects of a hold whose open holds are known: the whole customer, and those with a cap."""
    for subject in _subjects(group_values, product_ids):
        if subject == WHOLE_CUSTOMER or _cap_on(caps, subject) is not None:
            yield subject


def _subjects(group_values: Mapping[str, str], product_ids: Iterable[ProductId]) -> Iterator[GroupValue]:
    """Yield each subject once, whatever number of lines has it."""
    yield from group_values.items()
    yield from map(subject_of_product, dict.fromkeys(product_ids))
    yield WHOLE_CUSTOMER


def _cap_on(caps: Caps, subject: GroupValue) -> ConcurrencyCap | None:
    cap = caps.get(subject)
    return cap if cap is not None else caps.get((subject[0], ""))
