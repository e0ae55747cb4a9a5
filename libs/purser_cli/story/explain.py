# SPDX-License-Identifier: Apache-2.0
"""`purser explain HOLD`: why it was allowed, what it cost, who paid, and what became of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from meshkit.quantity import MICROS
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser_cli.exits import REFUSED, Failed
from purser_cli.rpc.asking import ask, every
from purser_cli.rpc.output import amount
from purser_cli.rpc.values import enum_name, instant_text
from purser_cli.session.command_line import CommandLine
from purser_cli.session.faults import CallFailed
from purser_cli.story.customers import called, customers, product_names

# Of entries and grants; older ones of a hold are left out.
PAGES_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What the Ledger says about one hold. hold: None if it is not kept any more. entries: what it has spent."""

    customer: Any
    decision: Any
    hold: Any | None
    entries: list[Any]
    explained: Any | None
    grants: Mapping[str, Any]
    products: Mapping[str, str]


def story_of(line: CommandLine, hold_id: str, customer: str | None) -> Story:
    """Return what is known about a hold. customer: None: it is looked for. Raises Failed."""
    owner, decision = _decision(line, hold_id, customer)
    name = owner.customer_id
    hold = next(iter(ask(line, "ListHolds", customer=name, hold_id=hold_id).holds), None)
    entries = list(_entries(line, name, decision, hold_id)) if hold and hold.captured_micros else []
    explained = None
    if entries:
        explained = ask(
            line,
            "ExplainEntry",
            customer=name,
            credit_type_id=decision.credit_type_id,
            sequence=entries[-1].sequence,
        )
    grants = {one.grant_id: one for one in every(line, "ListGrants", customer=name, pages_max=PAGES_MAX)}
    return Story(
        customer=owner,
        decision=decision,
        hold=hold,
        entries=entries,
        explained=explained,
        grants=grants,
        products=product_names(line),
    )


def lines_of(story: Story) -> Iterator[tuple[str, str]]:
    """Return the story as lines: a title, and a sentence."""
    hold, decision = story.hold, story.decision
    yield "customer", f"{story.customer.name} ({called(story.customer)}, {story.customer.customer_id})"
    yield "asked", _asked(story)
    yield (
        "decided",
        f"ALLOWED at {_time(decision.decide_time)}, for {amount(decision.credits_micros)} credits",
    )
    if decision.HasField("shadow_denial"):
        reason = _short(decision.shadow_denial, "denial_reason")
        yield "", f"by shadow mode only: it would have been denied, {reason.upper()}"
    for one in decision.lines or [decision]:
        yield "price", _price(one, story)
    for one in [*decision.draws, *(draw for part in decision.lines for draw in part.draws)]:
        yield "held from", f"{_grant(one.grant_id, story)}: {amount(one.amount_micros)}"
    if decision.overage_micros:
        yield (
            "overage",
            f"{amount(decision.overage_micros)} credits, which no grant covers and the contract bills",
        )
    for cap in decision.spend_caps:
        yield "cap", _cap(cap)
    for cap in decision.concurrency_caps:
        yield "cap", f"{_whose(cap)}: {cap.open_holds} of {cap.holds_max} holds are open now"
    yield "became", _outcome(hold, decision)
    for entry in reversed(story.entries):
        yield f"entry {entry.sequence}", _entry(entry, story)
    if story.explained is not None and story.explained.HasField("meter"):
        yield "meter", _meter(story.explained)


def _decision(line: CommandLine, hold_id: str, customer: str | None) -> tuple[Any, Any]:
    for one in customers(line, customer):
        try:
            return one, ask(line, "GetDecision", customer=one.customer_id, hold_id=hold_id)
        except CallFailed as failed:
            # A customer that the Ledger has not received yet has no holds.
            if customer or failed.reason not in ("HOLD_NOT_FOUND", "CUSTOMER_NOT_FOUND"):
                raise
    raise Failed(f"no customer has a hold {hold_id!r}", status=REFUSED)


