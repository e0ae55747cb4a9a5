# SPDX-License-Identifier: Apache-2.0
"""Several lines per call: one decision about all of them, one hold, all or nothing.

Every line is asked, priced and paid as a call of its own would be, after those before it; caps and credits are
checked for the sum. How a hold of several lines is captured: capturing.py.
Source: services/ledger/README.md, "Several lines per call".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from meshkit.quantity import Credits, Quantity
from services.ledger.domain.credits import burn_down
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.burn_down import Draw
from services.ledger.domain.credits.grant import hold_from
from services.ledger.domain.credits.seats import POOL, Purse
from services.ledger.domain.crossings import alarm
from services.ledger.domain.errors import of_line, too_large
from services.ledger.domain.gate.capping import cap_uses
from services.ledger.domain.gate.charging import charged, moved, quantity_of, quoted, usage_of_ask
from services.ledger.domain.gate.decision import (
    CREDITS_MAX,
    Ask,
    Authorized,
    AuthorizeDenied,
    AuthorizedLines,
    AuthorizedLinesInShadow,
    DebitDenied,
    Debited,
    DebitedLines,
    DebitedLinesInShadow,
    DenialReason,
    LineResult,
    Refusal,
    Verdict,
)
from services.ledger.domain.gate.hold import HeldLine, Hold, HoldId, HoldState
from services.ledger.domain.gate.in_flight import InFlightUse, fullest, in_flight_uses
from services.ledger.domain.gate.overage import held_more, reserved_by, room
from services.ledger.domain.gate.shadow import covers, refusal_of, refused, shadow_denial, shadow_record
from services.ledger.domain.gate.spend_cap import CapUse, GroupValue, Spend, hold_more, tightest
from services.ledger.domain.gate.spending import counted, draw_now, time_of_spend
from services.ledger.domain.gate.subjects import held_by, of_product, subjects_of


@dataclass(frozen=True, slots=True, kw_only=True)
class LinesVerdict:
    """Whether lines are affordable together.

    credits: what each of them costs. draws, overage: what each reserves; missing: what they lack of its cost. purses:
    whose credits each may draw, if all of them may.
    """

    whole: Verdict
    credits: tuple[Credits, ...]
    draws: tuple[tuple[Draw, ...], ...]
    overage: tuple[Credits, ...]
    missing: tuple[Credits, ...]
    purses: tuple[Purse, ...] = ()

    @property
    def purse(self) -> Purse:
        """Whose credits any of the lines may draw."""
        slot_ids = dict.fromkeys(slot_id for purse in self.purses for slot_id in purse.slot_ids)
        is_shared = any(purse.is_shared for purse in self.purses)
        return Purse(tuple(slot_ids), is_shared) if slot_ids or not is_shared else POOL


def judge(account: Account, asks: Sequence[Ask], *, at: datetime) -> LinesVerdict:
    """Decide whether the credits to hold for all lines are affordable: caps first, then credits and overage.

    Each line draws what the lines before it have left. available: the least of what their products can draw. Lines
    that cost at most this, and what their contracts allow of overage, are covered, however it is divided among them.
    """
    costs = []
    for number, ask in enumerate(asks):
        with of_line(number):
            costs.append(quoted(account, ask))
    total = _total(costs)
    is_in_shadow = _is_in_shadow(account, asks)
    purses, has_seat = _purses(account, asks, at=at)
    if not has_seat and not is_in_shadow:
        return _without_seat(total, costs)
    in_flight = _in_flight(account, asks)
    caps = _caps(account, asks, at=at)
    available = _available(account, asks, purses, at=at)
    draws: list[tuple[Draw, ...]] = []
    overage: list[Credits] = []
    missing: list[Credits] = []
    drawn = account
    for ask, purse, credits in zip(asks, purses, costs, strict=True):
        allocation = burn_down.allocate(drawn.drawable(at, ask.product_id, purse), credits)
        drawn = _reserved(drawn, allocation.draws)
        draws.append(allocation.draws)
        contract_id = ask.entitlement.contract_id
        billed = Credits(0)
        if allocation.uncovered:
            billed = min(allocation.uncovered, room(drawn, contract_id, at=at))
            drawn = drawn.with_changes(spends=held_more(drawn, contract_id, billed))
        overage.append(billed)
        missing.append(allocation.uncovered - billed)
    refusal, shadow = _refused(
        caps,
        in_flight,
        asks,
        costs,
        has_seat=has_seat,
        is_covered=not any(missing),
        is_in_shadow=is_in_shadow,
    )
    is_full = refusal is not None and refusal.reason is DenialReason.TOO_MANY_IN_FLIGHT
    return LinesVerdict(
        whole=Verdict(
            refusal=refusal,
            shadow=shadow,
            credits=total,
            available=available,
            overage=_sum(overage),
            missing=_sum(missing),
            affordable=Credits(0) if is_full else _affordable(account, asks, available, caps, at=at),
            caps=caps,
            in_flight=in_flight,
        ),
        credits=tuple(costs),
        draws=tuple(draws),
        overage=tuple(overage),
        missing=tuple(missing),
        purses=tuple(purses),
    )


def _is_in_shadow(account: Account, asks: Sequence[Ask]) -> bool:
    return bool(account.shadow_products) and covers(account.shadow_products, [ask.product_id for ask in asks])


def _refused(
    caps: tuple[CapUse, ...],
    in_flight: tuple[InFlightUse, ...],
    asks: Sequence[Ask],
    costs: Sequence[Credits],
    *,
    has_seat: bool,
    is_covered: bool,
    is_in_shadow: bool,
) -> tuple[Refusal | None, Refusal | None]:
    """Return why a call of several lines is denied; and, if only shadow mode allows it, why it would be."""

    def first_refusal(caps: Sequence[CapUse], in_flight: Sequence[InFlightUse]) -> Refusal | None:
        return refusal_of(
            has_seat=has_seat,
            full=fullest(in_flight),
            reached=_reached(caps, asks, costs),
            is_covered=is_covered,
        )

    return refused(first_refusal, caps, in_flight, is_in_shadow=is_in_shadow)


def _purses(account: Account, asks: Sequence[Ask], *, at: datetime) -> tuple[list[Purse], bool]:
    """Return whose credits each line may draw, and whether every seat that one of them needs is assigned.

    A line without its seat draws what usage that has happened would draw.
    """
    purses: list[Purse] = []
    has_seats = True
    for ask in asks:
        contract_id = ask.entitlement.contract_id
        purse = account.purse(contract_id, ask.product_id, ask.group_values, at)
        if purse is None:
            has_seats = False
            purse = account.purse_of_usage(contract_id, ask.product_id, ask.group_values, at)
        purses.append(purse)
    return purses, has_seats


def _without_seat(total: Credits, costs: Sequence[Credits]) -> LinesVerdict:
    whole = Verdict(
        refusal=Refusal(DenialReason.SEAT_NOT_ASSIGNED),
        credits=total,
        available=Credits(0),
        overage=Credits(0),
        affordable=Credits(0),
        caps=(),
    )
    return LinesVerdict(
        whole=whole,
        credits=tuple(costs),
        draws=tuple(() for _ in costs),
        overage=tuple(Credits(0) for _ in costs),
        missing=tuple(Credits(0) for _ in costs),
    )


def authorize(
    account: Account, asks: Sequence[Ask], *, hold_id: HoldId, expire_time: datetime, at: datetime
) -> tuple[Account, Authorized]:
    """Hold the credits of all lines, or deny."""
    verdict = judge(account, asks, at=at)
    if verdict.whole.reason is not None:
        return account, AuthorizeDenied(
            reason=verdict.whole.reason,
            credit_type_id=account.credit_type_id,
            available=verdict.whole.available,
            affordable=verdict.whole.affordable,
            reached_cap=verdict.whole.reached_cap,
            full_cap=verdict.whole.full_cap,
        )
    hold = _hold_of(asks, verdict, hold_id=hold_id, expire_time=expire_time, at=at)
    account = _reserved(account, hold.draws).with_changes(
        holds=[hold],
        spends={
            subject: hold_more(account.spends.get(subject, Spend()), amount)
            for subject, amount in held_by(account, hold).items()
        },
    )
    for contract_id, amount in reserved_by(hold).items():
        account = account.with_changes(spends=held_more(account, contract_id, amount))
    account = account.due_no_later_than(expire_time)
    available, affordable = _left(account, asks, verdict.purses, at=at)
    shadow = verdict.whole.shadow
    answer: Callable[..., AuthorizedLines] = AuthorizedLines
    if shadow is not None:
        account = account.with_shadow(shadow_record(shadow, hold.product_id, verdict.whole.credits, at=at))
        answer = partial(AuthorizedLinesInShadow, shadow_denial=shadow_denial(shadow, verdict.whole.missing))
    return account, answer(
        reason=None,
        hold_id=hold_id,
        held=verdict.whole.covered,
        overage=hold.overage,
        expire_time=expire_time,
        credit_type_id=account.credit_type_id,
        available=available,
        affordable=affordable,
        lines=_results(asks, verdict.credits, verdict.overage, verdict.missing),
    )


def debit(account: Account, asks: Sequence[Ask], *, cause_id: str, at: datetime) -> tuple[Account, Debited]:
    """Spend the credits of all lines at once, or deny. Lines on one meter count on it one after the other."""
    subjects = _subjects(account, asks)
    at = time_of_spend(account, subjects, at)
    is_in_shadow = _is_in_shadow(account, asks)
    purses, has_seat = _purses(account, asks, at=at)
    if not has_seat and not is_in_shadow:
        return account, Debited(reason=DenialReason.SEAT_NOT_ASSIGNED, credit_type_id=account.credit_type_id)
    caps = _caps(account, asks, at=at)
    after = account
    costs: list[Credits] = []
    overage: list[Credits] = []
    missing: list[Credits] = []
    for number, (ask, purse) in enumerate(zip(asks, purses, strict=True)):
        with of_line(number):
            meter, cost = charged(ask.entitlement.price.meter_in(after.meters), ask.amount)
        usage = usage_of_ask(ask, meter)
        anchor = ask.entitlement.anchor
        spenders = subjects_of(after, ask.counted_group_values, ask.product_id)
        spends = counted(after, spenders, cost, anchor=anchor, at=at)
        after, uncovered = draw_now(
            after,
            cost,
            usage,
            purse=purse,
            cause_id=cause_id,
            at=at,
            counted=spends,
            meters=moved(usage, meter),
        )
        costs.append(cost)
        overage.append(uncovered.overage)
        missing.append(uncovered.shortfall)
    refusal, shadow = _refused(
        caps, (), asks, costs, has_seat=has_seat, is_covered=not any(missing), is_in_shadow=is_in_shadow
    )
    total = _total(costs)
    if refusal is not None:
        available = _available(account, asks, purses, at=at)
        return account, DebitDenied(
            reason=refusal.reason,
            credit_type_id=account.credit_type_id,
            available=available,
            affordable=_affordable(account, asks, available, caps, at=at),
            reached_cap=refusal.cap if isinstance(refusal.cap, CapUse) else None,
        )
    after = alarm.observe_spend(after, subjects, at=at, anchor=asks[0].entitlement.anchor)
    available, affordable = _left(after, asks, purses, at=at)
    answer: Callable[..., DebitedLines] = DebitedLines
    if shadow is not None:
        after = after.with_shadow(shadow_record(shadow, asks[0].product_id, total, at=at))
        answer = partial(DebitedLinesInShadow, shadow_denial=shadow_denial(shadow, _sum(missing)))
    return after, answer(
        reason=None,
        debited=total - _sum(missing),
        overage=_sum(overage),
        credit_type_id=account.credit_type_id,
        available=available,
        affordable=affordable,
        lines=_results(asks, costs, overage, missing, are_used=True),
    )


def _hold_of(
    asks: Sequence[Ask],
    verdict: LinesVerdict,
    *,
    hold_id: HoldId,
    expire_time: datetime,
    at: datetime,
) -> Hold:
    lines = tuple(
        HeldLine(
            product_id=ask.product_id,
            contract_id=ask.entitlement.contract_id,
            price=ask.entitlement.price,
            dimension_values=ask.entitlement.dimension_values,
            counted_group_values=ask.counted_group_values,
            quantity=quantity_of(ask.amount),
            draws=of_line,
            overage=overage,
        )
        for ask, of_line, overage in zip(asks, verdict.draws, verdict.overage, strict=True)
    )
    first = lines[0]
    return Hold(
        hold_id=hold_id,
        product_id=first.product_id,
        contract_id=first.contract_id,
        anchor=asks[0].entitlement.anchor,
        price=first.price,
        dimension_values=first.dimension_values,
        group_values=asks[0].group_values,
        counted_group_values=_counted(asks),
        state=HoldState.HELD,
        quantity=first.quantity if len(lines) == 1 else Quantity(0),
        draws=tuple(draw for line in lines for draw in line.draws),
        overage=verdict.whole.overage,
        create_time=at,
        expire_time=expire_time,
        lines=lines if len(lines) > 1 else (),
    )


def _reserved(account: Account, draws: Sequence[Draw]) -> Account:
    for draw in draws:
        account = account.with_changes(grants=[hold_from(account.grants[draw.grant_id], draw.amount)])
    return account


def _counted(asks: Sequence[Ask]) -> dict[str, str]:
    """Return the group values that any of the lines counts: the caps on these limit the call as a whole."""
    return {key: value for ask in asks for key, value in ask.counted_group_values.items()}


def _in_flight(account: Account, asks: Sequence[Ask]) -> tuple[InFlightUse, ...]:
    """Return the concurrency caps that limit a call; its hold is one, whatever number of lines it has."""
    if not account.concurrency_caps:
        return ()
    product_ids = [ask.product_id for ask in asks]
    return in_flight_uses(account.concurrency_caps, account.in_flight or {}, _counted(asks), product_ids)


def _subjects(account: Account, asks: Sequence[Ask]) -> set[GroupValue]:
    """Return whose spending any of the lines is."""
    return {
        subject for ask in asks for subject in subjects_of(account, ask.counted_group_values, ask.product_id)
    }


def _reached(caps: Sequence[CapUse], asks: Sequence[Ask], costs: Sequence[Credits]) -> CapUse | None:
    """Return the cap that denies a call; of several, the one that leaves least. costs: of each line.

    A cap on a product limits what its own lines cost, any other one the call as a whole.
    """
    if not caps:
        return None
    total = _sum(costs)
    by_product: dict[GroupValue, Credits] = {}
    for ask, cost in zip(asks, costs, strict=True):
        product = of_product(ask.product_id)
        by_product[product] = by_product.get(product, Credits(0)) + cost
    return tightest(use for use in caps if by_product.get(use.subject, total) > use.headroom)


def _caps(account: Account, asks: Sequence[Ask], *, at: datetime) -> tuple[CapUse, ...]:
    """Return the spend caps that limit a call."""
    if not account.caps:
        return ()
    anchor = asks[0].entitlement.anchor
    return cap_uses(account, _subjects(account, asks), anchor=anchor, at=at)


def _available(account: Account, asks: Sequence[Ask], purses: Sequence[Purse], *, at: datetime) -> Credits:
    return min(account.available(at, ask.product_id, purse) for ask, purse in zip(asks, purses, strict=True))


def _affordable(
    account: Account, asks: Sequence[Ask], available: Credits, caps: Sequence[CapUse], *, at: datetime
) -> Credits:
    """Return what caps, credits and overage allow, however it is divided among the lines."""
    payable = available
    if account.overage_caps:
        payable += min(room(account, ask.entitlement.contract_id, at=at) for ask in asks)
    return min((payable, *(use.headroom for use in caps if not use.cap.is_shadow)))


def _left(
    account: Account, asks: Sequence[Ask], purses: Sequence[Purse], *, at: datetime
) -> tuple[Credits, Credits]:
    """Return what is available, and affordable, after a call."""
    available = _available(account, asks, purses, at=at)
    return available, _affordable(account, asks, available, _caps(account, asks, at=at), at=at)


def _sum(amounts: Sequence[Credits]) -> Credits:
    return Credits(sum(amount.micros for amount in amounts))


def _total(costs: Sequence[Credits]) -> Credits:
    total = Credits(sum(cost.micros for cost in costs))
    if total > CREDITS_MAX:
        raise too_large("lines")
    return total


def _results(
    asks: Sequence[Ask],
    costs: Sequence[Credits],
    overage: Sequence[Credits],
    missing: Sequence[Credits],
    *,
    are_used: bool = False,
) -> tuple[LineResult, ...]:
    """Return what each line came to. are_used: what is missing is a shortfall already; a hold only lacks it."""
    return tuple(
        LineResult(
            product_id=ask.product_id,
            dimension_values=ask.entitlement.dimension_values,
            quantity=quantity_of(ask.amount),
            credits=cost - lacking,
            shortfall=lacking if are_used else Credits(0),
            overage=billed,
        )
        for ask, cost, billed, lacking in zip(asks, costs, overage, missing, strict=True)
    )
