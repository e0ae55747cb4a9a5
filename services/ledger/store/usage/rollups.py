# SPDX-License-Identifier: Apache-2.0
"""Adds new entries about usage up by hour and usage period: rows that the guarded write adds to the stored ones.

Each piece of usage counts in the row of all usage, whose group key is empty, and in one per counted group value.
Source: services/ledger/README.md, "Reading usage".
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TypeAlias

from meshkit.period import period_at
from services.ledger.domain.credits.entry import USES, Entry, Usage
from services.ledger.domain.credits.unit_of_work import Change, PoolKey

# Adds rows to a table of rollups. source: where the rows d come from, a part of the guarded write for example.
ROLLUP_SQL = """
    INSERT INTO ledger.{table} AS r (customer_id, credit_type_id, group_key, group_value, start_time, product_id,
        dimensions_hash, dimension_values, quantity_micros, credits_micros, shortfall_micros, uses)
    SELECT d.customer_id, d.credit_type_id, d.group_key, d.group_value, d.start_time, d.product_id, d.dimensions_hash,
        coalesce(d.dimension_values, jsonb_build_object()), d.quantity_micros, d.credits_micros, d.shortfall_micros,
        d.uses
    FROM {source}
    ON CONFLICT (customer_id, group_key, group_value, start_time, product_id, credit_type_id, dimensions_hash)
    DO UPDATE SET quantity_micros = r.quantity_micros + excluded.quantity_micros,
        credits_micros = r.credits_micros + excluded.credits_micros,
        shortfall_micros = r.shortfall_micros + excluded.shortfall_micros, uses = r.uses + excluded.uses
"""
# The start of the usage period of an entry e: anchor + n months, as meshkit/period.py counts them.
PERIOD_START = """(
        SELECT CASE WHEN nth.start <= e.effective_time THEN nth.start
            ELSE anchor + make_interval(months => month.n - 1) END
        FROM (SELECT {anchor} AS anchor) AS a
        CROSS JOIN LATERAL (SELECT (
            (extract(year FROM e.effective_time) - extract(year FROM anchor)) * 12
            + extract(month FROM e.effective_time) - extract(month FROM anchor)
        )::integer AS n) AS month
        CROSS JOIN LATERAL (SELECT anchor + make_interval(months => month.n) AS start) AS nth
    )"""

Row: TypeAlias = tuple[object, ...]
Dimensions: TypeAlias = tuple[tuple[str, str], ...]
# group_key, group_value, start_time, product_id, dimensions
_Name: TypeAlias = tuple[str, str, datetime, str, Dimensions]
_Sums: TypeAlias = dict[_Name, list[int]]


def rollup_rows(changes: Iterable[Change]) -> tuple[list[Row], list[Row]]:
    """Return what the new entries of these changes add by hour and by usage period, in the order of the keys."""
    hours: list[Row] = []
    periods: list[Row] = []
    for change in changes:
        if any(entry.usage is not None for entry in change.after.entries):
            by_hour, by_period = add_up(change.key, change.after.entries, anchor=change.after.usage_anchor)
            hours += by_hour
            periods += by_period
    return hours, periods


def add_up(
    key: PoolKey, entries: Sequence[Entry], *, anchor: datetime | None, continues: bool = False
) -> tuple[list[Row], list[Row]]:
    """Return what entries of a pool add by hour and by usage period, in the order of the keys.

    anchor: of the customer's usage periods. continues: the first use has entries before these, so it is counted.
    """
    by_hour, by_period = _sums(entries, anchor, continues=continues)
    return _rows(key, by_hour), _rows(key, by_period)


def gap_rows(changes: Iterable[Change]) -> list[Row]:
    """Return the entries of these pools that were written without being added up, as first and last sequence."""
    return [
        (*change.key, change.before.rolled_sequence + 1, change.before.sequence)
        for change in changes
        if change.before.rolled_sequence < change.before.sequence
    ]


@lru_cache(maxsize=4_096)
def dimensions_hash(dimensions: Dimensions) -> bytes:
    """Return what stands for dimension values, sorted by key, in the keys of rollups; empty for none."""
    return hashlib.sha256(json.dumps(dimensions).encode()).digest() if dimensions else b""


def _sums(entries: Iterable[Entry], anchor: datetime | None, *, continues: bool) -> tuple[_Sums, _Sums]:
    by_hour: _Sums = {}
    by_period: _Sums = {}
    seen: set[tuple[object, ...]] = set()
    starts: dict[datetime, tuple[datetime, datetime]] = {}
    for entry in entries:
        usage = entry.usage
        if usage is None:
            continue
        time = entry.effective_time
        if time not in starts:
            starts[time] = _hour(time), _period_start(anchor, time)
        hour, period = starts[time]
        dimensions = _dimensions(usage.dimension_values)
        shortfall = entry.shortfall.micros
        # The entries of one use have one cause; a request and an event may have the same id.
        name = (entry.cause_id, usage.transaction_id, usage.product_id, dimensions, time)
        uses = 0
        if entry.kind in USES:
            uses = int(name not in seen and not (continues and not seen))
            seen.add(name)
        added = (usage.quantity.micros, shortfall - entry.amount.micros, shortfall, uses)
        for group_key, group_value in _groups(usage):
            _add(by_hour, (group_key, group_value, hour, usage.product_id, dimensions), added)
            _add(by_period, (group_key, group_value, period, usage.product_id, dimensions), added)
    return by_hour, by_period


def _groups(usage: Usage) -> tuple[tuple[str, str], ...]:
    return ("", ""), *usage.counted_group_values.items()


def _add(sums: _Sums, name: _Name, added: tuple[int, int, int, int]) -> None:
    sums_of_name = sums.get(name)
    if sums_of_name is None:
        sums[name] = [*added]
    else:
        for place, amount in enumerate(added):
            sums_of_name[place] += amount


def _rows(key: PoolKey, sums: _Sums) -> list[Row]:
    return [
        (
            *key,
            group_key,
            group_value,
            start,
            product_id,
            dimensions_hash(dimensions),
            dict(dimensions)
            or None,  # encoding an empty object would be a fifth of the cost of writing the row
            *sums[group_key, group_value, start, product_id, dimensions],
        )
        for group_key, group_value, start, product_id, dimensions in sorted(sums)
    ]


def _hour(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0)


def _period_start(anchor: datetime | None, time: datetime) -> datetime:
    assert anchor is not None, "usage is charged under a contract, and the first one sets the anchor"
    return period_at(anchor, 1, time).start


def _dimensions(values: Mapping[str, str]) -> Dimensions:
    return tuple(sorted(values.items())) if values else ()
