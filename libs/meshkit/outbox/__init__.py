# SPDX-License-Identifier: Apache-2.0
"""Transactional outbox: what a service tells its peers, written with its cause and delivered until heard."""

from meshkit.outbox.notice import Notice, enqueue, forget_sent, outbox_table
from meshkit.outbox.relay import Relay

__all__ = ["Notice", "Relay", "enqueue", "forget_sent", "outbox_table"]
