# SPDX-License-Identifier: Apache-2.0
"""Plausible usage of one customer: workdays with a lunch break, quiet weekends, some late evenings, a nightly job.

Each day is made from the seed, the customer and its date only, so the same day is always the same, and repeated runs
record nothing twice.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

PEOPLE = (
    "ann",
    "bob",
    "cid",
    "dana",
    "eve",
    "finn",
    "gus",
    "hana",
    "ivo",
    "jule",
    "kim",
    "leo",
    "mia",
    "nils",
    "oda",
)
NIGHTLY = "nightly-report"
TEAMS = ("support", "sales", "product")
# How busy each hour of a workday is.
HOURS = (0, 0, 0, 0, 0, 0, 1, 4, 10, 14, 13, 11, 5, 9, 13, 12, 9, 5, 2, 1, 1, 1, 0, 0)
CALLS_PER_DAY = 9
WEEKEND = Decimal("0.12")
NIGHTLY_SHARE = Decimal("0.1")
CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sold:
    """A usage product. credits_per_unit: what one unit costs now. quantity_property: empty if every event is one unit.

    properties: what its metric and its price read, by key: each event has one of these values.
    """

    product_id: str
    name: str
    event_type: str
    credits_per_unit: Decimal
    quantity_property: str
    properties: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One use of a product by one person."""

    transaction_id: str
    at: datetime
    event_type: str
    properties: Mapping[str, str]


def people(count: int) -> list[str]:
    """Return so many names, each once: ann, bob, …, ann2, …"""
    rounds = [divmod(number, len(PEOPLE)) for number in range(count)]
    return [PEOPLE[at] if turn == 0 else f"{PEOPLE[at]}{turn + 1}" for turn, at in rounds]


def traffic(
    sold: Sequence[Sold],
    *,
    customer: str,
    seed: int,
    users: int,
    credits_per_day: Decimal,
    start: datetime,
    end: datetime,
) -> Iterator[Use]:
    """Yield the uses in [start, end), in order. credits_per_day: what a workday costs about."""
    day = start.astimezone(UTC).date()
    while datetime(day.year, day.month, day.day, tzinfo=UTC) < end:
        chance = random.Random(f"{seed} {customer} {day}")
        uses = _day(
            sold, day, chance, prefix=f"demo-{seed}-{day:%Y%m%d}", users=users, credits=credits_per_day
        )
        yield from (use for use in uses if start <= use.at < end)
        day += timedelta(days=1)


def _day(
    sold: Sequence[Sold], day: date, chance: random.Random, *, prefix: str, users: int, credits: Decimal
) -> list[Use]:
    is_weekend = day.weekday() >= 5
    budget = credits * WEEKEND if is_weekend else credits
    names = people(users)
    # Some people use it much more than others, and not everybody works every day.
    eager = [
        chance.paretovariate(1.5) if chance.random() < (0.25 if is_weekend else 0.85) else 0.0 for _ in names
    ]
    calls = max(1, round(CALLS_PER_DAY * users * (0.1 if is_weekend else 1) * chance.uniform(0.7, 1.3)))
    shares = [chance.lognormvariate(0, 0.6) for _ in range(calls)]
    total = Decimal(str(sum(shares)))
    uses = [_nightly(sold, day, chance, prefix=prefix, credits=credits * NIGHTLY_SHARE)]
    for number, share in enumerate(shares):
        name = chance.choices(names, eager)[0] if any(eager) else chance.choice(names)
        product = chance.choices(sold, [1 / (1 + at) for at in range(len(sold))])[0]
        hour = chance.randrange(9, 23) if is_weekend else chance.choices(range(24), HOURS)[0]
        at = datetime(day.year, day.month, day.day, hour, tzinfo=UTC) + timedelta(
            seconds=chance.randrange(3600), milliseconds=chance.randrange(1000)
        )
        credits_here = budget * Decimal(str(share)) / total
        uses.append(_use(product, name, names, at, chance, f"{prefix}-{number}", credits_here))
    return sorted(uses, key=lambda use: use.at)


def _nightly(sold: Sequence[Sold], day: date, chance: random.Random, *, prefix: str, credits: Decimal) -> Use:
    at = datetime(day.year, day.month, day.day, 2, tzinfo=UTC) + timedelta(seconds=chance.randrange(600))
    return _use(sold[-1], NIGHTLY, (), at, chance, f"{prefix}-night", credits)


def _use(
    product: Sold,
    name: str,
    names: Sequence[str],
    at: datetime,
    chance: random.Random,
    transaction_id: str,
    credits: Decimal,
) -> Use:
    properties = {key: chance.choice(values) for key, values in sorted(product.properties.items())}
    properties |= {"user_id": name}
    if "team" in product.properties:
        properties["team"] = TEAMS[names.index(name) % len(TEAMS)] if name in names else "operations"
    if product.quantity_property:
        units = (
            max(CENT, (credits / product.credits_per_unit).quantize(CENT))
            if product.credits_per_unit
            else CENT
        )
        properties[product.quantity_property] = format(units, "f")
    return Use(transaction_id=transaction_id, at=at, event_type=product.event_type, properties=properties)
