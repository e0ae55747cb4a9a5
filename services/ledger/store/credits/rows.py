# SPDX-License-Identifier: Apache-2.0
"""Rows to domain objects and back. Rows never leave the store."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar

from meshkit.period import period_at
from meshkit.quantity import Credits, Quantity
from services.ledger.domain.credits.burn_down import Draw
from services.ledger.domain.credits.entry import Entry, EntryKind, Usage
from services.ledger.domain.credits.grant import (
    CreditTypeId,
    CustomerId,
    Grant,
    GrantId,
    GrantKind,
    GrantVoid,
    ProductId,
    ScheduleId,
)
from services.ledger.domain.credits.schedule import (
    Allocation,
    GrantFrequency,
    GrantTerms,
    PeriodProration,
    Schedule,
)
from services.ledger.domain.crossings.watch import LOW, Watch, WatchKind
from services.ledger.domain.gate.hold import Hold, HoldId, HoldState
from services.ledger.domain.gate.in_flight import ConcurrencyCap
from services.ledger.domain.gate.spend_cap import CapOwner, Spend, SpendCap, WindowSpend
from services.ledger.domain.gate.windows import CapWindow, SteppedWindow, Tally
from services.ledger.domain.rating.price import Pricing
from services.ledger.domain.usage.meter import MeteredPrice, MeterKey
from services.ledger.store.formats import EDITION, ROLLOVER
from services.ledger.store.gate.hold_lines import lines_from_column
from services.ledger.store.rates import conversion_from_row, price_from_row

Row = Mapping[str, Any]
T = TypeVar("T")

GRANT_COLUMNS = """
    grant_id, kind, product_id, priority, effective_time, expire_time, create_time, granted_micros,
    captured_micros, held_micros, expired_micros, voided_micros, cost_basis_micros, scope_product_ids,
    schedule_id, period_start, source_id, is_closed, void_time, void_reason, void_actor, void_rolls_to,
    taken_back_micros, rolled_over_micros, rolled_from, slot_id, withheld_micros, to_void_micros
"""
# Of a grant g: it is open, or has held credits. Must match the partial index's predicate exactly, or it is not used.
IS_OPEN_GRANT = "NOT g.is_closed OR g.held_micros > 0"
HOLD_COLUMNS = """
    hold_id, product_id, contract_id, anchor_time, rate_type, price_micros, per_micros, tiers, conversion,
    rate_id, root_rate_id, dimension_values, group_values,
    quantity_micros, counted_group_values, state, draw_grant_ids, draw_micros, captured_micros, create_time,
    expire_time, lines, overage_micros
"""
# Of an active watch of any kind. Kinds that a previous version did not know are in a separate table, because it
# looks up the kind of each watch that it reads.
WATCH_COLUMNS = """
    alert_id, version, kind, customer_id, credit_type_id, threshold_micros, rearm_micros, group_key, group_value, within
"""
_FIRST_KINDS = frozenset({WatchKind.LOW_BALANCE, WatchKind.SPEND, WatchKind.TOP_UP_LEVEL})
ACTIVE_WATCHES = f"""(
    SELECT {WATCH_COLUMNS.replace("within", "NULL::interval AS within")} FROM ledger.watches WHERE is_active
    UNION ALL SELECT {WATCH_COLUMNS} FROM ledger.more_watches WHERE is_active
)"""
ENTRY_COLUMNS = """
    sequence, kind, grant_id, amount_micros, shortfall_micros, effective_time, create_time, cause_id, hold_id,
    product_id, group_values, contract_id, quantity_micros, root_rate_id, usage_period_start, dimension_values,
    transaction_id, meter_quantity_micros, meter_cost_micros, corrects_sequence, subject
