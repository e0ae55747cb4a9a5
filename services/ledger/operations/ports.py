# SPDX-License-Identifier: Apache-2.0
"""The relay as operations see it. Implemented by meshkit.outbox."""

from typing import Protocol


class Relay(Protocol):
    def wake(self) -> None:
        """Start to send the notices in the outbox, without waiting for it. Call it after the commit."""
        ...
