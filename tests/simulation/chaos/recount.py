# SPDX-License-Identifier: Apache-2.0
"""Compares what was acknowledged, sent and received with what the four services have stored."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import asyncpg

from deploy.local.database import SERVICES
from deploy.local.webhook_receiver import ReceivedWebhook
from tests.simulation.chaos.callers import Deeds
from tests.simulation.chaos.world import GATED, World

Rows = list[dict[str, Any]]
POLL_SECONDS = 0.25

STORED = {
    "pending": " UNION ALL ".join(
        f"SELECT '{service}' AS service, kind, last_error FROM {service}.outbox WHERE sent_time IS NULL"
        for service in SERVICES
    ),
    "dead": " UNION ALL ".join(
        f"SELECT '{service}' AS service, count(*) AS count FROM {service}.dead_letters"
        for service in SERVICES
    ),
    "seats": "SELECT subscription_id, seat_change_id, sequence, quantity_delta, effective_time"
    " FROM contract.seat_changes",
    "ledger_seats": "SELECT subscription_id, seat_change_id, sequence, quantity_delta, effective_time"
    " FROM ledger.seat_changes",
    "top_ups": "SELECT top_up_id, status FROM contract.top_ups",
    "grants": "SELECT source_id FROM ledger.grants WHERE source_id IS NOT NULL",
    "captured": "SELECT customer_id, -sum(amount_micros)::bigint AS micros FROM ledger.entries"
    " WHERE kind = 'CAPTURE' GROUP BY customer_id",
    "crossings": "SELECT payload FROM ledger.outbox WHERE kind = 'CROSSING'",
    "events": "SELECT event_id, event_type, customer_id, customer_sequence, alert_id, edge_sequence"
    " FROM alert.events",
    "deliveries": "SELECT delivery_id, event_id, status FROM alert.deliveries",
    "published": "SELECT notice_id AS event_id FROM contract.outbox WHERE kind = 'VENDOR_EVENT'",
}


@dataclass(frozen=True, slots=True)
class Stored:
    """The rows of each query of STORED."""

    rows: dict[str, Rows]

    def __getitem__(self, name: str) -> Rows:
        return self.rows[name]


async def until_settled(admin_url: str, *, seconds_max: float) -> float | None:
    """Wait until all notices and webhooks are delivered; returns after how many seconds, None: not in that time."""
    began = time.monotonic()
    connection = await asyncpg.connect(admin_url)
    try:
        while time.monotonic() - began < seconds_max:
            pending = await connection.fetchval(f"SELECT count(*) FROM ({STORED['pending']}) AS pending")
            posting = await connection.fetchval(
                "SELECT count(*) FROM alert.deliveries WHERE status = 'PENDING'"
            )
            if pending + posting == 0:
                return time.monotonic() - began
            await asyncio.sleep(POLL_SECONDS)
    finally:
        await connection.close()
    return None


async def end_waits(admin_url: str) -> None:
    """Let what waits be due now, as if leases and backoffs, of 30 s at most, had passed."""
    connection = await asyncpg.connect(admin_url)
    try:
        for service in SERVICES:
            await connection.execute(
                f"UPDATE {service}.outbox SET lease_time = NULL, due_time = create_time WHERE sent_time IS NULL"
            )
        await connection.execute(
            "UPDATE alert.deliveries SET due_time = create_time WHERE status = 'PENDING'"
        )
    finally:
        await connection.close()


async def read(admin_url: str) -> Stored:
    """Read everything at one instant."""
    connection = await asyncpg.connect(admin_url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return Stored(
                {name: [dict(row) for row in await connection.fetch(query)] for name, query in STORED.items()}
            )
    finally:
        await connection.close()


def differences(
    world: World, deeds: Deeds, received: Collection[ReceivedWebhook], stored: Stored
) -> list[str]:
    """Return one line for each difference."""
    return [
        *_outboxes(stored),
        *_seats(world, deeds, stored),
        *_top_ups(deeds, stored),
        *_gates(world, deeds, stored),
        *_edges(world, stored),
        *_events(stored),
        *_webhooks(received, stored),
    ]


def _outboxes(stored: Stored) -> Iterator[str]:
    for row in stored["pending"]:
        yield f"a notice {row['kind']} of {row['service']} is undelivered: {row['last_error']}"
    for row in stored["dead"]:
        if row["count"]:
            yield f"{row['service']} has {row['count']} dead letters"


def _seats(world: World, deeds: Deeds, stored: Stored) -> Iterator[str]:
    """Contract has each acknowledged change once and no other; the Ledger's copy of it is the same."""
    yield from _same("seat change", deeds.seat_changes, (row["seat_change_id"] for row in stored["seats"]))
    for row in stored["seats"]:
        if deeds.seat_changes.get(row["seat_change_id"]) not in (None, row["quantity_delta"]):
            yield f"seat change {row['seat_change_id']} is stored as {row['quantity_delta']:+}"
    copies = {row["seat_change_id"]: row for row in stored["ledger_seats"]}
    owned = {row["seat_change_id"]: row for row in stored["seats"]}
    for name in sorted(copies.keys() | owned.keys()):
        if copies.get(name) != owned.get(name):
            yield f"seat change {name}: Contract has {owned.get(name)}, the Ledger {copies.get(name)}"