"""


def prefixed(alias: str, columns: str) -> str:
    """Return these columns of one table of a join."""
    return ", ".join(f"{alias}.{column.strip()}" for column in columns.split(","))


def grant_from_row(row: Row) -> Grant:
    return Grant(
        grant_id=GrantId(row["grant_id"]),
        kind=GrantKind(row["kind"]),
        product_id=row["product_id"],
        priority=row["priority"],
        effective_time=row["effective_time"],
        expire_time=row["expire_time"],
        create_time=row["create_time"],
        granted=Credits(row["granted_micros"]),
        captured=Credits(row["captured_micros"]),
        held=Credits(row["held_micros"]),
        expired=Credits(row["expired_micros"]),
        voided=Credits(row["voided_micros"]),
        cost_basis_micros=row["cost_basis_micros"],
        scope_product_ids=frozenset(row["scope_product_ids"]),
        schedule_id=row["schedule_id"],
        period_start=row["period_start"],
        source_id=row["source_id"],
        is_closed=row["is_closed"],
        void=_void_from_row(row),
        taken_back=Credits(row["taken_back_micros"]),
        rolled_over=Credits(row["rolled_over_micros"]),
        rolled_from=row["rolled_from"],
        slot_id=row["slot_id"],
        withheld=_known(Credits, row["withheld_micros"]),
        to_void=_known(Credits, row["to_void_micros"]),
    )


def _void_from_row(row: Row) -> GrantVoid | None:
    void_time = row["void_time"]
    if void_time is None:
        return None
    return GrantVoid(
        time=void_time, reason=row["void_reason"], actor=row["void_actor"], rolls_to=row["void_rolls_to"]
    )


def grant_to_row(grant: Grant) -> tuple[object, ...]:
    """Return the values in the order of GRANT_COLUMNS."""
    return (
        grant.grant_id,
        grant.kind.value,
        grant.product_id,
        grant.priority,
        grant.effective_time,
        grant.expire_time,
        grant.create_time,
        grant.granted.micros,
        grant.captured.micros,
        grant.held.micros,
        grant.expired.micros,
        grant.voided.micros,
        grant.cost_basis_micros,
        sorted(grant.scope_product_ids),
        grant.schedule_id,
        grant.period_start,
        grant.source_id,
        grant.is_closed,
        *void_to_row(grant.void),
        grant.taken_back.micros,
        grant.rolled_over.micros,
        grant.rolled_from,
        grant.slot_id,
        None if grant.withheld is None else grant.withheld.micros,
        None if grant.to_void is None else grant.to_void.micros,
    )


def void_to_row(void: GrantVoid | None) -> tuple[object, ...]:
    """Return the values of void_time, void_reason, void_actor and void_rolls_to."""
    return (None,) * 4 if void is None else (void.time, void.reason, void.actor, void.rolls_to)


def hold_from_row(row: Row) -> Hold:
    amounts = zip(row["draw_grant_ids"], row["draw_micros"], strict=True)
    draws = tuple(Draw(GrantId(grant_id), Credits(micros)) for grant_id, micros in amounts)
    return Hold(
        hold_id=HoldId(row["hold_id"]),
        product_id=ProductId(row["product_id"]),
        contract_id=row["contract_id"],
        anchor=row["anchor_time"],
        price=_price_of_hold(row),
        dimension_values=row["dimension_values"] or {},
        group_values=row["group_values"],
        counted_group_values=row["counted_group_values"],
        state=HoldState(row["state"]),
        quantity=Quantity(row["quantity_micros"]),
        draws=draws,
        overage=Credits(sum(row["overage_micros"] or ())),
        captured=Credits(row["captured_micros"]),
        create_time=row["create_time"],
        expire_time=row["expire_time"],
        lines=()
        if row["lines"] is None
        else lines_from_column(
            row["lines"],
            draws,
            row["overage_micros"],
            anchor=row["anchor_time"],
            create_time=row["create_time"],
        ),
    )


def _price_of_hold(row: Row) -> MeteredPrice:
    """Return the price of a hold. One from before there were meters has no rate_id, and counts on none."""
    meter_key = None
    if row["root_rate_id"] is not None:
        meter_key = MeterKey(row["root_rate_id"], period_at(row["anchor_time"], 1, row["create_time"]).start)
    return MeteredPrice(
        meter_key=meter_key,
        product_id=ProductId(row["product_id"]),
        rate_id=row["rate_id"] or "",
        pricing=Pricing(price_from_row(row), conversion_from_row(row["conversion"])),
    )


def entry_from_row(row: Row) -> Entry:
    usage = None
    if row["product_id"] is not None:
        usage = Usage(
            product_id=ProductId(row["product_id"]),
            contract_id=row["contract_id"],
            group_values=row["group_values"] or {},
            hold_id=row["hold_id"],
            quantity=Quantity(row["quantity_micros"]),
            meter_key=_meter_key_of_entry(row),
            dimension_values=row["dimension_values"] or {},
            transaction_id=row["transaction_id"],
            meter_position=_known(Quantity, row["meter_quantity_micros"]),
            meter_cost=_known(Credits, row["meter_cost_micros"]),
        )
    return Entry(
        sequence=row["sequence"],
        kind=EntryKind(row["kind"]),
        grant_id=row["grant_id"],
        amount=Credits(row["amount_micros"]),
        shortfall=Credits(row["shortfall_micros"]),
        effective_time=row["effective_time"],
        create_time=row["create_time"],
        cause_id=row["cause_id"],
        usage=usage,
        corrects=row["corrects_sequence"],
        subject=row["subject"],
    )


def _known(kind: Callable[[int], T], micros: int | None) -> T | None:
    return None if micros is None else kind(micros)


def _meter_key_of_entry(row: Row) -> MeterKey | None:
    return None if row["root_rate_id"] is None else MeterKey(row["root_rate_id"], row["usage_period_start"])


def cap_from_row(row: Row) -> SpendCap:
    return SpendCap(
        spend_cap_id=row["spend_cap_id"],
        credit_type_id=CreditTypeId(row["credit_type_id"]),
        group_key=row["group_key"],
        group_value=row["group_value"],
        limit=Credits(row["limit_micros"]),
        window=CapWindow(row["cap_window"]),
        create_time=row["create_time"],
        owner=CapOwner(row["owner"]),
        hours=row["window_hours"],
        is_shadow=row["is_shadow"],
    )


def concurrency_cap_from_row(row: Row) -> ConcurrencyCap:
    return ConcurrencyCap(
        concurrency_cap_id=row["concurrency_cap_id"],
        credit_type_id=CreditTypeId(row["credit_type_id"]),
        subject=(row["subject_key"], row["subject_value"]),
        holds_max=row["holds_max"],
        is_shadow=row["is_shadow"],
        create_time=row["create_time"],
    )


SPEND_COLUMNS = """
    held_micros, period_start, period_spent_micros, period_ahead_micros, day_start, day_spent_micros, day_ahead_micros,
    windows
