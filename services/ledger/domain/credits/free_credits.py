# SPDX-License-Identifier: Apache-2.0
"""Free credits: those of schedules for which nothing is charged. A customer gets them once per usage period.

A schedule grants only what exceeds the free credits that the customer's other contracts were granted in the same usage
period. What it does not grant is stored with its grant as withheld. Source: services/ledger/README.md, "Free credits".
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from meshkit.evolve import evolve
from meshkit.period import Cadence, period_index
from meshkit.quantity import Credits
from services.ledger.domain.credits.grant import Grant
from services.ledger.domain.credits.schedule import Schedule

_DAYS_OF_MONTH_MAX = 31


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeCredits:
    """What a contract's free schedules of one rhythm were granted for their periods that began at one instant.

    granted: without what late notices took back, but also if it was spent, has expired or was voided. withheld: what
    they would have been granted if other contracts had not been.
    """

    contract_id: str
    cadence: Cadence
    period_start: datetime
    granted: Credits
    withheld: Credits

    @property
    def usage_periods(self) -> int:
        """In how many usage periods it counts, from the one in which it began: as many as its period has months."""
        return self.cadence.months or -(-self.cadence.days // _DAYS_OF_MONTH_MAX)


class FreeAllowance:
    """Decides how much a customer's free schedules grant of one credit type, while its account is settled.

    known: what was granted so far. anchor: start of the customer's usage periods; None without a contract.
    """

    def __init__(self, known: Iterable[FreeCredits] = (), *, anchor: datetime | None) -> None:
        self._anchor = anchor
        self._known: dict[tuple[str, Cadence, datetime], FreeCredits] = {}
        for one in known:
            self._count(one)

    def of_new(self, schedule: Schedule, grant: Grant) -> Grant:
        """Return the first grant of a period without what is withheld of it: nothing, if it is not free."""
        assert grant.period_start is not None
        if not schedule.is_free_at(grant.period_start):
            return grant
        withheld = self.withhold(schedule, grant.period_start, grant.granted)
        return evolve(grant, granted=grant.granted - withheld, withheld=withheld)

    def withhold(self, schedule: Schedule, period_start: datetime, amount: Credits) -> Credits:
        """Return how much is withheld of `amount` more free credits for a period, and count both parts.

        That is what other contracts were granted in its usage period, as far as it was not withheld from this one.
        """
        others = own = 0
        for one in self._counting_at(period_start):
            if one.contract_id == schedule.contract_id:
                own += one.withheld.micros
            else:
                others += one.granted.micros
        withheld = Credits(min(amount.micros, max(0, others - own)))
        self._count(
            FreeCredits(
                contract_id=schedule.contract_id,
                cadence=schedule.cadence,
                period_start=period_start,
                granted=amount - withheld,
                withheld=withheld,
            )
        )
        return withheld

    def without(self, contract_id: str) -> "FreeAllowance":
        """Return it as if a contract had been granted nothing."""
        others = (one for one in self._known.values() if one.contract_id != contract_id)
        return FreeAllowance(others, anchor=self._anchor)

    def _counting_at(self, at: datetime) -> list[FreeCredits]:
        """Return what counts in the usage period of `at`."""
        if self._anchor is None:
            return []
        index = period_index(self._anchor, 1, at)
        return [
            one
            for one in self._known.values()
            if 0 <= index - period_index(self._anchor, 1, one.period_start) < one.usage_periods
        ]

    def _count(self, one: FreeCredits) -> None:
        key = (one.contract_id, one.cadence, one.period_start)
        if (known := self._known.get(key)) is not None:
            one = replace(one, granted=known.granted + one.granted, withheld=known.withheld + one.withheld)
        self._known[key] = one
