# SPDX-License-Identifier: Apache-2.0
"""Named seats: slots with seat-scoped credits, and who occupies them over time.

Why: seat-scoped credits belong to slots, which seat ids occupy. Lock: ACCESS EXCLUSIVE on pools, subscriptions,
seat_changes, grant_schedules and grants, for an instant each; the index of open grants is replaced beside the writers.
Size: no row is touched; the new index reads grants once. The new check is NOT VALID: existing rows satisfied a stricter
one. The previous version would draw the grants of slots as shared ones: sign contracts with named seats when all
replicas are new.
"""

from alembic import op

from meshkit.migrations import build_index, execute_with_lock_retries

revision = "0033"
down_revision = "0032"

POOLS = "ALTER TABLE ledger.pools ADD COLUMN IF NOT EXISTS has_seats boolean NOT NULL DEFAULT false"
SUBSCRIPTIONS = """
    ALTER TABLE ledger.subscriptions
        ADD COLUMN IF NOT EXISTS seat_group_key text,
        ADD COLUMN IF NOT EXISTS shared_pool_access text NOT NULL DEFAULT 'NOBODY',
        ADD COLUMN IF NOT EXISTS shared_pool_seat_ids text[] NOT NULL DEFAULT '{}'
"""
CHANGES_SOMETHING = """
    CASE WHEN new_quantity IS NULL
        THEN quantity_delta <> 0 OR num_nonnulls(assign_seat_ids, unassign_seat_ids, from_seat_ids) > 0
        ELSE new_quantity >= 0
    END
"""
# The ids of a transfer are at the same place of both arrays.
SEAT_CHANGES = f"""
    ALTER TABLE ledger.seat_changes
        ADD COLUMN IF NOT EXISTS assign_seat_ids text[],
        ADD COLUMN IF NOT EXISTS unassign_seat_ids text[],
        ADD COLUMN IF NOT EXISTS from_seat_ids text[],
        ADD COLUMN IF NOT EXISTS to_seat_ids text[],
        DROP CONSTRAINT IF EXISTS seat_changes_changes_something,
        ADD CONSTRAINT seat_changes_changes_something CHECK ({CHANGES_SOMETHING}) NOT VALID
"""
SCHEDULES = (
    "ALTER TABLE ledger.grant_schedules ADD COLUMN IF NOT EXISTS allocation text NOT NULL DEFAULT 'POOLED'"
)
GRANTS = 'ALTER TABLE ledger.grants ADD COLUMN IF NOT EXISTS slot_id text COLLATE "C"'
# Slots of a subscription that a change opened or ended: from the first to the last one.
SLOT_TURNS = """
    CREATE TABLE IF NOT EXISTS ledger.slot_turns (
        customer_id text COLLATE "C" NOT NULL,
        subscription_id text COLLATE "C" NOT NULL,
        seat_change_id text COLLATE "C" NOT NULL,
        first_slot bigint NOT NULL CHECK (first_slot >= 1),
        last_slot bigint NOT NULL CHECK (last_slot >= first_slot),
        opens boolean NOT NULL,
        PRIMARY KEY (customer_id, subscription_id, seat_change_id, first_slot),
        FOREIGN KEY (customer_id, subscription_id) REFERENCES ledger.subscriptions
    )
"""
ASSIGNMENTS = """
    CREATE TABLE IF NOT EXISTS ledger.seat_assignments (
        customer_id text COLLATE "C" NOT NULL,
        subscription_id text COLLATE "C" NOT NULL,
        seat_id text COLLATE "C" NOT NULL,
        start_time timestamptz NOT NULL,
        end_time timestamptz CHECK (end_time > start_time),
        slot bigint NOT NULL CHECK (slot >= 1),
        PRIMARY KEY (customer_id, subscription_id, seat_id, start_time),
        FOREIGN KEY (customer_id, subscription_id) REFERENCES ledger.subscriptions
    )
"""
# Slots that were read at least once. next_indices: of each schedule, the next period that it grants to the slot.
SLOTS = """
    CREATE TABLE IF NOT EXISTS ledger.slots (
        customer_id text COLLATE "C" NOT NULL,
        credit_type_id text COLLATE "C" NOT NULL,
        subscription_id text COLLATE "C" NOT NULL,
        slot bigint NOT NULL CHECK (slot >= 1),
        next_due_time timestamptz,
        schedule_ids text[] NOT NULL,
        next_indices bigint[] NOT NULL,
        PRIMARY KEY (customer_id, credit_type_id, subscription_id, slot),
        FOREIGN KEY (customer_id, credit_type_id) REFERENCES ledger.pools
    )
"""


def upgrade() -> None:
    for statement in (POOLS, SUBSCRIPTIONS, SEAT_CHANGES, SCHEDULES, GRANTS):
        execute_with_lock_retries(statement)
    for table in (SLOT_TURNS, ASSIGNMENTS, SLOTS):
        op.execute(table)
    build_index("slots_due_idx", "ledger.slots (next_due_time)", schema="ledger")
    # It replaces grants_open_idx, which reads the grants of all slots where only shared ones are asked for.
    build_index(
        "grants_open_by_slot_idx",
        "ledger.grants (customer_id, credit_type_id, slot_id) WHERE NOT is_closed OR held_micros > 0",
        schema="ledger",
    )
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ledger.grants_open_idx")
