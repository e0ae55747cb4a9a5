# SPDX-License-Identifier: Apache-2.0
"""The rates of a card while they are added, withdrawn, ended and corrected. Pure: each change makes a new book.

Source: services/catalog/README.md, "Rates" and "Repairing rates".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from services.catalog.domain.errors import (
    EndBeforeStart,
    EndInPast,
    RateBegun,
    RateEnded,
    RateIsCorrection,
    RateNotBegun,
    RateNotFound,
    RateWithdrawn,
)
from services.catalog.domain.rate import Line, Pricing, Rate, RateId, RateTerms
from services.catalog.domain.rate_line import (
    end_in_line,
    ended_by,
    insert_into_line,
    remove_from_line,
)

WITHDRAWAL_NOTICE: Final = timedelta(minutes=1)
_TICK: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateBook:
    """The rates of some products on one card.

    rates: all of them. lines: those that are neither withdrawn nor corrections, by effective_time.
    corrections: by the rate that they correct, in order of creation.
    """

    rates: Mapping[RateId, Rate]
    lines: Mapping[Line, Sequence[Rate]]
    corrections: Mapping[RateId, Sequence[RateId]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RateChange:
    """The difference of two books. changed: existing rates before and after."""

    added: tuple[Rate, ...]
    changed: tuple[tuple[Rate, Rate], ...]


def open_book(rates: Iterable[Rate]) -> RateBook:
    """Return the book of a card's rates, given in any order."""
    by_id = {rate.rate_id: rate for rate in rates}
    lines: dict[Line, list[Rate]] = {}
    corrections: dict[RateId, list[RateId]] = {}
    for rate in sorted(by_id.values(), key=lambda rate: rate.effective_time):
        if rate.corrects_rate_id is None and rate.withdraw_time is None:
            lines.setdefault(rate.line, []).append(rate)
    for rate in sorted(by_id.values(), key=lambda rate: rate.create_time or rate.effective_time):
        if rate.corrects_rate_id is not None:
            corrections.setdefault(rate.corrects_rate_id, []).append(rate.rate_id)
    return RateBook(rates=by_id, lines=lines, corrections=corrections)


def difference(before: RateBook, after: RateBook) -> RateChange:
    """Return what changed between two books, of which the second was made from the first."""
    return RateChange(
        added=tuple(rate for rate_id, rate in after.rates.items() if rate_id not in before.rates),
        changed=tuple(
            (rate, after.rates[rate_id])
            for rate_id, rate in before.rates.items()
            if after.rates[rate_id] != rate
        ),
    )


def add_rates(book: RateBook, asked: Iterable[tuple[RateId, RateTerms]], *, at: datetime) -> RateBook:
    """Add rates at an instant, one after the other; each is checked against the ones before it.

    Raises RateOverlaps; for a rate to replace also what `withdraw` raises, and RateWithdrawn. Then none is added.
    """
    for rate_id, terms in asked:
        book = _add(book, rate_id, terms, at=at)
    return book


def withdraw(book: RateBook, rate_id: RateId, *, at: datetime) -> RateBook:
    """Withdraw a rate, which must begin at least WITHDRAWAL_NOTICE later. A withdrawn rate stays as it is.

    Raises RateNotFound, RateIsCorrection, RateBegun.
    """
    rate = _root(book, rate_id)
    if rate.withdraw_time is not None:
        return book
    if rate.effective_time - at < WITHDRAWAL_NOTICE:
        raise RateBegun(rate_id=rate_id, effective_time=rate.effective_time.isoformat())
    line = remove_from_line(book.lines[rate.line], rate)
    return _with_line(book, rate.line, line, replace(rate, withdraw_time=at))


def end(book: RateBook, rate_id: RateId, end_time: datetime, *, at: datetime) -> RateBook:
    """Set the end of a rate that has none, or only one after `at`. Its corrections end with it.

    Raises RateNotFound, RateIsCorrection, RateWithdrawn, RateEnded, EndInPast, EndBeforeStart, RateOverlaps.
    """
    rate = _standing(book, rate_id)
    if rate.end_time is not None and rate.end_time <= at:
        raise RateEnded(rate_id=rate_id, end_time=rate.end_time.isoformat())
    if end_time < at:
        raise EndInPast(rate_id=rate_id, end_time=end_time.isoformat(), now_time=at.isoformat())
    if end_time <= rate.effective_time:
        raise EndBeforeStart(
            rate_id=rate_id, end_time=end_time.isoformat(), effective_time=rate.effective_time.isoformat()
        )
    return _with_line(book, rate.line, end_in_line(book.lines[rate.line], rate, end_time))


