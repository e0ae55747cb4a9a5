# SPDX-License-Identifier: Apache-2.0
"""Capture: a hold becomes spend of what was used, line by line.

Source: services/ledger/README.md, "Life of a hold" and services/ledger/README.md, "Several lines per call".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from meshkit.quantity import Credits
from services.ledger.domain.credits import due
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.burn_down import Draw
from services.ledger.domain.credits.entry import Entry, EntryKind, Usage
from services.ledger.domain.credits.grant import GrantId
from services.ledger.domain.credits.seats import Purse
from services.ledger.domain.crossings import alarm
from services.ledger.domain.errors import HoldHasLines
from services.ledger.domain.gate import overage
from services.ledger.domain.gate.charging import charged, usage_of_hold
from services.ledger.domain.gate.decision import Amount, Captured, CapturedLines, LineResult
from services.ledger.domain.gate.hold import (
    HeldPart,
    Hold,
    HoldState,
    end_hold,
    names_of,
    require_unresolved,
    split_draws,
)
from services.ledger.domain.gate.spend_cap import GroupValue, Spend
from services.ledger.domain.gate.spending import COVERED, Uncovered, counted, spend_held, time_of_spend
from services.ledger.domain.gate.subjects import held_by, subjects_of
from services.ledger.domain.usage.meter import Meter, MeterKey


@dataclass(slots=True)
class _Line:
    """What one line was used for. draws: those of the hold that pay for it. excess: what they do not cover.

    uncovered: what no grant covers.
    """

    part: HeldPart
    usage: Usage
    cost: Credits
    excess: Credits
    draws: tuple[Draw, ...] = ()
    uncovered: Uncovered = COVERED


def capture(
    account: Account,
    hold: Hold,
    actual: Amount | None,
    *,
    cause_id: str,
    at: datetime,
) -> tuple[Account, Captured]:
    """Turn a hold into spend of the amount used (None: all that is held).

    Less than held: the rest is released, the last drawn first. More: the excess is drawn from available credits; what
    they do not cover is overage, as far as the contract allows it or the hold reserves it, and then a shortfall. An
    expired hold is drawn like a debit and marked late.
    Raises HoldAlreadyResolved, HoldHasLines for an amount of several lines.
    """
    require_unresolved(hold)
    used = used_of(hold, actual)
    if hold.lines:
        return capture_lines(account, hold, used, cause_id=cause_id, at=at)
    account, captured, _ = _capture(account, hold, used, cause_id=cause_id, transaction_id=None, at=at)
    return account, captured


def used_of(hold: Hold, actual: Amount | None) -> tuple[Amount, ...]:
    """Return what one amount says of each line of a hold. Raises HoldHasLines."""
    if not hold.lines:
        return (hold.whole if actual is None else actual,)
    if actual is not None:
        raise HoldHasLines(hold_id=hold.hold_id, lines=names_of(hold))
    return tuple(line.whole for line in hold.lines)


def capture_lines(
    account: Account,
    hold: Hold,
    used: Sequence[Amount],
    *,
    cause_id: str,
    transaction_id: str | None = None,
    at: datetime,
) -> tuple[Account, CapturedLines]:
    """Turn a hold into spend of what was used of each of its lines, in their order. Raises HoldAlreadyResolved.

    What lines do not use comes back first, so others that used more can draw it; what would be lost by coming back pays
    for those before anything else does. transaction_id: of the usage event that is the capture.
    """
    require_unresolved(hold)
    account, captured, lines = _capture(
        account, hold, used, cause_id=cause_id, transaction_id=transaction_id, at=at
    )
    results = [
        LineResult(
            product_id=line.part.product_id,
            dimension_values=line.part.dimension_values,
            quantity=line.usage.quantity,
            credits=line.cost - line.uncovered.shortfall,
            shortfall=line.uncovered.shortfall,
            overage=line.uncovered.overage,
        )
        for line in lines
    ]
    return account, CapturedLines(
        captured=captured.captured,
        overage=captured.overage,
        released=captured.released,
        shortfall=captured.shortfall,
        is_late=captured.is_late,
        credit_type_id=captured.credit_type_id,
        available=captured.available,
        lines=tuple(results),
    )


def _capture(
    account: Account,
    hold: Hold,
    used: Sequence[Amount],
    *,
    cause_id: str,
    transaction_id: str | None,
    at: datetime,
) -> tuple[Account, Captured, list[_Line]]:
    held = held_by(account, hold)
    at = time_of_spend(account, held, at)
    is_late = hold.state is HoldState.EXPIRED
    lines, meters = _priced(account, hold, used, transaction_id)
    entries_before = len(account.entries)
    lost: list[Draw] = []
    reserved = released = Credits(0)
    if not is_late:
        account, lost = _pay_from_hold(account, hold, lines, at=at)
        account = overage.released(account, hold)
        reserved = hold.amount
    # Credits that have become available since pay before overage does, and what a line does not use serves the others.
    allowed = {} if is_late else overage.reserved_by(hold)
    for line in lines:
        purse = _purse(account, hold, line.part)
        account = _write(account, line, purse, allowed, cause_id=cause_id, at=at)
    if hold.lines and not is_late:
        released = released_by(hold, account.entries[entries_before:])
    elif not is_late:
        (line,) = lines
        released = reserved - (line.cost - line.excess) - min(line.uncovered.overage, hold.overage)
    for draw in lost:
        account = due.give_back_draw(account, hold, draw, ended_time=at, at=at)
    spends = _spends(account, hold, lines, released=None if is_late else held, at=at)
    spent = shortfall = billed = Credits(0)
    for line in lines:
        spent += line.cost
        shortfall += line.uncovered.shortfall
        billed += line.uncovered.overage
    ended = end_hold(hold, HoldState.CAPTURED, captured=spent - shortfall)
    account = account.with_changes(holds=[ended], spends=spends, meters=meters)
    account = alarm.observe_spend(account, held, at=at, anchor=hold.anchor)
    captured = Captured(
        captured=spent - shortfall,
        overage=billed,
        released=released,
        shortfall=shortfall,
        is_late=is_late,
        credit_type_id=account.credit_type_id,
        available=available_to(account, hold, at),
    )
    return account, captured, lines


def available_to(account: Account, hold: Hold, at: datetime) -> Credits:
    """Return what each product of a hold could authorize: the least of what they all can."""
    if not hold.lines:
        return account.available(at, hold.product_id, _purse(account, hold, hold))
    return min(account.available(at, line.product_id, _purse(account, hold, line)) for line in hold.lines)


def _purse(account: Account, hold: Hold, part: HeldPart) -> Purse:
    """Return whose credits a line of a hold may draw: those of the slot that the seat had when it asked for it."""
    return account.purse_of_usage(part.contract_id, part.product_id, hold.group_values, hold.create_time)


def room_for(account: Account, hold: Hold, at: datetime) -> Credits:
    """Return how much more of each line of a hold could be overage: the least of what their contracts allow."""
    if not account.overage_caps:
        return Credits(0)
    return min(overage.room(account, part.contract_id, at=at) for part in hold.parts)


def _priced(
    account: Account, hold: Hold, used: Sequence[Amount], transaction_id: str | None
) -> tuple[list[_Line], dict[MeterKey, Meter]]:
    """Return what each line costs, and the meters after all of them. Lines on one meter count one after the other."""
    lines: list[_Line] = []
    meters: dict[MeterKey, Meter] = {}
    for part, amount in zip(hold.parts, used, strict=True):
        key = part.price.meter_key
        before = part.price.meter_in(meters if meters and key in meters else account.meters)
        meter, cost = charged(before, amount)
        usage = usage_of_hold(hold, part, amount, meter, transaction_id)
        if usage.meter_key is not None:
            meters[usage.meter_key] = meter
        lines.append(_Line(part, usage, cost, excess=cost))
    return lines, meters


def released_by(hold: Hold, entries: Iterable[Entry]) -> Credits:
    """Return what a hold reserved and its capture did not use. entries: of the capture."""
    unspent: dict[GrantId | None, int] = {None: hold.overage.micros}
    for draw in hold.draws:
        unspent[draw.grant_id] = unspent.get(draw.grant_id, 0) + draw.amount.micros
    for entry in entries:
        if entry.kind is EntryKind.OVERAGE:
            unspent[None] -= entry.shortfall.micros
        elif entry.grant_id in unspent:
            unspent[entry.grant_id] += entry.amount.micros
    return Credits(sum([micros for micros in unspent.values() if micros > 0]))


def _pay_from_hold(
    account: Account, hold: Hold, lines: Sequence[_Line], *, at: datetime
) -> tuple[Account, list[Draw]]:
    """Let each line's own draws pay for it, and give back what it leaves. Returns what would be lost by coming back.

    That pays for the excess of other lines before it is lost.
    """
    lost: list[Draw] = []
    for line in lines:
        covered = min(line.cost, line.part.drawn)
        split = split_draws(line.part.draws, covered)
        line.draws, line.excess = split.captured, line.cost - covered
        for draw in split.released:
            if due.comes_back(account, hold, draw):
                account = due.give_back_draw(account, hold, draw, ended_time=at, at=at)
            else:
                lost.append(draw)
    if lost:
        for line in lines:
            lost = _pay_from(account, hold, line, lost)
    return account, lost


def _pay_from(account: Account, hold: Hold, line: _Line, draws: Sequence[Draw]) -> list[Draw]:
    """Let draws pay for a line's excess, as far as its product may draw their grants. Returns the rest."""
    left: list[Draw] = []
    for draw in draws:
        taken = Credits(0)
        grant = account.grants[draw.grant_id]
        if grant.covers(line.part.product_id) and _purse(account, hold, line.part).allows(grant):
            taken = min(draw.amount, line.excess)
        if taken:
            line.draws = (*line.draws, Draw(draw.grant_id, taken))
            line.excess -= taken
        if draw.amount - taken:
            left.append(Draw(draw.grant_id, draw.amount - taken))
    return left


