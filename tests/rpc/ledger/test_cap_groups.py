# SPDX-License-Identifier: Apache-2.0
"""Groups of values that share spend caps."""

import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode

from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from tests.support.faults import bad_fields, fault
from tests.support.ledger import CREDIT, RunningLedger, two_ledgers
from tests.support.postgres import Databases

CAP_REACHED = pb.DENIAL_REASON_SPEND_CAP_REACHED
WINDOWS = [admin.CAP_WINDOW_BILLING_PERIOD, admin.CAP_WINDOW_DAY, admin.CAP_WINDOW_WEEK]


async def _left(ledger: RunningLedger, user: str) -> int:
    denied = await ledger.authorize(399, user=user)
    assert denied.denial_reason == CAP_REACHED
    return denied.affordable_credits_micros // CREDIT


async def _cap(ledger: RunningLedger, limit: int, group: admin.CapGroup, **more: object) -> admin.SpendCap:
    of_group = {"group_key": "", "scope": pb.CAP_SCOPE_GROUP, "cap_group_id": group.cap_group_id}
    return await ledger.set_cap(limit, **of_group, **more)


@pytest.mark.parametrize("window", WINDOWS)
async def test_the_members_of_a_group_share_its_cap(ledger: RunningLedger, window: admin.CapWindow) -> None:
    await ledger.debit(10, user="ann")
    await ledger.debit(50, user="cid")
    hold = await ledger.authorize(20, user="bob", hold_ttl=Duration(seconds=600))
    group = await ledger.set_group("Support", "ann", "bob")
    cap = await _cap(ledger, 100, group, window=window)

    denied = await ledger.authorize(71, user="ann")
    await ledger.capture(hold.hold_id, 5)
    after_capture = [await _left(ledger, user) for user in ("ann", "bob")]
    outside = await ledger.debit(100, user="cid")

    assert denied.affordable_credits_micros == 70 * CREDIT
    assert (denied.reached_cap.spend_cap_id, denied.reached_cap.cap_group_id, denied.reached_cap.scope) == (
        cap.spend_cap_id,
        group.cap_group_id,
        pb.CAP_SCOPE_GROUP,
    )
    assert after_capture == [85, 85]
    assert outside.decision == pb.DECISION_ALLOWED
    await ledger.assert_adds_up()


async def test_a_change_of_members_counts_what_the_present_ones_spent_and_hold_on_every_replica(
    databases: Databases,
) -> None:
    async with two_ledgers(databases) as (first, second):
        group = await first.set_group("Support", "ann")
        await _cap(first, 200, group)
        await _cap(first, 200, group, window=admin.CAP_WINDOW_WEEK)
        await first.debit(40, user="ann")
        await second.debit(30, user="bob")
        await second.authorize(20, user="bob", hold_ttl=Duration(seconds=600))
        lefts = [await _left(first, "ann"), await _left(second, "ann")]
        await first.set_group("Support", "ann", "bob", cap_group_id=group.cap_group_id)
        lefts += [await _left(second, "ann"), await _left(first, "bob")]
        changed = await second.set_group("Second level", "bob", cap_group_id=group.cap_group_id)
        lefts += [await _left(first, "bob")]
        unlimited = await first.debit(90, user="ann")
        await first.assert_adds_up()

    assert lefts == [160, 160, 110, 110, 150]
    assert (changed.name, changed.size, changed.create_time) == ("Second level", 1, group.create_time)
    assert unlimited.decision == pb.DECISION_ALLOWED


async def test_a_value_is_in_one_group_at_most(ledger: RunningLedger) -> None:
    support = await ledger.set_group("Support", "ann", "bob")
    with fault(
        StatusCode.FAILED_PRECONDITION,
        "VALUE_IN_OTHER_GROUP",
        group_value="bob",
        cap_group_id=support.cap_group_id,
    ):
        await ledger.set_group("Sales", "bob", "cid")
    await ledger.set_group("Support", "ann", cap_group_id=support.cap_group_id)
    sales = await ledger.set_group("Sales", "bob", "cid")
    listed = await ledger.admin.ListCapGroups(admin.ListCapGroupsRequest(customer="acme", page_size=1))
    rest = await ledger.admin.ListCapGroups(
        admin.ListCapGroupsRequest(customer="acme", page_size=1, page_token=listed.next_page_token)
    )
    found = await ledger.admin.GetCapGroup(
        admin.GetCapGroupRequest(customer="acme", cap_group_id=sales.cap_group_id)
    )

    assert [one.name for one in (*listed.cap_groups, *rest.cap_groups)] == ["Sales", "Support"]
    assert (found.cap_group, list(found.group_values)) == (sales, ["bob", "cid"])


async def test_a_group_is_removed_once_no_cap_limits_it(ledger: RunningLedger) -> None:
    group = await ledger.set_group("Support", "ann")
    cap = await _cap(ledger, 10, group)
    request = admin.RemoveCapGroupRequest(customer="acme", cap_group_id=group.cap_group_id)
    with fault(StatusCode.FAILED_PRECONDITION, "CAP_GROUP_IN_USE", cap_group_id=group.cap_group_id):
        request.request_id = ledger.request_id()
        await ledger.admin.RemoveCapGroup(request)
    await ledger.lift_cap(cap.spend_cap_id)
    await ledger.admin.RemoveCapGroup(request)
    with fault(StatusCode.NOT_FOUND, "CAP_GROUP_NOT_FOUND", cap_group_id=group.cap_group_id):
        await _cap(ledger, 10, group)
    again = await ledger.set_group("Support", "ann")

    assert again.cap_group_id != group.cap_group_id


async def test_what_a_group_cannot_be_is_refused(ledger: RunningLedger) -> None:
    group = await ledger.set_group("Support")
    await ledger.tell_product("prd_team", group_keys=("team",))
    with fault(StatusCode.FAILED_PRECONDITION, "GROUP_KEY_UNKNOWN", group_key="department"):
        await ledger.set_group("Support", group_key="department")
    with fault(
        StatusCode.FAILED_PRECONDITION,
        "GROUP_KEY_FIXED",
        cap_group_id=group.cap_group_id,
        group_key="user_id",
    ):
        await ledger.set_group("Support", group_key="team", cap_group_id=group.cap_group_id)
    with fault(StatusCode.NOT_FOUND, "CAP_GROUP_NOT_FOUND", cap_group_id="cgr_unknown"):
        await ledger.set_group("Support", cap_group_id="cgr_unknown")
    with bad_fields("group_values"):
        await ledger.set_group("Support", "ann", "ann")
    with bad_fields("group_values"):
        await ledger.set_group("Support", *(f"u{number}" for number in range(10_001)))
    most = await ledger.set_group("Everybody", *(f"u{number}" for number in range(10_000)))
    await _cap(ledger, 10, most, window=admin.CAP_WINDOW_WEEK)
    assert most.size == 10_000
    assert await _left(ledger, "u9999") == 10
