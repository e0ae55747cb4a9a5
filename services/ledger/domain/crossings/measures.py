# SPDX-License-Identifier: Apache-2.0
"""What watches measure: the value of each watched group value of an account.

Source: services/ledger/README.md, "Watches and crossings".
"""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

from meshkit.quantity import Credits, ceil_div
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.grant import Grant, GrantId, SlotId
from services.ledger.domain.credits.seats import SeatName, Slot
from services.ledger.domain.crossings.watch import PERCENT, Watch, WatchKind
from services.ledger.domain.gate.overage import captured_in
from services.ledger.domain.gate.shortfall import SHORTFALL
from services.ledger.domain.gate.spend_cap import GroupValue, Spend, used_in
from services.ledger.domain.gate.windows import ZONE_DEFAULT, CapWindow, window_at


def values_of(
    account: Account,
    watch: Watch,
    *,
    at: datetime,
    anchor: datetime | None,
    spenders: Collection[GroupValue] | None,
) -> Iterator[tuple[str, Credits]]:
    """Yield each group value that a watch observes now, '' for none, with what is measured of it.

    anchor, spenders: see alarm.observe.
    """
    if watch.confirms_with(""):
        yield "", Credits(0)
    match watch.kind:
        case WatchKind.LOW_BALANCE:
            if (watch.alert_id, "") in account.watch_states or account.was_granted(at):
                yield "", account.remaining(at)
        case (
            WatchKind.TOP_UP_LEVEL
        ):  # also where nothing was granted yet: the customer buys the first credits
            yield "", account.remaining(at)
        case WatchKind.LOW_PERCENTAGE:
            percentage = percentage_left(account, at)
            if percentage is not None:
                yield "", percentage
        case WatchKind.SPEND | WatchKind.SPEND_IN_DAY | WatchKind.SPEND_IN_WEEK | WatchKind.SPEND_IN_MONTH:
            known = account.spends if spenders is None else spenders
            for group_value in sorted(_watched_values(watch, known)):
                spend = account.spends.get((watch.group_key, group_value), Spend())
                zone = account.time_zone
                yield group_value, spent(spend, at=at, anchor=anchor, window=watch.window, zone=zone)
        case WatchKind.SHORTFALL | WatchKind.OVERAGE:
            yield "", uncovered(account, watch.kind, at=at, anchor=anchor)
        case WatchKind.GRANT_EXPIRING:
            yield from _expiring_grants(account, watch, at)
        case WatchKind.LOW_SEAT_BALANCE:
            slot_ids = None if spenders is None else changed_slots(account)
            for group_key, seat_id in sorted(seats_of(account, at, slot_ids=slot_ids)):
                if watch.watches_value(group_key, seat_id):
                    seat = left_of_seat(account, (group_key, seat_id), at)
                    if seat is not None:
                        yield seat_id, seat


def percentage_left(account: Account, at: datetime) -> Credits | None:
    """Return what remains in the pool, in millionths of a percent of what it was granted for the present period.

    Rounded up, so that it is at or below a threshold exactly if the exact percentage is. None: the pool has no included
    credits now.
    """
    included = account.included(at)
    if not included:
        return None
    return Credits(ceil_div(account.remaining(at).micros * 100 * PERCENT, included.micros))


def spent(
    spend: Spend,
    *,
    at: datetime,
    anchor: datetime | None,
    window: CapWindow = CapWindow.BILLING_PERIOD,
    zone: str = ZONE_DEFAULT,
) -> Credits:
    """Return what was spent in the window of `at`. zone: the customer's, for windows of the calendar."""
    if anchor is None:
        return Credits(0)
    return used_in(spend, window, 0, zone=zone, anchor=anchor, at=at)[0]


