# SPDX-License-Identifier: Apache-2.0
"""Grant schedules in every rhythm; EditGrantSchedule and EndGrantSchedule."""

from typing import Any

import pytest
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.contract.v1 import contract_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.support.catalog import JUNE
from tests.support.contract import MONTHLY, Desk, RunningContract, day
from tests.support.faults import bad_fields, fault
from tests.support.ledger_peer import RecordingLedger

CREDIT = 1_000_000
HALF = pb.Rollover(fraction_millionths=500_000, cap_micros=50 * CREDIT, duration=2)


async def signed_with(desk: Desk, **terms: Any) -> tuple[str, pb.GrantSchedule]:
    """Sign a contract with one schedule; returns its id, and the schedule."""
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY), schedules=(desk.schedule(**terms),))
    return signed.contract.contract_id, signed.contract.grant_schedules[0]


def an_edit(
    desk: Desk, contract_id: str, schedule: pb.GrantSchedule, **more: Any
) -> pb.EditGrantScheduleRequest:
    return pb.EditGrantScheduleRequest(
        **{
            "request_id": desk.request_id(),
            "contract_id": contract_id,
            "grant_schedule_id": schedule.grant_schedule_id,
            **more,
        }
    )


def an_end(
    desk: Desk, contract_id: str, schedule: pb.GrantSchedule, **more: Any
) -> pb.EndGrantScheduleRequest:
    return pb.EndGrantScheduleRequest(
        **{
            "request_id": desk.request_id(),
            "contract_id": contract_id,
            "grant_schedule_id": schedule.grant_schedule_id,
            **more,
        }
    )


async def test_a_schedule_is_signed_shown_and_sent_in_its_rhythm_with_its_rollover(
    desk: Desk, ledger: RecordingLedger
) -> None:
    contract_id, schedule = await signed_with(
        desk, frequency=pb.GRANT_FREQUENCY_WEEKLY, interval_count=2, commit_duration=60, rollover=HALF
    )

    assert (schedule.frequency, schedule.interval_count) == (pb.GRANT_FREQUENCY_WEEKLY, 2)
    assert (schedule.rollover, schedule.commit_duration) == (HALF, 60)
    shown = await desk.contract.GetContract(pb.GetContractRequest(contract_id=contract_id))
    assert shown.contract.grant_schedules[0] == schedule
    [sent] = ledger.told_of(peer_pb.ApplyContractRequest)
    assert sent.accept_time == timestamp(JUNE)
    assert sent.grant_schedules[0].frequency == peer_pb.GRANT_FREQUENCY_WEEKLY
    assert sent.grant_schedules[0].interval_count == 2
    assert sent.grant_schedules[0].rollover == peer_pb.RolloverTerms(
        fraction_millionths=500_000, cap_micros=50 * CREDIT, duration=2
    )


async def test_every_rhythm_is_sent_by_its_name(desk: Desk, ledger: RecordingLedger) -> None:
    numbers = [number for name, number in pb.GrantFrequency.items() if number]
    await desk.sign(desk.seats(1), schedules=tuple(desk.schedule(frequency=one) for one in numbers))

    [sent] = ledger.told_of(peer_pb.ApplyContractRequest)
    names = [peer_pb.GrantFrequency.Name(one.frequency) for one in sent.grant_schedules]
    assert names == [pb.GrantFrequency.Name(one) for one in numbers]  # type: ignore[arg-type]


async def test_a_schedule_aligned_to_billing_periods_is_counted_from_where_they_are(desk: Desk) -> None:
    _, schedule = await signed_with(desk, alignment=pb.GRANT_ALIGNMENT_BILLING_PERIODS)

    assert schedule.anchor_time == timestamp(JUNE)


