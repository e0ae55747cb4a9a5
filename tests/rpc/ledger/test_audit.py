# SPDX-License-Identifier: Apache-2.0
"""What the Ledger records of notices, and of its dead letters; its other writes: tests/integration/test_audit.py."""

from grpc import StatusCode

from meshkit.rpc.client import open_channel
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from purser.outbox.v1 import dead_letters_pb2 as pb
from purser.outbox.v1.dead_letters_pb2_grpc import DeadLetterServiceStub
from tests.rpc.ledger.test_dead_letters import kill_crossing
from tests.support.audit import Records
from tests.support.faults import fault
from tests.support.ledger import JUNE, RunningLedger
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases
from tests.support.recording_alert import RecordingAlert


async def test_a_seat_change_is_recorded_once_however_often_it_is_told(
    ledger: RunningLedger, databases: Databases
) -> None:
    for _ in range(2):
        await ledger.change_seats(1, JUNE, sequence=1)

    [row] = await Records(databases, "ledger").of("ApplySeatChange")
    assert row["outcome"] == "DONE"
    assert "cus_acme" in row["target_ids"]


async def test_a_void_of_a_seat_change_is_recorded_once_however_often_it_is_told(
    ledger: RunningLedger, databases: Databases
) -> None:
    await ledger.change_seats(1, JUNE, sequence=1)

    for number in range(2):
        await ledger.peer.VoidSeatChange(
            peer_pb.VoidSeatChangeRequest(
                request_id=f"ntc_{number}",
                customer_id="cus_acme",
                subscription_id="sub_1",
                seat_change_id="chg_1",
            )
        )

    [row] = await Records(databases, "ledger").of("VoidSeatChange")
    assert row["outcome"] == "DONE"
    assert {"cus_acme", "chg_1"} <= set(row["target_ids"])


async def test_a_notice_that_changes_nothing_is_not_recorded(
    ledger: RunningLedger, databases: Databases
) -> None:
    records = Records(databases, "ledger")
    rpcs = ("ApplyMetrics", "ApplyRateCard", "ApplyCustomer", "ApplyContract", "WatchThreshold")
    await ledger.watch(100)
    before = [await records.of(rpc) for rpc in rpcs]

    await ledger.sell_assistant()
    await ledger.sign_acme()
    await ledger.watch(100)

    assert [await records.of(rpc) for rpc in rpcs] == before
    assert all(before)


async def test_an_operator_who_ends_a_dead_letter_is_recorded_once(
    watched: RunningLedger, alert: RecordingAlert, sql: Sql, databases: Databases
) -> None:
    await kill_crossing(watched, alert, sql)
    async with open_channel(watched.address) as channel:
        letters = DeadLetterServiceStub(channel)
        (letter,) = (await letters.ListDeadLetters(pb.ListDeadLettersRequest())).dead_letters
        for _ in range(2):
            await letters.RetryDeadLetter(
                pb.RetryDeadLetterRequest(request_id="r", notice_id=letter.notice_id)
            )
        with fault(StatusCode.FAILED_PRECONDITION, "DEAD_LETTER_ENDED", end="delivered"):
            await letters.DropDeadLetter(
                pb.DropDeadLetterRequest(request_id="d", notice_id=letter.notice_id, reason="r", actor="a")
            )

    records = Records(databases, "ledger")
    [retried] = await records.of("RetryDeadLetter")
    [refused] = await records.of("DropDeadLetter")
    assert (retried["outcome"], retried["target_ids"]) == ("DONE", [letter.notice_id])
    assert (refused["outcome"], refused["reason"]) == ("REFUSED", "DEAD_LETTER_ENDED")
