# SPDX-License-Identifier: Apache-2.0
"""How long the caller still waits: set by the server for each call, read by whoever calls on in its name."""

import time
from contextvars import ContextVar

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def begin(seconds_left: float | None) -> None:
    """Say, at the start of a call's task, how long its caller waits; None: without limit."""
    _deadline.set(None if seconds_left is None else time.monotonic() + seconds_left)


def forget() -> None:
    """Work on without the caller's limit: in a task that outlives the call that started it."""
    _deadline.set(None)


def time_left() -> float | None:
    """Return the seconds (≥ 0) until the caller stops waiting; None when there is no caller or no limit."""
    deadline = _deadline.get()
    return None if deadline is None else max(0.0, deadline - time.monotonic())
