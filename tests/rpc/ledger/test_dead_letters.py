# SPDX-License-Identifier: Apache-2.0
"""DeadLetterService: a crossing that Alert rejects for good stops blocking its customer, and waits for an operator."""

from collections.abc import AsyncIterator
from importlib.metadata import version
from typing import TYPE_CHECKING, TypeAlias

import pytest
from grpc import StatusCode

from meshkit.errors import FailedPrecondition
from meshkit.rpc.client import open_channel
from purser.outbox.v1 import dead_letters_pb2 as pb
from purser.outbox.v1.dead_letters_pb2_grpc import DeadLetterServiceStub
from purser.status.v1.status_pb2 import GetStatusRequest
from purser.status.v1.status_pb2_grpc import StatusServiceStub
from tests.support.alert import running_alert
from tests.support.catalog import running_catalog
from tests.support.contract import running_contract
from tests.support.faults import bad_fields, fault
from tests.support.ledger import RunningLedger
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases
from tests.support.recording_alert import RecordingAlert

if TYPE_CHECKING:
    # The stub of an aio channel has a separate type, which exists only in the .pyi.
    from purser.outbox.v1.dead_letters_pb2_grpc import DeadLetterServiceAsyncStub

Stub: TypeAlias = "DeadLetterServiceAsyncStub"


class NotWanted(FailedPrecondition):
    reason = "NOT_WANTED"

    def __init__(self) -> None:
        super().__init__("no crossing is wanted")


@pytest.fixture
async def letters(watched: RunningLedger) -> AsyncIterator[Stub]:
    async with open_channel(watched.address) as channel:
        yield DeadLetterServiceStub(channel)


async def kill_crossing(ledger: RunningLedger, alert: RecordingAlert, sql: Sql) -> None:
    """Have Alert reject a crossing, and pretend that it has done so for an hour."""
    alert.fault = NotWanted()
    await ledger.watch(100)
    await ledger.flush()
    await sql.execute(
        "UPDATE ledger.outbox SET rejections = 100, reject_time = now() - interval '1 hour'"
        " WHERE sent_time IS NULL"
    )
    await ledger.flush()
    alert.fault = None


async def test_it_is_listed_and_the_next_crossing_is_told(
    watched: RunningLedger, alert: RecordingAlert, sql: Sql, letters: Stub
) -> None:
    await kill_crossing(watched, alert, sql)

    await watched.debit(300)
    await watched.flush()
    listed = await letters.ListDeadLetters(pb.ListDeadLettersRequest())

    (letter,) = listed.dead_letters
    assert (listed.total, letter.key, letter.kind) == (1, "cus_acme", "CROSSING")
    assert letter.last_error == "NOT_WANTED: no crossing is wanted"
    assert [one.sequence for one in alert.heard] == [2]


async def test_a_retry_is_told_and_a_later_drop_is_refused(
    watched: RunningLedger, alert: RecordingAlert, sql: Sql, letters: Stub
) -> None:
    await kill_crossing(watched, alert, sql)
    (letter,) = (await letters.ListDeadLetters(pb.ListDeadLettersRequest())).dead_letters
    retry = pb.RetryDeadLetterRequest(request_id="r", notice_id=letter.notice_id)

    alert.fault = NotWanted()
    with fault(StatusCode.FAILED_PRECONDITION, "DEAD_LETTER_REJECTED"):
        await letters.RetryDeadLetter(retry)
    alert.fault = None
    first, again = [await letters.RetryDeadLetter(retry) for _ in range(2)]

    assert first == again
    assert [one.request_id for one in alert.heard] == [letter.notice_id]
    assert not (await letters.ListDeadLetters(pb.ListDeadLettersRequest())).dead_letters
    with fault(StatusCode.FAILED_PRECONDITION, "DEAD_LETTER_ENDED", end="delivered"):
        await letters.DropDeadLetter(
            pb.DropDeadLetterRequest(request_id="d", notice_id=letter.notice_id, reason="r", actor="a")
        )