def uncovered(account: Account, kind: WatchKind, *, at: datetime, anchor: datetime | None) -> Credits:
    """Return the shortfall of the usage period of `at`, or the overage that contracts have captured in it."""
    if kind is WatchKind.SHORTFALL:
        return spent(account.spends.get(SHORTFALL, Spend()), at=at, anchor=anchor)
    if anchor is None:
        return Credits(0)
    start = window_at(CapWindow.BILLING_PERIOD, anchor=anchor, at=at).start
    totals = (
        account.spends.get(captured_in(contract_id, start), Spend()) for contract_id in account.overage_caps
    )
    return Credits(sum(total.period.spent.micros for total in totals if total.period is not None))


def expires_soon(grant: Grant, watch: Watch, at: datetime) -> bool:
    """Whether a grant is active and expires within the time of a watch."""
    return grant.is_active(at) and grant.expire_time is not None and at >= grant.expire_time - watch.within


def left(grant: Grant) -> Credits:
    """Return what is left of a grant, open holds included."""
    return Credits(0) if grant.is_closed else grant.remaining


def seats_of(account: Account, at: datetime, *, slot_ids: Collection[SlotId] | None = None) -> set[SeatName]:
    """Return the seat ids of an account that occupy a slot. slot_ids: one of these; None: any."""
    return {
        (rule.seats.group_key, seat_id)
        for rule in account.seat_rules
        for (subscription_id, seat_id), spans in account.seats.items()
        if subscription_id == rule.subscription_id
        for one in spans
        if one.is_in_force(at) and (slot_ids is None or one.slot_id in slot_ids)
    }


def changed_slots(account: Account) -> set[SlotId]:
    """Return the slots whose grants have changed since the account was saved."""
    slots = (account.grants[grant_id].slot_id for grant_id in account.changed_grants)
    return {slot_id for slot_id in slots if slot_id is not None}


def left_of_seat(account: Account, name: SeatName, at: datetime) -> Credits | None:
    """Return what is left in the active grants of a seat's slots; None: it has no slot, or they have no grant yet."""
    group_key, seat_id = name
    slot_ids = {
        one.slot_id
        for rule in account.seat_rules
        if rule.seats.group_key == group_key
        for one in account.seats.get((rule.subscription_id, seat_id), ())
        if one.is_in_force(at)
    }
    grants = [
        account.grants[grant_id]
        for slot_id in slot_ids
        for grant_id in account.slots.get(slot_id, Slot()).grant_ids
    ]
    if not any(grant.effective_time <= at for grant in grants):
        return None
    return Credits(sum(left(grant).micros for grant in grants if grant.is_active(at)))


def _expiring_grants(account: Account, watch: Watch, at: datetime) -> Iterator[tuple[str, Credits]]:
    """Yield the grants that expire soon, with what is left of them; and 0 of those in alarm that do not any more."""
    for grant in account.grants.values():
        if grant.slot_id is None and grant.expire_time is not None:
            if expires_soon(grant, watch, at):
                yield grant.grant_id, left(grant)
            elif _is_in_alarm(account, watch, grant.grant_id):
                yield grant.grant_id, Credits(0)
    if not account.is_partial:  # all that are missing are closed
        for alert_id, grant_id in account.watch_states:
            is_missing = alert_id == watch.alert_id and grant_id and GrantId(grant_id) not in account.grants
            if is_missing and _is_in_alarm(account, watch, grant_id):
                yield grant_id, Credits(0)


def _is_in_alarm(account: Account, watch: Watch, group_value: str) -> bool:
    state = account.watch_states.get((watch.alert_id, group_value))
    return state is not None and state.in_alarm


def is_one_of_many(watch: Watch, group_value: str) -> bool:
    """Whether a watch observes many values or customers, of which this is one."""
    return watch.customer_id is None or group_value != watch.group_value


def _watched_values(watch: Watch, known: Collection[GroupValue]) -> Iterable[str]:
    if watch.group_value:
        return (watch.group_value,) if (watch.group_key, watch.group_value) in known else ()
    return {value for key, value in known if key == watch.group_key}
