# SPDX-License-Identifier: Apache-2.0
"""One lease: what of it is spent, held by open blocks, and still to be reported. No I/O; any thread may call it.

What a call costs is rounded up, so what is spent here is never less than what the Ledger charges.
"""

import threading
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, NamedTuple

from meshkit.quantity import Credits
from purser_client.amounts import Amount

USES_MAX: Final = 1_000  # of one report: the Ledger's bound
# So many unreported uses may wait: credits bound them too, unless the product is free.
UNREPORTED_MAX: Final = 100_000
COST_MAX: Final = 10**15  # the Ledger's bound; it decides such a call, and says what is wrong with it
MICROSECOND: Final = 1_000_000


class Use(NamedTuple):
    """A call that the lease was used for. Its request_id and its time never change: they make a retry recognizable."""

    request_id: str
    quantity_micros: int  # 0: credits_micros says how much
    credits_micros: int
    group_values: dict[str, str]
    time_micros: int  # since 1970, by the Ledger's clock
    cost_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTerms:
    """What the Ledger said of a lease. leased_micros: what it reserves. ends: on this process's monotonic clock.

    price_micros for per_micros units × 10^6; per_micros 0: the lease does not serve calls of its product.
    """

    leased_micros: int
    ends: float
    expire_time: datetime
    price_micros: int
    per_micros: int
    available_micros: int