def _top_ups(deeds: Deeds, stored: Stored) -> Iterator[str]:
    paid = [row["top_up_id"] for row in stored["top_ups"] if row["status"] == "PAID"]
    yield from _same("paid top-up", deeds.top_ups, paid)
    known = {row["top_up_id"] for row in stored["top_ups"]}
    granted = [row["source_id"] for row in stored["grants"] if row["source_id"] in known]
    yield from _same("grant of the paid top-up", deeds.top_ups, granted)


def _gates(world: World, deeds: Deeds, stored: Stored) -> Iterator[str]:
    found = sum(row["micros"] for row in stored["captured"] if row["customer_id"] == world.ids[GATED])
    if found != deeds.captured_micros:
        yield f"gates captured {deeds.captured_micros} micros, stored are {found}"


def _edges(world: World, stored: Stored) -> Iterator[str]:
    """Alert has one event for each time the Ledger saw the balance cross the threshold, in the same order."""
    crossings = sorted(
        (crossing["sequence"], crossing["in_alarm"])
        for crossing in map(_payload, stored["crossings"])
        if crossing["alert_id"] == world.alert_id
    )
    states = [in_alarm for in_alarm, _ in groupby(in_alarm for _, in_alarm in crossings)]
    # An alert begins in no alarm, and to be in none at first is no event.
    expected = states[1:] if states and not states[0] else states
    events = sorted(
        (row["edge_sequence"], row["event_type"] == "alert.in_alarm")
        for row in stored["events"]
        if row["alert_id"] == world.alert_id
    )
    notified = [in_alarm for _, in_alarm in events]
    if notified != expected:
        yield f"the balance crossed the threshold {len(expected)} times, and {len(notified)} events say so"


def _events(stored: Stored) -> Iterator[str]:
    """Each event that Contract published is stored once, and those of each customer are numbered from 1, no gaps."""
    published = [row["event_id"] for row in stored["published"]]
    kept = [row["event_id"] for row in stored["events"] if row["alert_id"] is None]
    yield from _same("event", published, kept)
    numbers: dict[str, list[int]] = {}
    for row in stored["events"]:
        numbers.setdefault(row["customer_id"], []).append(row["customer_sequence"])
    for customer_id, those in numbers.items():
        if sorted(those) != list(range(1, len(those) + 1)):
            yield f"{customer_id}: its {len(those)} events are not numbered 1 to {len(those)}"


def _webhooks(received: Collection[ReceivedWebhook], stored: Stored) -> Iterator[str]:
    """Each event has one delivery, which was delivered, and arrived; what arrived twice has the same id."""
    yield from _same(
        "delivery of event",
        (row["event_id"] for row in stored["events"]),
        (row["event_id"] for row in stored["deliveries"]),
    )
    arrived = {one.webhook_id for one in received}
    for row in stored["deliveries"]:
        if row["status"] != "DELIVERED":
            yield f"delivery {row['delivery_id']} is {row['status']}"
        elif row["delivery_id"] not in arrived:
            yield f"delivery {row['delivery_id']} did not arrive"
    strangers = arrived - {row["delivery_id"] for row in stored["deliveries"]}
    yield from (f"a webhook {name} arrived that nobody sent" for name in sorted(strangers))
    yield from (f"the signature of webhook {one.webhook_id} is wrong" for one in received if not one.verified)


def _same(what: str, acknowledged: Iterable[str], stored: Iterable[str]) -> Iterator[str]:
    """Each name is stored once, and no other is."""
    told, found = set(acknowledged), Counter(stored)
    yield from (f"{what} {name} was acknowledged and is not stored" for name in sorted(told - found.keys()))
    yield from (f"{what} {name} is stored and was not acknowledged" for name in sorted(found.keys() - told))
    yield from (f"{what} {name} is stored {count} times" for name, count in found.items() if count > 1)


def _payload(row: dict[str, Any]) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads(row["payload"])
    return payload