async def test_what_cannot_be_signed_is_named(desk: Desk) -> None:
    unlinked = desk.schedule(alignment=pb.GRANT_ALIGNMENT_BILLING_PERIODS)
    unlinked.ClearField("subscription_index")
    bad = (
        unlinked,
        desk.schedule(alignment=pb.GRANT_ALIGNMENT_BILLING_PERIODS, anchor_time=timestamp(day(5, 1))),
        desk.schedule(interval_count=121),
        desk.schedule(interval_count=2, commit_duration=61),
        desk.schedule(rollover=pb.Rollover(fraction_millionths=1_000_001, cap_micros=-1, duration=121)),
    )

    with bad_fields(
        "grant_schedules[0].alignment",
        "grant_schedules[1].anchor_time",
        "grant_schedules[2].interval_count",
        "grant_schedules[3].commit_duration",
        "grant_schedules[4].rollover.fraction_millionths",
        "grant_schedules[4].rollover.cap_micros",
        "grant_schedules[4].rollover.duration",
    ):
        await desk.sign(desk.seats(1), schedules=bad)


async def test_an_edit_is_shown_and_sent_as_an_edition(
    desk: Desk, running: RunningContract, ledger: RecordingLedger
) -> None:
    contract_id, schedule = await signed_with(desk, scope_product_ids=[desk.sells.assistant.product_id])
    await running.advance_to(day(6, 10))

    edited = await desk.contract.EditGrantSchedule(
        an_edit(
            desk,
            contract_id,
            schedule,
            effective_time=timestamp(day(7, 1)),
            unit_amount_micros=250 * CREDIT,
            scope=pb.ProductScope(),
            rollover=HALF,
        )
    )

    [edition] = edited.grant_schedule.editions
    assert (edition.effective_time, edition.unit_amount_micros) == (timestamp(day(7, 1)), 250 * CREDIT)
    assert (list(edition.scope_product_ids), edition.rollover, edition.priority) == ([], HALF, 1)
    assert edited.grant_schedule.unit_amount_micros == 100 * CREDIT
    sent = ledger.told_of(peer_pb.ApplyContractRequest)[-1]
    assert (sent.version, sent.accept_time) == (2, timestamp(day(6, 10)))
    [told] = sent.grant_schedules[0].editions
    assert (told.effective_time, told.unit_amount_micros) == (timestamp(day(7, 1)), 250 * CREDIT)
    assert (list(told.scope_product_ids), told.rollover.duration) == ([], 2)
    shown = await desk.contract.GetContract(pb.GetContractRequest(contract_id=contract_id))
    assert shown.contract.grant_schedules[0] == edited.grant_schedule


async def test_an_edit_without_an_instant_counts_after_now_and_a_repeat_does_nothing(
    desk: Desk, running: RunningContract, ledger: RecordingLedger
) -> None:
    contract_id, schedule = await signed_with(desk)
    await running.advance_to(day(7, 1))
    request = an_edit(desk, contract_id, schedule, priority=9)

    first = await desk.contract.EditGrantSchedule(request)
    again = await desk.contract.EditGrantSchedule(request)

    instant = first.grant_schedule.editions[0].effective_time
    assert instant.ToNanoseconds() == timestamp(day(7, 1)).ToNanoseconds() + 1_000
    assert again == first
    assert len(ledger.told_of(peer_pb.ApplyContractRequest)) == 2
    request.priority = 8
    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED"):
        await desk.contract.EditGrantSchedule(request)


async def test_an_edit_that_cannot_be_has_a_reason_and_changes_nothing(
    desk: Desk, running: RunningContract, ledger: RecordingLedger
) -> None:
    contract_id, schedule = await signed_with(desk, interval_count=2)
    await running.advance_to(day(6, 10))
    edit = {"unit_amount_micros": CREDIT}

    with fault(StatusCode.FAILED_PRECONDITION, "EDIT_BEFORE_NOW"):
        await desk.contract.EditGrantSchedule(
            an_edit(desk, contract_id, schedule, effective_time=timestamp(day(6, 9)), **edit)
        )
    with fault(StatusCode.NOT_FOUND, "GRANT_SCHEDULE_NOT_FOUND"):
        await desk.contract.EditGrantSchedule(
            an_edit(desk, contract_id, schedule, grant_schedule_id="sch_other", **edit)
        )
    with fault(StatusCode.NOT_FOUND, "CONTRACT_NOT_FOUND"):
        await desk.contract.EditGrantSchedule(an_edit(desk, "con_other", schedule, **edit))
    with fault(StatusCode.NOT_FOUND, "PRODUCT_NOT_FOUND"):
        scope = pb.ProductScope(product_ids=["prd_unknown"])
        await desk.contract.EditGrantSchedule(an_edit(desk, contract_id, schedule, scope=scope))
    with bad_fields("commit_duration"):  # 2 × 61 months are more than 120
        await desk.contract.EditGrantSchedule(an_edit(desk, contract_id, schedule, commit_duration=61))
    with bad_fields("unit_amount_micros"):
        await desk.contract.EditGrantSchedule(an_edit(desk, contract_id, schedule))
    with bad_fields(
        "unit_amount_micros", "priority", "commit_duration", "scope.product_ids[0]", "removes_rollover"
    ):
        await desk.contract.EditGrantSchedule(
            an_edit(
                desk,
                contract_id,
                schedule,
                unit_amount_micros=0,
                priority=1_001,
                commit_duration=0,
                scope=pb.ProductScope(product_ids=[""]),
                rollover=HALF,
                removes_rollover=True,
            )
        )
    shown = await desk.contract.GetContract(pb.GetContractRequest(contract_id=contract_id))
    assert shown.contract.grant_schedules[0] == schedule
    assert len(ledger.told_of(peer_pb.ApplyContractRequest)) == 1


