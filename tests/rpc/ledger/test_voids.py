# SPDX-License-Identifier: Apache-2.0
"""VoidGrant: an operator takes back what is left of a grant, now and when it returns."""

import asyncio
from datetime import timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.support.faults import bad_fields, fault
from tests.support.ledger import AI, CREDIT, JULY, JUNE, RunningLedger, running_ledger
from tests.support.postgres import Databases
from tests.support.recording_alert import RecordingAlert

TICK = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
VOID, EXPIRY, CAPTURE = admin.ENTRY_KIND_VOID, admin.ENTRY_KIND_EXPIRY, admin.ENTRY_KIND_CAPTURE


async def _grant(ledger: RunningLedger, grant_id: str) -> pb.Grant:
    return next(one for one in await ledger.grants() if one.grant_id == grant_id)


async def _lines(ledger: RunningLedger, grant_id: str) -> list[tuple[int, int]]:
    """Return what was written about a grant since it was issued: kind and whole credits, oldest first."""
    entries = await ledger.entries(grant_id=grant_id)
    return [(one.entry_kind, one.amount_micros // CREDIT) for one in entries[-2::-1]]


async def test_a_voided_grant_is_shown_with_who_voided_it_when_and_why(ledger: RunningLedger) -> None:
    issued = await ledger.top_up(1_000)
    ledger.clock.advance_to(JUNE + MINUTE)

    voided = await ledger.void(issued.grant_id, request_id="req-void")

    assert voided == admin.VoidGrantResponse(
        voided_micros=1_000 * CREDIT,
        grant=pb.Grant(
            grant_id=issued.grant_id,
            grant_kind=pb.GRANT_KIND_TOP_UP,
            credit_type_id=AI,
            granted_micros=1_000 * CREDIT,
            voided_micros=1_000 * CREDIT,
            priority=100,
            cost_basis_micros=80 * CREDIT,
            effective_time=timestamp(JUNE),
            create_time=timestamp(JUNE),
            void_time=timestamp(JUNE + MINUTE),
            void_reason="issued by mistake",
            void_actor="ops@seatsco.example",
        ),
    )
    assert await _grant(ledger, issued.grant_id) == voided.grant
    entry = (await ledger.entries())[0]
    assert (entry.entry_kind, entry.grant_id, entry.amount_micros, entry.cause_id) == (
        VOID,
        issued.grant_id,
        -1_000 * CREDIT,
        "req-void",
    )
    assert (entry.effective_time, entry.create_time) == (timestamp(JUNE + MINUTE),) * 2
    pool = await ledger.pool()
    assert (pool.available_micros, len(pool.grants)) == (400 * CREDIT, 1)
    await ledger.assert_adds_up()


async def test_the_gate_draws_no_voided_credits_from_the_next_call_on(ledger: RunningLedger) -> None:
    (included,) = await ledger.grants()
    await ledger.top_up(100)
    await ledger.debit(1)

    await ledger.void(included.grant_id)

    refused = await ledger.authorize(101)
    assert (refused.decision, refused.available_micros) == (pb.DECISION_DENIED, 100 * CREDIT)
    assert (await ledger.debit(100)).decision == pb.DECISION_ALLOWED
    await ledger.assert_adds_up()


async def test_held_credits_of_a_voided_grant_are_captured_and_the_rest_of_the_hold_is_voided(
    ledger: RunningLedger,
) -> None:
    (included,) = await ledger.grants()
    hold = await ledger.authorize(300)

    voided = await ledger.void(included.grant_id)
    captured = await ledger.capture(hold.hold_id, 120)

    assert (voided.voided_micros, voided.grant.held_micros) == (100 * CREDIT, 300 * CREDIT)
    assert (captured.captured_micros, captured.available_micros) == (120 * CREDIT, 0)
    assert await _lines(ledger, included.grant_id) == [(VOID, -100), (CAPTURE, -120), (VOID, -180)]
    pool = await ledger.pool()
    assert (pool.available_micros, pool.held_micros, pool.remaining_micros) == (0, 0, 0)
    await ledger.assert_adds_up()


async def test_a_hold_that_dies_returns_nothing_to_a_voided_grant(ledger: RunningLedger) -> None:
    (included,) = await ledger.grants()
    await ledger.authorize(300, hold_ttl=Duration(seconds=60))
    await ledger.void(included.grant_id)

    ledger.clock.advance_to(JUNE + MINUTE - TICK)
    before = await ledger.pool()
    ledger.clock.advance_to(JUNE + MINUTE)

    assert (before.held_micros, before.available_micros) == (300 * CREDIT, 0)
    assert (await ledger.pool()).remaining_micros == 0
    assert await _lines(ledger, included.grant_id) == [(VOID, -100), (VOID, -300)]
    await ledger.assert_adds_up()


async def test_the_reason_and_the_actor_are_shown_to_operators_only(ledger: RunningLedger) -> None:
    (included,) = await ledger.grants()
    await ledger.authorize(1)

    await ledger.void(included.grant_id)

    (listed,) = await ledger.grants()
    (shown,) = (await ledger.pool()).grants
    assert (listed.void_reason, listed.void_actor) == ("issued by mistake", "ops@seatsco.example")
    assert (shown.void_reason, shown.void_actor) == ("", "")
    assert shown.void_time == listed.void_time == timestamp(JUNE)


async def test_a_late_capture_finds_nothing_in_a_voided_grant(ledger: RunningLedger) -> None:
    (included,) = await ledger.grants()
    hold = await ledger.authorize(300, hold_ttl=Duration(seconds=60))
    await ledger.void(included.grant_id)
    ledger.clock.advance_to(JUNE + MINUTE)

    captured = await ledger.capture(hold.hold_id)

    assert (captured.is_late, captured.captured_micros, captured.shortfall_micros) == (True, 0, 300 * CREDIT)
    await ledger.assert_adds_up()


# Each row: how long before the expiry the grant is voided, what that takes, and what is written.
@pytest.mark.parametrize(
    ("before", "taken", "lines"),
    [
        (TICK, 100, [(VOID, -100), (VOID, -300)]),
        (timedelta(0), 0, [(EXPIRY, -100), (VOID, -300)]),
        (-TICK, 0, [(EXPIRY, -100), (VOID, -300)]),
    ],
)
async def test_an_expired_grant_has_nothing_to_void_but_what_returns_to_it(
    ledger: RunningLedger, before: timedelta, taken: int, lines: list[tuple[int, int]]
) -> None:
    (included,) = await ledger.grants()
    ledger.clock.advance_to(JULY - MINUTE)
    hold = await ledger.authorize(300)
    ledger.clock.advance_to(JULY - before)

    voided = await ledger.void(included.grant_id)

    ledger.clock.advance_to(JULY + MINUTE)
    await ledger.release(hold.hold_id)
    assert voided.voided_micros == taken * CREDIT
    assert await _lines(ledger, included.grant_id) == lines
    assert (await ledger.pool()).available_micros == 400 * CREDIT
    await ledger.assert_adds_up()


async def test_a_void_at_the_instant_of_the_expiry_finds_nothing_whoever_is_first(
    databases: Databases,
) -> None:
    async with (
        running_ledger(databases) as one,
        running_ledger(databases, clock=one.clock) as other,
    ):
        await one.sell_assistant()
        await one.sign_acme()
        (included,) = await one.grants()
        one.clock.advance_to(JULY)

        voided, *_ = await asyncio.gather(
            one.void(included.grant_id), other.pool(), other.authorize(1), one.entries(), other.debit(1)
        )

        assert voided.voided_micros == 0
        assert await _lines(one, included.grant_id) == [(EXPIRY, -400)]
        assert (await one.pool()).remaining_micros == 399 * CREDIT
        await one.assert_adds_up()


async def test_another_void_of_a_grant_voids_nothing_and_is_no_error(ledger: RunningLedger) -> None:
    (included,) = await ledger.grants()
    first = await ledger.void(included.grant_id, request_id="req-void")
    entries = await ledger.entries()

    again = await ledger.void(included.grant_id, request_id="req-void")
    other = await ledger.void(included.grant_id, reason="once more", actor="somebody else")

    assert again == first
    assert (other.voided_micros, other.grant) == (0, first.grant)
    assert await ledger.entries() == entries
    await ledger.assert_adds_up()


async def test_a_spent_grant_has_nothing_to_void(ledger: RunningLedger) -> None:
    bought = await ledger.top_up(100, priority=1)
    (included, _) = await ledger.grants()
    await ledger.debit(500)

    for grant_id in (bought.grant_id, included.grant_id):
        voided = await ledger.void(grant_id)
        assert (voided.voided_micros, voided.grant.void_reason) == (0, "issued by mistake")

    assert all(one.entry_kind != VOID for one in await ledger.entries())
    await ledger.assert_adds_up()


async def test_seats_added_after_a_void_bring_credits_that_can_be_drawn(ledger: RunningLedger) -> None:
    (included,) = await ledger.grants()
    await ledger.void(included.grant_id)

    await ledger.change_seats(1, JUNE, sequence=1)

    assert (await ledger.pool()).available_micros == 100 * CREDIT
    assert (await ledger.debit(100)).decision == pb.DECISION_ALLOWED
    ledger.clock.advance_to(JULY)
    assert (await ledger.pool()).available_micros == 500 * CREDIT
    await ledger.assert_adds_up()


async def test_a_grant_that_the_customer_does_not_have_is_not_found(ledger: RunningLedger) -> None:
    (included,) = await ledger.grants()
    await ledger.tell_customer("cus_globex", "globex")

    with fault(StatusCode.NOT_FOUND, "GRANT_NOT_FOUND", grant_id="grt_nowhere"):
        await ledger.void("grt_nowhere")
    with fault(StatusCode.NOT_FOUND, "GRANT_NOT_FOUND", grant_id=included.grant_id):
        await ledger.void(included.grant_id, customer="globex")
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="nobody"):
        await ledger.void(included.grant_id, customer="nobody")

    assert (await ledger.pool()).available_micros == 400 * CREDIT


async def test_every_bad_field_of_a_void_is_named_at_once(ledger: RunningLedger) -> None:
    (included,) = await ledger.grants()

    with bad_fields("request_id", "customer", "grant_id", "reason", "actor"):
        await ledger.admin.VoidGrant(admin.VoidGrantRequest())
    with bad_fields("reason", "actor"):
        await ledger.void(included.grant_id, reason="x" * 201, actor="x" * 201)

    longest = await ledger.void(included.grant_id, reason="x" * 200, actor="y" * 200)
    assert (longest.grant.void_reason, longest.grant.void_actor) == ("x" * 200, "y" * 200)


async def test_a_void_races_with_the_capture_of_a_hold_and_both_count(databases: Databases) -> None:
    async with (
        running_ledger(databases) as one,
        running_ledger(databases, clock=one.clock) as other,
    ):
        await one.sell_assistant()
        await one.sign_acme(seats=40)
        (included,) = await one.grants()
        holds = [(await one.authorize(100)).hold_id for _ in range(20)]

        answers = await asyncio.gather(
            *(one.capture(hold_id, 60) for hold_id in holds[:10]),
            *(other.void(included.grant_id) for _ in range(3)),
            *(other.release(hold_id) for hold_id in holds[10:]),
        )

        assert all(answer.captured_micros == 60 * CREDIT for answer in answers[:10])
        grant = await _grant(one, included.grant_id)
        assert (grant.captured_micros, grant.held_micros, grant.available_micros) == (600 * CREDIT, 0, 0)
        assert grant.voided_micros == 3_400 * CREDIT
        assert sorted(answer.voided_micros > 0 for answer in answers[10:13]) == [False, False, True]
        await one.assert_adds_up()


async def _told(ledger: RunningLedger, alert: RecordingAlert) -> list[tuple[bool, int]]:
    await ledger.flush()
    return [(one.in_alarm, one.value_micros // CREDIT) for one in alert.heard]


# Each row: the threshold, and what Alert hears: of 400 credits and 150 more, 400 are voided.
@pytest.mark.parametrize(("threshold", "heard"), [(149, [(False, 550)]), (150, [(False, 550), (True, 150)])])
async def test_a_void_that_leaves_the_threshold_or_less_is_reported(
    watched: RunningLedger, alert: RecordingAlert, threshold: int, heard: list[tuple[bool, int]]
) -> None:
    await watched.top_up(150)
    await watched.watch(threshold)
    (included, _) = await watched.grants()

    await watched.void(included.grant_id)

    assert await _told(watched, alert) == heard


async def test_a_release_that_returns_nothing_to_a_voided_grant_is_reported(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    await watched.watch(100)
    hold = await watched.authorize(101)
    (included,) = await watched.grants()
    await watched.void(included.grant_id)
    before = await _told(watched, alert)

    await watched.release(hold.hold_id)

    assert (before, await _told(watched, alert)) == ([(False, 400)], [(False, 400), (True, 0)])


async def test_a_grant_resolves_a_low_balance_of_every_customer_however_many_grants_there_are(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    for _ in range(101):
        await watched.top_up(1)
    await watched.watch(500, customer_id="", watch_kind=peer_pb.WATCH_KIND_LOW_BALANCE)
    await watched.debit(1)
    await watched.debit(499)

    await watched.top_up(500)

    assert await _told(watched, alert) == [(True, 500), (False, 501)]
