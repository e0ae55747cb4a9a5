# SPDX-License-Identifier: Apache-2.0
"""Transactional outbox: notices for peers, written in the transaction that causes them and delivered until accepted."""

from meshkit.outbox.notice import Notice, Outbox, enqueue_sql, forget_sent, outbox_table
from meshkit.outbox.relay import Relay

__all__ = ["Notice", "Outbox", "Relay", "enqueue_sql", "forget_sent", "outbox_table"]
