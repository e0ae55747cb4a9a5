# SPDX-License-Identifier: Apache-2.0
"""Entries: the immutable signed lines of a pool's history. Balances are sums of entries."""

from collections.abc import Mapping
from dataclasses import field, replace
from datetime import datetime
from enum import Enum

from meshkit.quantity import Credits, Quantity
from meshkit.values import value
from services.ledger.domain.credits.grant import GrantId, ProductId
from services.ledger.domain.usage.meter import MeterKey


class EntryKind(Enum):
    """What an entry records."""

    GRANT = "GRANT"
    SEAT_ADJUSTMENT = "SEAT_ADJUSTMENT"
    CAPTURE = "CAPTURE"
    EXPIRY = "EXPIRY"
    VOID = "VOID"
    SHORTFALL = "SHORTFALL"
    OVERAGE = "OVERAGE"
    UNCHARGED = "UNCHARGED"
    REINSTATEMENT = "REINSTATEMENT"
    CORRECTION = "CORRECTION"
    OVERAGE_CORRECTION = "OVERAGE_CORRECTION"


# What a use leaves: one or more entries of these kinds, with one cause.
USES = frozenset({EntryKind.CAPTURE, EntryKind.OVERAGE, EntryKind.SHORTFALL, EntryKind.UNCHARGED})
# What is billed: usage, and what a correction has made it cost more.
BILLED = frozenset({EntryKind.OVERAGE, EntryKind.OVERAGE_CORRECTION})
# Usage that no credits cover.
UNCOVERED = BILLED | {EntryKind.SHORTFALL}


@value(frozen=True, slots=True, kw_only=True)
class Usage:
    """What was used, by whom, and under which contract.

    One piece of usage may have several entries, one per grant that pays; quantity is on the first of them only, so that
    quantities can be summed. It is 0 for usage that was given in credits. contract_id None: written before entries
    recorded it. meter_key: the meter that the quantity counts on; None for usage given in credits.
    meter_position, meter_cost: of the meter after it; None without a meter, and before entries recorded it.
    """

    product_id: ProductId
    contract_id: str | None
    group_values: Mapping[str, str]
    hold_id: str | None
    quantity: Quantity = Quantity(0)
    meter_key: MeterKey | None = None
    dimension_values: Mapping[str, str] = field(default_factory=dict)
    transaction_id: str | None = None
    meter_position: Quantity | None = None
    meter_cost: Credits | None = None

    def without_quantity(self) -> "Usage":
        """Return it for the entries after the first."""
        return replace(self, quantity=Quantity(0)) if self.quantity else self


@value(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line. `amount` is signed and changes `grant_id`. One that no credits cover has `shortfall` instead, an
    UNCHARGED neither.

    sequence: position in the pool's history, from 1 without gaps. cause_id: the request, schedule or grant behind it.
    corrects: of a CORRECTION that takes usage back, the sequence of the entry whose cost it reduces. subject: of the
    caller who caused it, or "clock"; empty until it is written.
    """

    sequence: int
    kind: EntryKind
    grant_id: GrantId | None
    amount: Credits
    shortfall: Credits
    effective_time: datetime
    create_time: datetime
    cause_id: str
    usage: Usage | None = None
    corrects: int | None = None
    subject: str = ""

    @property
    def is_shortfall(self) -> bool:
        """Whether it says what nobody pays: neither a grant nor, as overage, the customer."""
        return self.grant_id is None and self.kind not in BILLED

    @property
    def cost(self) -> Credits:
        """What this line of usage cost, covered or not; negative for one that takes usage back."""
        return self.shortfall - self.amount
