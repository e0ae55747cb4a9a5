# SPDX-License-Identifier: Apache-2.0
"""A mistyped price is corrected in the Catalog, and what it cost comes back in the Ledger, even if that is killed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.local.database import SERVICES
from deploy.local.seatsco import ASSISTANT, EVENT_TYPES
from meshkit.quantity import MICROS
from meshkit.rpc.fields import timestamp
from purser.alert.v1 import alert_pb2 as alert
from purser.catalog.v1 import catalog_pb2 as catalog
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as ledger
from purser.ledger.v1 import usage_pb2 as usage
from tests.support.ledger import JULY
from tests.support.mesh import JUNE, Acme, SwitchedMesh, acme_at, process_mesh, until
from tests.support.postgres import Databases

EVENTS_PER_CALL = 1_000


@asynccontextmanager
async def acme_on_a_mesh(databases: Databases) -> AsyncIterator[Acme]:
    async with SwitchedMesh(databases) as mesh:
        await mesh.start()
        async with acme_at(mesh.addresses) as acme:
            yield acme


async def report(acme: Acme, *units: str) -> None:
    """Record events of AI Assistant by user_1234."""
    events = [
        usage.UsageEvent(
            transaction_id=f"tx-{number}",
            customer="acme",
            event_type=EVENT_TYPES[ASSISTANT],
            timestamp=timestamp(JUNE),
            properties={"units": one, "user_id": "user_1234"},
        )
        for number, one in enumerate(units)
    ]
    for first in range(0, len(events), EVENTS_PER_CALL):
        answer = await acme.stubs.usage.RecordUsage(
            usage.RecordUsageRequest(events=events[first : first + EVENTS_PER_CALL]), timeout=60
        )
        assert {one.event_status for one in answer.results} == {usage.EVENT_STATUS_ACCEPTED}


async def correct_price(acme: Acme, credits: int) -> None:
    """Correct the price of AI Assistant, and wait until the Ledger has it."""
    product_id = acme.offer.usage[ASSISTANT]
    listed = await acme.stubs.catalog.ListRates(
        catalog.ListRatesRequest(rate_card_id=acme.offer.rate_card, product_id=product_id)
    )
    await acme.stubs.catalog.CorrectRate(
        catalog.CorrectRateRequest(
            request_id=acme.request_id(), rate_id=listed.rates[0].rate_id, price_micros=credits * MICROS
        )
    )
    await until(lambda: rerate(acme, is_preview=True), lambda job: job.meters_total == 1)


async def rerate(acme: Acme, *, is_preview: bool = False) -> usage.RerateJob:
    answer = await acme.stubs.usage.RerateUsage(
        usage.RerateUsageRequest(
            request_id=acme.request_id(),
            product_id=acme.offer.usage[ASSISTANT],
            start_time=timestamp(JUNE),
            end_time=timestamp(JULY),
            reason="mistyped",
            actor="ops@seatsco.example",
            is_preview=is_preview,
        )
    )
    return answer.job


async def job_of(acme: Acme, job: usage.RerateJob) -> usage.RerateJob:
    asked = usage.GetRerateJobRequest(rerate_job_id=job.rerate_job_id)
    return (await acme.stubs.usage.GetRerateJob(asked)).job


def is_done(job: usage.RerateJob) -> bool:
    return job.state == usage.RERATE_JOB_STATE_DONE


async def test_a_corrected_price_returns_credits_to_the_pool_and_ends_the_alarm(
    databases: Databases,
) -> None:
    async with acme_on_a_mesh(databases) as acme:
        watched = await acme.warn_at(20)
        await report(acme, "20", "5")
        hold = await acme.authorize(7)
        await acme.stubs.gate.Capture(
            ledger.CaptureRequest(request_id=acme.request_id(), customer="acme", hold_id=hold.hold_id)
        )
        assert await acme.available() == 16 * MICROS
        await until(lambda: acme.state_of(watched), lambda state: state == alert.ALERT_STATE_IN_ALARM)

        await correct_price(acme, 6)
        preview = await rerate(acme, is_preview=True)
        job = await rerate(acme)
        done = await until(lambda: job_of(acme, job), is_done)

        (expected,), (credits,) = preview.credits, done.credits
        assert expected.expected_returned_micros == credits.returned_micros == 192 * MICROS
        assert (done.meters_total, done.meters_done, done.entries_done) == (1, 1, 3)
        assert await acme.available() == 208 * MICROS
        assert sum(await acme.entries(admin.ENTRY_KIND_CORRECTION)) == 192 * MICROS
        await until(lambda: acme.state_of(watched), lambda state: state == alert.ALERT_STATE_OK)
        await acme.assert_adds_up()


async def test_a_job_of_a_ledger_that_is_killed_goes_on_and_corrects_each_event_once(
    databases: Databases, tmp_path: Path
) -> None:
    count = 4_000
    async with SwitchedMesh(databases) as others:
        processes = process_mesh(databases, tmp_path, addresses=others.addresses)
        try:
            await processes.start("ledger")
            await others.start(*(service for service in SERVICES if service != "ledger"))
            async with acme_at(others.addresses) as acme:
                await report(acme, *["0.005"] * count)
                await correct_price(acme, 6)
                job = await rerate(acme)

                await until(lambda: job_of(acme, job), lambda one: one.entries_done > 0)
                await processes.kill("ledger")
                await processes.start("ledger")
                resumed = await until(lambda: job_of(acme, job), lambda _: True)
                await until(lambda: job_of(acme, job), is_done)

                assert 0 < resumed.entries_done < count
                assert await acme.available() == (400 - 120) * MICROS
                done = await job_of(acme, job)
                assert (done.entries_done, done.credits[0].returned_micros) == (count, 120 * MICROS)
                await acme.assert_adds_up()
        finally:
            await processes.stop()
