# SPDX-License-Identifier: Apache-2.0
"""Changes of plan as Contract sends them to the Ledger."""

from datetime import UTC, datetime

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.support.ledger import CREDIT, JULY, JUNE, RunningLedger, a_schedule

CHANGE = datetime(2025, 6, 16, tzinfo=UTC)
KEEP, VOID, ROLL = (
    peer_pb.INCLUDED_CREDITS_KEEP,
    peer_pb.INCLUDED_CREDITS_VOID,
    peer_pb.INCLUDED_CREDITS_ROLL,
)


def plan_a(
    *, until: datetime = CHANGE, schedules: tuple[peer_pb.ScheduleTerms, ...] = (), **more: object
) -> peer_pb.ApplyContractRequest:
    """Plan A, of which sign_acme has told: 4 seats with 100 credits a month."""
    told: dict[str, object] = {
        "contract_id": "con_1",
        "version": 2,
        "rate_card_id": "rcd_main",
        "start_time": timestamp(JUNE),
        "end_time": timestamp(until),
        "subscriptions": [peer_pb.SubscriptionSeats(subscription_id="sub_1", initial_quantity=4)],
        "grant_schedules": schedules or (a_schedule(),),
    }
    return peer_pb.ApplyContractRequest(**(told | more))  # type: ignore[arg-type]


def plan_b(*, start: datetime = CHANGE, **more: object) -> peer_pb.ApplyContractRequest:
    """Plan B: 4 seats with 200 credits a month."""
    schedule = a_schedule(
        grant_schedule_id="sch_2",
        subscription_id="sub_2",
        unit_amount_micros=200 * CREDIT,
        anchor_time=timestamp(start),
    )
    told: dict[str, object] = {
        "contract_id": "con_2",
        "version": 1,
        "rate_card_id": "rcd_main",
        "start_time": timestamp(start),
        "subscriptions": [peer_pb.SubscriptionSeats(subscription_id="sub_2", initial_quantity=4)],
        "grant_schedules": [schedule],
    }
    return peer_pb.ApplyContractRequest(**(told | more))  # type: ignore[arg-type]


JUNE_PAID = peer_pb.PaidPeriod(
    subscription_id="sub_1", start_time=timestamp(JUNE), end_time=timestamp(JULY), seats=4
)


async def change_plan(
    ledger: RunningLedger,
    included: "peer_pb.IncludedCredits" = VOID,
    *,
    ended: peer_pb.ApplyContractRequest | None = None,
    begun: peer_pb.ApplyContractRequest | None = None,
    paid: tuple[peer_pb.PaidPeriod, ...] = (JUNE_PAID,),
    request_id: str = "ntc_1",
) -> peer_pb.ApplyPlanChangeResponse:
    return await ledger.peer.ApplyPlanChange(
        peer_pb.ApplyPlanChangeRequest(
            request_id=request_id,
            customer_id="cus_acme",
            ended=ended or plan_a(),
            begun=begun or plan_b(),
            included_credits=included,
            paid_periods=paid,
        )
    )
