# SPDX-License-Identifier: Apache-2.0
"""Rerate jobs, and how far the entries of a meter differ from the rate that costs it while a job corrects them.

Why: usage that was charged before its rate was corrected is charged anew. Lock: ACCESS EXCLUSIVE on meters for an
instant. Size: no row is touched. The previous version does not know `unrated_micros`: where there are meters, jobs
begin ten minutes after this migration, when an upgrade is over.
"""

from alembic import op

from meshkit.migrations import execute_with_lock_retries

revision = "0022"
down_revision = "0021"

METERS = "ALTER TABLE ledger.meters ADD COLUMN IF NOT EXISTS unrated_micros bigint NOT NULL DEFAULT 0"
# Jobs are few: they need no index by state. planned_customer_id: the meters of customers up to this one are in
# rerate_meters.
JOBS = """
    CREATE TABLE ledger.rerate_jobs (
        rerate_job_id text COLLATE "C" PRIMARY KEY,
        request_id text COLLATE "C" UNIQUE,
        body_hash bytea,
        product_id text COLLATE "C" NOT NULL,
        customer_id text COLLATE "C",
        start_time timestamptz NOT NULL,
        end_time timestamptz NOT NULL CHECK (start_time < end_time),
        reason text NOT NULL,
        actor text NOT NULL,
        state text NOT NULL CHECK (state IN ('RUNNING', 'DONE')),
        create_time timestamptz NOT NULL,
        finish_time timestamptz,
        planned_customer_id text COLLATE "C" NOT NULL DEFAULT '',
        is_planned boolean NOT NULL DEFAULT false,
        customers_total bigint NOT NULL DEFAULT 0,
        meters_total bigint NOT NULL DEFAULT 0,
        meters_done bigint NOT NULL DEFAULT 0 CHECK (meters_done <= meters_total),
        entries_done bigint NOT NULL DEFAULT 0,
        CHECK ((request_id IS NULL) = (body_hash IS NULL)),
        CHECK ((state = 'DONE') = (finish_time IS NOT NULL))
    )
"""
CREDITS = """
    CREATE TABLE ledger.rerate_credits (
        rerate_job_id text COLLATE "C" NOT NULL,
        credit_type_id text COLLATE "C" NOT NULL,
        expected_returned_micros bigint NOT NULL DEFAULT 0 CHECK (expected_returned_micros >= 0),
        expected_charged_micros bigint NOT NULL DEFAULT 0 CHECK (expected_charged_micros >= 0),
        returned_micros bigint NOT NULL DEFAULT 0 CHECK (returned_micros >= 0),
        charged_micros bigint NOT NULL DEFAULT 0 CHECK (charged_micros >= 0),
        PRIMARY KEY (rerate_job_id, credit_type_id)
    )
"""
# The meters that the job that is worked on has still to do. until_sequence NULL: the meter has not got its new rate.
METERS_TO_DO = """
    CREATE TABLE ledger.rerate_meters (
        customer_id text COLLATE "C" NOT NULL,
        credit_type_id text COLLATE "C" NOT NULL,
        root_rate_id text COLLATE "C" NOT NULL,
        period_start timestamptz NOT NULL,
        rerate_job_id text COLLATE "C" NOT NULL,
        until_sequence bigint,
        total_micros bigint NOT NULL DEFAULT 0 CHECK (total_micros >= 0),
        done_sequence bigint NOT NULL DEFAULT 0,
        position_micros bigint NOT NULL DEFAULT 0 CHECK (position_micros >= 0),
        PRIMARY KEY (customer_id, credit_type_id, root_rate_id, period_start)
    )
"""
# A migration has no clock but the database's.
WAITS_FOR_AN_UPGRADE = """
    INSERT INTO ledger.chores (chore, due_time)
    SELECT 'rerate', transaction_timestamp() + interval '10 minutes' WHERE EXISTS (SELECT FROM ledger.meters)
"""


def upgrade() -> None:
    execute_with_lock_retries(METERS)
    for statement in (JOBS, CREDITS, METERS_TO_DO, WAITS_FOR_AN_UPGRADE):
        op.execute(statement)
