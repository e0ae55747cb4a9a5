# SPDX-License-Identifier: Apache-2.0
"""What is stored, held against the book of what was acknowledged: each once, to the micro, and nothing besides."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import asyncpg

from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser.ledger.v1 import ledger_pb2 as pb
from tests.simulation.crash_writers import Book

Key = tuple[str, str]
SPENDING = ("CAPTURE", "SHORTFALL")


async def recount(url: str, book: Book) -> list[str]:
    """Return everything that is not as the book says. Nobody but the sweepers may be writing."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            stored = {
                table: [dict(row) for row in await connection.fetch(f"SELECT * FROM ledger.{table}")]
                for table in ("pools", "grants", "holds", "entries", "requests", "watches", "watch_states")
            }
    finally:
        await connection.close()
    return [
        *book.wrong,
        *_effects(book, stored),
        *_holds(book, stored),
        *_grants(book, stored),
        *_pools(stored),
        *_answers(book, stored),
        *_alarms(stored),
    ]


def spent(book: Book) -> dict[Key, tuple[int, int]]:
    """Credits × 10^6 that each acknowledged request spent, and those that nothing covered."""
    debits = {
        _name(request): (answer.debited_micros, 0)
        for request, answer in book.of(pb.DebitRequest)
        if answer.decision == pb.DECISION_ALLOWED
    }
    captures = {
        _name(request): (answer.captured_micros, answer.shortfall_micros)
        for request, answer in book.of(pb.CaptureRequest)
    }
    return debits | captures


def _effects(book: Book, stored: dict[str, list[Any]]) -> Iterator[str]:
    """Every acknowledged debit and capture has its entries once, and no entry is of anything else."""
    written: dict[Key, list[int]] = defaultdict(lambda: [0, 0])
    for entry in stored["entries"]:
        if entry["kind"] in SPENDING:
            figures = written[entry["customer_id"], entry["cause_id"]]
            figures[0] -= entry["amount_micros"]
            figures[1] += entry["shortfall_micros"]
    acknowledged = spent(book)
    for name in sorted(acknowledged.keys() | written.keys()):
        told, found = acknowledged.get(name, (0, 0)), tuple(written.get(name, (0, 0)))
        if told != found:
            yield f"{name} was told it spent {told[0]} and lacked {told[1]}, stored is {found}"


def _holds(book: Book, stored: dict[str, list[Any]]) -> Iterator[str]:
    """Every acknowledged hold is there, in the state that its acknowledged end says; and no other hold is."""
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
    for request, answer in book.of(pb.ReleaseRequest):
        if answer.released_micros:  # else its time was up before, and it stays expired
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


def _grants(book: Book, stored: dict[str, list[Any]]) -> Iterator[str]:
    """Every acknowledged grant is there once; granted = captured + held + expired + voided + rest, each ≥ 0."""
    told = {answer.grant_id: request for request, answer in book.of(apb.IssueGrantRequest)}
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
        request = told.pop(grant["grant_id"], None)
        figures = {
            "granted": written["GRANT"] + written["SEAT_ADJUSTMENT"],
            "captured": -written["CAPTURE"],
            "expired": -written["EXPIRY"],
            "voided": -written["VOID"],
            "held": held[grant["grant_id"]],
        }
        if request is None or request.amount_micros != grant["granted_micros"]:
            yield f"{grant['grant_id']} of {grant['granted_micros']} was never acknowledged as such"
        for name, micros in figures.items():
            if grant[f"{name}_micros"] != micros or micros < 0:
                yield f"{grant['grant_id']}: {name} is {grant[f'{name}_micros']}, recounted {micros}"
        if figures["granted"] < sum(figures.values()) - figures["granted"]:
            yield f"{grant['grant_id']} gave more than it had: {figures}"
    yield from (f"{grant_id} was acknowledged and is not stored" for grant_id in told)
    yield from (f"entries of {grant_id}, which is not stored" for grant_id in sums)


def _pools(stored: dict[str, list[Any]]) -> Iterator[str]:
    """The entries of each pool are one chain, from 1 without gaps."""
    chains: dict[Key, list[int]] = defaultdict(list)
    for entry in stored["entries"]:
        chains[entry["customer_id"], entry["credit_type_id"]].append(entry["sequence"])
    for pool in stored["pools"]:
        chain = sorted(chains[pool["customer_id"], pool["credit_type_id"]])
        if chain != list(range(1, pool["sequence"] + 1)):
            yield f"{pool['customer_id']}: the chain of {len(chain)} entries does not end at {pool['sequence']}"


def _answers(book: Book, stored: dict[str, list[Any]]) -> Iterator[str]:
    """Every acknowledged effect has its answer kept, once in a slot, and no answer is of anything else."""
    kept = Counter((row["customer_id"], row["request_id"], row["slot"]) for row in stored["requests"])
    yield from (f"{name} has {count} answers" for name, count in kept.items() if count > 1)
    told = {
        name
        for name, (_, answer) in book.answers.items()
        if not isinstance(answer, str) and getattr(answer, "decision", 1) == pb.DECISION_ALLOWED
    }
    found = {(customer_id, request_id) for customer_id, request_id, _ in kept}
    yield from (f"the answer to {name} was not kept" for name in sorted(told - found))
    yield from (f"an answer to {name} was kept that nobody was told" for name in sorted(found - told))


def _alarms(stored: dict[str, list[Any]]) -> Iterator[str]:
    """The watched balance is in alarm when what remains, of grants without end, is at the threshold or below."""
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
            yield f"{watch['alert_id']} in alarm: {state['in_alarm']}, and {remaining} remain"


def _name(request: Any) -> Key:
    return request.customer, request.request_id