class Lease:
    """A lease that this process spends.

    Always: left + held + unreported <= what the Ledger reserves for it. `held` is reserved for open blocks.
    use_ids: the first of the request_ids of its uses, as a number; they are counted upwards.
    """

    __slots__ = (
        "_clock_micros",
        "_half",
        "_held",
        "_in_report",
        "_is_over",
        "_left",
        "_lock",
        "_next_use",
        "_open",
        "_taken",
        "_unreported",
        "_uses",
        "credit_type_id",
        "customer",
        "group_values",
        "is_serving",
        "is_woken",
        "lease_id",
        "product",
        "terms",
    )

    def __init__(
        self,
        *,
        lease_id: str,
        customer: str,
        product: str,
        group_values: dict[str, str],
        credit_type_id: str,
        terms: LeaseTerms,
        use_ids: int,
    ) -> None:
        self.lease_id = lease_id
        self.customer = customer
        self.product = product
        self.group_values = group_values
        self.credit_type_id = credit_type_id
        self.terms = terms
        self.is_serving = terms.per_micros > 0
        self.is_woken = False  # its report has been asked for
        # The time of a use is by the Ledger's clock, whatever the clock of this machine says.
        self._clock_micros = int(terms.expire_time.timestamp() * MICROSECOND) - int(terms.ends * MICROSECOND)
        self._next_use = use_ids
        self._lock = threading.Lock()
        self._left = self._half = terms.leased_micros
        self._half //= 2
        self._held = self._open = self._unreported = 0
        self._taken = (0, 0)
        self._uses: list[Use] = []
        self._in_report: list[Use] = []
        self._is_over = False

    def reserve(self, cost: int, now: float) -> bool:
        """Reserve credits for a block; False: the lease cannot, and the Ledger must decide."""
        with self._lock:
            if cost > self._left or now >= self.terms.ends or not self._may_serve(cost):
                return False
            self._left -= cost
            self._held += cost
            self._open += 1
            self._taken = (self._taken[0] + 1, self._taken[1] + cost)
            return True

    def hold_more(self, cost: int, now: float) -> bool:
        """Reserve more for a block that is open."""
        with self._lock:
            if cost > self._left or self.has_ended(now):
                return False
            self._left -= cost
            self._held += cost
            return True

    def release(self, reserved: int) -> None:
        """Take back what was reserved for a block that used nothing."""
        with self._lock:
            self._open -= 1
            self._held -= reserved
            self._left += reserved

    def use(self, reserved: int, cost: int, amount: Amount, who: dict[str, str], now: float) -> Use:
        """End a block that used `cost`, which may be more or less than was reserved for it.

        More than what is left is used too: it has happened.
        """
        with self._lock:
            self._open -= 1
            self._held -= reserved
            self._left += reserved
            return self._used(cost, amount, who, now)

    def spend(self, cost: int, amount: Amount, who: dict[str, str], now: float) -> Use | None:
        """Reserve and use at once; None: the lease cannot, and the Ledger must decide."""
        with self._lock:
            if cost > self._left or now >= self.terms.ends or not self._may_serve(cost):
                return None
            self._taken = (self._taken[0] + 1, self._taken[1] + cost)
            return self._used(cost, amount, who, now)

    def is_due(self) -> bool:
        """Whether a report should not wait: half of the lease is gone, a report is full, or it serves no more."""
        if self.is_serving:
            return max(0, self._left) < self._half or len(self._uses) >= USES_MAX
        return bool(self._uses)

    def is_live(self, now: float) -> bool:
        """Whether it may be spent."""
        return self.is_serving and now < self.terms.ends

    def has_ended(self, now: float) -> bool:
        """Whether its time is over. Blocks may still be open, and uses unreported."""
        return self._is_over or now >= self.terms.ends

    def is_done(self) -> bool:
        """Whether nothing of it is open or unreported."""
        return not (self._open or self._uses or self._in_report)

    @property
    def open_blocks(self) -> int:
        return self._open

    @property
    def left_micros(self) -> int:
        """What can be spent; negative after uses beyond what was reserved for them."""
        return self._left

    @property
    def needed_micros(self) -> int:
        """What a renewal must reserve before more can be spent: for open blocks, and uses since its report began."""
        with self._lock:
            return self._held + self._unreported - sum(use.cost_micros for use in self._in_report)

    @property
    def unreported(self) -> int:
        """The number of uses that the Ledger has not confirmed."""
        return len(self._uses) + len(self._in_report)

    def taken(self) -> tuple[int, int]:
        """Return the calls, and their credits, that the lease has decided since this was last asked."""
        with self._lock:
            taken, self._taken = self._taken, (0, 0)
            return taken

    def stop(self) -> None:
        """Serve no more calls; when this returns, no thread is about to reserve something."""
        with self._lock:
            self.is_serving = False

    def begin_report(self) -> list[Use]:
        """Return the oldest uses, at most USES_MAX: those of a report that failed, or new ones."""
        with self._lock:
            if not self._in_report:
                self._in_report, self._uses = self._uses[:USES_MAX], self._uses[USES_MAX:]
            return self._in_report

    def reported(self, terms: LeaseTerms | None) -> None:
        """Note that the Ledger has the uses of the report. terms: of the lease afterwards; None: it has ended."""
        with self._lock:
            self._unreported -= sum(use.cost_micros for use in self._in_report)
            self._in_report = []
            if terms is None:
                self._is_over = True
                self.is_serving = False
                self._left = 0
                return
            if not terms.per_micros:
                # Blocks that are open still need a price for what they use.
                self.is_serving = False
                terms = replace(terms, price_micros=self.terms.price_micros, per_micros=self.terms.per_micros)
            self.terms = terms
            self._left = terms.leased_micros - self._held - self._unreported
            self._half = max(0, self._left + self._unreported) // 2

    def _may_serve(self, cost: int) -> bool:
        return self.is_serving and cost <= COST_MAX and len(self._uses) < UNREPORTED_MAX

    def _used(self, cost: int, amount: Amount, who: dict[str, str], now: float) -> Use:
        self._left -= cost
        self._unreported += cost
        self._next_use += 1
        is_credits = isinstance(amount, Credits)
        use = Use(
            f"req_{self._next_use:032x}",
            0 if is_credits else amount.micros,
            amount.micros if is_credits else 0,
            who,
            self._clock_micros + int(now * MICROSECOND),
            cost,
        )
        self._uses.append(use)
        return use


def cost_of(lease: Lease, amount: Amount) -> int:
    """Return what an amount costs, in micro-credits, rounded up: at least what the Ledger charges."""
    if isinstance(amount, Credits):
        return amount.micros
    terms = lease.terms  # once: another thread may replace them
    return -(-amount.micros * terms.price_micros // terms.per_micros)
