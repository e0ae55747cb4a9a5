# SPDX-License-Identifier: Apache-2.0
"""SetTopUpLevel: the debit that takes a pool to its level writes one report for Contract; a new version asks again."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.contract.v1 import contract_peer_pb2 as contract_pb
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.support.faults import bad_fields, fault
from tests.support.ledger import AI, CREDIT, JUNE, RunningLedger, running_ledger
from tests.support.postgres import Databases
from tests.support.recording_alert import RecordingAlert
from tests.support.recording_contract import RecordingContract

LEVEL = 100


@pytest.fixture
async def contract() -> AsyncIterator[RecordingContract]:
    async with RecordingContract() as listening:
        yield listening


@pytest.fixture
async def pooled(
    databases: Databases, alert: RecordingAlert, contract: RecordingContract
) -> AsyncIterator[RunningLedger]:
    """Acme's Ledger with 400 credits."""
    async with running_ledger(
        databases, alert_address=alert.address, contract_address=contract.address
    ) as running:
        await running.sell_assistant()
        await running.sign_acme()
        yield running


async def set_level(ledger: RunningLedger, *, version: int = 1, **more: object) -> int:
    asked: dict[str, object] = {
        "request_id": ledger.request_id(),
        "auto_top_up_id": "atu_1",
        "version": version,
        "is_active": True,
        "customer_id": "cus_acme",
        "credit_type_id": AI,
        "threshold_micros": LEVEL * CREDIT,
    }
    request = peer_pb.SetTopUpLevelRequest(**(asked | more))  # type: ignore[arg-type]
    return (await ledger.peer.SetTopUpLevel(request)).version


async def told(ledger: RunningLedger, contract: RecordingContract) -> list[tuple[int, bool, int, int]]:
    """Return what Contract has heard, all that waits included: version, in alarm, micros, sequence."""
    await ledger.flush()
    return [(one.version, one.in_alarm, one.remaining_micros, one.sequence) for one in contract.heard]


async def test_a_level_is_observed_when_it_is_set_and_when_it_is_crossed(
    pooled: RunningLedger, contract: RecordingContract, alert: RecordingAlert
) -> None:
    assert await set_level(pooled) == 1
    await pooled.debit(0, credits_micros=300 * CREDIT - 1)
    above = await told(pooled, contract)
    await pooled.debit(0, credits_micros=1)
    await pooled.debit(40)

    assert above == [(1, False, 400 * CREDIT, 1)]
    assert await told(pooled, contract) == [*above, (1, True, 100 * CREDIT, 2)]
    assert contract.heard[1] == contract_pb.ReportTopUpLevelRequest(
        request_id=contract.heard[1].request_id,
        auto_top_up_id="atu_1",
        customer_id="cus_acme",
        credit_type_id=AI,
        version=1,
        in_alarm=True,
        remaining_micros=100 * CREDIT,
        sequence=2,
        observe_time=timestamp(JUNE),
    )
    assert alert.heard == []


async def test_a_pool_that_is_still_low_asks_again_at_once_with_the_next_version(
    pooled: RunningLedger, contract: RecordingContract
) -> None:
    await set_level(pooled)
    await pooled.debit(350)

    await set_level(pooled, version=2)
    await set_level(pooled, version=2)
    await set_level(pooled, version=1, threshold_micros=0)

    assert await told(pooled, contract) == [
        (1, False, 400 * CREDIT, 1),
        (1, True, 50 * CREDIT, 2),
        (2, True, 50 * CREDIT, 3),
    ]


async def test_credits_that_come_before_the_next_version_are_observed_with_it(
    pooled: RunningLedger, contract: RecordingContract
) -> None:
    await set_level(pooled)
    await pooled.debit(350)
    await pooled.top_up(1_000)
    await set_level(pooled, version=2)
    await pooled.debit(950)

    assert (await told(pooled, contract))[1:] == [
        (1, True, 50 * CREDIT, 2),
        (1, False, 1_050 * CREDIT, 3),
        (2, False, 1_050 * CREDIT, 4),
        (2, True, 100 * CREDIT, 5),
    ]


async def test_held_credits_remain_until_they_are_captured(
    pooled: RunningLedger, contract: RecordingContract
) -> None:
    await set_level(pooled)
    hold = await pooled.authorize(350)
    held = await told(pooled, contract)

    await pooled.capture(hold.hold_id)

    assert [one[1] for one in held] == [False]
    assert (await told(pooled, contract))[1:] == [(1, True, 50 * CREDIT, 2)]


async def test_a_hundred_debits_at_once_cross_once(
    pooled: RunningLedger, contract: RecordingContract
) -> None:
    await set_level(pooled)

    answers = await asyncio.gather(*(pooled.debit(4) for _ in range(100)))

    assert all(one.decision == pb.DECISION_ALLOWED for one in answers)
    assert (await told(pooled, contract))[1:] == [(1, True, 100 * CREDIT, 2)]


async def test_a_grant_among_many_that_are_not_read_is_observed_exactly(
    pooled: RunningLedger, contract: RecordingContract
) -> None:
    """Issuing a grant reads no others: a level is then observed as a low balance is."""
    await set_level(pooled, threshold_micros=500 * CREDIT)
    grants = [await pooled.top_up(1) for _ in range(101)]

    await pooled.void(grants[0].grant_id)

    assert await told(pooled, contract) == [
        (1, True, 400 * CREDIT, 1),
        (1, False, 501 * CREDIT, 2),
        (1, True, 500 * CREDIT, 3),
    ]


async def test_debits_go_on_while_contract_is_away_and_the_report_waits(
    pooled: RunningLedger, contract: RecordingContract, alert: RecordingAlert
) -> None:
    await set_level(pooled)
    await pooled.watch(LEVEL)
    await contract.until_heard(1)
    await contract.go_away()

    answer = await pooled.debit(350)
    heard = await alert.until_heard(2)
    await contract.come()
    reports = await contract.until_heard(2)

    assert answer.decision == pb.DECISION_ALLOWED
    assert heard[1].in_alarm
    assert [(one.in_alarm, one.remaining_micros) for one in reports[1:]] == [(True, 50 * CREDIT)]


async def test_alert_that_is_away_does_not_delay_contract(
    pooled: RunningLedger, contract: RecordingContract, alert: RecordingAlert
) -> None:
    await set_level(pooled)
    await pooled.watch(LEVEL)
    await alert.until_heard(1)
    await alert.go_away()

    await pooled.debit(350)

    assert (await contract.until_heard(2))[1].in_alarm


async def test_an_ended_level_reports_nothing(pooled: RunningLedger, contract: RecordingContract) -> None:
    await set_level(pooled)
    await set_level(pooled, version=2, is_active=False)

    await pooled.debit(350)

    assert await told(pooled, contract) == [(1, False, 400 * CREDIT, 1)]


async def test_levels_of_unknown_customers_and_malformed_ones_are_refused(pooled: RunningLedger) -> None:
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND"):
        await set_level(pooled, customer_id="cus_nobody")
    with bad_fields(
        "request_id", "auto_top_up_id", "version", "customer_id", "credit_type_id", "threshold_micros"
    ):
        await pooled.peer.SetTopUpLevel(peer_pb.SetTopUpLevelRequest(threshold_micros=-1))
