# SPDX-License-Identifier: Apache-2.0
"""Who changed what, and when: one record per write. Source of the rules: services/README.md, "Audit"."""

from audit.event import AuditEvent, due_event, present_event
from audit.recorder import AuditRecorder
from audit.table import audit_events_table, insert_sql, row_of
from audit.trail import AuditTrail

__all__ = [
    "AuditEvent",
    "AuditRecorder",
    "AuditTrail",
    "audit_events_table",
    "due_event",
    "insert_sql",
    "present_event",
    "row_of",
]
