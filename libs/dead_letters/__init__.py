# SPDX-License-Identifier: Apache-2.0
"""Dead letters for operators: the rpcs that every service offers over its own (meshkit/outbox/dead_letters.py)."""

from dead_letters.servicer import dead_letter_service

__all__ = ["dead_letter_service"]
