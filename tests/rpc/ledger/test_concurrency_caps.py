# SPDX-License-Identifier: Apache-2.0
"""Concurrency caps: the most holds that a group value, a product or a customer may have open at once."""

from datetime import timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from tests.support.faults import bad_fields, fault
from tests.support.ledger import AI, CREDIT, JUNE, RunningLedger, a_rate

TICK = timedelta(microseconds=1)
TOO_MANY = pb.DENIAL_REASON_TOO_MANY_IN_FLIGHT
MINUTE = Duration(seconds=60)


async def _listed(ledger: RunningLedger) -> list[admin.ConcurrencyCap]:
    request = admin.ListConcurrencyCapsRequest(customer="acme")
    return list((await ledger.admin.ListConcurrencyCaps(request)).concurrency_caps)


async def _opened(ledger: RunningLedger, *users: str, **more: object) -> list[str]:
    """Open a hold of one credit for each user; returns their ids, empty where it is denied for too many."""
    answers = [await ledger.authorize(1, user=user, **more) for user in users]
    assert {one.denial_reason for one in answers} <= {0, TOO_MANY}
    return [one.hold_id for one in answers]


async def test_a_cap_is_told_as_it_was_set_and_set_again_it_is_replaced(ledger: RunningLedger) -> None:
    cap = await ledger.set_concurrency_cap(5, group_key="user_id", group_value="ann")
    of_product = await ledger.set_concurrency_cap(7, product_id="prd_assistant")
    of_all = await ledger.set_concurrency_cap(9)

    assert cap == admin.ConcurrencyCap(
        concurrency_cap_id=cap.concurrency_cap_id,
        customer_id="cus_acme",
        credit_type_id=AI,
        group_key="user_id",
        group_value="ann",
        holds_max=5,
        create_time=timestamp(JUNE),
    )
    assert cap.concurrency_cap_id.startswith("ccp_")
    assert await _listed(ledger) == [of_all, of_product, cap]
    ledger.clock.advance(timedelta(hours=1))
    again = await ledger.set_concurrency_cap(6, group_key="user_id", group_value="ann")
    cap.holds_max = 6
    assert again == cap
    assert await _listed(ledger) == [of_all, of_product, cap]


async def test_at_the_cap_a_hold_is_denied_and_the_denial_says_when_one_expires(
    ledger: RunningLedger,
) -> None:
    cap = await ledger.set_concurrency_cap(2, group_key="user_id", group_value="ann")
    first = await ledger.authorize(1, user="ann", hold_ttl=Duration(seconds=120))
    second = await ledger.authorize(1, user="ann", hold_ttl=MINUTE)

    denied = await ledger.authorize(1, user="ann")

    assert (first.decision, second.decision) == (pb.DECISION_ALLOWED, pb.DECISION_ALLOWED)
    assert denied.denial_reason == TOO_MANY
    assert denied.reached_concurrency_cap == pb.ConcurrencyCapUse(
        concurrency_cap_id=cap.concurrency_cap_id,
        group_key="user_id",
        group_value="ann",
        holds_max=2,
        open_holds=2,
        free_time=second.expire_time,
    )
    assert (denied.available_micros, denied.affordable_credits_micros) == (398 * CREDIT, 0)
    assert not denied.HasField("reached_cap")
    assert (await ledger.authorize(1, user="bob")).decision == pb.DECISION_ALLOWED
    assert (await ledger.authorize(1)).decision == pb.DECISION_ALLOWED


async def test_a_hold_stops_counting_when_it_expires_by_the_clock_alone(ledger: RunningLedger) -> None:
    await ledger.set_concurrency_cap(1, group_key="user_id")
    hold = await ledger.authorize(1, user="ann", hold_ttl=MINUTE)
    ledger.clock.advance(timedelta(seconds=60) - TICK)
    before = await ledger.authorize(1, user="ann")
    ledger.clock.advance(TICK)
    after = await ledger.authorize(1, user="ann")

    assert (before.denial_reason, after.decision) == (TOO_MANY, pb.DECISION_ALLOWED)
    assert (await ledger.capture(hold.hold_id)).is_late  # and a late capture counts for nothing
    assert (await ledger.authorize(1, user="ann")).denial_reason == TOO_MANY


async def test_captured_and_released_holds_stop_counting_at_once(ledger: RunningLedger) -> None:
    await ledger.set_concurrency_cap(2, group_key="user_id")
    one, two = await _opened(ledger, "ann", "ann")

    assert await _opened(ledger, "ann") == [""]
    await ledger.capture(one)
    (three,) = await _opened(ledger, "ann")
    await ledger.release(two)
    (four,) = await _opened(ledger, "ann")

    assert all((three, four))
    assert await _opened(ledger, "ann") == [""]
    await ledger.assert_adds_up()


