# SPDX-License-Identifier: Apache-2.0
"""ReleaseHold: an operator cancels a hold, says why, and leaves a record."""

from datetime import timedelta

from grpc import StatusCode

from meshkit.rpc.fields import span
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from tests.support.audit import Records
from tests.support.faults import bad_fields, fault
from tests.support.ledger import AI, CREDIT, RunningLedger
from tests.support.postgres import Databases

MINUTE = timedelta(minutes=1)


def _asks(hold_id: str, request_id: str = "rel", **more: str) -> admin.ReleaseHoldRequest:
    said = {"customer": "acme", "reason": "its worker is gone", "actor": "ops@vendor.example"}
    return admin.ReleaseHoldRequest(request_id=request_id, hold_id=hold_id, **(said | more))


async def test_a_hold_that_an_operator_releases_makes_room_for_credits_and_caps(
    ledger: RunningLedger,
) -> None:
    await ledger.set_cap(150, user="ann")
    await ledger.set_concurrency_cap(1, group_key="user_id", group_value="ann")
    hold = await ledger.authorize(100, user="ann")
    busy = await ledger.authorize(100, user="ann")

    released = await ledger.admin.ReleaseHold(_asks(hold.hold_id))

    assert busy.denial_reason == pb.DENIAL_REASON_TOO_MANY_IN_FLIGHT
    assert released == admin.ReleaseHoldResponse(
        released_micros=100 * CREDIT, credit_type_id=AI, available_micros=400 * CREDIT
    )
    assert [one.hold_state for one in await ledger.holds()] == [admin.HOLD_STATE_RELEASED]
    with fault(StatusCode.FAILED_PRECONDITION, "HOLD_ALREADY_RESOLVED"):
        await ledger.capture(hold.hold_id)
    assert (await ledger.authorize(150, user="ann")).decision == pb.DECISION_ALLOWED
    await ledger.assert_adds_up()


async def test_a_release_by_an_operator_has_one_effect_and_one_record(
    ledger: RunningLedger, databases: Databases
) -> None:
    hold = await ledger.authorize(100)

    first = await ledger.admin.ReleaseHold(_asks(hold.hold_id))
    again = await ledger.admin.ReleaseHold(_asks(hold.hold_id))

    assert first == again
    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED"):
        await ledger.admin.ReleaseHold(_asks(hold.hold_id, reason="another one"))
    done, refused = await Records(databases, "ledger").of("ReleaseHold")
    assert (done["outcome"], refused["outcome"]) == ("DONE", "REFUSED")
    assert {"cus_acme", hold.hold_id} <= set(done["target_ids"])
    assert "its worker is gone" in done["change"]
    assert "ops@vendor.example" in done["change"]


async def test_only_an_open_hold_of_the_customer_is_released(ledger: RunningLedger) -> None:
    captured = await ledger.authorize(10)
    await ledger.capture(captured.hold_id)
    expired = await ledger.authorize(10, hold_ttl=span(MINUTE))
    ledger.clock.advance(MINUTE)

    with fault(StatusCode.FAILED_PRECONDITION, "HOLD_ALREADY_RESOLVED"):
        await ledger.admin.ReleaseHold(_asks(captured.hold_id))
    with fault(StatusCode.NOT_FOUND, "HOLD_NOT_FOUND"):
        await ledger.admin.ReleaseHold(_asks("hld_unknown"))
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND"):
        await ledger.admin.ReleaseHold(_asks(captured.hold_id, customer="nobody"))
    with bad_fields("request_id", "customer", "hold_id", "reason", "actor"):
        await ledger.admin.ReleaseHold(admin.ReleaseHoldRequest())
    assert (await ledger.admin.ReleaseHold(_asks(expired.hold_id))).released_micros == 0
    await ledger.assert_adds_up()
