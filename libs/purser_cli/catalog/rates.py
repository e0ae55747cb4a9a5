# SPDX-License-Identifier: Apache-2.0
"""The rates of a card. A rate is known by its line (product, frequency, dimension values) and its first instant."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from functools import partial
from itertools import pairwise
from typing import Any

from google.protobuf.message import Message

from purser.catalog.v1 import catalog_pb2 as catalog
from purser_cli.catalog.document import Item, Resolve, resolved
from purser_cli.catalog.kinds import RATE_CARDS, copy_fields, rate_defaults
from purser_cli.catalog.state import State
from purser_cli.catalog.steps import Plan, Step, count_of, differences, request_for
from purser_cli.rpc import requests
from purser_cli.rpc.values import WrongValue, instant_text

# AddRates takes as many.
RATES_MAX = 500
Line = tuple[str, int, tuple[tuple[str, str], ...]]
Key = tuple[Line, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A rate of a file. plain: as the file says it. terms: with nothing left out. next_time: of the line's next rate.

    Without an end_time, terms end at next_time.
    """

    plain: Mapping[str, Any]
    terms: Any
    where: str
    next_time: Any | None = None

    @property
    def key(self) -> Key:
        """Return what identifies it on its card."""
        return key_of(self.terms)

    @property
    def is_end_implied(self) -> bool:
        """Return whether the file says its end by the next rate only."""
        return self.next_time is not None and "end_time" not in self.plain


def plan_rates(plan: Plan, card: Item, state: State, resolve: Resolve) -> None:
    """Add what must be done so that a card has the rates of a file."""
    wanted = _wanted(plan, card, resolve)
    card_id = state.id_of(RATE_CARDS, card.name) or ""
    rates = state.rates.get(card_id, [])
    existing = {key_of(rate): rate for rate in listed(rates)}
    new: list[tuple[Wanted, str]] = []
    for one in wanted:
        found = existing.get(one.key)
        if found is None:
            new.append((one, ""))
        elif (changed := _differences(found, one, rates, existing)) == ():
            plan.unchanged += 1
        elif found.effective_time.ToDatetime(UTC) > state.now:
            new.append((one, found.rate_id))
        elif all(text.startswith("end_time: ") for text in changed) and one.terms.HasField("end_time"):
            plan.steps.append(_end(card, one, found, changed))
        else:
            plan.problems.append(
                f"{one.where}: the rate has begun and cannot be changed in place ({'; '.join(changed)}); add a rate "
                f"with a later effective_time, or correct it: purser rate correct {found.rate_id}"
            )
    versions = {one.rate_card_id: one.version for one in state.things[RATE_CARDS]}
    for start in range(0, len(new), RATES_MAX):
        some = [_with_end(one, existing, replaced) for one, replaced in new[start : start + RATES_MAX]]
        plan.steps.append(_add(card, some, str(versions.get(card_id, 0)), resolve))
    keys = {one.key for one in wanted}
    others = [rate for key, rate in existing.items() if key not in keys]
    plan.notes += [f"rate {rate.rate_id} of {card.name!r} is not in the file" for rate in others]


def listed(rates: Sequence[Any]) -> list[Any]:
    """Return the rates that a file names: not the withdrawn ones, and not corrections."""
    return [one for one in rates if not one.HasField("withdraw_time") and not one.corrects_rate_id]


def terms_of(rate: Any, rates: Sequence[Any]) -> Any:
    """Return the terms of a rate as its latest correction has them."""
    by_id = {one.rate_id: one for one in rates}
    terms = catalog.RateTerms()
    copy_fields(rate, terms)
    if correction := by_id.get(rate.corrected_by_rate_id):
        del terms.tiers[:]
        for name in ("price_micros", "per_micros", "rate_type"):
            setattr(terms, name, getattr(correction, name))
        terms.tiers.MergeFrom(correction.tiers)
    return terms


def line_of(rate: Any) -> Line:
    """Return what a rate prices. Rates of one line follow each other."""
    return rate.product_id, rate.billing_frequency, tuple(sorted(rate.dimension_values.items()))


def key_of(rate: Any) -> Key:
    """Return what identifies a rate on its card."""
    return line_of(rate), rate.effective_time.ToNanoseconds()


