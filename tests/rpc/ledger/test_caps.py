# SPDX-License-Identifier: Apache-2.0
"""SetSpendCap, RemoveSpendCap: the most that one group value may spend per window."""

from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from tests.support.faults import bad_fields, fault
from tests.support.ledger import AI, CREDIT, JULY, JUNE, RunningLedger

TICK = timedelta(microseconds=1)
DAY = timedelta(days=1)
CAP_REACHED = pb.DENIAL_REASON_SPEND_CAP_REACHED


async def _listed(ledger: RunningLedger) -> list[admin.SpendCap]:
    return list((await ledger.admin.ListSpendCaps(admin.ListSpendCapsRequest(customer="acme"))).spend_caps)


async def test_a_cap_is_told_as_it_was_set(ledger: RunningLedger) -> None:
    cap = await ledger.set_cap(100, user="ann")

    assert cap == admin.SpendCap(
        spend_cap_id=cap.spend_cap_id,
        customer_id="cus_acme",
        credit_type_id=AI,
        group_key="user_id",
        group_value="ann",
        limit_micros=100 * CREDIT,
        window=admin.CAP_WINDOW_BILLING_PERIOD,
        create_time=timestamp(JUNE),
        scope=pb.CAP_SCOPE_GROUP_VALUE,
        owner=pb.CAP_OWNER_VENDOR,
    )
    assert cap.spend_cap_id.startswith("cap_")
    assert await _listed(ledger) == [cap]


async def test_a_cap_set_again_replaces_the_one_on_the_same_value(ledger: RunningLedger) -> None:
    first = await ledger.set_cap(100, user="ann")
    other = await ledger.set_cap(100, user="ann", credit_type_id="crt_image")
    ledger.clock.advance(DAY)

    second = await ledger.set_cap(200, user="ann")

    assert second == admin.SpendCap(
        spend_cap_id=first.spend_cap_id,
        customer_id="cus_acme",
        credit_type_id=AI,
        group_key="user_id",
        group_value="ann",
        limit_micros=200 * CREDIT,
        window=admin.CAP_WINDOW_BILLING_PERIOD,
        create_time=timestamp(JUNE),
        scope=pb.CAP_SCOPE_GROUP_VALUE,
        owner=pb.CAP_OWNER_VENDOR,
    )
    assert await _listed(ledger) == [second, other]


async def test_spend_before_the_cap_counts_and_holds_count_until_they_end(ledger: RunningLedger) -> None:
    await ledger.debit(50, user="ann")
    hold = await ledger.authorize(20, user="ann", hold_ttl=Duration(seconds=60))
    released = await ledger.authorize(25, user="ann")
    await ledger.set_cap(100, user="ann")

    at_most = [(await ledger.authorize(6, user="ann")).affordable_credits_micros]
    await ledger.release(released.hold_id)
    at_most.append((await ledger.authorize(99, user="ann")).affordable_credits_micros)
    await ledger.capture(hold.hold_id, 5)
    at_most.append((await ledger.authorize(99, user="ann")).affordable_credits_micros)

    assert [one // CREDIT for one in at_most] == [5, 30, 45]
    await ledger.assert_adds_up()


async def test_a_cap_on_every_value_gives_way_to_a_values_own(ledger: RunningLedger) -> None:
    await ledger.set_cap(10)
    await ledger.set_cap(20, user="ann")

    answers = [
        await ledger.debit(amount, user=user) for amount, user in ((20, "ann"), (11, "bob"), (10, "bob"))
    ]
    nobody = await ledger.debit(100)

    assert [one.denial_reason for one in answers] == [0, CAP_REACHED, 0]
    assert nobody.decision == pb.DECISION_ALLOWED


async def test_a_cap_of_nothing_stops_all_spending_of_its_value(ledger: RunningLedger) -> None:
    await ledger.set_cap(0, user="ann")

    denied = await ledger.authorize(0, credits_micros=1, user="ann")

    assert (denied.denial_reason, denied.affordable_credits_micros) == (CAP_REACHED, 0)
    assert (await ledger.authorize(400, user="bob")).decision == pb.DECISION_ALLOWED


async def test_a_billing_periods_cap_begins_anew_with_the_period(ledger: RunningLedger) -> None:
    await ledger.set_cap(100, user="ann")
    await ledger.debit(100, user="ann")
    ledger.clock.advance_to(JULY - TICK)
    before = await ledger.debit(1, user="ann")
    ledger.clock.advance_to(JULY)
    after = await ledger.debit(100, user="ann")

    assert (before.denial_reason, after.decision) == (CAP_REACHED, pb.DECISION_ALLOWED)


async def test_a_days_cap_begins_anew_at_midnight_utc(ledger: RunningLedger) -> None:
    await ledger.set_cap(100, user="ann", window=admin.CAP_WINDOW_DAY)
    midnight = datetime(2025, 6, 2, tzinfo=UTC)
    ledger.clock.advance_to(midnight - TICK)
    await ledger.debit(100, user="ann")
    before = await ledger.debit(1, user="ann")
    ledger.clock.advance_to(midnight)
    after = await ledger.debit(100, user="ann")

    assert (before.denial_reason, after.decision) == (CAP_REACHED, pb.DECISION_ALLOWED)


async def test_a_shortfall_counts_as_spent(ledger: RunningLedger) -> None:
    await ledger.set_cap(1_000, user="ann")
    hold = await ledger.authorize(400, user="ann")
    await ledger.capture(hold.hold_id, 900)
    await ledger.top_up(1_000)

    denied = await ledger.authorize(101, user="ann")

    assert (denied.denial_reason, denied.affordable_credits_micros) == (CAP_REACHED, 100 * CREDIT)


async def test_a_lifted_cap_caps_no_more_and_lifting_it_twice_is_harmless(ledger: RunningLedger) -> None:
    cap = await ledger.set_cap(10, user="ann")
    await ledger.lift_cap(cap.spend_cap_id)
    allowed = await ledger.debit(11, user="ann")
    again = await ledger.set_cap(10, user="ann")

    await ledger.lift_cap(cap.spend_cap_id)

    assert allowed.decision == pb.DECISION_ALLOWED
    assert again.spend_cap_id != cap.spend_cap_id
    assert await _listed(ledger) == [again]


async def test_only_a_customers_own_caps_are_lifted(ledger: RunningLedger) -> None:
    cap = await ledger.set_cap(10, user="ann")
    await ledger.tell_customer("cus_globex", "globex")

    with fault(StatusCode.NOT_FOUND, "SPEND_CAP_NOT_FOUND", spend_cap_id=cap.spend_cap_id):
        await ledger.lift_cap(cap.spend_cap_id, customer="globex")
    with fault(StatusCode.NOT_FOUND, "SPEND_CAP_NOT_FOUND", spend_cap_id="cap_unknown"):
        await ledger.lift_cap("cap_unknown")
    assert await _listed(ledger) == [cap]


async def test_unknown_customers_and_group_keys_are_faults(ledger: RunningLedger) -> None:
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="nobody"):
        await ledger.set_cap(1, customer="nobody")
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="nobody"):
        await ledger.lift_cap("cap_1", customer="nobody")
    with fault(StatusCode.FAILED_PRECONDITION, "GROUP_KEY_UNKNOWN", group_key="team"):
        await ledger.set_cap(1, group_key="team")


