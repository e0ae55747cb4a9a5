# SPDX-License-Identifier: Apache-2.0
"""Which meters a rerate job has to do, and by how much each will differ: no entry is read for it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import structlog

from meshkit.period import Period
from meshkit.quantity import INT64_MAX, Credits
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId
from services.ledger.domain.rating.price import Pricing, cost_at
from services.ledger.domain.rating.product import UsageProduct
from services.ledger.domain.rating.rate import Rate, winning_rate
from services.ledger.domain.usage.meter import Meter, MeterKey
from services.ledger.domain.usage.rerate_job import RerateCredits, RerateJob, RerateScope, StoredMeter
from services.ledger.domain.usage.rerating import difference
from services.ledger.store import Transaction

CUSTOMERS_PER_STEP_MAX = 100

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class MeterDifference:
    """How much more (negative: less) a meter will cost."""

    stored: StoredMeter
    credits: Credits


@dataclass(frozen=True, slots=True)
class RatePlan:
    """Finds the rates that apply now. It is of one transaction."""

    tx: Transaction
    scope: RerateScope
    product: UsageProduct

    @classmethod
    async def of(cls, tx: Transaction, scope: RerateScope) -> Self:
        return cls(tx, scope, (await tx.standings.products([scope.product_id]))[scope.product_id])

    async def differences(self, customer_ids: Sequence[CustomerId]) -> list[MeterDifference]:
        """Return the meters of these customers that another rate is to cost than the one that does."""
        stored = await self.tx.rerate_meters.meters(self.scope, customer_ids)
        rates = await self.tx.rerate_meters.rates({one.meter_key.root_rate_id for one in stored})
        found = []
        for one in stored:
            winner = self._winner(rates, one.meter_key, one.meter, one.period)
            if winner is not None:
                found.append(MeterDifference(one, difference(one.meter, self.pricing(winner))))
        return found

    async def winner(self, meter_key: MeterKey, meter: Meter, period: Period) -> Rate | None:
        """Return the rate that is to cost a meter; None if it does already, none is, or the cost is too large."""
        rates = await self.tx.rerate_meters.rates({meter_key.root_rate_id})
        return self._winner(rates, meter_key, meter, period)

    def pricing(self, rate: Rate) -> Pricing:
        return Pricing(rate.price, self.product.conversion)

    def _winner(
        self, rates: Mapping[str, Sequence[Rate]], meter_key: MeterKey, meter: Meter, period: Period
    ) -> Rate | None:
        winner = winning_rate(
            rates.get(meter_key.root_rate_id, ()),
            meter_key.root_rate_id,
            [dimension.key for dimension in self.product.dimensions],
            period=period,
            keeps=self.product.metric.aggregation.keeps_rates,
        )
        if winner is None or winner.rate_id == meter.rate_id:
            return None
        if cost_at(self.pricing(winner), meter.position).micros > INT64_MAX:
            # A job that fails would hold up those behind it.
            log.warning("rerate_too_large", rate_id=winner.rate_id, period_start=period.start.isoformat())
            return None
        return winner


async def customers_after(tx: Transaction, job: RerateJob) -> Sequence[CustomerId] | None:
    """Return the next customers to plan; None if all are."""
    if job.scope.customer_id is not None:
        return None if job.planned_customer_id else [job.scope.customer_id]
    return await tx.retention.customers_after(job.planned_customer_id, CUSTOMERS_PER_STEP_MAX) or None


def add_credits(
    credits: Iterable[RerateCredits], differences: Iterable[MeterDifference]
) -> tuple[RerateCredits, ...]:
    """Add what is expected of these meters."""
    sums: dict[CreditTypeId, RerateCredits] = {one.credit_type_id: one for one in credits}
    for meter in differences:
        credit_type_id = meter.stored.key[1]
        one = sums.get(credit_type_id, RerateCredits(credit_type_id=credit_type_id))
        zero = Credits(0)
        sums[credit_type_id] = replace(
            one,
            expected_returned=one.expected_returned + max(zero, -meter.credits),
            expected_charged=one.expected_charged + max(zero, meter.credits),
        )
    return tuple(sums[credit_type_id] for credit_type_id in sorted(sums))
