# SPDX-License-Identifier: Apache-2.0
"""`purser tail`: holds as they are taken and end, and everything else that changes a balance, as it happens.

The Ledger does not store denials, so they are not shown; `purser shadow-denial list` reports those of shadow mode.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser_cli.exits import RETRY
from purser_cli.rpc.asking import PAGE_SIZE, ask
from purser_cli.rpc.output import amount
from purser_cli.rpc.values import enum_name
from purser_cli.session.command_line import CommandLine
from purser_cli.session.faults import CallFailed
from purser_cli.story.customers import called

HOLD_STATES = {
    admin.HOLD_STATE_HELD: "allowed",
    admin.HOLD_STATE_CAPTURED: "captured",
    admin.HOLD_STATE_RELEASED: "released",
    admin.HOLD_STATE_EXPIRED: "expired",
}
# These entries are the end of a hold, which is shown as such.
OF_HOLDS = (admin.ENTRY_KIND_CAPTURE, admin.ENTRY_KIND_UNCHARGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Something that happened. order: business time, then the order in which it was seen."""

    order: tuple[int, int]
    customer: str
    what: str
    credits: str
    product: str
    who: str
    id: str


@dataclass(slots=True, kw_only=True)
class Watched:
    """A customer that is followed. states: of the holds seen. sequences: of the newest entry seen, by credit type."""

    customer: Any
    states: dict[str, int] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)


def news(line: CommandLine, watched: Watched, products: Mapping[str, str]) -> list[Line]:
    """Return what is new of a customer since the last time, in order. Raises Failed."""
    found = [*_holds(line, watched, products), *_entries(line, watched, products)]
    return sorted(found, key=lambda one: one.order)


def _holds(line: CommandLine, watched: Watched, products: Mapping[str, str]) -> Iterator[Line]:
    customer = watched.customer
    listed = ask(line, "ListHolds", customer=customer.customer_id, page_size=PAGE_SIZE).holds
    for number, hold in enumerate(reversed(listed)):
        before = watched.states.get(hold.hold_id)
        if before == hold.hold_state:
            continue
        watched.states[hold.hold_id] = hold.hold_state
        credits = hold.captured_micros if hold.hold_state == admin.HOLD_STATE_CAPTURED else hold.amount_micros
        yield Line(
            order=(hold.create_time.ToNanoseconds(), number),
            customer=called(customer),
            what=HOLD_STATES.get(hold.hold_state, str(hold.hold_state)),
            credits=amount(credits),
            product=products.get(hold.product_id, hold.product_id),
            who=_who(hold.group_values),
            id=hold.hold_id,
        )


def _entries(line: CommandLine, watched: Watched, products: Mapping[str, str]) -> Iterator[Line]:
    name = watched.customer.customer_id
    for pool in ask(line, "GetBalance", customer=name).pools:
        kind = pool.credit_type_id
        seen = watched.sequences.get(kind, 0)
        listed = ask(line, "ListEntries", customer=name, credit_type_id=kind, page_size=PAGE_SIZE).entries
        for entry in reversed(listed):
            if entry.sequence <= seen or (entry.hold_id and entry.entry_kind in OF_HOLDS):
                continue
            yield Line(
                order=(entry.create_time.ToNanoseconds(), entry.sequence),
                customer=called(watched.customer),
                what=_kind(entry),
                credits=amount(entry.amount_micros or entry.shortfall_micros),
                product=products.get(entry.product_id, entry.product_id),
                who=_who(entry.group_values),
                id=entry.grant_id or entry.cause_id,
            )
        watched.sequences[kind] = max([seen, *(entry.sequence for entry in listed)])


def _kind(entry: Any) -> str:
    return enum_name(entry.DESCRIPTOR.fields_by_name["entry_kind"].enum_type, entry.entry_kind)


def _who(values: Mapping[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in sorted(values.items()))


def time_text(nanoseconds: int) -> str:
    """Return a time of the day, in UTC, with its date."""
    at = datetime.fromtimestamp(nanoseconds // 10**9, tz=UTC)
    return f"{at:%Y-%m-%d %H:%M:%S}"


def is_away(failed: CallFailed) -> bool:
    """Return whether asking again may succeed: the Ledger restarts, or knows the customer in a moment."""
    return failed.status == RETRY or failed.reason == "CUSTOMER_NOT_FOUND"
