# SPDX-License-Identifier: Apache-2.0
"""The deadline of the incoming call: set by the server for each call, read by the outgoing calls that it causes."""

import time
from contextvars import ContextVar

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def begin(seconds_left: float | None) -> None:
    """Set the deadline at the start of a call's task; None: the caller waits without limit."""
    _deadline.set(None if seconds_left is None else time.monotonic() + seconds_left)


def forget() -> None:
    """Remove the deadline, in a task that outlives the call that started it."""
    _deadline.set(None)


def time_left() -> float | None:
    """Return the seconds (≥ 0) until the caller stops waiting; None when there is no caller or no limit."""
    deadline = _deadline.get()
    return None if deadline is None else max(0.0, deadline - time.monotonic())
