# SPDX-License-Identifier: Apache-2.0
"""The tables that meshkit and the sandbox work on; the rest of the schema is spoken to in plain SQL by the store."""

from sqlalchemy import MetaData

from audit import audit_events_table
from meshkit.outbox import dead_letters_table, outbox_table
from sandbox import sandbox_clock_table

SCHEMA = "ledger"

metadata = MetaData()
outbox = outbox_table(metadata, SCHEMA, key="customer_id")
dead_letters = dead_letters_table(metadata, SCHEMA, key="customer_id")
audit_events = audit_events_table(metadata, SCHEMA)
sandbox_clock = sandbox_clock_table(metadata, SCHEMA)