async def test_a_retry_while_the_peer_is_away_changes_nothing(
    watched: RunningLedger, alert: RecordingAlert, sql: Sql, letters: Stub
) -> None:
    await kill_crossing(watched, alert, sql)
    before = await letters.ListDeadLetters(pb.ListDeadLettersRequest())
    await alert.go_away()

    with fault(StatusCode.UNAVAILABLE, "PEER_UNAVAILABLE"):
        await letters.RetryDeadLetter(
            pb.RetryDeadLetterRequest(request_id="r", notice_id=before.dead_letters[0].notice_id)
        )

    assert await letters.ListDeadLetters(pb.ListDeadLettersRequest()) == before


async def test_a_dropped_one_is_never_told(
    watched: RunningLedger, alert: RecordingAlert, sql: Sql, letters: Stub
) -> None:
    await kill_crossing(watched, alert, sql)
    (letter,) = (await letters.ListDeadLetters(pb.ListDeadLettersRequest())).dead_letters
    drop = pb.DropDeadLetterRequest(
        request_id="d", notice_id=letter.notice_id, reason="the alert is gone", actor="ops@seatsco.example"
    )

    dropped = await letters.DropDeadLetter(drop)
    ended = await letters.ListDeadLetters(pb.ListDeadLettersRequest(include_ended=True))

    assert (dropped.dead_letter.drop_reason, dropped.dead_letter.drop_actor) == (drop.reason, drop.actor)
    assert list(ended.dead_letters) == [dropped.dead_letter]
    assert alert.heard == []
    with fault(StatusCode.FAILED_PRECONDITION, "DEAD_LETTER_ENDED", end="dropped"):
        await letters.RetryDeadLetter(pb.RetryDeadLetterRequest(request_id="r", notice_id=letter.notice_id))


async def test_bad_fields_are_named_and_unknown_ones_not_found(letters: Stub) -> None:
    with bad_fields("request_id", "notice_id"):
        await letters.RetryDeadLetter(pb.RetryDeadLetterRequest())
    with bad_fields("request_id", "notice_id", "reason", "actor"):
        await letters.DropDeadLetter(pb.DropDeadLetterRequest())
    with fault(StatusCode.NOT_FOUND, "DEAD_LETTER_NOT_FOUND"):
        await letters.RetryDeadLetter(pb.RetryDeadLetterRequest(request_id="r", notice_id="ntc_unknown"))


@pytest.mark.parametrize("running", [running_alert, running_catalog, running_contract])
async def test_every_service_offers_it(databases: Databases, running: object) -> None:
    async with running(databases) as service:  # type: ignore[operator]
        async with open_channel(f"127.0.0.1:{service.app.port}") as channel:
            listed = await DeadLetterServiceStub(channel).ListDeadLetters(pb.ListDeadLettersRequest())

    assert listed.total == 0


async def test_the_status_counts_what_waits_in_the_outbox_and_the_dead_letters(
    watched: RunningLedger, alert: RecordingAlert, sql: Sql
) -> None:
    async with open_channel(watched.address) as channel:
        status = StatusServiceStub(channel)
        calm = await status.GetStatus(GetStatusRequest())
        await kill_crossing(watched, alert, sql)
        dead = await status.GetStatus(GetStatusRequest())
        await alert.go_away()
        await watched.debit(300)
        waiting = await status.GetStatus(GetStatusRequest())

    assert (calm.pending_notices, calm.dead_letters) == (0, 0)
    assert not calm.HasField("oldest_pending_time")
    assert calm.version == version("purser")
    assert (dead.pending_notices, dead.dead_letters) == (0, 1)
    assert (waiting.pending_notices, waiting.dead_letters) == (1, 1)
    assert calm.start_time == waiting.start_time
    assert calm.start_time.ToDatetime() < waiting.oldest_pending_time.ToDatetime()
