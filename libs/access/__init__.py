# SPDX-License-Identifier: Apache-2.0
"""Who calls, and what they may do. Source of the rules: services/README.md, "Identity and access"."""

from access.caller import (
    CLOCK,
    Call,
    Caller,
    current_call,
    current_caller,
    no_call,
    require_all_customers,
    require_visible,
    with_request,
)
from access.control import open_access, open_tokens
from access.tokens import TokenExpired, TokenInvalid, TokenVerifier, VerifiedToken
from access.visible import only_visible

__all__ = [
    "CLOCK",
    "Call",
    "Caller",
    "TokenExpired",
    "TokenInvalid",
    "TokenVerifier",
    "VerifiedToken",
    "current_call",
    "current_caller",
    "no_call",
    "only_visible",
    "open_access",
    "open_tokens",
    "require_all_customers",
    "require_visible",
    "with_request",
]
