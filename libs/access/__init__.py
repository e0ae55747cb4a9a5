# SPDX-License-Identifier: Apache-2.0
"""Who calls, and what they may do. Source of the rules: services/README.md, "Identity and access"."""

from access.caller import CLOCK, Call, Caller, current_call, current_caller, no_call
from access.control import open_access

__all__ = ["CLOCK", "Call", "Caller", "current_call", "current_caller", "no_call", "open_access"]
