# SPDX-License-Identifier: Apache-2.0
"""Warnings about what a change of rates leaves without a price: found when it is written, not at the first call. Pure.

Source: services/catalog/README.md, "Warnings".
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from itertools import chain, combinations, islice
from typing import Final, assert_never

from services.catalog.domain.product import Product, ProductId
from services.catalog.domain.rate import BillingFrequency, DimensionValues, Line, Rate
from services.catalog.domain.rate_book import RateBook, RateChange

WARNINGS_MAX: Final = 100
COMBINATIONS_MAX: Final = 5_000  # of known dimension values that are examined per product
_FOREVER: Final = datetime.max.replace(tzinfo=UTC)

Span = tuple[datetime, datetime]
SpansByLine = Mapping[Line, Sequence[Span]]


class RateWarningType(Enum):
    """GAP: a line has no price in a span. UNPRICED_DIMENSION_VALUE: known dimension values have none."""

    GAP = "GAP"
    UNPRICED_DIMENSION_VALUE = "UNPRICED_DIMENSION_VALUE"


@dataclass(frozen=True, slots=True, kw_only=True)
class RateWarning:
    """What no rate of the card prices in [start_time, end_time), and what to do. end_time None: without end."""

    warning_type: RateWarningType
    product_id: ProductId
    billing_frequency: BillingFrequency | None
    dimension_values: DimensionValues
    start_time: datetime
    end_time: datetime | None
    description: str


def warnings_of(
    book: RateBook, change: RateChange, products: Iterable[Product], *, at: datetime
) -> tuple[RateWarning, ...]:
    """Return what the lines and products of a change leave without a price after `at`, at most WARNINGS_MAX.

    book: after the change, with all rates of `products`. Gaps come first, then the products in the order given.
    """
    touched: defaultdict[Line, list[Span]] = defaultdict(list)
    for rate in chain(change.added, *change.changed):
        touched[rate.line].append(_span(rate))
    priced = {line: _union(map(_span, rates)) for line, rates in book.lines.items()}
    gaps = {line: _gaps(line, spans, priced, at) for line, spans in touched.items()}
    # What is reported as a gap is not reported once more for each combination of values in it.
    known = {line: [*priced.get(line, ()), *gaps.get(line, ())] for line in (*priced, *gaps)}
    found = chain(
        (_warning(RateWarningType.GAP, line, gap) for line, spans in gaps.items() for gap in spans),
        *(_unpriced(product, touched, known, at) for product in products if product.pricing_dimensions),
    )
    return tuple(islice(found, WARNINGS_MAX))


def _gaps(line: Line, touched: Sequence[Span], priced: SpansByLine, at: datetime) -> list[Span]:
    """Return the spans after the line's first rate that neither it nor a more general line prices."""
    product_id, billing_frequency, values = line
    begin = min(start for start, _ in chain(touched, priced.get(line, ())))
    lines = ((product_id, billing_frequency, some) for some in _subsets(values))
    return _after(_without([(begin, _FOREVER)], _of(lines, priced)), at)


def _unpriced(
    product: Product, touched: SpansByLine, priced: SpansByLine, at: datetime
) -> Iterator[RateWarning]:
    """Find combinations of known values that have no price in the spans of the product's touched rates."""
    written = _union(
        span for line, spans in touched.items() if line[0] == product.product_id for span in spans
    )
    lines = [line for line, spans in priced.items() if line[0] == product.product_id and spans]
    combined = islice(_holes(product, _known_values(product, lines), priced, written), COMBINATIONS_MAX)
    for values, holes in combined:
        for hole in _after(holes, at):
            line = (product.product_id, None, tuple(sorted(values)))
            yield _warning(RateWarningType.UNPRICED_DIMENSION_VALUE, line, hole)


