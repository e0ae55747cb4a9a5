# SPDX-License-Identifier: Apache-2.0
"""Transactional outbox: notices for peers, written in the transaction that causes them and delivered until accepted."""

from meshkit.outbox.ahead import warn_if_ahead
from meshkit.outbox.dead_letters import DeadLetter, dead_letters_table
from meshkit.outbox.notice import Notice, Outbox, enqueue_sql, forget_sent, outbox_table
from meshkit.outbox.relay import Relay

__all__ = [
    "DeadLetter",
    "Notice",
    "Outbox",
    "Relay",
    "dead_letters_table",
    "enqueue_sql",
    "forget_sent",
    "outbox_table",
    "warn_if_ahead",
]