async def test_every_bad_field_is_named_at_once(ledger: RunningLedger) -> None:
    with bad_fields("request_id", "customer", "credit_type_id", "group_key", "limit_micros", "window"):
        await ledger.admin.SetSpendCap(
            admin.SetSpendCapRequest(limit_micros=-1, window=77)  # type: ignore[arg-type]
        )
    with bad_fields("request_id", "customer", "spend_cap_id"):
        await ledger.admin.RemoveSpendCap(admin.RemoveSpendCapRequest())


async def test_a_cap_is_told_before_credits_that_never_were(ledger: RunningLedger) -> None:
    await ledger.tell_customer("cus_globex")
    await ledger.apply_contract(customer_id="cus_globex", start=JUNE, subscriptions=[], schedules=[])
    await ledger.set_cap(5, customer="cus_globex", user="ann")

    at_the_cap = await ledger.authorize(5, customer="cus_globex", user="ann")
    over_it = await ledger.authorize(6, customer="cus_globex", user="ann")

    assert at_the_cap.denial_reason == pb.DENIAL_REASON_INSUFFICIENT_CREDITS
    assert over_it.denial_reason == CAP_REACHED


async def test_a_denial_names_the_cap_what_is_used_and_when_it_counts_anew(ledger: RunningLedger) -> None:
    cap = await ledger.set_cap(100, user="ann", window=admin.CAP_WINDOW_DAY)
    await ledger.set_cap(1_000)  # for everyone else
    held = await ledger.authorize(30, user="ann")
    await ledger.debit(60, user="ann")
    reached = pb.SpendCapUse(
        spend_cap_id=cap.spend_cap_id,
        group_key="user_id",
        group_value="ann",
        limit_micros=100 * CREDIT,
        used_micros=90 * CREDIT,
        window_start_time=timestamp(JUNE),
        window_end_time=timestamp(JUNE + DAY),
        scope=pb.CAP_SCOPE_GROUP_VALUE,
        owner=pb.CAP_OWNER_VENDOR,
    )

    assert (await ledger.authorize(11, user="ann")).reached_cap == reached
    assert (await ledger.debit(11, user="ann")).reached_cap == reached
    assert (await ledger.extend(held.hold_id, 11)).reached_cap == reached
    assert (await ledger.authorize(10, user="ann")).decision == pb.DECISION_ALLOWED


async def test_no_other_denial_names_a_cap(ledger: RunningLedger) -> None:
    await ledger.set_cap(1_000, user="ann")

    denied = await ledger.authorize(401, user="ann")

    assert denied.denial_reason == pb.DENIAL_REASON_INSUFFICIENT_CREDITS
    assert not denied.HasField("reached_cap")
