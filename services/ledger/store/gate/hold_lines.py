# SPDX-License-Identifier: Apache-2.0
"""The lines of a hold of several, to and from the column holds.lines."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import islice

from meshkit.period import period_at
from meshkit.quantity import Credits, Quantity
from services.ledger.domain.credits.burn_down import Draw
from services.ledger.domain.credits.grant import ProductId
from services.ledger.domain.gate.hold import HeldLine
from services.ledger.domain.rating.price import Pricing
from services.ledger.domain.usage.meter import MeteredPrice, MeterKey
from services.ledger.store.formats import HOLD_LINE
from services.ledger.store.gate.stored_line import Json, StoredLine
from services.ledger.store.rates import conversion_from_row, conversion_to_row, price_from_row, price_to_row


def lines_to_column(lines: Sequence[HeldLine]) -> list[Json] | None:
    return [HOLD_LINE.encode(_stored(line)) for line in lines] or None


def lines_from_column(
    column: Sequence[Json],
    draws: Iterable[Draw],
    overage: Sequence[int] | None,
    *,
    anchor: datetime,
    create_time: datetime,
) -> tuple[HeldLine, ...]:
    """draws: of the whole hold. What the previous version has added to them belongs to the last line. overage: in
    micros, of each line; None: no line has any.
    """
    *others, last = zip(
        [HOLD_LINE.decode(line) for line in column], overage or [0] * len(column), strict=True
    )
    period_start = period_at(anchor, 1, create_time).start
    rest = iter(draws)
    lines = [_line(line, tuple(islice(rest, line.draws)), micros, period_start) for line, micros in others]
    return (*lines, _line(last[0], tuple(rest), last[1], period_start))


def _stored(line: HeldLine) -> StoredLine:
    price = line.price
    rate_type, price_micros, per_micros, tiers = price_to_row(price.pricing.price)
    return StoredLine(
        product_id=line.product_id,
        contract_id=line.contract_id,
        rate_type=rate_type,
        price_micros=price_micros,
        per_micros=per_micros,
        tiers=tiers,
        conversion=conversion_to_row(price.pricing.conversion),
        rate_id=price.rate_id,
        root_rate_id=price.meter_key.root_rate_id if price.meter_key else None,
        dimension_values=dict(line.dimension_values),
        counted_group_values=dict(line.counted_group_values),
        quantity_micros=line.quantity.micros,
        draws=len(line.draws),
    )


def _line(
    stored: StoredLine, draws: tuple[Draw, ...], overage_micros: int, period_start: datetime
) -> HeldLine:
    meter_key = None if stored.root_rate_id is None else MeterKey(stored.root_rate_id, period_start)
    pricing = Pricing(price_from_row(asdict(stored)), conversion_from_row(stored.conversion))
    return HeldLine(
        product_id=ProductId(stored.product_id),
        contract_id=stored.contract_id,
        price=MeteredPrice(
            meter_key=meter_key,
            product_id=ProductId(stored.product_id),
            rate_id=stored.rate_id,
            pricing=pricing,
        ),
        dimension_values=stored.dimension_values,
        counted_group_values=stored.counted_group_values,
        quantity=Quantity(stored.quantity_micros),
        draws=draws,
        overage=Credits(overage_micros),
    )
