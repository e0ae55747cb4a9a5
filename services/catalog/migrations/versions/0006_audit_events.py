# SPDX-License-Identifier: Apache-2.0
"""Records of who changed what.

Lock: none; the table is new. A replica of the previous version writes no records.
"""

from alembic import op

from meshkit.migrations import build_index

revision = "0006"
down_revision = "0005"

# Repeatable, as build_index requires.
AUDIT_EVENTS = """
    CREATE TABLE IF NOT EXISTS catalog.audit_events (
        audit_event_id text COLLATE "C" PRIMARY KEY,
        event_time timestamptz NOT NULL,
        outcome text NOT NULL CHECK (outcome IN ('DONE', 'REFUSED')),
        subject text COLLATE "C" NOT NULL,
        roles text[] NOT NULL,
        address text NOT NULL,
        rpc text COLLATE "C" NOT NULL,
        request_id text NOT NULL,
        target_ids text[] NOT NULL,
        change text NOT NULL,
        reason text NOT NULL,
        left_out bigint NOT NULL
    )
"""
INDEXES = {
    "audit_events_time_idx": "(event_time, audit_event_id)",
    "audit_events_subject_idx": "(subject, event_time, audit_event_id)",
    "audit_events_rpc_idx": "(rpc, event_time, audit_event_id)",
    "audit_events_outcome_idx": "(outcome, event_time, audit_event_id)",
    "audit_events_target_ids_idx": "USING gin (target_ids)",
}


def upgrade() -> None:
    op.execute(AUDIT_EVENTS)
    for name, columns in INDEXES.items():
        build_index(name, f"catalog.audit_events {columns}", schema="catalog")
