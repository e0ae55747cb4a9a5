# SPDX-License-Identifier: Apache-2.0
"""Meters: the quantity used at one price in one usage period, and what it has cost so far.

The cost of a piece of usage is the meter's cost after it less the cost before it. So the entries of a meter always sum
to its exact cost, rounded up once: a thousand small events cost what one large one does.
Source: services/ledger/README.md, "Rating".
"""

from collections.abc import Mapping
from datetime import datetime

from meshkit.evolve import evolve
from meshkit.quantity import Credits, Quantity
from meshkit.values import value
from services.ledger.domain.credits.grant import ProductId
from services.ledger.domain.rating.price import Pricing, cost_at
from services.ledger.domain.totals import countable


@value(frozen=True, slots=True)
class MeterKey:
    """root_rate_id: the rate itself, or the one that it corrects: corrections keep the meter."""

    root_rate_id: str
    period_start: datetime


@value(frozen=True, kw_only=True)  # no slots: evolve
class Meter:
    """position: the measured quantity so far. cost: the sum of the meter's entries. largest: the largest one reported.

    rate_id, pricing: the rate that costs it. A meter keeps its rate until it is rerated, even if the rate is corrected.
    unrated: by how much the cost differs from that rate, because a rerating has not corrected all entries yet.
    """

    product_id: ProductId
    rate_id: str
    pricing: Pricing
    position: Quantity = Quantity(0)
    cost: Credits = Credits(0)
    largest: Quantity = Quantity(0)
    unrated: Credits = Credits(0)

    def cost_at(self, position: Quantity) -> Credits:
        """Return what the meter costs at a position."""
        cost = cost_at(self.pricing, position)
        return cost + self.unrated if self.unrated else cost


@value(frozen=True, slots=True, kw_only=True)
class MeteredPrice:
    """The meter that usage counts on, and the rate that costs it if the meter is new.

    meter_key None: the price of a hold from before there were meters.
    """

    meter_key: MeterKey | None
    product_id: ProductId
    rate_id: str
    pricing: Pricing

    def meter_in(self, meters: Mapping[MeterKey, Meter]) -> Meter:
        """Return the meter, or a new one at position 0."""
        known = None if self.meter_key is None else meters.get(self.meter_key)
        return self.new_meter() if known is None else known

    def new_meter(self) -> Meter:
        return Meter(product_id=self.product_id, rate_id=self.rate_id, pricing=self.pricing)


def advance(meter: Meter, quantity: Quantity) -> tuple[Meter, Credits]:
    """Return the meter after `quantity` more, and what that costs. Raises TotalTooLarge."""
    position = countable(meter.position + quantity, "the quantity of a usage period at one price")
    cost = countable(meter.cost_at(position), "the cost of a usage period at one price")
    return evolve(meter, position=position, cost=cost), cost - meter.cost
