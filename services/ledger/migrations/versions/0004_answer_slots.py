# SPDX-License-Identifier: Apache-2.0
"""Keep answers by request_id in three slots of 35 days each, emptied in turn.

Why: idempotency keys are kept for 35 days, and were kept forever. A slot is a partition: it is emptied by TRUNCATE,
which costs the same for a row and for a billion. Slots come round, so that no partition is ever missing. How
uniqueness is kept although each slot has its own key: domain/retention.py.
Lock: ACCESS EXCLUSIVE on requests, three times for an instant (nothing is scanned under it), each waited for no
longer than 0.1 s. The index is built and the check is validated beside the writers. Size: the table is read twice and
not rewritten; all of it becomes the slot of the present, where replicas of the previous version, which do not know of
slots, write too (by the default). They should be gone before the slot's 35 days are over. Can be run again at any
point.
"""

from alembic import op
from sqlalchemy import text

from meshkit.migrations import build_index, execute_with_lock_retries

revision = "0004"
down_revision = "0003"

SLOTS = (0, 1, 2)
GENERATION_SECONDS = 35 * 86_400


def upgrade() -> None:
    generation = _generation()
    slot = generation % len(SLOTS)
    if not _has_slots():
        execute_with_lock_retries(
            f"ALTER TABLE ledger.requests ADD COLUMN IF NOT EXISTS slot smallint NOT NULL DEFAULT {slot}"
        )
        build_index(
            "requests_slot_key",
            "ledger.requests (customer_id, request_id, slot)",
            schema="ledger",
            is_unique=True,
        )
        execute_with_lock_retries("ALTER TABLE ledger.requests DROP CONSTRAINT IF EXISTS requests_slot_check")
        execute_with_lock_retries(
            f"ALTER TABLE ledger.requests ADD CONSTRAINT requests_slot_check CHECK (slot = {slot}) NOT VALID"
        )
        with op.get_context().autocommit_block():
            op.execute("ALTER TABLE ledger.requests VALIDATE CONSTRAINT requests_slot_check")
        execute_with_lock_retries(_swap(slot, generation))


def _has_slots() -> bool:
    kind = op.get_bind().execute(
        text("SELECT relkind = 'p' FROM pg_class WHERE oid = 'ledger.requests'::regclass")
    )
    return bool(kind.scalar_one())


def _generation() -> int:
    """Return the generation of the present, or the one that an attempt before this one began with."""
    begun = (
        op.get_bind()
        .execute(
            text(
                "SELECT pg_get_expr(d.adbin, d.adrelid)::int FROM pg_attrdef d JOIN pg_attribute a"
                " ON a.attrelid = d.adrelid AND a.attnum = d.adnum"
                " WHERE a.attrelid = 'ledger.requests'::regclass AND a.attname = 'slot'"
            )
        )
        .scalar_one_or_none()
    )
    present = op.get_bind().execute(
        text(f"SELECT floor(extract(epoch FROM statement_timestamp()) / {GENERATION_SECONDS})::int")
    )
    generation: int = present.scalar_one()
    return (
        generation if begun is None else next(g for g in range(generation, -1, -1) if g % len(SLOTS) == begun)
    )


def _swap(slot: int, generation: int) -> str:
    """One statement: the table becomes a slot of a new one that takes its name."""
    others = "".join(
        f"CREATE TABLE ledger.requests_{other} PARTITION OF ledger.requests FOR VALUES IN ({other});"
        for other in SLOTS
        if other != slot
    )
    return f"""
        DO $$ BEGIN
            ALTER TABLE ledger.requests RENAME TO requests_{slot};
            ALTER TABLE ledger.requests_{slot} DROP CONSTRAINT requests_pkey;
            ALTER TABLE ledger.requests_{slot}
                ADD CONSTRAINT requests_{slot}_pkey PRIMARY KEY USING INDEX requests_slot_key;
            CREATE TABLE ledger.requests (
                LIKE ledger.requests_{slot} INCLUDING DEFAULTS, PRIMARY KEY (customer_id, request_id, slot)
            ) PARTITION BY LIST (slot);
            ALTER TABLE ledger.requests ATTACH PARTITION ledger.requests_{slot} FOR VALUES IN ({slot});
            ALTER TABLE ledger.requests_{slot} DROP CONSTRAINT requests_slot_check;
            {others}
            CREATE TABLE ledger.request_slots (slot smallint PRIMARY KEY, generation bigint NOT NULL);
            INSERT INTO ledger.request_slots (slot, generation)
                SELECT s, CASE WHEN s = {slot} THEN {generation} ELSE 0 END FROM generate_series(0, 2) AS s;
        END $$
    """
