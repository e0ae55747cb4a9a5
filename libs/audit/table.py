# SPDX-License-Identifier: Apache-2.0
"""The table of a service's records. Rows are inserted and read, and nothing else (the service's privileges.py).

A migration creates the table:

    CREATE TABLE <schema>.audit_events (
        audit_event_id text COLLATE "C" PRIMARY KEY, event_time timestamptz NOT NULL, outcome text NOT NULL,
        subject text COLLATE "C" NOT NULL, roles text[] NOT NULL, address text NOT NULL, rpc text COLLATE "C" NOT NULL,
        request_id text NOT NULL, target_ids text[] NOT NULL, change text NOT NULL, reason text NOT NULL,
        left_out bigint NOT NULL)
    CREATE INDEX audit_events_time_idx ON <schema>.audit_events (event_time, audit_event_id)
    CREATE INDEX audit_events_subject_idx ON <schema>.audit_events (subject, event_time, audit_event_id)
    CREATE INDEX audit_events_rpc_idx ON <schema>.audit_events (rpc, event_time, audit_event_id)
    CREATE INDEX audit_events_outcome_idx ON <schema>.audit_events (outcome, event_time, audit_event_id)
    CREATE INDEX audit_events_target_ids_idx ON <schema>.audit_events USING gin (target_ids)
"""

from dataclasses import asdict
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY

from audit.event import AuditEvent


def audit_events_table(metadata: MetaData, schema: str) -> Table:
    """Return the table."""
    return Table(
        "audit_events",
        metadata,
        Column("audit_event_id", Text, primary_key=True),
        Column("event_time", DateTime(timezone=True), nullable=False),
        Column("outcome", Text, nullable=False),
        Column("subject", Text, nullable=False),
        Column("roles", ARRAY(Text), nullable=False),
        Column("address", Text, nullable=False),
        Column("rpc", Text, nullable=False),
        Column("request_id", Text, nullable=False),
        Column("target_ids", ARRAY(Text), nullable=False),
        Column("change", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("left_out", BigInteger, nullable=False),
        schema=schema,
    )


def row_of(event: AuditEvent) -> dict[str, Any]:
    """Return the row of a record, by column."""
    lists = {"roles": list(event.roles), "target_ids": list(event.target_ids)}
    return {**asdict(event), "outcome": event.outcome.value, **lists}


def insert_sql(table: Table) -> str:
    """Return the statement that inserts the values of `row_of`, in their order, with asyncpg's numbered parameters."""
    names = table.columns.keys()
    places = ", ".join(f"${n}" for n in range(1, len(names) + 1))
    return f"INSERT INTO {table.fullname} ({', '.join(names)}) VALUES ({places})"