def _entries(line: CommandLine, customer: str, decision: Any, hold_id: str) -> Iterator[Any]:
    """Yield the entries of a hold, newest first. None is older than the hold."""
    taken = decision.decide_time.ToNanoseconds()
    listed = every(
        line, "ListEntries", customer=customer, credit_type_id=decision.credit_type_id, pages_max=PAGES_MAX
    )
    for one in listed:
        if one.create_time.ToNanoseconds() < taken:
            return
        if one.hold_id == hold_id:
            yield one


def _asked(story: Story) -> str:
    hold = story.hold
    if hold is None:
        return "longer ago than holds are kept"
    who = " ".join(f"{key}={value}" for key, value in sorted(hold.group_values.items()))
    by = f", by {hold.subject}" if hold.subject else ""
    return f"at {_time(hold.create_time)}{by}, for {_product(hold.product_id, story)}{f' ({who})' if who else ''}"


def _price(one: Any, story: Story) -> str:
    rate = f" by rate {one.rate_id}" if one.rate_id else ""
    if not one.per_micros:
        return f"{amount(one.credits_micros)} credits{rate}{' with tiers' if rate else ', given in credits'}"
    per = "unit" if one.per_micros == MICROS else f"{amount(one.per_micros)} units"
    units = f"{amount(one.price_micros)} credits per {per}"
    product = f"{_product(one.product_id, story)}: " if hasattr(one, "product_id") else ""
    return f"{product}{units}{rate}, contract {one.contract_id}"


def _cap(cap: Any) -> str:
    window = f"{_time(cap.window_start_time)} to {_time(cap.window_end_time)}"
    return f"{_whose(cap)}: {amount(cap.used_micros)} of {amount(cap.limit_micros)} used now, {window}"


def _whose(cap: Any) -> str:
    if cap.group_key:
        return f"{cap.group_key}={cap.group_value or '(each)'}"
    return cap.product_id or "the whole customer"


def _outcome(hold: Any | None, decision: Any) -> str:
    if hold is None:
        return "unknown: the hold is not kept any more"
    held = amount(hold.amount_micros)
    match hold.hold_state:
        case admin.HOLD_STATE_HELD:
            return f"still open: {held} credits are held until {_time(decision.expire_time)}"
        case admin.HOLD_STATE_CAPTURED:
            back = hold.amount_micros - hold.captured_micros
            rest = f"; {amount(back)} came back" if back > 0 else ""
            return f"captured: {amount(hold.captured_micros)} of {held} credits were spent{rest}"
        case admin.HOLD_STATE_RELEASED:
            return f"released: {held} credits came back"
        case _:
            return f"expired at {_time(hold.expire_time)}: {held} credits came back"


def _entry(entry: Any, story: Story) -> str:
    what = f"{_short(entry, 'entry_kind')} of {amount(entry.amount_micros)} at {_time(entry.effective_time)}"
    if entry.shortfall_micros:
        what += f", {amount(entry.shortfall_micros)} not covered"
    return f"{what}, from {_grant(entry.grant_id, story)}" if entry.grant_id else what


def _meter(explained: Any) -> str:
    meter, period = explained.meter, explained.meter.period
    before, after = amount(meter.quantity_before_micros), amount(meter.quantity_after_micros)
    cost = amount(meter.cost_after_micros - meter.cost_before_micros)
    span = f"{_time(period.start_time)} to {_time(period.end_time)}"
    return f"from {before} to {after} units in {span}, which cost {cost} credits"


def _grant(grant_id: str, story: Story) -> str:
    grant = story.grants.get(grant_id)
    if grant is None:
        return grant_id
    end = f"until {_time(grant.expire_time)}" if grant.HasField("expire_time") else "without end"
    return f"{grant_id} ({_short(grant, 'grant_kind')}, priority {grant.priority}, {end})"


def _product(product_id: str, story: Story) -> str:
    name = story.products.get(product_id)
    return f"{name} ({product_id})" if name else product_id


def _short(message: Any, field: str) -> str:
    return enum_name(message.DESCRIPTOR.fields_by_name[field].enum_type, getattr(message, field))


def _time(stamp: Any) -> str:
    return instant_text(stamp)