def _write(
    account: Account, line: _Line, purse: Purse, allowed: dict[str, Credits], *, cause_id: str, at: datetime
) -> Account:
    """Capture a line's draws, and draw its excess from what is available; what is not is overage or a shortfall.

    allowed: the overage that the hold still reserves, by contract; the line takes its own from it.
    """
    contract_id = line.part.contract_id
    reserved = allowed.get(contract_id, Credits(0))
    account, line.uncovered = spend_held(
        account,
        line.draws,
        line.excess,
        line.usage,
        purse=purse,
        cause_id=cause_id,
        at=at,
        reserved=reserved,
    )
    if reserved:
        allowed[contract_id] = max(Credits(0), reserved - line.uncovered.overage)
    return account


def _spends(
    account: Account,
    hold: Hold,
    lines: Sequence[_Line],
    *,
    released: Mapping[GroupValue, Credits] | None,
    at: datetime,
) -> dict[GroupValue, Spend]:
    """Return the spends without what was held, and with the cost of each line that counts for them."""
    if not hold.lines:
        subjects = subjects_of(account, hold.counted_group_values, hold.product_id)
        return counted(account, subjects, lines[0].cost, anchor=hold.anchor, at=at, released=released)
    costs: dict[GroupValue, int] = {}
    for line in lines:
        part = line.part
        for subject in subjects_of(account, part.counted_group_values, part.product_id):
            costs[subject] = costs.get(subject, 0) + line.cost.micros
    spends: dict[GroupValue, Spend] = {}
    for subject, cost in costs.items():
        spends |= counted(account, (subject,), Credits(cost), anchor=hold.anchor, at=at, released=released)
    return spends
