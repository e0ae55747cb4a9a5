# SPDX-License-Identifier: Apache-2.0
"""Transactional outbox: notices for peers, written in the transaction that causes them and delivered until accepted."""

from meshkit.outbox.notice import Notice, enqueue, forget_sent, outbox_table
from meshkit.outbox.relay import Relay

__all__ = ["Notice", "Relay", "enqueue", "forget_sent", "outbox_table"]