def _known_values(product: Product, lines: Iterable[Line]) -> list[tuple[str, tuple[str, ...]]]:
    """Return the known values of each dimension that has any: those it declares, or else those that rates name."""
    named: defaultdict[str, set[str]] = defaultdict(set)
    for _, _, pairs in lines:
        for key, value in pairs:
            named[key].add(value)
    known = []
    for dimension in product.pricing_dimensions:
        declared = tuple(band.value for band in dimension.bands) or dimension.values
        if values := declared or tuple(sorted(named[dimension.key])):
            known.append((dimension.key, values))
    return known


def _holes(
    product: Product,
    known: Sequence[tuple[str, tuple[str, ...]]],
    priced: SpansByLine,
    window: Sequence[Span],
    chosen: DimensionValues = (),
) -> Iterator[tuple[DimensionValues, Sequence[Span]]]:
    """Give each examined choice of values with what is left of the window without a price; nothing if more are needed.

    A partial choice that is priced throughout ends the search: further values cannot change that.
    """
    lines = (
        (product.product_id, None, tuple(sorted((*some, *chosen[-1:])))) for some in _subsets(chosen[:-1])
    )
    holes = _without(window, _of(lines, priced))
    is_complete = len(chosen) == len(known)
    yield chosen, holes if is_complete and chosen else ()
    if holes and not is_complete:
        key, values = known[len(chosen)]
        for value in values:
            yield from _holes(product, known, priced, holes, (*chosen, (key, value)))


def _subsets(values: DimensionValues) -> Iterator[DimensionValues]:
    return (some for size in range(len(values) + 1) for some in combinations(values, size))


def _of(lines: Iterable[Line], priced: SpansByLine) -> Iterator[Span]:
    return (span for line in lines for span in priced.get(line, ()))


def _span(rate: Rate) -> Span:
    return rate.effective_time, _FOREVER if rate.end_time is None else rate.end_time


def _union(spans: Iterable[Span]) -> list[Span]:
    """Return the spans in order, with those that touch or overlap made one."""
    merged: list[Span] = []
    for start, stop in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], stop))
        else:
            merged.append((start, stop))
    return merged


def _without(window: Sequence[Span], taken: Iterable[Span]) -> list[Span]:
    """Return what is left of a window (in order, not overlapping) without the spans that are taken."""
    covers = _union(taken)
    left = []
    for start, stop in window:
        for cover_start, cover_stop in covers:
            if cover_stop > start and cover_start < stop:
                if start < cover_start:
                    left.append((start, cover_start))
                start = cover_stop
        if start < stop:
            left.append((start, stop))
    return left


def _after(spans: Iterable[Span], at: datetime) -> list[Span]:
    return [(start, stop) for start, stop in spans if stop > at]


def _warning(warning_type: RateWarningType, line: Line, span: Span) -> RateWarning:
    product_id, billing_frequency, values = line
    start, stop = span
    return RateWarning(
        warning_type=warning_type,
        product_id=product_id,
        billing_frequency=billing_frequency,
        dimension_values=values,
        start_time=start,
        end_time=None if stop == _FOREVER else stop,
        description=_description(warning_type, line, span),
    )


def _description(warning_type: RateWarningType, line: Line, span: Span) -> str:
    product_id, billing_frequency, values = line
    start, stop = span
    when = (
        f"from {start.isoformat()} on"
        if stop == _FOREVER
        else f"from {start.isoformat()} to {stop.isoformat()}"
    )
    which = f"{billing_frequency.value} seats of " if billing_frequency is not None else ""
    with_values = "".join(f", {key}={value}" for key, value in values)
    unpriced = f"no rate of the card prices {which}product {product_id!r}{with_values} {when};"
    match warning_type:
        case RateWarningType.GAP if billing_frequency is not None:
            return f"{unpriced} add a rate for this time, or billing periods that begin in it wait for one"
        case RateWarningType.GAP:
            return f"{unpriced} add a rate for this time, or usage in it is refused"
        case RateWarningType.UNPRICED_DIMENSION_VALUE:
            return f"{unpriced} add a rate for these values or a more general one, or such usage is refused"
        case _:
            assert_never(warning_type)
