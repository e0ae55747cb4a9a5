# SPDX-License-Identifier: Apache-2.0
"""Named seats: which seat ids have a seat, who may draw shared credits, and schedules of credits per seat.

A replica of the previous version takes named seats for counted ones, and so could remove seats that are assigned: name
seats when all replicas are new.
Lock: ACCESS EXCLUSIVE on subscriptions, grant_schedules and seat_changes, for an instant each: constant defaults
rewrite no rows, and the new checks are NOT VALID, because existing rows satisfy them.
"""

from alembic import op

from meshkit.migrations import execute_with_lock_retries

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    execute_with_lock_retries("""
        ALTER TABLE contract.subscriptions
            ADD COLUMN IF NOT EXISTS seat_group_key text,
            ADD COLUMN IF NOT EXISTS shared_pool_access text NOT NULL DEFAULT 'NOBODY',
            ADD COLUMN IF NOT EXISTS shared_pool_seat_ids text[] NOT NULL DEFAULT '{}',
            DROP CONSTRAINT IF EXISTS subscriptions_shared_pool_check,
            ADD CONSTRAINT subscriptions_shared_pool_check CHECK (
                shared_pool_access IN ('NOBODY', 'EVERYONE', 'LISTED')
                AND (seat_group_key IS NOT NULL OR shared_pool_access = 'NOBODY')
                AND (shared_pool_access = 'LISTED' OR cardinality(shared_pool_seat_ids) = 0)
            ) NOT VALID
    """)
    execute_with_lock_retries("""
        ALTER TABLE contract.grant_schedules
            ADD COLUMN IF NOT EXISTS allocation text NOT NULL DEFAULT 'POOLED',
            DROP CONSTRAINT IF EXISTS grant_schedules_allocation_check,
            ADD CONSTRAINT grant_schedules_allocation_check CHECK (
                allocation = 'POOLED' OR (allocation = 'INDIVIDUAL' AND subscription_id IS NOT NULL)
            ) NOT VALID
    """)
    execute_with_lock_retries("""
        ALTER TABLE contract.seat_changes
            ADD COLUMN IF NOT EXISTS assigned_delta bigint NOT NULL DEFAULT 0
    """)
    # Repeatable, as execute_with_lock_retries requires. The index serves ListSeats, and the check of a change's ids.
    op.execute("""
        CREATE TABLE IF NOT EXISTS contract.seat_steps (
            subscription_id text COLLATE "C",
            sequence bigint,
            position integer NOT NULL CHECK (position >= 0),
            seat_id text COLLATE "C",
            effective_time timestamptz NOT NULL,
            is_assigned boolean NOT NULL,
            other_seat_id text,
            PRIMARY KEY (subscription_id, sequence, seat_id),
            FOREIGN KEY (subscription_id, sequence) REFERENCES contract.seat_changes (subscription_id, sequence),
            CHECK (seat_id <> other_seat_id)
        )
    """)
    op.execute("""
        CREATE INDEX IF NOT EXISTS seat_steps_seat_idx
        ON contract.seat_steps (subscription_id, seat_id, effective_time DESC, sequence DESC)
    """)