async def test_a_schedule_ends_before_its_contract_and_its_end_can_be_moved_and_removed(
    desk: Desk, running: RunningContract, ledger: RecordingLedger
) -> None:
    contract_id, schedule = await signed_with(desk)
    await running.advance_to(day(6, 10))

    async def end(**more: Any) -> pb.GrantSchedule:
        request = an_end(desk, contract_id, schedule, **more)
        return (await desk.contract.EndGrantSchedule(request)).grant_schedule

    assert (await end(end_time=timestamp(day(7, 11)))).end_time == timestamp(day(7, 11))
    assert ledger.told_of(peer_pb.ApplyContractRequest)[-1].grant_schedules[0].end_time == timestamp(
        day(7, 11)
    )
    assert not (await end(removes_end=True)).HasField("end_time")
    assert not ledger.told_of(peer_pb.ApplyContractRequest)[-1].grant_schedules[0].HasField("end_time")
    assert (await end()).end_time == timestamp(day(6, 10))
    with fault(StatusCode.FAILED_PRECONDITION, "GRANT_SCHEDULE_ENDED"):
        await end(removes_end=True)
    with fault(StatusCode.FAILED_PRECONDITION, "GRANT_SCHEDULE_ENDED"):
        await desk.contract.EditGrantSchedule(an_edit(desk, contract_id, schedule, priority=2))


async def test_an_end_that_cannot_be_has_a_reason(desk: Desk, running: RunningContract) -> None:
    contract_id, schedule = await signed_with(desk)
    await running.advance_to(day(6, 10))

    with fault(StatusCode.FAILED_PRECONDITION, "END_BEFORE_NOW"):
        await desk.contract.EndGrantSchedule(
            an_end(desk, contract_id, schedule, end_time=timestamp(day(6, 9)))
        )
    with bad_fields("removes_end"):
        await desk.contract.EndGrantSchedule(
            an_end(desk, contract_id, schedule, end_time=timestamp(day(6, 20)), removes_end=True)
        )
    with bad_fields("request_id", "contract_id", "grant_schedule_id"):
        await desk.contract.EndGrantSchedule(pb.EndGrantScheduleRequest())
    await desk.contract.EndContract(pb.EndContractRequest(request_id="end", contract_id=contract_id))
    with fault(StatusCode.FAILED_PRECONDITION, "CONTRACT_ENDED"):
        await desk.contract.EndGrantSchedule(an_end(desk, contract_id, schedule))


@pytest.mark.parametrize("rpc", ["EditGrantSchedule", "EndGrantSchedule"])
async def test_a_repeat_of_an_end_or_edit_gets_the_stored_response(desk: Desk, rpc: str) -> None:
    contract_id, schedule = await signed_with(desk)
    make = an_edit if rpc == "EditGrantSchedule" else an_end
    more = {"priority": 3} if rpc == "EditGrantSchedule" else {"end_time": timestamp(day(9, 1))}
    request = make(desk, contract_id, schedule, **more)  # type: ignore[operator]

    assert await getattr(desk.contract, rpc)(request) == await getattr(desk.contract, rpc)(request)
