# SPDX-License-Identifier: Apache-2.0
"""Rerate jobs: what was asked for, and how far it is."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from meshkit.page import Page
from meshkit.quantity import INT64_MAX, Credits
from meshkit.requests import check_same_body
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, ProductId
from services.ledger.domain.errors import RerateJobNotFound
from services.ledger.domain.usage.rerate_job import (
    EventPosition,
    JobState,
    RerateCredits,
    RerateJob,
    RerateJobId,
    RerateScope,
    RerateUsage,
)
from services.ledger.store.audit import Audit
from services.ledger.store.connection import Connection, at_most_int64
from services.ledger.store.credits.rows import Row

_JOB_COLUMNS = """
    rerate_job_id, product_id, customer_id, start_time, end_time, reason, actor, state, create_time, finish_time,
    planned_customer_id, is_planned, customers_total, meters_total, meters_done, entries_done,
    events_charged, events_customer_id, events_time, events_transaction_id
"""
_ADD_CREDITS_TO: Final = """
    INSERT INTO ledger.rerate_credits AS c (rerate_job_id, credit_type_id, expected_returned_micros,
        expected_charged_micros, returned_micros, charged_micros)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (rerate_job_id, credit_type_id) DO UPDATE SET
        {added}
"""
_ADD_CREDITS: Final = _ADD_CREDITS_TO.format(
    added=", ".join(
        f"{column} = {at_most_int64(f'c.{column}::numeric + excluded.{column}')}"
        for column in (
            "expected_returned_micros",
            "expected_charged_micros",
            "returned_micros",
            "charged_micros",
        )
    )
)


class RerateJobs:
    """Rerate jobs, in one transaction."""

    def __init__(self, connection: Connection, audit: Audit) -> None:
        self._connection = connection
        self._audit = audit

    async def insert(self, job: RerateJob, command: RerateUsage | None) -> None:
        """Store a new job. command: that asks for it; None: it was not asked for."""
        scope = job.scope
        await self._connection.execute(
            "INSERT INTO ledger.rerate_jobs (rerate_job_id, request_id, body_hash, product_id, customer_id, start_time,"
            " end_time, reason, actor, state, create_time) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            job.job_id,
            command.request_id if command else None,
            command.fingerprint if command else None,
            scope.product_id,
            scope.customer_id,
            scope.start_time,
            scope.end_time,
            job.reason,
            job.actor,
            job.state.value,
            job.create_time,
        )
        if command is not None:
            await self._audit.record({"rerate_job_id": job.job_id, "customer_id": scope.customer_id})

    async def find_asked(self, command: RerateUsage) -> RerateJob | None:
        """Return the job that this request has made; None if it is new. Raises RequestIdReused."""
        row = await self._connection.fetchrow(
            f"SELECT body_hash, {_JOB_COLUMNS} FROM ledger.rerate_jobs WHERE request_id = $1",
            command.request_id,
        )
        if row is None:
            return None
        check_same_body(command, row["body_hash"])
        return (await self._jobs([row]))[0]

    async def get(self, job_id: str) -> RerateJob:
        """Return a job. Raises RerateJobNotFound."""
        row = await self._connection.fetchrow(
            f"SELECT {_JOB_COLUMNS} FROM ledger.rerate_jobs WHERE rerate_job_id = $1", job_id
        )
        if row is None:
            raise RerateJobNotFound(rerate_job_id=job_id)
        return (await self._jobs([row]))[0]

    async def page(self, page: Page) -> Sequence[RerateJob]:
        """Return a page of jobs, newest first, and one more if there is one."""
        rows = await self._connection.fetch(
            f"SELECT {_JOB_COLUMNS} FROM ledger.rerate_jobs WHERE $1::text IS NULL OR rerate_job_id < $1"
            " ORDER BY rerate_job_id DESC LIMIT $2",
            page.after[0] if page.after else None,
            page.size + 1,
        )
        return await self._jobs(rows)

    async def is_any_running(self) -> bool:
        """Whether there is work to do."""
        found: bool = await self._connection.fetchval(
            "SELECT EXISTS (SELECT FROM ledger.rerate_jobs WHERE state = 'RUNNING')"
        )
        return found

    async def lock_next(self) -> RerateJob | None:
        """Lock and return the job in hand, or else the oldest one that is not done; None if all are.

        The one in hand goes on even if another replica, whose clock is behind, has started an older one meanwhile.
        """
        row = await self._connection.fetchrow(
            f"SELECT {_JOB_COLUMNS} FROM ledger.rerate_jobs WHERE state = 'RUNNING'"
            " ORDER BY NOT (is_planned OR planned_customer_id <> ''), create_time, rerate_job_id LIMIT 1 FOR UPDATE"
        )
        return None if row is None else (await self._jobs([row]))[0]

    async def advance(
        self, job_id: RerateJobId, *, meters: int = 0, entries: int = 0, credits: Iterable[RerateCredits] = ()
    ) -> None:
        """Count what a step has done. credits: what it adds."""
        await self._connection.execute(
            "UPDATE ledger.rerate_jobs SET meters_done = meters_done + $2, entries_done = entries_done + $3"
            " WHERE rerate_job_id = $1",
            job_id,
            meters,
            entries,
        )
        await self._connection.executemany(
            _ADD_CREDITS,
            [
                (
                    job_id,
                    one.credit_type_id,
                    min(one.expected_returned.micros, INT64_MAX),
                    min(one.expected_charged.micros, INT64_MAX),
                    min(one.returned.micros, INT64_MAX),
                    min(one.charged.micros, INT64_MAX),
                )
                for one in credits
            ],
        )

    async def count_meters(
        self, job_id: RerateJobId, *, customers: int, meters: int, up_to: CustomerId | None
    ) -> None:
        """Count meters to do. up_to: the last customer whose meters are counted; None: all are."""
        await self._connection.execute(
            "UPDATE ledger.rerate_jobs SET customers_total = customers_total + $2, meters_total = meters_total + $3,"
            " planned_customer_id = coalesce($4::text, planned_customer_id), is_planned = $4::text IS NULL"
            " WHERE rerate_job_id = $1",
            job_id,
            customers,
            meters,
            up_to,
        )

    async def charge_events(self, job_id: RerateJobId, position: EventPosition, *, events: int) -> None:
        """Count events that were charged, up to a position."""
        await self._connection.execute(
            "UPDATE ledger.rerate_jobs SET events_charged = events_charged + $2, events_customer_id = $3,"
            " events_time = $4, events_transaction_id = $5 WHERE rerate_job_id = $1",
            job_id,
            events,
            position.customer_id,
            position.time,
            position.transaction_id,
        )

    async def finish(self, job_id: RerateJobId, *, at: datetime) -> None:
        await self._connection.execute(
            "UPDATE ledger.rerate_jobs SET state = $2, finish_time = $3 WHERE rerate_job_id = $1",
            job_id,
            JobState.DONE.value,
            at,
        )

    async def _jobs(self, rows: Sequence[Row]) -> list[RerateJob]:
        credits: dict[str, list[RerateCredits]] = defaultdict(list)
        for row in await self._connection.fetch(
            "SELECT rerate_job_id, credit_type_id, expected_returned_micros, expected_charged_micros, returned_micros,"
            " charged_micros FROM ledger.rerate_credits WHERE rerate_job_id = ANY ($1) ORDER BY credit_type_id",
            [row["rerate_job_id"] for row in rows],
        ):
            credits[row["rerate_job_id"]].append(_credits_from_row(row))
        return [_job_from_row(row, tuple(credits[row["rerate_job_id"]])) for row in rows]


def _job_from_row(row: Row, credits: tuple[RerateCredits, ...]) -> RerateJob:
    return RerateJob(
        job_id=RerateJobId(row["rerate_job_id"]),
        scope=RerateScope(
            product_id=ProductId(row["product_id"]),
            customer_id=row["customer_id"],
            start_time=row["start_time"],
            end_time=row["end_time"],
        ),
        reason=row["reason"],
        actor=row["actor"],
        state=JobState(row["state"]),
        create_time=row["create_time"],
        finish_time=row["finish_time"],
        planned_customer_id=row["planned_customer_id"],
        is_planned=row["is_planned"],
        customers_total=row["customers_total"],
        meters_total=row["meters_total"],
        meters_done=row["meters_done"],
        entries_done=row["entries_done"],
        events_charged=row["events_charged"],
        events_position=EventPosition(
            row["events_customer_id"], row["events_time"], row["events_transaction_id"]
        ),
        credits=credits,
    )


def _credits_from_row(row: Row) -> RerateCredits:
    return RerateCredits(
        credit_type_id=CreditTypeId(row["credit_type_id"]),
        expected_returned=Credits(row["expected_returned_micros"]),
        expected_charged=Credits(row["expected_charged_micros"]),
        returned=Credits(row["returned_micros"]),
        charged=Credits(row["charged_micros"]),
    )