async def test_an_extension_opens_no_hold_and_moves_its_expiry(ledger: RunningLedger) -> None:
    await ledger.set_concurrency_cap(1, group_key="user_id")
    hold = await ledger.authorize(1, user="ann", hold_ttl=MINUTE)

    longer = await ledger.extend(hold.hold_id, 2, hold_ttl=Duration(seconds=300))
    denied = await ledger.authorize(1, user="ann")
    ledger.clock.advance(timedelta(seconds=300) - TICK)
    still = await ledger.authorize(1, user="ann")
    ledger.clock.advance(TICK)

    assert longer.decision == pb.DECISION_ALLOWED
    assert denied.reached_concurrency_cap.free_time == longer.expire_time
    assert still.denial_reason == TOO_MANY
    assert (await ledger.authorize(1, user="ann")).decision == pb.DECISION_ALLOWED


async def test_a_debit_is_not_in_flight(ledger: RunningLedger) -> None:
    await ledger.set_concurrency_cap(0)

    debited = await ledger.debit(1, user="ann")
    denied = await ledger.authorize(1, user="ann")

    assert debited.decision == pb.DECISION_ALLOWED
    assert denied.denial_reason == TOO_MANY
    assert not denied.reached_concurrency_cap.HasField("free_time")
    assert (denied.reached_concurrency_cap.holds_max, denied.reached_concurrency_cap.open_holds) == (0, 0)


async def test_a_values_own_cap_replaces_that_on_every_value(ledger: RunningLedger) -> None:
    await ledger.set_concurrency_cap(1, group_key="user_id")
    own = await ledger.set_concurrency_cap(2, group_key="user_id", group_value="ann")

    opened = await _opened(ledger, "ann", "ann", "ann", "bob", "bob")
    await ledger.lift_concurrency_cap(own.concurrency_cap_id)
    await ledger.lift_concurrency_cap(own.concurrency_cap_id)

    assert list(map(bool, opened)) == [True, True, False, True, False]
    await ledger.release(opened[0])
    assert await _opened(ledger, "ann") == [""]  # by the cap on every value again
    denied = (await ledger.authorize(1, user="bob")).reached_concurrency_cap
    assert (denied.group_key, denied.group_value) == ("user_id", "bob")


async def test_a_product_and_the_whole_customer_have_caps_of_their_own(ledger: RunningLedger) -> None:
    await ledger.tell_product("prd_search")
    await ledger.tell_card(a_rate(), a_rate("prd_search"), version=2)
    await ledger.set_concurrency_cap(1, product_id="prd_search")
    whole = await ledger.set_concurrency_cap(3)

    search = await _opened(ledger, "ann", "bob", product_id="prd_search")
    assistant = await _opened(ledger, "ann", "ann", "ann")

    assert list(map(bool, search)) == [True, False]
    assert list(map(bool, assistant)) == [True, True, False]
    denied = await ledger.authorize(1, product_id="prd_search")
    named = denied.reached_concurrency_cap  # both are full; either makes room at the same instant
    assert named.open_holds == named.holds_max
    await ledger.lift_concurrency_cap(whole.concurrency_cap_id)
    named = (await ledger.authorize(1, product_id="prd_search")).reached_concurrency_cap
    assert (named.product_id, named.group_key, named.open_holds) == ("prd_search", "", 1)


async def test_a_hold_of_several_lines_is_one_hold_of_each_subject(ledger: RunningLedger) -> None:
    await ledger.tell_product("prd_search")
    await ledger.tell_card(a_rate(), a_rate("prd_search"), version=2)
    await ledger.set_concurrency_cap(2, group_key="user_id")
    await ledger.set_concurrency_cap(2, product_id="prd_search")
    lines = [
        pb.UsageLine(product_id=product_id, quantity_micros=1_000_000)
        for product_id in ("prd_assistant", "prd_search")
    ]

    async def ask(user: str) -> pb.AuthorizeResponse:
        request = pb.AuthorizeRequest(
            request_id=ledger.request_id(), customer="acme", lines=lines, group_values={"user_id": user}
        )
        return await ledger.gate.Authorize(request)

    first, second, third = [await ask(user) for user in ("ann", "ann", "bob")]

    assert (first.decision, second.decision) == (pb.DECISION_ALLOWED, pb.DECISION_ALLOWED)
    assert third.denial_reason == TOO_MANY
    assert third.reached_concurrency_cap.product_id == "prd_search"
    assert await _opened(ledger, "ann") == [""]
    await ledger.release(first.hold_id)
    assert (await ask("bob")).decision == pb.DECISION_ALLOWED