def next_times(rates: Sequence[Any]) -> dict[Key, Any]:
    """Return when the next rate of the line begins, by line and first instant (ns)."""
    lines: dict[Line, list[Any]] = defaultdict(list)
    for one in rates:
        lines[line_of(one)].append(one.effective_time)
    found = {}
    for line, times in lines.items():
        times.sort(key=lambda time: time.ToNanoseconds())
        for time, following in pairwise(times):
            found[line, time.ToNanoseconds()] = following
    return found


def _wanted(plan: Plan, card: Item, resolve: Resolve) -> list[Wanted]:
    found: list[Wanted] = []
    for number, plain in enumerate(card.rates):
        where = f"{card.where}.rates[{number}]"
        terms = catalog.RateTerms()
        try:
            requests.fill(terms, resolved(plain, resolve))
            if not terms.HasField("effective_time"):
                raise WrongValue("effective_time is required")
        except WrongValue as error:
            plan.problems.append(f"{where}: {error}")
            continue
        rate_defaults(terms)
        found.append(Wanted(plain=plain, terms=terms, where=where))
    found.sort(key=lambda one: one.terms.effective_time.ToNanoseconds())
    following = next_times([one.terms for one in found])
    seen: set[Key] = set()
    for number, one in enumerate(found):
        if one.key in seen:
            plan.problems.append(f"{one.where}: the line has another rate from the same instant on")
        seen.add(one.key)
        found[number] = replace(one, next_time=following.get(one.key))
        if one.key in following and not one.terms.HasField("end_time"):
            one.terms.end_time.CopyFrom(following[one.key])
    return found


def _differences(
    found: Any, wanted: Wanted, rates: Sequence[Any], existing: Mapping[Key, Any]
) -> tuple[str, ...]:
    before = terms_of(found, rates)
    rate_defaults(before)
    if wanted.is_end_implied and not before.HasField("end_time") and not _next_exists(wanted, existing):
        # AddRates ends it where the next one begins.
        before.end_time.CopyFrom(wanted.terms.end_time)
    return differences(before, wanted.terms)


def _with_end(wanted: Wanted, existing: Mapping[Key, Any], replaced: str) -> tuple[Wanted, str]:
    """Return a new rate; if it comes before one that exists, it needs an end."""
    if wanted.is_end_implied and _next_exists(wanted, existing):
        end = instant_text(wanted.terms.end_time)
        return replace(wanted, plain={**wanted.plain, "end_time": end}), replaced
    return wanted, replaced


def _next_exists(wanted: Wanted, existing: Mapping[Key, Any]) -> bool:
    assert wanted.next_time is not None
    return (wanted.key[0], wanted.next_time.ToNanoseconds()) in existing


def _add(card: Item, new: Sequence[tuple[Wanted, str]], version: str, resolve: Resolve) -> Step:
    return Step(
        sign="+",
        what=f"{count_of(len(new), 'rate')} of rate card {card.name!r}",
        rpc="AddRates",
        build=partial(_add_request, card, new, resolve),
        basis=version,
        details=tuple(_described(one, replaced) for one, replaced in new),
    )


def _add_request(card: Item, new: Sequence[tuple[Wanted, str]], resolve: Resolve) -> Message:
    made = []
    for one, replaced in new:
        terms = catalog.RateTerms()
        requests.fill(terms, resolved(one.plain, resolve))
        terms.replaces_rate_id = replaced
        # An open-ended rate before it ends where this one begins, as the file implies.
        terms.end_previous = True
        made.append(terms)
    return request_for("AddRates", rate_card_id=resolve(RATE_CARDS, card.name), rates=made)


def _end(card: Item, one: Wanted, found: Any, changed: tuple[str, ...]) -> Step:
    end = one.terms.end_time
    return Step(
        sign="~",
        what=f"rate {found.rate_id} of {card.name!r} ends {instant_text(end)}",
        rpc="EndRate",
        build=partial(request_for, "EndRate", rate_id=found.rate_id, end_time=end),
        basis=found.end_time.ToJsonString() if found.HasField("end_time") else "",
        details=changed,
    )


def _described(one: Wanted, replaced: str) -> str:
    text = ", ".join(f"{key}: {value}" for key, value in one.plain.items())
    return f"{text} (instead of {replaced})" if replaced else text