"""


def spend_from_row(row: Row) -> Spend:
    return Spend(
        held=Credits(row["held_micros"]),
        period=_window_spend(row, "period"),
        day=_window_spend(row, "day"),
        windows=windows_from_column(row["windows"]),
    )


def _window_spend(row: Row, window: str) -> WindowSpend | None:
    start = row[f"{window}_start"]
    if start is None:
        return None
    return WindowSpend(start, Credits(row[f"{window}_spent_micros"]), Credits(row[f"{window}_ahead_micros"]))


def windows_from_column(column: Mapping[str, Any] | None) -> dict[SteppedWindow, Tally] | None:
    """Return what spends.windows says: by window, its first instant and its steps, in seconds since 1970."""
    if column is None:
        return None
    return {
        window_from_name(name): Tally(
            _instant(tally["since"]),
            {_instant(step): Credits(micros) for step, micros in tally["steps"].items()},
        )
        for name, tally in column.items()
    }


def windows_to_column(windows: Mapping[SteppedWindow, Tally] | None) -> dict[str, Any] | None:
    if windows is None:
        return None
    return {
        window_to_name(window): {
            "since": _seconds(tally.since),
            "steps": {str(_seconds(step)): spent.micros for step, spent in tally.steps.items()},
        }
        for window, tally in windows.items()
    }


def window_to_name(window: SteppedWindow) -> str:
    """Return the key of a window in spends.windows: "WEEK Europe/Berlin", "ROLLING 24"."""
    return f"{window.kind} {window.hours or window.zone}"


@lru_cache(maxsize=1_024)
def window_from_name(name: str) -> SteppedWindow:
    kind, which = name.split(" ", 1)
    return SteppedWindow(kind, hours=int(which)) if which.isdecimal() else SteppedWindow(kind, zone=which)


def _instant(seconds: int | str) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


def _seconds(instant: datetime) -> int:
    return int(instant.timestamp())


def watch_table(watch: Watch) -> str:
    """Return the table of a kind of watches: see ACTIVE_WATCHES."""
    is_first = watch.kind in _FIRST_KINDS and not watch.is_of_own_subject
    return "watches" if is_first else "more_watches"


def watch_from_row(row: Row) -> Watch:
    kind = WatchKind(row["kind"])
    customer_id: CustomerId | None = row["customer_id"]
    threshold = Credits(row["threshold_micros"])
    return Watch(
        alert_id=row["alert_id"],
        version=row["version"],
        kind=kind,
        customer_id=customer_id,
        credit_type_id=CreditTypeId(row["credit_type_id"]),
        threshold=threshold,
        rearm=_rearm_of(kind, threshold, row["rearm_micros"]),
        group_key=row["group_key"],
        group_value=row["group_value"],
        within=row["within"] or timedelta(0),
    )


def _rearm_of(kind: WatchKind, threshold: Credits, micros: int | None) -> Credits:
    """Return a watch's rearm level. The previous version writes none, or leaves that of an earlier threshold."""
    if micros is None:
        return threshold
    beyond = max if kind in LOW else min
    return beyond(threshold, Credits(micros))


def schedule_from_row(row: Row) -> Schedule:
    """row: of grant_schedules, joined with the start_time of its contract and the earlier of the two ends."""
    return Schedule(
        schedule_id=ScheduleId(row["schedule_id"]),
        contract_id=row["contract_id"],
        subscription_id=row["subscription_id"],
        product_id=ProductId(row["product_id"]),
        credit_type_id=CreditTypeId(row["credit_type_id"]),
        frequency=GrantFrequency[row["frequency"]],
        interval_count=row["interval_count"],
        anchor=row["anchor_time"],
        start_time=row["start_time"],
        end_time=row["end_time"],
        terms=GrantTerms(
            unit_amount=Credits(row["unit_amount_micros"]),
            priority=row["priority"],
            prorates_increases=row["prorates_increases"],
            period_proration=PeriodProration(row["period_proration"]),
            commit_duration=row["commit_duration"],
            scope_product_ids=frozenset(row["scope_product_ids"]),
            rollover=None if row["rollover"] is None else ROLLOVER.decode(row["rollover"]),
        ),
        editions=tuple(map(EDITION.decode, row["editions"])),
        allocation=Allocation(row["allocation"]),
        is_free=row["is_free"],
        charge_time=row["charge_time"],
    )
