# SPDX-License-Identifier: Apache-2.0
"""How a service is doing: its version, since when it runs, and what waits in its outbox."""

from status.servicer import status_service

__all__ = ["status_service"]