def correct(
    book: RateBook, correction_id: RateId, rate_id: RateId, pricing: Pricing, *, at: datetime
) -> RateBook:
    """Add a correction of a rate that has begun: the same span, line and credit type at another price.

    It is created after all earlier corrections of the rate, even if the clock stands still.
    Raises RateNotFound, RateIsCorrection, RateWithdrawn, RateNotBegun.
    """
    rate = _standing(book, rate_id)
    if rate.effective_time > at:
        raise RateNotBegun(rate_id=rate_id, effective_time=rate.effective_time.isoformat())
    earlier = book.corrections.get(rate_id, ())
    created = (book.rates[one].create_time for one in (rate_id, *earlier))
    correction = replace(
        rate,
        rate_id=correction_id,
        rate_type=pricing.rate_type,
        price=pricing.price,
        tiers=pricing.tiers,
        create_time=max([at, *(one + _TICK for one in created if one is not None)]),
        ended_by_rate_id=None,
        corrects_rate_id=rate_id,
        corrected_by_rate_id=None,
    )
    return replace(
        book,
        rates={**book.rates, correction_id: correction},
        corrections={**book.corrections, rate_id: (*earlier, correction_id)},
    )


def _add(book: RateBook, rate_id: RateId, terms: RateTerms, *, at: datetime) -> RateBook:
    end_previous = terms.end_previous
    rate = _rate(rate_id, terms, at)
    if terms.replaces_rate_id is not None:
        replaced = _standing(book, terms.replaces_rate_id)
        # The replaced rate reopens the one that it had ended, which would overlap the new rate.
        if replaced.line == rate.line and ended_by(book.lines[rate.line], replaced) is not None:
            end_previous = True
        book = withdraw(book, replaced.rate_id, at=at)
    line = insert_into_line(book.lines.get(rate.line, ()), rate, end_previous=end_previous)
    _require_end_ahead(ended_by(line, rate), at=at)
    return _with_line(book, rate.line, line)


def _require_end_ahead(ended: Rate | None, *, at: datetime) -> None:
    """Raise EndInPast if a rate is ended before now, unless it was added in the same step: it has priced nothing."""
    if ended is None or ended.create_time == at:
        return
    assert ended.end_time is not None
    if ended.end_time < at:
        raise EndInPast(rate_id=ended.rate_id, end_time=ended.end_time.isoformat(), now_time=at.isoformat())


def _root(book: RateBook, rate_id: RateId) -> Rate:
    rate = book.rates.get(rate_id)
    if rate is None:
        raise RateNotFound(rate_id=rate_id)
    if rate.corrects_rate_id is not None:
        raise RateIsCorrection(rate_id=rate_id, corrects_rate_id=rate.corrects_rate_id)
    return rate


def _standing(book: RateBook, rate_id: RateId) -> Rate:
    rate = _root(book, rate_id)
    if rate.withdraw_time is not None:
        raise RateWithdrawn(rate_id=rate_id, withdraw_time=rate.withdraw_time.isoformat())
    return rate


def _with_line(book: RateBook, line: Line, rates: Sequence[Rate], *others: Rate) -> RateBook:
    """Return the book with other rates in a line; their corrections get their ends."""
    changed = {rate.rate_id: rate for rate in rates if book.rates.get(rate.rate_id) is not rate}
    changed |= {rate.rate_id: rate for rate in others}
    for rate in tuple(changed.values()):
        for correction_id in book.corrections.get(rate.rate_id, ()):
            changed[correction_id] = replace(book.rates[correction_id], end_time=rate.end_time)
    return replace(book, rates={**book.rates, **changed}, lines={**book.lines, line: rates})


def _rate(rate_id: RateId, terms: RateTerms, at: datetime) -> Rate:
    return Rate(
        rate_id=rate_id,
        product_id=terms.product_id,
        billing_frequency=terms.billing_frequency,
        credit_type_id=terms.credit_type_id,
        price=terms.price,
        effective_time=terms.effective_time,
        end_time=terms.end_time,
        rate_type=terms.rate_type,
        tiers=terms.tiers,
        dimension_values=terms.dimension_values,
        create_time=at,
    )