async def test_holds_from_before_the_cap_count_and_a_lowered_cap_says_when_enough_expire(
    ledger: RunningLedger,
) -> None:
    expire_times = [
        (await ledger.authorize(1, user="ann", hold_ttl=Duration(seconds=60 * n))).expire_time
        for n in (1, 2, 3)
    ]
    await ledger.set_concurrency_cap(2, group_key="user_id")

    denied = (await ledger.authorize(1, user="ann")).reached_concurrency_cap

    assert (denied.open_holds, denied.holds_max) == (3, 2)
    assert denied.free_time == expire_times[1]
    ledger.clock.advance(timedelta(minutes=2) - TICK)
    assert (await ledger.authorize(1, user="ann")).denial_reason == TOO_MANY
    ledger.clock.advance(TICK)
    assert (await ledger.authorize(1, user="ann")).decision == pb.DECISION_ALLOWED


async def test_it_is_checked_before_spend_caps_and_credits_and_after_the_contract(
    ledger: RunningLedger,
) -> None:
    await ledger.set_concurrency_cap(0)
    await ledger.set_cap(1, user="ann")

    capped = await ledger.authorize(2, user="ann")
    unaffordable = await ledger.authorize(1_000, user="bob", allow_partial=True)
    await ledger.tell_customer("cus_acme", "acme", version=2, is_suspended=True)
    suspended = await ledger.authorize(1)

    assert (capped.denial_reason, unaffordable.denial_reason) == (TOO_MANY, TOO_MANY)
    assert suspended.denial_reason == pb.DENIAL_REASON_CUSTOMER_SUSPENDED


async def test_a_cap_is_of_one_credit_type(ledger: RunningLedger) -> None:
    await ledger.set_concurrency_cap(0, credit_type_id="crt_image")

    assert (await ledger.authorize(1)).decision == pb.DECISION_ALLOWED


async def test_a_decision_is_explained_by_its_caps(ledger: RunningLedger) -> None:
    cap = await ledger.set_concurrency_cap(1, group_key="user_id")
    hold = await ledger.authorize(1, user="ann")
    ask = pb.DecisionAsk(product_id="prd_assistant", credits_micros=CREDIT, group_values={"user_id": "ann"})

    asked = await ledger.gate.GetDecision(pb.GetDecisionRequest(customer="acme", ask=ask))
    of_hold = await ledger.gate.GetDecision(pb.GetDecisionRequest(customer="acme", hold_id=hold.hold_id))

    assert asked.denial_reason == TOO_MANY
    expected = pb.ConcurrencyCapUse(
        concurrency_cap_id=cap.concurrency_cap_id,
        group_key="user_id",
        group_value="ann",
        holds_max=1,
        open_holds=1,
        free_time=hold.expire_time,
    )
    assert list(asked.concurrency_caps) == [expected]
    assert list(of_hold.concurrency_caps) == [expected]


async def test_what_no_call_could_have_cannot_be_capped(ledger: RunningLedger) -> None:
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="nobody"):
        await ledger.set_concurrency_cap(1, customer="nobody")
    with fault(StatusCode.FAILED_PRECONDITION, "GROUP_KEY_UNKNOWN", group_key="team"):
        await ledger.set_concurrency_cap(1, group_key="team")
    with fault(StatusCode.NOT_FOUND, "PRODUCT_NOT_FOUND", product_id="prd_none"):
        await ledger.set_concurrency_cap(1, product_id="prd_none")
    with fault(StatusCode.NOT_FOUND, "CONCURRENCY_CAP_NOT_FOUND", concurrency_cap_id="ccp_1"):
        await ledger.lift_concurrency_cap("ccp_1")


async def test_only_a_customers_own_caps_are_lifted(ledger: RunningLedger) -> None:
    cap = await ledger.set_concurrency_cap(1)
    await ledger.tell_customer("cus_globex", "globex")

    with fault(StatusCode.NOT_FOUND, "CONCURRENCY_CAP_NOT_FOUND", concurrency_cap_id=cap.concurrency_cap_id):
        await ledger.lift_concurrency_cap(cap.concurrency_cap_id, customer="globex")
    assert await _listed(ledger) == [cap]


@pytest.mark.parametrize(
    ("wrong", "fields"),
    [
        ({"holds_max": -1}, ("holds_max",)),
        ({"holds_max": 100_001}, ("holds_max",)),
        ({"group_value": "ann"}, ("group_value",)),
        ({"group_value": "ann", "product_id": "prd_assistant"}, ("group_value",)),
        ({"group_key": ""}, ("group_key",)),
        ({"product_id": ""}, ("product_id",)),
    ],
)
async def test_a_cap_has_one_subject_and_a_number(
    ledger: RunningLedger, wrong: dict[str, object], fields: tuple[str, ...]
) -> None:
    with bad_fields(*fields):
        await ledger.set_concurrency_cap(**({"holds_max": 1} | wrong))  # type: ignore[arg-type]
