# SPDX-License-Identifier: Apache-2.0
"""Rates: dated prices of a product on a rate card, and which one applies to usage at an instant.

Source: services/ledger/README.md, "Rating".
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from meshkit.period import Period
from services.ledger.domain.credits.grant import CreditTypeId, ProductId
from services.ledger.domain.rating.price import FlatPrice, Price

_BEFORE_ALL: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """One dated price of a product, in force over `[effective_time, end_time)`.

    dimension_values: for which it holds; a dimension that is left out may have any value. corrects_rate_id: the rate
    that it corrects. create_time: None for rates from before corrections existed. is_withdrawn: it prices nothing.
    """

    rate_id: str
    product_id: ProductId
    credit_type_id: CreditTypeId
    price: Price
    effective_time: datetime
    end_time: datetime | None
    dimension_values: Mapping[str, str] = field(default_factory=dict)
    corrects_rate_id: str | None = None
    create_time: datetime | None = None
    is_withdrawn: bool = False

    @property
    def root_id(self) -> str:
        """The rate that it corrects, or itself. A meter belongs to this id, so a correction keeps the meter."""
        return self.corrects_rate_id or self.rate_id

    @property
    def costs(self) -> tuple[str, ProductId, CreditTypeId, Price]:
        """What the meters that it costs depend on. Once it is used, it never changes."""
        return self.root_id, self.product_id, self.credit_type_id, self.price

    def is_in_force(self, at: datetime) -> bool:
        return self.effective_time <= at and self.ends_after(at)

    def ends_after(self, at: datetime) -> bool:
        return self.end_time is None or at < self.end_time


# The keys of a line's dimensions, in the product's order, and their values.
_Keys = tuple[str, ...]
_Values = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PriceList:
    """The rates of one product on one card, prepared for look-ups. A *line* has the rates of the same dimension values.

    lines: per combination of dimensions, the most specific first; the rates of a line ascend in time.
    """

    lines: tuple[tuple[_Keys, Mapping[_Values, tuple[Rate, ...]]], ...]


def price_list(rates: Iterable[Rate], dimension_keys: Sequence[str]) -> PriceList:
    """Prepare the rates of one product on one card. dimension_keys: the product's, the most important one first.

    Withdrawn rates are left out. Of a rate and its corrections the latest created one is kept.
    """
    places = {key: place for place, key in enumerate(dimension_keys)}
    lines: dict[_Keys, dict[_Values, list[Rate]]] = defaultdict(lambda: defaultdict(list))
    for rate in sorted(_winners(rates), key=lambda rate: (rate.effective_time, rate.rate_id)):
        if all(key in places for key in rate.dimension_values):
            keys = tuple(sorted(rate.dimension_values, key=lambda key: places[key]))
            lines[keys][tuple(rate.dimension_values[key] for key in keys)].append(rate)
    return PriceList(
        tuple(
            (keys, {values: tuple(line) for values, line in lines[keys].items()})
            for keys in sorted(lines, key=lambda keys: (-len(keys), [places[key] for key in keys]))
        )
    )


def rate_for(
    prices: PriceList, dimension_values: Mapping[str, str], *, at: datetime, period: Period, keeps: bool
) -> Rate | None:
    """Return the rate of usage at `at`; None if there is none (never free).

    Of the lines that match `dimension_values` and have a rate for `at`, the one that names most dimensions decides;
    of equals, the one with the more important dimension. period: the usage period, which contains `at`. keeps: whether
    the metric keeps rates (Aggregation.keeps_rates). The result does not depend on what was rated before.
    """
    assert period.contains(at)
    for keys, lines in prices.lines:
        if all(key in dimension_values for key in keys):
            line = lines.get(tuple(dimension_values[key] for key in keys), ())
            rate = _rate_of_line(line, at=at, period=period, keeps=keeps)
            if rate is not None:
                return rate
    return None


def winning_rate(
    rates: Collection[Rate], root_rate_id: str, dimension_keys: Sequence[str], *, period: Period, keeps: bool
) -> Rate | None:
    """Return the rate that applies now to usage that was priced by a rate in a usage period.

    rates: of the product on the card of that rate. It is the latest created one of the rate and its corrections. If the
    rate is withdrawn, it is the one that prices instead of it, in the same credit type. None: none does.
    """
    winner = next((rate for rate in _winners(rates) if rate.root_id == root_rate_id), None)
    root = next((rate for rate in rates if rate.rate_id == root_rate_id), None)
    if winner is not None or root is None or root.effective_time >= period.end:
        return winner
    at = max(period.start, root.effective_time)
    prices = price_list(rates, dimension_keys)
    other = rate_for(prices, root.dimension_values, at=at, period=period, keeps=keeps)
    return other if other is not None and other.credit_type_id == root.credit_type_id else None


def _rate_of_line(line: Sequence[Rate], *, at: datetime, period: Period, keeps: bool) -> Rate | None:
    """Return the rate that the usage period keeps, if one that is kept was in force in it by `at`.

    Otherwise return the one in force at `at`.
    """
    in_force = None
    for rate in line:
        if rate.effective_time > at:
            break
        if rate.ends_after(period.start):
            if keeps or not isinstance(rate.price, FlatPrice):
                return rate
            if in_force is None and rate.is_in_force(at):
                in_force = rate
    return in_force


def _winners(rates: Iterable[Rate]) -> Iterable[Rate]:
    latest: dict[str, Rate] = {}
    for rate in rates:
        if not rate.is_withdrawn:
            known = latest.get(rate.root_id)
            if known is None or _created(known) < _created(rate):
                latest[rate.root_id] = rate
    return latest.values()


def _created(rate: Rate) -> tuple[datetime, bool, str]:
    """Order a rate and its corrections: by create_time; at the same one, the corrections after the rate."""
    return rate.create_time or _BEFORE_ALL, rate.corrects_rate_id is not None, rate.rate_id
