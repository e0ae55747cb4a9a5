# SPDX-License-Identifier: Apache-2.0
"""Compares what is stored with the book of answers: each acknowledged effect once, to the micro, and nothing else."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from typing import Any

import asyncpg

from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import usage_pb2 as upb
from tests.simulation.crash_book import Book, Name, name_of

Stored = dict[str, list[Any]]  # all rows by table

SPENDING = ("CAPTURE", "SHORTFALL", "CORRECTION")
TABLES = ("pools", "grants", "holds", "entries", "requests", "watches", "watch_states", "usage_events")


async def recount(url: str, book: Book, customers: Collection[str] | None = None) -> list[str]:
    """Read what is stored, and return one line for each difference. Only the sweepers may be writing meanwhile.

    customers: the only ones whose rows the book is about; None: all.
    """
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            stored = {
                table: [
                    dict(row)
                    for row in await connection.fetch(f"SELECT * FROM ledger.{table}")
                    if customers is None or row["customer_id"] in customers
                ]
                for table in TABLES
            }
    finally:
        await connection.close()
    return differences(book, stored)


def differences(book: Book, stored: Stored) -> list[str]:
    """Return the findings of the writers, and one line for each difference between the book and what is stored."""
    return [
        *book.wrong,
        *_effects(book, stored),
        *_holds(book, stored),
        *_grants(book, stored),
        *_pools(stored),
        *_answers(book, stored),
        *_alarms(stored),
    ]


def spent(book: Book) -> dict[Name, tuple[int, int]]:
    """Return, for each acknowledged request, the credits × 10^6 that it spent and those that no grant covered."""
    debits = {
        name_of(request): (answer.debited_micros, 0)
        for request, answer in book.of(pb.DebitRequest)
        if answer.decision == pb.DECISION_ALLOWED
    }
    captures = {
        name_of(request): (answer.captured_micros, answer.shortfall_micros)
        for request, answer in book.of(pb.CaptureRequest)
    }
    events = {
        name_of(event): (result.credits_micros - result.shortfall_micros, result.shortfall_micros)
        for event, result in book.of(upb.UsageEvent)
    }
    voids = {
        name_of(request): (
            sum(line.credits_micros - line.shortfall_micros for line in answer.lines),
            sum(line.shortfall_micros for line in answer.lines),
        )
        for request, answer in book.of(upb.VoidUsageRequest)
    }
    return debits | captures | events | voids


def _effects(book: Book, stored: Stored) -> Iterator[str]:
    """Check that every acknowledged spending and void has its entries once, and that there are no other entries."""
    written: dict[Name, list[int]] = defaultdict(lambda: [0, 0])
    for entry in stored["entries"]:
        if entry["kind"] in SPENDING:
            figures = written[entry["customer_id"], entry["cause_id"]]
            figures[0] -= entry["amount_micros"]
            figures[1] += entry["shortfall_micros"]
    acknowledged = spent(book)
    for name in sorted(acknowledged.keys() | written.keys()):
        spent_micros, short_micros = acknowledged.get(name, (0, 0))
        found = tuple(written.get(name, (0, 0)))
        if (spent_micros, short_micros) != found:
            yield f"{name}: acknowledged {spent_micros} spent and {short_micros} short, stored is {found}"


def _holds(book: Book, stored: Stored) -> Iterator[str]:
    """Check that every acknowledged hold is stored in its acknowledged state, and that there are no other holds."""
    ends: dict[str, set[str]] = {}
    captured: dict[str, int] = {}
    held: dict[str, int] = {}
    for _, answer in book.of(pb.AuthorizeRequest):
        if answer.hold_id:
            ends[answer.hold_id] = {"HELD", "EXPIRED"}
            held[answer.hold_id] = answer.held_micros
    for request, answer in book.of(pb.ExtendHoldRequest):
        if answer.decision == pb.DECISION_ALLOWED:
            held[request.hold_id] = answer.held_micros
    for request, answer in book.of(pb.CaptureRequest):
        ends[request.hold_id] = {"CAPTURED"}
        captured[request.hold_id] = answer.captured_micros
    for event, result in book.of(upb.UsageEvent):
        if event.hold_id:
            ends[event.hold_id] = {"CAPTURED"}
            captured[event.hold_id] = result.credits_micros - result.shortfall_micros
    for request, answer in book.of(pb.ReleaseRequest):
        if answer.released_micros:  # otherwise it had expired before, and stays EXPIRED
            ends[request.hold_id] = {"RELEASED"}
    found = {row["hold_id"]: row for row in stored["holds"]}
    for hold_id in sorted(ends.keys() | found.keys()):
        row = found.get(hold_id)
        if row is None:
            yield f"{hold_id} was acknowledged and is not stored"
        elif row["state"] not in ends.get(hold_id, ()):
            yield f"{hold_id} is {row['state']}, acknowledged was {ends.get(hold_id, 'nothing')}"
        elif row["captured_micros"] != captured.get(hold_id, 0):
            yield f"{hold_id} captured {row['captured_micros']}, acknowledged was {captured.get(hold_id, 0)}"
        elif row["state"] == "HELD" and sum(row["draw_micros"]) != held[hold_id]:
            yield f"{hold_id} holds {sum(row['draw_micros'])}, acknowledged was {held[hold_id]}"


def _grants(book: Book, stored: Stored) -> Iterator[str]:
    """Check that acknowledged grants are stored once: granted = captured + held + expired + voided + rest, each ≥ 0."""
    acknowledged = {answer.grant_id: request for request, answer in book.of(apb.IssueGrantRequest)}
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    for entry in stored["entries"]:
        if entry["grant_id"] is not None:
            sums[entry["grant_id"]][entry["kind"]] += entry["amount_micros"]
    held: Counter[str] = Counter()
    for row in stored["holds"]:
        if row["state"] == "HELD":
            for grant_id, micros in zip(row["draw_grant_ids"], row["draw_micros"], strict=True):
                held[grant_id] += micros
    for grant in stored["grants"]:
        written = sums.pop(grant["grant_id"], Counter())
        request = acknowledged.pop(grant["grant_id"], None)
        figures = {
            "granted": written["GRANT"] + written["SEAT_ADJUSTMENT"],
            "captured": -written["CAPTURE"] - written["CORRECTION"],
            "expired": -written["EXPIRY"] - written["REINSTATEMENT"],
            "voided": -written["VOID"],
            "held": held[grant["grant_id"]],
        }
        if request is None or request.amount_micros != grant["granted_micros"]:
            yield f"{grant['grant_id']} of {grant['granted_micros']} is stored, and was not acknowledged so"
        for name, micros in figures.items():
            if grant[f"{name}_micros"] != micros or micros < 0:
                yield f"{grant['grant_id']}: {name} is {grant[f'{name}_micros']}, recounted {micros}"
        if figures["granted"] < sum(figures.values()) - figures["granted"]:
            yield f"{grant['grant_id']} gave more than it had: {figures}"
    yield from (f"{grant_id} was acknowledged and is not stored" for grant_id in acknowledged)
    yield from (f"{grant_id} has entries and is not stored" for grant_id in sums)


def _pools(stored: Stored) -> Iterator[str]:
    """Check that the entries of each pool are numbered from 1 without gaps."""
    chains: dict[Name, list[int]] = defaultdict(list)
    for entry in stored["entries"]:
        chains[entry["customer_id"], entry["credit_type_id"]].append(entry["sequence"])
    for pool in stored["pools"]:
        chain = sorted(chains[pool["customer_id"], pool["credit_type_id"]])
        if chain != list(range(1, pool["sequence"] + 1)):
            yield f"{pool['customer_id']}: its {len(chain)} entries are not numbered 1 to {pool['sequence']}"


def _answers(book: Book, stored: Stored) -> Iterator[str]:
    """Check that every acknowledged effect has one stored response per slot, and that there are no others."""
    kept = Counter((row["customer_id"], row["request_id"], row["slot"]) for row in stored["requests"])
    kept.update((row["customer_id"], row["transaction_id"], 0) for row in stored["usage_events"])
    yield from (f"{name} has {count} stored responses" for name, count in kept.items() if count > 1)
    acknowledged = {
        name
        for name, (_, answer) in book.answers.items()
        if not isinstance(answer, str) and getattr(answer, "decision", 1) == pb.DECISION_ALLOWED
    }
    found = {(customer_id, request_id) for customer_id, request_id, _ in kept}
    yield from (f"{name} has no stored response" for name in sorted(acknowledged - found))
    yield from (f"{name} has a stored response that no caller got" for name in sorted(found - acknowledged))


def _alarms(stored: Stored) -> Iterator[str]:
    """Check that a watched balance is in alarm exactly when its grants (none expires) leave ≤ its threshold."""
    for watch in stored["watches"]:
        remaining = sum(
            grant["granted_micros"]
            - grant["captured_micros"]
            - grant["expired_micros"]
            - grant["voided_micros"]
            for grant in stored["grants"]
            if grant["customer_id"] == watch["customer_id"]
        )
        (state,) = (one for one in stored["watch_states"] if one["alert_id"] == watch["alert_id"])
        if state["in_alarm"] != (remaining <= watch["threshold_micros"]):
            yield f"{watch['alert_id']} in alarm: {state['in_alarm']}, with {remaining} left"
